package sim_test

import (
	"context"
	"encoding/json"
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

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

const functionARN = "arn:aws:lambda:us-east-1:123456789012:function:LogScheduledEvent"

func lambdaWorld(t *testing.T) *sim.World {
	return newWorld(t, sim.Scenario{Regions: map[string]sim.Region{"us-east-1": {Functions: []sim.Function{{Name: "LogScheduledEvent"}}}}})
}

func lambdaIn(w *sim.World, region string) *lambda.Client {
	return lambda.NewFromConfig(config(w, region))
}

func permission(function, id string) *lambda.AddPermissionInput {
	return &lambda.AddPermissionInput{FunctionName: &function, StatementId: &id, Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("events.amazonaws.com"),
		SourceArn: aws.String("arn:aws:events:us-east-1:123456789012:rule/r"), SourceAccount: aws.String("123456789012")}
}

func TestPolicyOfAFunction(t *testing.T) {
	ctx, w := context.Background(), lambdaWorld(t)
	c := lambdaIn(w, "us-east-1")
	for _, name := range []string{"LogScheduledEvent", functionARN, "123456789012:function:LogScheduledEvent"} {
		got, err := c.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name})
		if err != nil || *got.Configuration.FunctionArn != functionARN {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	name := aws.String("LogScheduledEvent")
	_, err := c.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: name})
	wantCode(t, "GetPolicy of a function without one", err, "ResourceNotFoundException")
	added, err := c.AddPermission(ctx, permission(*name, "one"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.AddPermission(ctx, permission(*name, "one"))
	wantCode(t, "AddPermission twice", err, "ResourceConflictException")
	_, err = c.AddPermission(ctx, permission(*name, "two"))
	wantCode(t, "AddPermission", err, "")
	got, err := c.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	var policy struct{ Statement []json.RawMessage }
	if err := json.Unmarshal([]byte(*got.Policy), &policy); err != nil || len(policy.Statement) != 2 || string(policy.Statement[0]) != *added.Statement {
		t.Errorf("%s, %v", *got.Policy, err)
	}
	const want = `{"Sid":"one","Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + functionARN +
		`","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:events:us-east-1:123456789012:rule/r"},"StringEquals":{"AWS:SourceAccount":"123456789012"}}}`
	if *added.Statement != want {
		t.Errorf("got  %s\nwant %s", *added.Statement, want)
	}
	_, err = c.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: name, StatementId: aws.String("one")})
	wantCode(t, "RemovePermission", err, "")
	_, err = c.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: name, StatementId: aws.String("one")})
	wantCode(t, "RemovePermission twice", err, "ResourceNotFoundException")
	if ids, ok := w.Statements("us-east-1", *name); !ok || !slices.Equal(ids, []string{"two"}) {
		t.Errorf("statements %v", ids)
	}
}

func TestLambdaRefuses(t *testing.T) {
	ctx, w := context.Background(), lambdaWorld(t)
	for what, test := range map[string]struct {
		region string
		in     *lambda.AddPermissionInput
		want   string
	}{
		"no such function":                     {"us-east-1", permission("Other", "s"), "ResourceNotFoundException"},
		"another region's function":            {"eu-west-1", permission("LogScheduledEvent", "s"), "ResourceNotFoundException"},
		"another region's function by its ARN": {"eu-west-1", permission(functionARN, "s"), "ResourceNotFoundException"},
		"a bad statement id":                   {"us-east-1", permission("LogScheduledEvent", "a.b"), "ValidationException"},
		"a statement id too long":              {"us-east-1", permission("LogScheduledEvent", strings.Repeat("s", 101)), "ValidationException"},
		"a function's name that is none":       {"us-east-1", permission("a b", "s"), "ValidationException"},
	} {
		_, err := lambdaIn(w, test.region).AddPermission(ctx, test.in)
		wantCode(t, what, err, test.want)
	}
	c, full := lambdaIn(w, "us-east-1"), false
	for i := range 100 {
		_, err := c.AddPermission(ctx, permission("LogScheduledEvent", fmt.Sprint("s", i)))
		if code(err) == "PolicyLengthExceededException" {
			full = true
			break
		}
		wantCode(t, "AddPermission", err, "")
	}
	if !full {
		t.Error("a policy of more than 20 KB is taken")
	}
	for kind, want := range map[string]string{sim.Throttle: "TooManyRequestsException", sim.Deny: "AccessDeniedException", sim.InvalidToken: "UnrecognizedClientException",
		sim.ExpiredToken: "ExpiredTokenException", sim.UnknownOperation: "UnknownOperationException"} {
		w := lambdaWorld(t)
		if err := w.AddFault(sim.Fault{Service: "lambda", Kind: kind}); err != nil {
			t.Fatal(err)
		}
		_, err := lambdaIn(w, "us-east-1").GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("LogScheduledEvent")})
		wantCode(t, kind, err, want)
		if kind == sim.Deny && !strings.Contains(message(err), "lambda:GetFunction on resource: "+functionARN) {
			t.Errorf("%v", err)
		}
	}
}

