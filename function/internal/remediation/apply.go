package remediation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// A Reader tells what is in a scope now. It retries what is worth retrying, obeys the context's deadline, and may be asked
// for many scopes at once. Its errors are one line for people. A thing that is not there is no error.
type Reader interface {
	// Rule returns the rule of the spec's name on the default event bus, with its tags; nil when there is none.
	Rule(ctx context.Context, s Spec) (*Rule, error)
	// Targets returns all targets of that rule.
	Targets(ctx context.Context, s Spec) ([]Target, error)
	// Function returns the spec's function and the statement of the spec's id in its policy.
	Function(ctx context.Context, s Spec) (Function, error)
}

// An Executor also changes a scope.
//
// Do sends one change as the spec describes it, and nothing else: PutRule makes the rule DISABLED, with the tag. An answer
// of 200 that lists failed entries is an error. An error wraps ErrNotYet or ErrConflict where AWS said so. Taking away
// what is not there is no error.
type Executor interface {
	Reader
	Do(ctx context.Context, s Spec, a Action) error
}

var (
	// ErrNotYet says that what a change builds on is not there, or not gone, and may be so shortly.
	ErrNotYet = errors.New("not yet")
	// ErrConflict says that a statement of that id exists already, or that another change of the policy is under way.
	ErrConflict = errors.New("conflict")
)

// Plan decides for each evaluation what would be done to its scope: with ModeUndo what is taken away, else what is mended.
// It reads only what the decision needs, and marks what is over the limit. Scopes with nothing to do are not in the report.
func Plan(ctx context.Context, reader Reader, evaluations []audit.Evaluation, mode Mode, o Options) Report {
	decided := make([]Region, len(evaluations))
	audit.Each(len(evaluations), o.Concurrency, func(i int) {
		decided[i] = decide(ctx, reader, evaluations[i], mode, o)
	})
	report := Report{Mode: mode, Rule: o.wanted(), Regions: []Region{}}
	for _, r := range decided {
		if r.Result != "" {
			report.Regions = append(report.Regions, r)
		}
	}
	bound(report.Regions, o.Limit)
	return report
}

// Block skips everything that is planned.
func (r *Report) Block(reason Refusal, detail string) {
	for i, region := range r.Regions {
		if region.Result == Planned {
			r.Regions[i] = region.skip(reason, detail)
		}
	}
}

// Commands gives each planned step the AWS CLI command that does the same.
func (r *Report) Commands() {
	for i := range r.Regions {
		r.Regions[i].addCommands()
	}
}

// bound skips what is over the limit.
func bound(regions []Region, limit int) {
	changing := 0
	for i, r := range regions {
		if !r.Changes() {
			continue
		}
		if changing++; changing > limit {
			regions[i] = r.skip(LimitReached, fmt.Sprintf("over the limit of this run (%d); the next one goes on", max(0, limit)))
		}
	}
}

// decide returns the zero Region where there is nothing to do.
func decide(ctx context.Context, reader Reader, e audit.Evaluation, mode Mode, o Options) Region {
	r := Region{Account: e.Account, Region: e.Region, Steps: []Step{}}
	switch {
	case e.Status == audit.InsufficientData:
		r = r.skip(Refusal(e.Reason), "the region could not be judged: "+e.Detail)
	case e.Status == audit.NotApplicable && (mode != ModeUndo || e.Reason != audit.Exempt):
		r = r.skip(Refusal(e.Reason), e.Detail)
	case e.Status == audit.Compliant && mode != ModeUndo:
		return Region{}
	default:
		ctx, cancel := context.WithTimeout(ctx, o.RegionTimeout)
		defer cancel()
		var something bool
		r, something = examine(ctx, reader, SpecFor(e.Scope(), o), mode)
		if !something && e.Reason == audit.OnlyRemediationRule {
			r = r.skip(OtherSettings, fmt.Sprintf("remediate made rule %s here, and not %s: undo it with --rule-name (REMEDIATION_RULE_NAME)", strings.Join(e.Evidence.Examples, ", "), o.RuleName))
		} else if !something {
			return Region{}
		}
	}
	r.Before = e.Status
	return r
}

// examine reads a scope and decides. What could not be read is a failed region in which nothing was touched.
func examine(ctx context.Context, reader Reader, s Spec, mode Mode) (Region, bool) {
	seen, asked, err := look(ctx, reader, &s, mode)
	if err != nil && asked == getFunction && mode == ModeUndo && seen.rule == nil {
		r := Region{Account: s.Scope.Account, Region: s.Scope.Region, spec: s}
		return r.skip(Unread, "there is no rule of this product; whether its permission is left could not be read: "+err.Error()), true
	}
	if err != nil {
		resource := s.RuleARN
		if asked == getFunction {
			resource = s.FunctionARN
		}
		return Region{
			Account: s.Scope.Account, Region: s.Scope.Region, Result: Failed, Reason: Unread, Detail: err.Error(), spec: s,
			Steps: []Step{{Action: asked, Result: StepFailed, Resource: resource, Error: err.Error()}},
		}, true
	}
	if mode == ModeUndo {
		return takeAway(s, seen)
	}
	return mend(s, seen), true
}

