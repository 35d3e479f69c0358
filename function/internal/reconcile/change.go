package reconcile

import (
	"context"
	"slices"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

// modes are the actions that go on after the audit.
var modes = map[trigger.Action]remediation.Mode{
	trigger.Plan: remediation.ModePlan, trigger.Remediate: remediation.ModeApply, trigger.Undo: remediation.ModeUndo,
}

// roundsPerRegion is how many times the time of one region's audit all the changes to it may take: some ten requests, and
// the waits until a change is seen.
const roundsPerRegion = 3

// change plans, and where the mode says so applies the plan and looks at what was touched a second time. It fails only where
// nothing was changed.
func change(ctx context.Context, cloud Cloud, o Options, mode remediation.Mode, candidates []audit.Candidate, blocked string, r *record.Record) error {
	ro := o.Remediation
	ro.Concurrency, ro.RegionTimeout = o.Audit.Concurrency, roundsPerRegion*o.Audit.RegionTimeout
	plan := remediation.Plan(ctx, cloud, r.Evaluations, mode, ro)
	if blocked != "" && mode != remediation.ModeUndo {
		plan.Block(remediation.ExceptionsUnreadable, blocked)
	}
	r.Remediation = &plan
	if note := remediation.PatternNote(ro.EventPattern); note != "" && mode != remediation.ModeUndo &&
		slices.ContainsFunc(plan.Regions, func(region remediation.Region) bool { return region.Changes() && region.Region != "us-east-1" }) {
		r.Warnings = append(r.Warnings, note)
	}
	if mode == remediation.ModePlan || o.DryRun {
		plan.Commands()
		return nil
	}
	if ctx.Err() == nil && o.Confirm != nil && slices.ContainsFunc(plan.Regions, remediation.Region.Changes) {
		if err := o.Confirm(*r); err != nil {
			return err
		}
	}
	applyCtx, cancel := beforeDeadline(ctx) // with time kept back for the second look
	defer cancel()
	done := remediation.Apply(applyCtx, cloud, plan, ro)
	looked := remediation.Prove(ctx, &done, func(ctx context.Context, scopes []audit.Scope) []audit.Evaluation {
		touched := slices.DeleteFunc(slices.Clone(candidates), func(c audit.Candidate) bool { return !slices.Contains(scopes, c.Scope) })
		quiet := o.Audit
		quiet.Observe = nil // the progress of the audit is over
		return audit.Run(ctx, touched, cloud, quiet)
	})
	r.Remediation = &done
	r.Take(audit.Report{Evaluations: r.Evaluations, Coverage: r.Coverage}.Renewed(looked))
	return nil
}
