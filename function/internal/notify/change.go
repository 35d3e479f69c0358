package notify

import (
	"fmt"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
)

// changeGroup is what a run did, or would do, to the regions of one result.
type changeGroup struct {
	title   string
	regions []remediation.Region
	advice  string
}

// changeGroups sorts the regions of a plan or an outcome for people, what went wrong first. Regions that are left alone are
// told only where they fail: the others are told as not judged, or need no telling.
func changeGroups(r record.Record) []changeGroup {
	if r.Remediation == nil {
		return nil
	}
	failing := map[audit.Scope]bool{}
	for _, e := range r.Evaluations {
		if e.Status == audit.NonCompliant {
			failing[e.Scope()] = true
		}
	}
	left := changeGroup{title: "Left alone", advice: "A region is never changed where that could touch what this product did not make."}
	for _, region := range r.Changed(remediation.Skipped) {
		if failing[region.Scope()] {
			left.regions = append(left.regions, region)
		}
	}
	groups := []changeGroup{
		{"Not remediated: a step failed", r.Changed(remediation.Failed), "Until a run gets through, such a region goes on failing. The next run takes up where this one stopped."},
		{"Remediated", r.Changed(remediation.Remediated), "Each has a rule with a target now, made by this product. To take it back: eventbridge-auditor undo."},
		{"Undone", r.Changed(remediation.Undone), "What this product had made there is gone."},
		{"Would be remediated", r.Changed(remediation.Planned), "Nothing was changed. To go ahead: eventbridge-auditor remediate, or Mode=remediate."},
		left,
	}
	if r.Remediation.Mode == remediation.ModeUndo {
		groups[0].title = "Not undone: a step failed"
	}
	var told []changeGroup
	for _, g := range groups {
		if len(g.regions) > 0 {
			told = append(told, g)
		}
	}
	return told
}

// DescribeChange says in one line what was, or would be, done to a region, or why nothing was.
func DescribeChange(region remediation.Region) string {
	var steps []string
	for _, s := range region.Steps {
		switch s.Result {
		case remediation.StepPlanned, remediation.StepApplied:
			steps = append(steps, string(s.Action))
		default:
			steps = append(steps, string(s.Action)+" "+strings.ToLower(string(s.Result)))
		}
	}
	did := strings.Join(steps, ", ")
	if region.Result == remediation.Skipped {
		return region.Detail
	}
	var parts []string
	for _, part := range []string{region.Detail, did} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if region.After != "" {
		parts = append(parts, fmt.Sprintf("was %s, is %s", region.Before, region.After))
	}
	for _, s := range region.Steps {
		if s.Result == remediation.StepSkipped && s.Error != "" {
			parts = append(parts, s.Error)
		}
	}
	return strings.Join(parts, "; ")
}
