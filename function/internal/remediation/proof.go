package remediation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// safe refuses what would leave an enabled rule without a target. An answer of 200 to the step before is not enough: it says
// nothing where a change is seen late, or where something between here and AWS answered.
func safe(ctx context.Context, reader Reader, s Spec, a Action) (again bool, err error) {
	switch a {
	case EnableRule:
		targets, err := reader.Targets(ctx, s)
		if err == nil && !(sight{targets: targets}).hasTarget(s) {
			return true, fmt.Errorf("not enabled, since the rule's target %s is not there: %w", s.TargetID, ErrNotYet)
		}
		return false, err
	case RemoveTargets:
		rule, err := reader.Rule(ctx, s)
		if err == nil && rule != nil && rule.State.Active() {
			return true, fmt.Errorf("targets not removed, since the rule is still enabled: %w", ErrNotYet)
		}
		return false, err
	}
	return false, nil
}

// secure looks again after the two steps that an undo and a remediation at the same time could make into an enabled rule
// without a target, and disables such a rule.
func secure(ctx context.Context, executor Executor, s Spec, a Action) error {
	switch a {
	case EnableRule:
		targets, err := executor.Targets(ctx, s)
		if err != nil || (sight{targets: targets}).hasTarget(s) {
			return err
		}
		return errors.Join(fmt.Errorf("somebody took the rule's target %s away while the rule was enabled, so that it was disabled again", s.TargetID), executor.Do(ctx, s, DisableRule))
	case RemoveTargets:
		rule, err := executor.Rule(ctx, s)
		if err != nil || rule == nil || !rule.State.Active() {
			return err
		}
		return executor.Do(ctx, s, DisableRule)
	}
	return nil
}

// gone makes sure that nothing is left of what was taken away.
func gone(ctx context.Context, reader Reader, r *Region) {
	err := patiently(ctx, func() (bool, error) {
		now, something := examine(ctx, reader, r.spec, ModeUndo)
		switch {
		case !something || now.Result == Skipped:
			return false, nil
		case now.Result == Failed:
			return false, errors.New(now.Detail)
		default:
			return true, fmt.Errorf("every step is done, and yet %s is still there", now.Steps[len(now.Steps)-1].Resource)
		}
	})
	if err != nil {
		r.Result, r.Reason, r.Detail = Failed, StillThere, err.Error()
	}
}

// pauses are how long to wait before each further try, in all some five seconds.
var pauses = []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond, 2 * time.Second}

// patiently tries until an attempt says that a further one is of no use, the pauses are used up, or ctx ends.
func patiently(ctx context.Context, attempt func() (again bool, err error)) error {
	for _, pause := range pauses {
		again, err := attempt()
		if !again {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
	_, err := attempt()
	return err
}

// Prove takes the second look into the report: look audits scopes and is asked again for those that do not pass yet, since
// changes take a short while to be seen. It returns the newest evaluation of each scope that was touched.
func Prove(ctx context.Context, report *Report, look func(context.Context, []audit.Scope) []audit.Evaluation) []audit.Evaluation {
	newest := map[audit.Scope]audit.Evaluation{}
	var order []audit.Scope
	open := map[audit.Scope]bool{}
	for _, r := range report.Regions {
		if r.Touched() || r.Result == Remediated || r.Result == Undone {
			order = append(order, r.Scope())
			open[r.Scope()] = true
		}
	}
	if len(order) == 0 {
		return nil
	}
	settled := func(r Region, e audit.Evaluation) bool {
		switch r.Result {
		case Remediated:
			return e.Status == audit.Compliant
		case Undone:
			return e.Status != audit.InsufficientData && e.Reason != audit.OnlyRemediationRule
		default:
			return true
		}
	}
	patiently(ctx, func() (bool, error) {
		var ask []audit.Scope
		for _, s := range order {
			if open[s] {
				ask = append(ask, s)
			}
		}
		for _, e := range look(ctx, ask) {
			newest[e.Scope()] = e
		}
		for _, r := range report.Regions {
			if e, ok := newest[r.Scope()]; ok && settled(r, e) {
				delete(open, r.Scope())
			}
		}
		return len(open) > 0, nil
	})
	var looked []audit.Evaluation
	for i := range report.Regions {
		r := &report.Regions[i]
		e, ok := newest[r.Scope()]
		if !ok {
			continue
		}
		looked = append(looked, e)
		r.After = e.Status
		switch {
		case r.Result != Remediated || e.Status == audit.Compliant:
		case e.Status == audit.InsufficientData:
			r.Result, r.Reason, r.Detail = Failed, Refusal(e.Reason), "every step is done, but the second look could not judge the region: "+e.Detail
		default:
			r.Result, r.Reason = Failed, StillFailing
			r.Detail = fmt.Sprintf("every step is done, but the second look still says %s (%s): %s", e.Status, e.Reason, e.Detail)
		}
	}
	return looked
}
