// Package remediation mends failing scopes: it plans what would be changed, as data, applies the plan through an Executor,
// and undoes what it made, and nothing else. It is pure but for Apply, which acts only through the Executor: it reads no
// clock but to wait, no environment and no network of its own, and never logs.
//
// What it makes in a region is one rule on the default event bus, one target and one permission, as Trend Micro
// Conformity's CWE-001 documents them. The order of the steps is what keeps it safe: a rule that were enabled before its
// target exists would let the region pass and do nothing, so the rule is made disabled and enabled last.
package remediation

import (
	"fmt"
	"strings"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// Options say what to make in a region, and how much of it at once.
type Options struct {
	RuleName       string // of the rule, on the default event bus
	Schedule       string // schedule expression; "" means DefaultSchedule where there is no event pattern either
	EventPattern   string // event pattern as canonical JSON (see ParsePattern); "" means none
	TargetFunction string // name of the Lambda function, which must exist in the rule's own region
	StatementID    string // of the statement in the function's policy that lets the rule invoke it
	TargetID       string // of the rule's target

	Limit         int           // regions that a run changes at most; less than 1 counts as none
	Concurrency   int           // regions worked on at once, once the first is done
	RegionTimeout time.Duration // for all that is done to one region
}

// The names that Conformity's remediation steps use, and the quantity that a run changes at most.
// https://trendmicro.com/cloudoneconformity/knowledge-base/aws/CloudWatchEvents/cloudwatch-events-in-use.html
const (
	DefaultRuleName       = "cc-scheduled-event-rule"
	DefaultSchedule       = "rate(5 minutes)"
	DefaultTargetFunction = "LogScheduledEvent"
	DefaultStatementID    = "cc-scheduled-event"
	DefaultTargetID       = "5"
	DefaultLimit          = 50
)

// Defaults are the options that nobody set otherwise; concurrency and times are the caller's.
func Defaults() Options {
	return Options{
		RuleName: DefaultRuleName, TargetFunction: DefaultTargetFunction, StatementID: DefaultStatementID, TargetID: DefaultTargetID, Limit: DefaultLimit,
	}
}

// Mode is what is done with a plan.
type Mode string

const (
	ModePlan  Mode = "plan"  // shown, nothing is changed
	ModeApply Mode = "apply" // carried out
	ModeUndo  Mode = "undo"  // what an earlier run made is removed
)

// Result is what became of a scope.
type Result string

const (
	Planned    Result = "PLANNED"    // would be changed
	Remediated Result = "REMEDIATED" // every step is done, and the second look found the region compliant
	Undone     Result = "UNDONE"     // what this product made is gone
	Failed     Result = "FAILED"     // a step failed, or the region did not pass afterwards; the next run goes on from there
	Skipped    Result = "SKIPPED"    // nothing was touched, for the reason given
)

// StepResult is what became of a step.
type StepResult string

const (
	StepPlanned   StepResult = "PLANNED"
	StepApplied   StepResult = "APPLIED"
	StepUnchanged StepResult = "UNCHANGED" // was as it ought to be
	StepFailed    StepResult = "FAILED"
	StepSkipped   StepResult = "SKIPPED" // not tried, since a step before it failed or it is not ours to do
)

// Action is an operation of AWS's API, named as the API names it.
type Action string

// The steps that mend a region, in their order, and the ones that undo it.
const (
	PutRule       Action = "PutRule"
	AddPermission Action = "AddPermission"
	PutTargets    Action = "PutTargets"
	EnableRule    Action = "EnableRule"

	DisableRule      Action = "DisableRule"
	RemoveTargets    Action = "RemoveTargets"
	DeleteRule       Action = "DeleteRule"
	RemovePermission Action = "RemovePermission"
)

// The questions that may fail before anything is decided; they are steps of the record only then.
const (
	describeRule Action = "DescribeRule"
	getFunction  Action = "GetFunction"
)

// Refusal is why a scope is not touched. Beside the ones below it may be the audit.Reason of a scope that was not judged,
// or need not be.
type Refusal string

const (
	ForeignRule          Refusal = "FOREIGN_RULE"          // a rule of that name exists that this product did not make
	ManagedRule          Refusal = "MANAGED_RULE"          // a rule of that name exists that an AWS service owns
	OtherSettings        Refusal = "OTHER_SETTINGS"        // made by this product, but with another function, statement or target id
	NoTargetFunction     Refusal = "NO_TARGET_FUNCTION"    // the target function does not exist in the region
	ForeignStatement     Refusal = "FOREIGN_STATEMENT"     // the function's policy has a statement of that id that says something else
	ChangedByHand        Refusal = "CHANGED_BY_HAND"       // made by this product, and changed since by somebody
	LimitReached         Refusal = "LIMIT_REACHED"         // the run changes no more regions
	FirstRegionFailed    Refusal = "FIRST_REGION_FAILED"   // the region that went first failed, and the cause is likely the same here
	Interrupted          Refusal = "INTERRUPTED"           // the run was stopped, or its time ran out, before the region's turn
	StillFailing         Refusal = "STILL_NON_COMPLIANT"   // FAILED: every step is done, and yet the second look was not COMPLIANT
	StillThere           Refusal = "STILL_THERE"           // FAILED: every step of undo is done, and yet something of ours is there
	StepFailure          Refusal = "STEP_FAILED"           // FAILED: a step says what went wrong
	Unread               Refusal = "COULD_NOT_BE_READ"     // FAILED: what is there now could not be read, so nothing was decided
	ExceptionsUnreadable Refusal = "EXCEPTIONS_UNREADABLE" // the list of exceptions cannot be trusted
)

// Report is what a run planned or did. It is part of the Record's vocabulary: keys may be added, not changed.
type Report struct {
	Mode    Mode     `json:"mode"`
	Rule    Wanted   `json:"rule"`                     // what is made in a region, or looked for by undo
	Regions []Region `json:"regions"`                  // sorted by account, then region; regions with nothing to do are not in it
	Omitted int      `json:"omittedRegions,omitempty"` // in a notification: regions that did not fit it
}

// Wanted is what the options make in each region.
type Wanted struct {
	Name           string `json:"name"`
	Schedule       string `json:"schedule,omitempty"`
	EventPattern   string `json:"eventPattern,omitempty"`
	TargetFunction string `json:"targetFunction"`
	StatementID    string `json:"statementId"`
	TargetID       string `json:"targetId"`
}

func (o Options) wanted() Wanted {
	s := SpecFor(audit.Scope{}, o)
	return Wanted{Name: s.RuleName, Schedule: s.Schedule, EventPattern: s.Pattern, TargetFunction: s.FunctionName, StatementID: s.StatementID, TargetID: s.TargetID}
}

// String tells it in a line.
func (w Wanted) String() string {
	var when []string
	for _, text := range []string{w.Schedule, w.EventPattern} {
		if text != "" {
			when = append(when, text)
		}
	}
	return fmt.Sprintf("rule %s: %s runs function %s", w.Name, strings.Join(when, " and "), w.TargetFunction)
}

// Region is one scope's part of a Report.
type Region struct {
	Account string       `json:"account"`
	Region  string       `json:"region"`
	Result  Result       `json:"result"`
	Reason  Refusal      `json:"reason,omitempty"` // why SKIPPED or FAILED
	Detail  string       `json:"detail,omitempty"` // one line for people; may hold names and words from AWS
	Remedy  string       `json:"remedy,omitempty"` // a shell command that removes the reason, where there is one
	Before  audit.Status `json:"before"`
	After   audit.Status `json:"after,omitempty"` // the second look's verdict; absent where nothing was touched
	Steps   []Step       `json:"steps"`

	spec Spec
}

// Scope returns the region's scope.
func (r Region) Scope() audit.Scope { return audit.Scope{Account: r.Account, Region: r.Region} }

// Step is one change, planned or done.
type Step struct {
	Action   Action     `json:"action"`
	Result   StepResult `json:"result"`
	Resource string     `json:"resource"`          // ARN of what is changed
	Error    string     `json:"error,omitempty"`   // what went wrong, in one line
	Command  string     `json:"command,omitempty"` // the AWS CLI command that does the same; only in a plan
}

// Changes reports whether anything is planned that changes the region.
func (r Region) Changes() bool {
	for _, s := range r.Steps {
		if s.Result == StepPlanned {
			return true
		}
	}
	return false
}

// Touched reports whether a change was made, or tried.
func (r Region) Touched() bool {
	for _, s := range r.Steps {
		if s.Result == StepApplied || s.Result == StepFailed && s.Action != describeRule && s.Action != getFunction {
			return true
		}
	}
	return false
}

// Count returns how many regions have the result.
func (r Report) Count(result Result) int {
	n := 0
	for _, region := range r.Regions {
		if region.Result == result {
			n++
		}
	}
	return n
}
