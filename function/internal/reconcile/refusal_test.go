package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

// somebodysKey tells a person's calls from the product's.
const somebodysKey = "AKIAI44QH8DHBEXAMPLE"

// somebody is a person with the AWS CLI.
func somebody(w *sim.World, region string) (*eventbridge.Client, *lambda.Client) {
	cfg := aws.Config{Region: region, HTTPClient: w.Client(), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: somebodysKey, SecretAccessKey: "secret"}, nil
	})}
	return eventbridge.NewFromConfig(cfg), lambda.NewFromConfig(cfg)
}

// contents is all that a region holds, to be compared.
func contents(w *sim.World, region string) string {
	statements, _ := w.Statements(region, functionName)
	data, _ := json.Marshal(map[string]any{"rules": w.Rules(region), "statements": statements})
	return string(data)
}

const receipt = "[eventbridge-auditor:remediation] function=LogScheduledEvent statement=cc-scheduled-event target=5 definition=5898518231732328"

// Rules, targets and statements that this product did not make, or that somebody changed since, are never touched: not by
// remediate, and not by undo.
func TestWhatIsNotOursIsLeft(t *testing.T) {
	const (
		own    = `"scheduleExpression": "rate(5 minutes)", "tags": {"eventbridge-auditor": "remediation"}, "description": "` + receipt + `"`
		target = `{"id": "5", "arn": "arn:aws:lambda:eu-west-1:123456789012:function:LogScheduledEvent"}`
		other  = `{"id": "5", "arn": "arn:aws:lambda:eu-west-1:123456789012:function:Other"}`
		ready  = `"functions": [{"name": "LogScheduledEvent"}]`
	)
	for _, test := range []struct {
		name, region    string
		remediate, undo remediation.Refusal // "" means that there is something to do, or nothing to leave
		says            string
	}{
		{"a person's rule", ready + `, "buses": {"default": [{"name": "cc-scheduled-event-rule", "state": "DISABLED"}]}`,
			remediation.ForeignRule, remediation.ForeignRule, "this product did not make it"},
		{"the tag without the marker", ready + `, "buses": {"default": [{"name": "cc-scheduled-event-rule", "state": "DISABLED", "tags": {"eventbridge-auditor": "remediation"}}]}`,
			remediation.ForeignRule, remediation.ForeignRule, "this product did not make it"},
		{"the marker without the tag", ready + `, "buses": {"default": [{"name": "cc-scheduled-event-rule", "state": "DISABLED", "description": "` + receipt + `"}]}`,
			remediation.ForeignRule, remediation.ForeignRule, "but not its tag eventbridge-auditor=remediation"},
		{"the tag with another value", ready + `, "buses": {"default": [{"name": "cc-scheduled-event-rule", "state": "DISABLED", "tags": {"eventbridge-auditor": "plumbing"}, "description": "` + receipt + `"}]}`,
			remediation.ForeignRule, remediation.ForeignRule, "but not its tag"},
		{"the product's own plumbing", ready + `, "buses": {"default": [{"name": "cc-scheduled-event-rule", "tags": {"eventbridge-auditor": "remediation"}, "description": "[eventbridge-auditor:plumbing]"}]}`,
			remediation.ForeignRule, remediation.ForeignRule, "this product did not make it"},
		{"a managed rule", ready + `, "buses": {"default": [{"name": "cc-scheduled-event-rule", "state": "DISABLED", "managedBy": "autoscaling.amazonaws.com", ` + own + `}]}`,
			remediation.ManagedRule, remediation.ManagedRule, "belongs to autoscaling.amazonaws.com"},
		{"a receipt that somebody cut", ready + `, "buses": {"default": [{"name": "cc-scheduled-event-rule", "state": "DISABLED", "tags": {"eventbridge-auditor": "remediation"}, "description": "[eventbridge-auditor:remediation] function=LogScheduledEvent"}]}`,
			remediation.ChangedByHand, remediation.ChangedByHand, "no longer says how it was made"},
		{"made with another function", ready + `, "buses": {"default": [{"name": "cc-scheduled-event-rule", "state": "DISABLED", "scheduleExpression": "rate(5 minutes)", "tags": {"eventbridge-auditor": "remediation"},
			"description": "[eventbridge-auditor:remediation] function=Other statement=cc-scheduled-event target=5 definition=5898518231732328"}]}`,
			remediation.OtherSettings, "", "was made for function Other"},
		{"the target points elsewhere", ready + `, "buses": {"default": [{"name": "cc-scheduled-event-rule", "state": "DISABLED", ` + own + `, "targets": [` + other + `]}]}`,
			remediation.ChangedByHand, remediation.ChangedByHand, "function:Other"},
		{"another schedule", ready + `, "buses": {"default": [{"name": "cc-scheduled-event-rule", "state": "DISABLED", "scheduleExpression": "rate(1 day)", "tags": {"eventbridge-auditor": "remediation"}, "description": "` + receipt + `"}]}`,
			remediation.ChangedByHand, remediation.ChangedByHand, "its schedule or event pattern is another one"},
		{"a role", ready + `, "buses": {"default": [{"name": "cc-scheduled-event-rule", "state": "DISABLED", "roleArn": "arn:aws:iam::123456789012:role/r", ` + own + `}]}`,
			remediation.ChangedByHand, remediation.ChangedByHand, "it has the role arn:aws:iam::123456789012:role/r"},
		{"a further target", ready + `, "buses": {"default": [{"name": "cc-scheduled-event-rule", "state": "DISABLED", ` + own + `, "targets": [` + target + `, {"id": "mine", "arn": "arn:aws:sqs:eu-west-1:123456789012:q"}]}]}`,
			remediation.ChangedByHand, remediation.ChangedByHand, "it has another target mine"},
		{"no function", `"buses": {}`, remediation.NoTargetFunction, "", "there is no function LogScheduledEvent in eu-west-1"},
		{"a statement for another rule", `"functions": [{"name": "LogScheduledEvent", "statements": [{"id": "cc-scheduled-event", "principal": "events.amazonaws.com", "action": "lambda:InvokeFunction",
			"sourceArn": "arn:aws:events:eu-west-1:123456789012:rule/other", "sourceAccount": "123456789012"}]}]`, remediation.ForeignStatement, "", "a statement cc-scheduled-event that says something else"},
		{"a statement for anybody's rules", `"functions": [{"name": "LogScheduledEvent", "statements": [{"id": "cc-scheduled-event", "principal": "events.amazonaws.com", "action": "lambda:InvokeFunction"}]}]`,
			remediation.ForeignStatement, "", "says something else"},
		{"a statement for another account", `"functions": [{"name": "LogScheduledEvent", "statements": [{"id": "cc-scheduled-event", "principal": "111122223333", "action": "lambda:InvokeFunction",
			"sourceArn": "arn:aws:events:eu-west-1:123456789012:rule/cc-scheduled-event-rule", "sourceAccount": "123456789012"}]}]`, remediation.ForeignStatement, "", "says something else"},
		{"a statement that allows more", `"functions": [{"name": "LogScheduledEvent", "statements": [{"id": "cc-scheduled-event", "principal": "events.amazonaws.com", "action": "lambda:*",
			"sourceArn": "arn:aws:events:eu-west-1:123456789012:rule/cc-scheduled-event-rule", "sourceAccount": "123456789012"}]}]`, remediation.ForeignStatement, "", "says something else"},
	} {
		t.Run(test.name, func(t *testing.T) {
			scenario := `{"regions": {"eu-west-1": {` + test.region + `}}}`
			w, o := world(t, scenario), changing("eu-west-1")
			before := contents(w, "eu-west-1")
			r := must(t, w, o, trigger.Undo)
			got := slices.Concat(r.Changed(remediation.Skipped), r.Changed(remediation.Failed))
			if test.undo == "" && len(got) != 0 || test.undo != "" && (len(got) != 1 || got[0].Reason != test.undo || !strings.Contains(got[0].Detail, test.says)) {
				t.Errorf("undo: %+v, want %q, %q", r.Remediation.Regions, test.undo, test.says)
			}
			if test.undo != "" && contents(w, "eu-west-1") != before {
				t.Errorf("undo changed\n%s to\n%s", before, contents(w, "eu-west-1"))
			}
			w = world(t, scenario)
			r = must(t, w, o, trigger.Remediate)
			if test.remediate == "" {
				if got := part(t, r, "eu-west-1"); got.Result != remediation.Remediated {
					t.Errorf("remediate: %+v", got)
				}
				return
			}
			if r.Summary[audit.Compliant] == 1 && len(r.Remediation.Regions) == 0 {
				return // it passes as it is, so nothing is asked
			}
			if got := part(t, r, "eu-west-1"); got.Result != remediation.Skipped || got.Reason != test.remediate || !strings.Contains(got.Detail, test.says) || got.After != "" {
				t.Errorf("remediate: %+v, want %s, %q", got, test.remediate, test.says)
			}
			if contents(w, "eu-west-1") != before {
				t.Errorf("remediate changed\n%s to\n%s", before, contents(w, "eu-west-1"))
			}
		})
	}
}

