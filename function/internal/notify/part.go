package notify

import (
	"fmt"
	"slices"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/history"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
)

// part is a chapter of a message: what is new comes first, then what stands.
type part struct {
	title       string
	status      audit.Status
	evaluations []audit.Evaluation
	resolved    bool
}

// parts sorts the evaluations that a message tells. Without earlier runs there is nothing to tell new from old by.
func parts(r record.Record) []part {
	c := r.Changes
	if c == nil {
		return []part{
			{title: "Failing", status: audit.NonCompliant, evaluations: withStatus(r.Evaluations, audit.NonCompliant)},
			{title: "Not judged", status: audit.InsufficientData, evaluations: withStatus(r.Evaluations, audit.InsufficientData)},
		}
	}
	standing := pickScopes(r, c.Standing)
	return []part{
		{title: "Newly failing", status: audit.NonCompliant, evaluations: pickScopes(r, c.Failing)},
		{title: "Not judged any more", status: audit.InsufficientData, evaluations: pickScopes(r, c.Unjudged)},
		{title: "Resolved", status: audit.Compliant, evaluations: pickScopes(r, c.Resolved), resolved: true},
		{title: "Still failing", status: audit.NonCompliant, evaluations: append(withStatus(pickScopes(r, c.Due), audit.NonCompliant), withStatus(standing, audit.NonCompliant)...)},
		{title: "Still not judged", status: audit.InsufficientData, evaluations: withStatus(standing, audit.InsufficientData)},
	}
}

func withStatus(evaluations []audit.Evaluation, status audit.Status) []audit.Evaluation {
	var some []audit.Evaluation
	for _, e := range evaluations {
		if e.Status == status {
			some = append(some, e)
		}
	}
	return some
}

// pickScopes returns the evaluations of the changed scopes, in the record's order.
func pickScopes(r record.Record, changes []history.Change) []audit.Evaluation {
	wanted := make(map[audit.Scope]bool, len(changes))
	for _, c := range changes {
		wanted[c.Scope()] = true
	}
	var some []audit.Evaluation
	for _, e := range r.Evaluations {
		if wanted[e.Scope()] {
			some = append(some, e)
		}
	}
	return some
}

func scopesOf[T audit.Evaluation | remediation.Region](items []T) []audit.Scope {
	scopes := make([]audit.Scope, len(items))
	for i, item := range items {
		switch item := any(item).(type) {
		case audit.Evaluation:
			scopes[i] = item.Scope()
		case remediation.Region:
			scopes[i] = item.Scope()
		}
	}
	return scopes
}

const minute = "2006-01-02 15:04 UTC"

// since tells since when a region is as it is, and what the receivers know it for where that is something else, as far as
// earlier runs are known.
func since(r record.Record, e audit.Evaluation) string {
	text := ""
	if e.Since != nil {
		text = ", since " + e.Since.UTC().Format(minute)
	}
	if c := r.Changes; c != nil {
		for _, change := range slices.Concat(c.Failing, c.Unjudged, c.Standing) {
			switch {
			case change.Was == "" || change.Scope() != e.Scope():
			case e.Status == audit.InsufficientData:
				text += ", failed before that (" + string(change.Was) + ")"
			default:
				text += ", told before as " + string(change.Was)
			}
		}
	}
	return text
}

// resolvedText says what was wrong with a region that passes now.
func resolvedText(r record.Record, e audit.Evaluation) string {
	for _, c := range r.Changes.Resolved {
		if c.Scope() == e.Scope() {
			return fmt.Sprintf("failed (%s) since %s, passes now: %s", c.Was, c.Since.UTC().Format(minute), e.Detail)
		}
	}
	return "passes now: " + e.Detail
}

// failingOnes are the failing evaluations in the order in which a message tells them.
func failingOnes(r record.Record) []audit.Evaluation {
	var failing []audit.Evaluation
	for _, p := range parts(r) {
		if p.status == audit.NonCompliant {
			failing = append(failing, p.evaluations...)
		}
	}
	return failing
}

// exceptionFor is the entry that takes a region out of the audit for a quarter of a year, ready to be pasted; who and why is
// for a person to fill in.
func exceptionFor(r record.Record, e audit.Evaluation, last bool) string {
	end := ","
	if last {
		end = ""
	}
	return fmt.Sprintf("    {\"account\": %q, \"region\": %q,\n     \"reason\": \"alert of %s\", \"owner\": \"FILL IN\",\n     \"expires\": %q}%s\n",
		e.Account, e.Region, r.FinishedAt.Format("2006-01-02"), r.FinishedAt.AddDate(0, 3, 0).Format("2006-01-02"), end)
}
