package remediation

import (
	"fmt"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// mend decides what a failing scope needs. What is not this product's own is refused, never changed.
//
//	rule of that name                  function   statement of that id   decision
//	owned by an AWS service            any        any                    MANAGED_RULE
//	without our marker or tag          any        any                    FOREIGN_RULE
//	ours, not as its receipt says      any        any                    CHANGED_BY_HAND
//	ours, for another function or id   any        any                    OTHER_SETTINGS
//	none, or ours                      missing    –                      NO_TARGET_FUNCTION
//	none, or ours                      there      says something else    FOREIGN_STATEMENT
//	none, or ours                      there      none, or the same      the steps that are not done yet
func mend(s Spec, seen sight) Region {
	r := Region{Account: s.Scope.Account, Region: s.Scope.Region, Steps: []Step{}, spec: s}
	if rule := seen.rule; rule != nil {
		if refusal, detail := foreign(s, *rule); refusal != "" {
			return r.skip(refusal, detail)
		}
		if made, ok := parseReceipt(rule.Description); ok && (made.function != s.FunctionName || made.statement != s.StatementID || made.target != s.TargetID) {
			return r.skip(OtherSettings, fmt.Sprintf("rule %s was made for function %s, statement %s, target %s: undo it first, or use those settings",
				s.RuleName, made.function, made.statement, made.target))
		}
		if changes := seen.changes(s); len(changes) > 0 {
			return r.skip(ChangedByHand, s.changed(changes))
		}
	}
	if !seen.function.Exists {
		r = r.skip(NoTargetFunction, fmt.Sprintf("there is no function %s in %s, and a rule's function must be in the rule's own region: infra/regional-target.yaml deploys it", s.FunctionName, s.Scope.Region))
		r.Remedy = s.deployCommand()
		return r
	}
	same := seen.function.Statement != nil && *seen.function.Statement == s.statement()
	if seen.function.Statement != nil && !same {
		return r.skip(ForeignStatement, fmt.Sprintf("the policy of function %s has a statement %s that says something else: remove it, or choose another statement id",
			s.FunctionName, s.StatementID))
	}

	target := seen.hasTarget(s)
	defined := seen.rule != nil && seen.rule.Description == s.Description && seen.rule.RoleARN == "" &&
		definition(seen.rule.Schedule, seen.rule.Pattern) == definition(s.Schedule, s.Pattern)
	active := seen.rule != nil && seen.rule.State.Active()
	// An enabled rule that lacks its target or its permission is made anew, disabled, before anything else.
	put := !defined || active && !(target && same)
	r.Result = Planned
	r.Steps = []Step{
		step(PutRule, s.RuleARN, put),
		step(AddPermission, s.FunctionARN, !same),
		step(PutTargets, s.RuleARN, !target),
		step(EnableRule, s.RuleARN, put || !active),
	}
	return r
}

// takeAway decides what undo does to a scope; ok is false where there is nothing of this product's.
//
//	rule of that name          statement of that id        decision
//	none                       none, or something else     nothing to do
//	none                       as this product makes it    RemovePermission
//	not ours, or managed       any                         FOREIGN_RULE, MANAGED_RULE
//	ours, changed by hand      any                         CHANGED_BY_HAND
//	ours                       none                        DisableRule, RemoveTargets, DeleteRule
//	ours                       as this product makes it    and RemovePermission
//	ours                       something else              and that is left, and named
func takeAway(s Spec, seen sight) (r Region, ok bool) {
	r = Region{Account: s.Scope.Account, Region: s.Scope.Region, Steps: []Step{}, spec: s}
	statement := seen.function.Statement
	same := statement != nil && *statement == s.statement()
	if seen.rule == nil {
		r.Result, r.Steps = Planned, []Step{step(RemovePermission, s.FunctionARN, true)}
		return r, same
	}
	if refusal, detail := foreign(s, *seen.rule); refusal != "" {
		return r.skip(refusal, detail), true
	}
	if changes := seen.changes(s); len(changes) > 0 {
		return r.skip(ChangedByHand, s.changed(changes)), true
	}
	r.Result = Planned
	r.Steps = []Step{
		step(DisableRule, s.RuleARN, seen.rule.State.Active() || !seen.rule.State.Known()),
		step(RemoveTargets, s.RuleARN, seen.hasTarget(s)),
		step(DeleteRule, s.RuleARN, true),
		step(RemovePermission, s.FunctionARN, statement != nil),
	}
	if statement != nil && !same {
		last := &r.Steps[len(r.Steps)-1]
		last.Result = StepSkipped
		last.Error = fmt.Sprintf("statement %s of function %s was changed since it was made, so it is left as it is", s.StatementID, s.FunctionName)
	}
	return r, true
}

// changed says why a rule of ours is left.
func (s Spec) changed(changes []string) string {
	return fmt.Sprintf("rule %s was changed since it was made, so it is left as it is: %s; see to it by hand", s.RuleName, strings.Join(changes, "; "))
}

// sight is what was read of a scope.
type sight struct {
	rule     *Rule
	targets  []Target
	function Function
}

func (v sight) hasTarget(s Spec) bool {
	for _, t := range v.targets {
		if t.ID == s.TargetID && t.ARN == s.FunctionARN && t.Plain {
			return true
		}
	}
	return false
}

// changes names what somebody changed on a rule of ours since it was made.
func (v sight) changes(s Spec) []string {
	made, ok := parseReceipt(v.rule.Description)
	if !ok {
		return []string{"its description no longer says how it was made"}
	}
	var changes []string
	if definition(v.rule.Schedule, v.rule.Pattern) != made.definition {
		changes = append(changes, "its schedule or event pattern is another one")
	}
	if v.rule.RoleARN != "" {
		changes = append(changes, "it has the role "+v.rule.RoleARN)
	}
	for _, t := range v.targets {
		if t.ID != s.TargetID {
			changes = append(changes, fmt.Sprintf("it has another target %s (%s)", t.ID, t.ARN))
		} else if t.ARN != s.FunctionARN || !t.Plain {
			changes = append(changes, fmt.Sprintf("its target %s is %s%s", t.ID, t.ARN, plain(t)))
		}
	}
	return changes
}

func plain(t Target) string {
	if t.Plain {
		return ""
	}
	return ", with settings of its own"
}

// foreign refuses a rule that this product did not make.
func foreign(s Spec, rule Rule) (Refusal, string) {
	switch {
	case rule.ManagedBy != "":
		return ManagedRule, fmt.Sprintf("rule %s belongs to %s; choose another name for the rule", s.RuleName, rule.ManagedBy)
	case rule.Ours():
		return "", ""
	case strings.Contains(rule.Description, audit.MarkerRemediation):
		return ForeignRule, fmt.Sprintf("rule %s has this product's mark in its description, but not its tag %s=%s, so somebody else may have made it", s.RuleName, TagKey, TagValue)
	default:
		return ForeignRule, fmt.Sprintf("rule %s exists, and this product did not make it; choose another name for the rule, or see to that one by hand", s.RuleName)
	}
}

func (r Region) skip(reason Refusal, detail string) Region {
	r.Result, r.Reason, r.Detail, r.Steps = Skipped, reason, detail, []Step{}
	return r
}

func step(a Action, resource string, needed bool) Step {
	if needed {
		return Step{Action: a, Resource: resource, Result: StepPlanned}
	}
	return Step{Action: a, Resource: resource, Result: StepUnchanged}
}