// A statement that is there already and says the same is as good as one of ours.
func TestTheSameStatementIsKept(t *testing.T) {
	w := world(t, `{"regions": {"eu-west-1": {"functions": [{"name": "LogScheduledEvent", "statements": [{"id": "mine", "principal": "s3.amazonaws.com", "action": "lambda:InvokeFunction"},
		{"id": "cc-scheduled-event", "principal": "events.amazonaws.com", "action": "lambda:InvokeFunction", "sourceArn": "arn:aws:events:eu-west-1:123456789012:rule/cc-scheduled-event-rule", "sourceAccount": "123456789012"}]}]}}}`)
	o := changing("eu-west-1")
	got := part(t, must(t, w, o, trigger.Remediate), "eu-west-1")
	if steps(got) != "PutRule=APPLIED AddPermission=UNCHANGED PutTargets=APPLIED EnableRule=APPLIED" || got.Result != remediation.Remediated {
		t.Errorf("%+v", got)
	}
	must(t, w, o, trigger.Undo)
	if statements, _ := w.Statements("eu-west-1", functionName); !slices.Equal(statements, []string{"mine"}) {
		t.Errorf("undo left %v", statements)
	}
}

// What somebody changed is not changed back either, whatever state it is in: it is theirs by now.
func TestRemediateLeavesWhatSomebodyChanged(t *testing.T) {
	w, o := world(t, ready), changing("eu-west-1")
	must(t, w, o, trigger.Remediate)
	events, _ := somebody(w, "eu-west-1")
	name := aws.String(ruleName)
	if _, err := events.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: name, EventPattern: aws.String(`{"source":["mine"]}`), State: types.RuleStateDisabled, Description: aws.String(receipt)}); err != nil {
		t.Fatal(err)
	}
	if _, err := events.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: name, Targets: []types.Target{{Id: aws.String("theirs"), Arn: aws.String("arn:aws:sqs:eu-west-1:123456789012:payments")}}}); err != nil {
		t.Fatal(err)
	}
	before := contents(w, "eu-west-1")
	if got := part(t, must(t, w, o, trigger.Remediate), "eu-west-1"); got.Reason != remediation.ChangedByHand || contents(w, "eu-west-1") != before {
		t.Errorf("%+v\n%s\n%s", got, before, contents(w, "eu-west-1"))
	}
}