// A change is seen by nobody who reads for so long, and then by everybody.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, w := context.Background(), lambdaWorld(t)
		if err := w.AddFault(sim.Fault{Kind: sim.Late, Delay: sim.Duration(time.Second)}); err != nil {
			t.Fatal(err)
		}
		events, functions := eventsIn(w, "us-east-1"), lambdaIn(w, "us-east-1")
		name := aws.String("r")
		_, err := events.PutRule(ctx, &eventbridge.PutRuleInput{Name: name, EventPattern: aws.String(`{"source":["a"]}`)})
		wantCode(t, "PutRule", err, "")
		_, err = functions.AddPermission(ctx, permission("LogScheduledEvent", "s"))
		wantCode(t, "AddPermission", err, "")
		time.Sleep(600 * time.Millisecond)
		_, err = events.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: name, Targets: []types.Target{{Id: name, Arn: aws.String(functionARN)}}})
		wantCode(t, "PutTargets, which sees the rule", err, "")
		_, err = events.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: name})
		wantCode(t, "DescribeRule at once", err, "ResourceNotFoundException")
		_, err = functions.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: aws.String("LogScheduledEvent")})
		wantCode(t, "GetPolicy at once", err, "ResourceNotFoundException")
		time.Sleep(600 * time.Millisecond)
		listed, err := events.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: name})
		if err != nil || len(listed.Targets) != 0 {
			t.Errorf("the rule is seen and its target not yet: %v, %v", listed, err)
		}
		time.Sleep(600 * time.Millisecond)
		listed, err = events.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: name})
		if err != nil || len(listed.Targets) != 1 {
			t.Errorf("all is seen: %v, %v", listed, err)
		}
	})
	if err := lambdaWorld(t).AddFault(sim.Fault{Kind: sim.Late}); err == nil {
		t.Error("late without a delay is taken")
	}
}

func TestEventPatternsAreChecked(t *testing.T) {
	c := eventsIn(newWorld(t, sim.Scenario{}), "us-east-1")
	for pattern, want := range map[string]string{
		`{"source":["a"],"detail":{"b":[{"prefix":"c"}]}}`: "",
		`[]`: "InvalidEventPatternException", `{"source":"a"}`: "InvalidEventPatternException",
		`{"source":[]}`: "InvalidEventPatternException", `{"detail":{}}`: "InvalidEventPatternException",
	} {
		_, err := c.PutRule(context.Background(), &eventbridge.PutRuleInput{Name: aws.String("r"), EventPattern: &pattern})
		wantCode(t, pattern, err, want)
	}
}

// Each call says what a policy must allow for it, and on what.
func TestActionsOfCalls(t *testing.T) {
	ctx, w := context.Background(), lambdaWorld(t)
	events := eventsIn(w, "us-east-1")
	name := aws.String("r")
	events.PutRule(ctx, &eventbridge.PutRuleInput{Name: name, EventPattern: aws.String("{}")})
	events.PutRule(ctx, &eventbridge.PutRuleInput{Name: name, EventPattern: aws.String("{}"), Tags: []types.Tag{{Key: name, Value: name}}})
	events.ListTagsForResource(ctx, &eventbridge.ListTagsForResourceInput{ResourceARN: aws.String("arn:aws:events:us-east-1:123456789012:rule/r")})
	lambdaIn(w, "us-east-1").GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: aws.String("LogScheduledEvent")})
	var got []string
	for _, c := range w.Calls() {
		got = append(got, strings.Join(c.Actions, "+")+" "+c.Resource)
	}
	const rule = "arn:aws:events:us-east-1:123456789012:rule/r"
	want := []string{"events:PutRule " + rule, "events:PutRule+events:TagResource " + rule, "events:ListTagsForResource " + rule, "lambda:GetPolicy " + functionARN}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