// look reads what the decision needs. For undo it follows the receipt of a rule of ours, whatever the settings say now.
func look(ctx context.Context, reader Reader, s *Spec, mode Mode) (seen sight, asked Action, err error) {
	asked = describeRule
	if seen.rule, err = reader.Rule(ctx, *s); err != nil {
		return seen, asked, err
	}
	if seen.rule != nil {
		if !seen.rule.Ours() {
			return seen, asked, nil // refused, whatever else there is
		}
		if made, ok := parseReceipt(seen.rule.Description); ok && mode == ModeUndo {
			s.point(made.function)
			s.StatementID, s.TargetID = made.statement, made.target
		}
		if seen.targets, err = reader.Targets(ctx, *s); err != nil {
			return seen, asked, err
		}
	}
	asked = getFunction
	seen.function, err = reader.Function(ctx, *s)
	return seen, asked, err
}

// Apply carries out a plan and returns what became of each region. The first region that is changed goes alone: if one of
// its steps fails, the others are skipped, since the cause is likely theirs too. When ctx ends, the step under way ends
// with it, and no other begins. Results are not proven yet: see Prove.
func Apply(ctx context.Context, executor Executor, plan Report, o Options) Report {
	done := Report{Mode: plan.Mode, Rule: plan.Rule, Regions: append([]Region{}, plan.Regions...)}
	var waiting []int
	firstFailed := ""
	first := true
	for i, r := range plan.Regions {
		switch {
		case r.Result != Planned:
		case !first:
			waiting = append(waiting, i)
		default:
			done.Regions[i] = apply(ctx, executor, r, plan.Mode, o)
			if after := done.Regions[i]; after.Touched() {
				first = false
				if after.Result == Failed {
					firstFailed = after.Region
				}
			}
		}
	}
	if firstFailed != "" && ctx.Err() == nil {
		for _, i := range waiting {
			done.Regions[i] = done.Regions[i].skip(FirstRegionFailed, "not tried, since "+firstFailed+" went first and failed, and the cause is likely the same here; "+
				"if it is not, leave that region out (ExcludeRegions, --exclude-regions)")
		}
		return done
	}
	audit.Each(len(waiting), o.Concurrency, func(n int) {
		i := waiting[n]
		done.Regions[i] = apply(ctx, executor, plan.Regions[i], plan.Mode, o)
	})
	return done
}

// apply works on one region. What is there is read again first, since somebody may have changed it after the plan.
func apply(ctx context.Context, executor Executor, planned Region, mode Mode, o Options) Region {
	if ctx.Err() != nil {
		return planned.skip(Interrupted, "not begun: the run was stopped, or its time ran out")
	}
	ctx, cancel := context.WithTimeout(ctx, o.RegionTimeout)
	defer cancel()
	r, something := examine(ctx, executor, SpecFor(planned.Scope(), o), mode)
	r.Before = planned.Before
	if !something { // somebody else has undone it since it was planned
		r = planned
		r.Result, r.Steps = Undone, slices.Clone(planned.Steps)
		for i := range r.Steps {
			r.Steps[i].Result = StepUnchanged
		}
		return r
	}
	if r.Result != Planned {
		return r
	}
	r.Result = Remediated
	if mode == ModeUndo {
		r.Result = Undone
	}
	for i := range r.Steps {
		step := &r.Steps[i]
		if step.Result != StepPlanned {
			continue
		}
		if r.Result == Failed {
			step.Result = StepSkipped
			continue
		}
		if step.Result, step.Error = perform(ctx, executor, r.spec, step.Action); step.Result == StepFailed {
			r.Result, r.Reason, r.Detail = Failed, StepFailure, string(step.Action)+": "+step.Error
		}
	}
	if r.Result == Undone {
		gone(ctx, executor, &r)
	}
	return r
}

// perform does one step. Changes take a short while to be seen, so that what is not there yet is waited for.
func perform(ctx context.Context, executor Executor, s Spec, a Action) (StepResult, string) {
	result := StepApplied
	err := patiently(ctx, func() (again bool, err error) {
		result = StepApplied
		if again, err := safe(ctx, executor, s, a); err != nil {
			return again, err
		}
		err = executor.Do(ctx, s, a)
		if err == nil {
			err = secure(ctx, executor, s, a)
		}
		if a == AddPermission && errors.Is(err, ErrConflict) {
			now, readErr := executor.Function(ctx, s)
			switch {
			case readErr != nil:
				return false, readErr
			case now.Statement == nil:
				return true, err // another change of the policy is under way
			case *now.Statement != s.statement():
				return false, fmt.Errorf("the function's policy has a statement %s that says something else by now: %w", s.StatementID, err)
			}
			result = StepUnchanged // another run was quicker
			return false, nil
		}
		return errors.Is(err, ErrNotYet), err
	})
	if err != nil {
		return StepFailed, err.Error()
	}
	return result, ""
}