// After undo, a region that cannot be judged is no pass, and neither is one that somebody else undid in the meantime.
func TestUndoIsProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, o := world(t, ready), changing("eu-west-1")
		must(t, w, o, trigger.Remediate)
		if err := w.AddFault(sim.Fault{Kind: sim.Throttle, Operation: "ListRules", After: 1}); err != nil {
			t.Fatal(err)
		}
		r := must(t, w, o, trigger.Undo)
		if got := part(t, r, "eu-west-1"); got.Result != remediation.Undone || got.After != audit.InsufficientData || row(t, r, "eu-west-1").Status != audit.InsufficientData || r.Coverage.Complete {
			t.Errorf("%+v, judged %s", got, row(t, r, "eu-west-1").Status)
		}
	})
	w, o := world(t, ready), changing("eu-west-1")
	must(t, w, o, trigger.Remediate)
	o.Confirm = func(record.Record) error {
		_, err := act(t.Context(), w.Client(), changing("eu-west-1"), trigger.Undo)
		return err
	}
	r := must(t, w, o, trigger.Undo)
	if got := part(t, r, "eu-west-1"); got.Result != remediation.Undone || got.After != audit.NonCompliant || row(t, r, "eu-west-1").Status != audit.NonCompliant {
		t.Errorf("%+v, judged %s", got, row(t, r, "eu-west-1").Status)
	}
}

// Undo says where it was asked to undo the wrong rule, and fails no region in which nothing of ours is.
func TestUndoOfAnotherName(t *testing.T) {
	w, o := world(t, ready), changing("eu-west-1")
	o.Remediation.RuleName = "my-rule"
	must(t, w, o, trigger.Remediate)
	if got := part(t, must(t, w, changing("eu-west-1"), trigger.Undo), "eu-west-1"); got.Reason != remediation.OtherSettings || !strings.Contains(got.Detail, "remediate made rule my-rule here") {
		t.Errorf("%+v", got)
	}
	w = world(t, ready, sim.Fault{Kind: sim.SCP, Service: "lambda"})
	if got := part(t, must(t, w, changing("eu-west-1"), trigger.Undo), "eu-west-1"); got.Result != remediation.Skipped || got.Reason != remediation.Unread {
		t.Errorf("%+v", got)
	}
}

