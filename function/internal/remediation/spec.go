package remediation

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// The tag that a rule of this product carries beside the marker in its description: one that somebody copied by hand has
// hardly both.
const (
	TagKey   = "eventbridge-auditor"
	TagValue = "remediation"
)

// Spec is what a mended scope has.
type Spec struct {
	Scope       audit.Scope
	RuleName    string
	RuleARN     string
	Schedule    string // "" means none
	Pattern     string // canonical JSON; "" means none
	Description string // marker and receipt

	FunctionName string
	FunctionARN  string
	StatementID  string
	TargetID     string
}

// SpecFor says what the options make of a scope. A rule's Lambda target must be in the rule's own region, so that the
// scope tells both ARNs.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
func SpecFor(scope audit.Scope, o Options) Spec {
	s := Spec{Scope: scope, RuleName: o.RuleName, Schedule: o.Schedule, Pattern: o.EventPattern, StatementID: o.StatementID, TargetID: o.TargetID}
	if s.Pattern == "" {
		s.Schedule = cmp.Or(s.Schedule, DefaultSchedule)
	}
	s.RuleARN = arn(scope, "events", "rule/"+s.RuleName)
	s.point(o.TargetFunction)
	s.Description = "Made by eventbridge-auditor, so that the region passes CWE-001. " + audit.MarkerRemediation + " " +
		receipt{function: s.FunctionName, statement: s.StatementID, target: s.TargetID, definition: definition(s.Schedule, s.Pattern)}.String()
	return s
}

func (s *Spec) point(function string) {
	s.FunctionName, s.FunctionARN = function, arn(s.Scope, "lambda", "function:"+function)
}

func arn(scope audit.Scope, service, resource string) string {
	return strings.Join([]string{"arn", audit.PartitionOf(scope.Region), service, scope.Region, scope.Account, resource}, ":")
}

// receipt is what a rule's description tells of how it was made, so that undo needs no settings of the run that made it,
// and sees what was changed since.
type receipt struct{ function, statement, target, definition string }

func (r receipt) String() string {
	return fmt.Sprintf("function=%s statement=%s target=%s definition=%s", r.function, r.statement, r.target, r.definition)
}

// parseReceipt reads the receipt behind the marker; ok is false where it is not whole.
func parseReceipt(description string) (r receipt, ok bool) {
	_, text, found := strings.Cut(description, audit.MarkerRemediation)
	if !found {
		return receipt{}, false
	}
	for _, field := range strings.Fields(text) {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "function":
			r.function = value
		case "statement":
			r.statement = value
		case "target":
			r.target = value
		case "definition":
			r.definition = value
		}
	}
	return r, r.function != "" && r.statement != "" && r.target != "" && r.definition != ""
}

// definition is the fingerprint of what sets a rule off.
func definition(schedule, pattern string) string {
	sum := sha256.Sum256([]byte(schedule + "\x00" + canonical(pattern)))
	return hex.EncodeToString(sum[:8])
}

// Rule is a rule as it is now, as far as it matters here.
type Rule struct {
	State       audit.State
	Description string
	ManagedBy   string // the AWS service that owns it; "" for the account's own
	Schedule    string
	Pattern     string
	RoleARN     string
	Tags        map[string]string
}

// Ours reports whether this product made the rule: both its marker and its tag are there, and no AWS service owns it.
func (r Rule) Ours() bool {
	return r.ManagedBy == "" && strings.Contains(r.Description, audit.MarkerRemediation) && r.Tags[TagKey] == TagValue
}

// Target is a rule's target.
type Target struct {
	ID, ARN string
	Plain   bool // nothing but id and ARN: no input, no role, no retry policy
}

// Function is the target function as it is now.
type Function struct {
	Exists    bool
	Statement *Statement // the statement of the wanted id in its policy; nil when there is none
}

// Statement is a statement of a Lambda function's policy. What a field cannot hold is in Other.
type Statement struct {
	ID            string
	Effect        string
	Service       string // the principal, where it is one AWS service
	Action        string // where it is one action
	Resource      string
	SourceARN     string // condition ArnLike AWS:SourceArn
	SourceAccount string // condition StringEquals AWS:SourceAccount
	Other         bool   // says more than the fields hold
}

// statement is the one that lets the rule, and nothing else, invoke the function.
func (s Spec) statement() Statement {
	return Statement{
		ID: s.StatementID, Effect: "Allow", Service: Principal, Action: InvokeAction, Resource: s.FunctionARN,
		SourceARN: s.RuleARN, SourceAccount: s.Scope.Account,
	}
}

// What AddPermission grants, and to whom.
const (
	Principal    = "events.amazonaws.com"
	InvokeAction = "lambda:InvokeFunction"
)