// What somebody changes after remediate is left by undo, and named.
func TestChangedByHandSince(t *testing.T) {
	name := aws.String(ruleName)
	for _, test := range []struct {
		name   string
		change func(*eventbridge.Client, *lambda.Client) error
		result remediation.Result
		says   string
	}{
		{"the schedule", func(e *eventbridge.Client, _ *lambda.Client) error {
			_, err := e.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: name, ScheduleExpression: aws.String("rate(1 hour)"), Description: aws.String(receipt)})
			return err
		}, remediation.Skipped, "its schedule or event pattern is another one"},
		{"a further target", func(e *eventbridge.Client, _ *lambda.Client) error {
			_, err := e.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: name, Targets: []types.Target{{Id: aws.String("q"), Arn: aws.String("arn:aws:sqs:eu-west-1:123456789012:q")}}})
			return err
		}, remediation.Skipped, "it has another target q"},
		{"the target's input", func(e *eventbridge.Client, _ *lambda.Client) error {
			_, err := e.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: name, Targets: []types.Target{{Id: aws.String("5"), Arn: aws.String(functionARN("eu-west-1")), Input: aws.String(`{}`)}}})
			return err
		}, remediation.Skipped, "with settings of its own"},
		{"the description", func(e *eventbridge.Client, _ *lambda.Client) error {
			_, err := e.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: name, ScheduleExpression: aws.String("rate(5 minutes)"), Description: aws.String("ours now")})
			return err
		}, remediation.Skipped, "this product did not make it"},
		{"the tag", func(e *eventbridge.Client, _ *lambda.Client) error {
			_, err := e.UntagResource(t.Context(), &eventbridge.UntagResourceInput{ResourceARN: aws.String("arn:aws:events:eu-west-1:123456789012:rule/" + ruleName), TagKeys: []string{"eventbridge-auditor"}})
			return err
		}, remediation.Skipped, "but not its tag"},
		{"the statement", func(_ *eventbridge.Client, l *lambda.Client) error {
			_, err := l.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String(functionName), StatementId: aws.String(statementID)})
			if err == nil {
				_, err = l.AddPermission(t.Context(), &lambda.AddPermissionInput{FunctionName: aws.String(functionName), StatementId: aws.String(statementID), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("events.amazonaws.com")})
			}
			return err
		}, remediation.Undone, "statement cc-scheduled-event of function LogScheduledEvent was changed since it was made"},
		{"only disabled", func(e *eventbridge.Client, _ *lambda.Client) error {
			_, err := e.DisableRule(t.Context(), &eventbridge.DisableRuleInput{Name: name})
			return err
		}, remediation.Undone, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, o := world(t, ready), changing("eu-west-1")
			must(t, w, o, trigger.Remediate)
			if err := test.change(somebody(w, "eu-west-1")); err != nil {
				t.Fatal(err)
			}
			before := contents(w, "eu-west-1")
			got := part(t, must(t, w, o, trigger.Undo), "eu-west-1")
			told, _ := json.Marshal(got)
			if got.Result != test.result || !strings.Contains(string(told), test.says) {
				t.Errorf("%s, want %s, %q", told, test.result, test.says)
			}
			if test.result == remediation.Skipped && contents(w, "eu-west-1") != before {
				t.Errorf("undo changed\n%s to\n%s", before, contents(w, "eu-west-1"))
			}
			if _, there := made(w, "eu-west-1"); there != (test.result == remediation.Skipped) {
				t.Errorf("rule there: %v", there)
			}
		})
	}
}

// Undo follows the receipt, whatever the settings say by now.
func TestUndoNeedsNoSettingsOfTheRunBefore(t *testing.T) {
	w := world(t, `{"otherRegions": {"functions": [{"name": "MyTarget"}]}}`)
	o := changing("eu-west-1", "eu-west-2")
	o.Remediation.TargetFunction, o.Remediation.StatementID, o.Remediation.TargetID, o.Remediation.Schedule = "MyTarget", "my-statement", "my-target", "cron(0 6 * * ? *)"
	if r := must(t, w, o, trigger.Remediate); r.Summary[audit.Compliant] != 2 {
		t.Fatalf("%+v", r.Remediation)
	}
	if r, ok := made(w, "eu-west-1"); !ok || r.Targets[0] != (sim.Target{ID: "my-target", ARN: "arn:aws:lambda:eu-west-1:123456789012:function:MyTarget"}) || r.ScheduleExpression != "cron(0 6 * * ? *)" {
		t.Errorf("%+v", r)
	}
	must(t, w, changing("eu-west-1", "eu-west-2"), trigger.Undo)
	for _, region := range []string{"eu-west-1", "eu-west-2"} {
		statements, _ := w.Statements(region, "MyTarget")
		if _, there := made(w, region); there || len(statements) != 0 {
			t.Errorf("%s: rule %v, statements %v", region, there, statements)
		}
	}
}

// The rule may be of use: an event pattern in the place of the schedule, or both; and the settings may change it later.
func TestEventPatterns(t *testing.T) {
	for _, text := range append(remediation.PatternNames(), `{ "detail-type": ["x"], "source": [ {"prefix": "com.<&>"} ] }`) {
		pattern, err := remediation.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		w, o := world(t, ready), changing("eu-west-1")
		o.Remediation.EventPattern = pattern
		if got := part(t, must(t, w, o, trigger.Remediate), "eu-west-1"); got.Result != remediation.Remediated {
			t.Errorf("%s: %+v", text, got)
		}
		if r, _ := made(w, "eu-west-1"); string(r.EventPattern) != pattern || r.ScheduleExpression != "" {
			t.Errorf("%s: %+v", text, r)
		}
		if err := w.SetRuleState("eu-west-1", "default", ruleName, "DISABLED"); err != nil {
			t.Fatal(err)
		}
		o.Remediation.Schedule = "rate(1 hour)" // another setting changes the rule in place
		if got := part(t, must(t, w, o, trigger.Remediate), "eu-west-1"); steps(got) != "PutRule=APPLIED AddPermission=UNCHANGED PutTargets=UNCHANGED EnableRule=APPLIED" {
			t.Errorf("%s: %+v", text, got)
		}
		if r, _ := made(w, "eu-west-1"); string(r.EventPattern) != pattern || r.ScheduleExpression != "rate(1 hour)" {
			t.Errorf("%s: %+v", text, r)
		}
		must(t, w, changing("eu-west-1"), trigger.Undo)
		if problem := leftOver(w, "eu-west-1"); problem != "" {
			t.Error(problem)
		}
	}
}

// Under strict, a rule of ours that is enabled without its target fails; it is switched off before it is mended.
func TestAnEnabledRuleWithoutItsTarget(t *testing.T) {
	w, o := world(t, ready), changing("eu-west-1")
	o.Audit.Policy = audit.Strict
	must(t, w, o, trigger.Remediate)
	events, _ := somebody(w, "eu-west-1")
	if _, err := events.RemoveTargets(t.Context(), &eventbridge.RemoveTargetsInput{Rule: aws.String(ruleName), Ids: []string{"5"}}); err != nil {
		t.Fatal(err)
	}
	r := must(t, w, o, trigger.Remediate)
	if got := part(t, r, "eu-west-1"); steps(got) != "PutRule=APPLIED AddPermission=UNCHANGED PutTargets=APPLIED EnableRule=APPLIED" || got.Before != audit.NonCompliant || got.After != audit.Compliant {
		t.Errorf("%+v", got)
	}
	if problem := complete(w, "eu-west-1"); problem != "" {
		t.Error(problem)
	}
}

// A run changes so many regions and no more; what is refused or needs no change does not count.
func TestLimit(t *testing.T) {
	w := world(t, `{"otherRegions": {"functions": [{"name": "LogScheduledEvent"}]}, "regions": {"ap-northeast-1": {}}}`)
	o := changing()
	o.Remediation.Limit = 3
	r := must(t, w, o, trigger.Remediate)
	var got []string
	for _, region := range r.Changed(remediation.Remediated) {
		got = append(got, region.Region)
	}
	if !slices.Equal(got, []string{"ap-northeast-2", "ap-northeast-3", "ap-south-1"}) {
		t.Errorf("changed %v", got)
	}
	left := 0
	for _, region := range r.Changed(remediation.Skipped) {
		if region.Reason == remediation.LimitReached {
			left++
			if contents(w, region.Region) != `{"rules":{"default":[]},"statements":null}` {
				t.Errorf("%s was touched: %s", region.Region, contents(w, region.Region))
			}
		}
	}
	if left != 13 || r.Summary[audit.NonCompliant] != 14 {
		t.Errorf("%d regions over the limit, %v", left, r.Summary)
	}
	plan := must(t, w, o, trigger.Plan)
	if n := plan.Remediation.Count(remediation.Planned); n != 3 {
		t.Errorf("the plan has %d regions", n)
	}
	for range 5 {
		r = must(t, w, o, trigger.Remediate)
	}
	if r.Summary[audit.NonCompliant] != 1 {
		t.Errorf("after enough runs %v", r.Summary)
	}
	o.Remediation.Limit = 2
	if r := must(t, w, o, trigger.Undo); r.Remediation.Count(remediation.Undone) != 2 {
		t.Errorf("undo changed %d", r.Remediation.Count(remediation.Undone))
	}
}

// The first region that is changed goes alone. If a step of it fails, the others are left; if it is refused, or cannot be
// read, the next goes first.
func TestTheFirstGoesAlone(t *testing.T) {
	w := world(t, ready, sim.Fault{Kind: sim.Deny, Operation: "PutTargets"})
	o := changing("eu-west-1", "eu-west-2", "eu-west-3")
	r := must(t, w, o, trigger.Remediate)
	first := part(t, r, "eu-west-1")
	if steps(first) != "PutRule=APPLIED AddPermission=APPLIED PutTargets=FAILED EnableRule=SKIPPED" || first.Reason != remediation.StepFailure ||
		!strings.Contains(first.Steps[2].Error, "no permission for events:PutTargets") || first.After != audit.NonCompliant {
		t.Errorf("%+v", first)
	}
	for _, region := range []string{"eu-west-2", "eu-west-3"} {
		if got := part(t, r, region); got.Result != remediation.Skipped || got.Reason != remediation.FirstRegionFailed || !strings.Contains(got.Detail, "eu-west-1 went first and failed") ||
			contents(w, region) != `{"rules":{"default":[]},"statements":null}` {
			t.Errorf("%+v %s", got, contents(w, region))
		}
	}

	w = world(t, `{"otherRegions": {"functions": [{"name": "LogScheduledEvent"}]}, "regions": {"eu-west-1": {}}}`,
		sim.Fault{Kind: sim.Deny, Operation: "DescribeRule", Region: "eu-west-2"}, sim.Fault{Kind: sim.Deny, Operation: "PutRule", Region: "us-east-1"})
	r = must(t, w, changing("eu-west-1", "eu-west-2", "eu-west-3", "us-east-1", "us-east-2"), trigger.Remediate)
	for region, want := range map[string]remediation.Result{"eu-west-1": remediation.Skipped, "eu-west-2": remediation.Failed, "eu-west-3": remediation.Remediated,
		"us-east-1": remediation.Failed, "us-east-2": remediation.Remediated} {
		if got := part(t, r, region); got.Result != want {
			t.Errorf("%s: %+v, want %s", region, got, want)
		}
	}
	if got := part(t, r, "eu-west-2"); got.Reason != remediation.Unread || got.Steps[0].Action != "DescribeRule" || !strings.Contains(got.Detail, "no permission for events:DescribeRule") {
		t.Errorf("%+v", got)
	}
	// While the first is at work, no other region is changed.
	var changed []string
	for _, c := range w.Calls() {
		if strings.HasPrefix(c.Operation, "Put") || strings.HasPrefix(c.Operation, "Enable") {
			changed = append(changed, c.Region)
		}
	}
	if !slices.Equal(changed[:3], []string{"eu-west-3", "eu-west-3", "eu-west-3"}) {
		t.Errorf("changed in the order %v", changed)
	}
}

// A full quota is told as one, not as a throttle, and a quota of targets likewise.
func TestQuotas(t *testing.T) {
	w := world(t, `{"regions": {"eu-west-1": {"functions": [{"name": "LogScheduledEvent"}], "buses": {"default": [{"name": "off", "state": "DISABLED", "count": 300}]}}}}`)
	synctest.Test(t, func(t *testing.T) {
		got := part(t, must(t, w, changing("eu-west-1"), trigger.Remediate), "eu-west-1")
		if got.Result != remediation.Failed || !strings.Contains(got.Detail, "events:PutRule: a quota is full") {
			t.Errorf("%+v", got)
		}
	})
}

// A change that meets another one is tried again.
func TestConflicts(t *testing.T) {
	w := world(t, ready)
	client := &refusing{dying: dying{client: w.Client(), at: 1 << 40}, operation: "AWSEvents.PutRule",
		status: 400, body: `{"__type":"ConcurrentModificationException","message":"busy"}`, left: 2}
	synctest.Test(t, func(t *testing.T) {
		r, err := act(t.Context(), client, changing("eu-west-1"), trigger.Remediate)
		if err != nil || part(t, r, "eu-west-1").Result != remediation.Remediated || client.left != 0 {
			t.Errorf("%v %+v", err, r.Remediation)
		}
	})
	w = world(t, ready) // a policy that another change is under way on
	client = &refusing{dying: dying{client: w.Client(), at: 1 << 40}, path: "/2015-03-31/functions/LogScheduledEvent/policy", method: "POST",
		status: 409, body: `{"Type":"User","message":"An update is in progress"}`, header: "ResourceConflictException", left: 2}
	synctest.Test(t, func(t *testing.T) {
		r, err := act(t.Context(), client, changing("eu-west-1"), trigger.Remediate)
		if err != nil || part(t, r, "eu-west-1").Result != remediation.Remediated || client.left != 0 {
			t.Errorf("%v %+v", err, r.Remediation)
		}
	})
}

// When the time of the run is up, or somebody interrupts it, no further step begins; the record says what was done.
func TestRemediationOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world(t, ready, sim.Fault{Kind: sim.Slow, Delay: sim.Duration(time.Second), Service: "lambda"})
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		o := changing("eu-west-1", "eu-west-2")
		o.Audit.Concurrency = 1
		start := time.Now()
		r, err := act(ctx, w.Client(), o, trigger.Remediate)
		if err != nil || time.Since(start) > 12*time.Second {
			t.Fatalf("%v after %s", err, time.Since(start))
		}
		if got := part(t, r, "eu-west-1"); got.Result != remediation.Remediated {
			t.Errorf("the first had the time: %+v", got)
		}
		if got := part(t, r, "eu-west-2"); got.Result == remediation.Remediated || row(t, r, "eu-west-2").Status != audit.NonCompliant {
			t.Errorf("%+v, judged %s", got, row(t, r, "eu-west-2").Status)
		}
		if r := must(t, w, o, trigger.Remediate); r.Summary[audit.Compliant] != 2 {
			t.Errorf("the next run: %+v", r.Remediation)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := watched(t, ready)
		if err := w.AddFault(sim.Fault{Kind: sim.Slow, Delay: sim.Duration(time.Second), Operation: "PutTargets"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		o := changing("eu-west-1", "eu-west-2")
		r, err := act(ctx, w.Client(), o, trigger.Remediate)
		if err == nil || !strings.Contains(err.Error(), "interrupted") || r.RunID == "" {
			t.Fatalf("%v, %+v", err, r)
		}
		if got := part(t, r, "eu-west-1"); steps(got) != "PutRule=APPLIED AddPermission=APPLIED PutTargets=FAILED EnableRule=SKIPPED" {
			t.Errorf("%+v", got)
		}
		if got := part(t, r, "eu-west-2"); got.Result != remediation.Skipped || got.Reason != remediation.Interrupted {
			t.Errorf("%+v", got)
		}
	})
}

// Somebody is asked before anything is changed, and only where something would be.
func TestConfirm(t *testing.T) {
	w, o := world(t, ready), changing("eu-west-1")
	asked := 0
	o.Confirm = func(r record.Record) error {
		asked++
		if r.Remediation.Count(remediation.Planned) != 1 {
			t.Errorf("asked about %+v", r.Remediation)
		}
		return errors.New("no")
	}
	if _, err := act(t.Context(), w.Client(), o, trigger.Remediate); err == nil || err.Error() != "no" || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	if got := contents(w, "eu-west-1"); got != `{"rules":{"default":[]},"statements":null}` {
		t.Errorf("changed without a yes: %s", got)
	}
	if _, err := act(t.Context(), w.Client(), o, trigger.Undo); err != nil || asked != 1 {
		t.Errorf("%v, asked %d times though there is nothing to undo", err, asked)
	}
}

// An exempt region is not mended; what was made there before the exception can still be undone.
func TestExceptionsBlockRemediation(t *testing.T) {
	w, o := world(t, ready), changing("eu-west-1")
	must(t, w, o, trigger.Remediate)
	exempt := func(status audit.Status) []audit.Evaluation {
		return []audit.Evaluation{{Account: "123456789012", Region: "eu-west-1", Status: status, Reason: audit.Exempt, Detail: "ticket 42"}}
	}
	o.Remediation.Concurrency, o.Remediation.RegionTimeout = 1, time.Second
	plan := remediation.Plan(t.Context(), session(w, "us-east-1"), exempt(audit.NotApplicable), remediation.ModeApply, o.Remediation)
	if len(plan.Regions) != 1 || plan.Regions[0].Result != remediation.Skipped || plan.Regions[0].Reason != "EXEMPT" || plan.Regions[0].Detail != "ticket 42" {
		t.Errorf("%+v", plan)
	}
	plan = remediation.Plan(t.Context(), session(w, "us-east-1"), exempt(audit.NotApplicable), remediation.ModeUndo, o.Remediation)
	if len(plan.Regions) != 1 || plan.Regions[0].Result != remediation.Planned {
		t.Errorf("%+v", plan)
	}
}

// What a run did is in its message, and a run after which nothing is wrong any more still tells that it changed something.
func TestRemediationIsTold(t *testing.T) {
	w, o := world(t, `{"topics": ["`+topic+`"], "otherRegions": {"functions": [{"name": "LogScheduledEvent"}]}, "regions": {"eu-west-2": {}}}`), changing("eu-west-1")
	o.Notify.TopicARN = topic
	r := must(t, w, o, trigger.Remediate)
	m, texts := published(t, w)
	if r.Notification.Kind != record.Resolved || m.Attributes["kind"].Value != "RESOLVED" || m.Subject != "CWE-001 RESOLVED: 1 region remediated, account 123456789012" {
		t.Errorf("%+v, subject %q", r.Notification, m.Subject)
	}
	var told record.Record
	if err := json.Unmarshal([]byte(texts["sqs"]), &told); err != nil || told.Remediation == nil || told.Remediation.Regions[0].Result != remediation.Remediated {
		t.Errorf("%v %+v", err, told.Remediation)
	}
	for _, text := range []string{texts["email"], texts["https"]} {
		if !strings.Contains(text, "eu-west-1") || !strings.Contains(strings.ToUpper(text), "REMEDIATED") || !strings.Contains(text, "undo") {
			t.Errorf("not told in %s", text)
		}
	}
	o.Selection.Only = []string{"eu-west-1", "eu-west-2"}
	must(t, w, o, trigger.Remediate)
	if last := w.Published()[1]; !strings.Contains(last.Subject, "FAILING: 1 of 2 regions") || !strings.Contains(last.Message, "NO_TARGET_FUNCTION") || !strings.Contains(last.Message, "LEFT ALONE: 1 region") {
		t.Errorf("%s", last.Message)
	}
}

// The function does what its mode says, and no more than that.
func TestModes(t *testing.T) {
	for _, test := range []struct {
		action    trigger.Action // of the settings
		mayChange bool
		asked     trigger.Action // of the payload
		mode      remediation.Mode
		refused   bool
	}{
		{trigger.Audit, false, "", "", false},
		{trigger.Audit, false, trigger.Plan, remediation.ModePlan, false},
		{trigger.Audit, false, trigger.Remediate, "", true},
		{trigger.Audit, false, trigger.Undo, "", true},
		{trigger.Plan, false, "", remediation.ModePlan, false},
		{trigger.Plan, false, trigger.Audit, "", false},
		{trigger.Plan, false, trigger.Remediate, "", true},
		{trigger.Plan, false, trigger.Undo, "", true},
		{trigger.Remediate, true, "", remediation.ModeApply, false},
		{trigger.Remediate, true, trigger.Audit, "", false},
		{trigger.Remediate, true, trigger.Plan, remediation.ModePlan, false},
		{trigger.Remediate, true, trigger.Undo, remediation.ModeUndo, false},
	} {
		t.Run(fmt.Sprintf("%s/%s", test.action, test.asked), func(t *testing.T) {
			w, o := world(t, ready), changing("eu-west-1")
			o.Action, o.MayChange = test.action, test.mayChange
			r, err := act(t.Context(), w.Client(), o, test.asked)
			var refused *reconcile.RefusedError
			if errors.As(err, &refused) != test.refused || test.refused && len(w.Calls()) != 0 {
				t.Fatalf("%v, %d calls", err, len(w.Calls()))
			}
			var mode remediation.Mode
			if r.Remediation != nil {
				mode = r.Remediation.Mode
			}
			if _, there := made(w, "eu-west-1"); mode != test.mode || there != (test.mode == remediation.ModeApply) {
				t.Errorf("mode %q, rule there: %v", mode, there)
			}
		})
	}
}
