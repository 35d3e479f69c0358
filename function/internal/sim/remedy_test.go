package sim_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

func targets(arns ...string) []types.Target {
	var out []types.Target
	for i, a := range arns {
		out = append(out, types.Target{Id: aws.String(fmt.Sprint(i + 1)), Arn: aws.String(a)})
	}
	return out
}

func TestRuleFromPutToDelete(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, sim.Scenario{})
	c := eventsIn(w, "eu-west-1")
	name := aws.String("cc-scheduled-event-rule")
	_, err := c.PutRule(ctx, &eventbridge.PutRuleInput{Name: name, ScheduleExpression: aws.String("rate(5 minutes)")})
	wantCode(t, "PutRule", err, "")
	_, err = c.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: name})
	wantCode(t, "DisableRule", err, "")
	if got := w.Rules("eu-west-1")["default"][0].State; got != "DISABLED" {
		t.Errorf("state %s after DisableRule", got)
	}
	_, err = c.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: name})
	wantCode(t, "EnableRule", err, "")
	put, err := c.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: name, Targets: []types.Target{{
		Id: aws.String("5"), Arn: aws.String("arn:aws:lambda:eu-west-1:123456789012:function:LogScheduledEvent"), Input: aws.String(`{"a":1}`)}}})
	if err != nil || put.FailedEntryCount != 0 {
		t.Fatal(put, err)
	}
	listed, err := c.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: name})
	if err != nil || len(listed.Targets) != 1 || *listed.Targets[0].Input != `{"a":1}` {
		t.Fatal(listed, err)
	}
	names, err := c.ListRuleNamesByTarget(ctx, &eventbridge.ListRuleNamesByTargetInput{TargetArn: listed.Targets[0].Arn})
	if err != nil || len(names.RuleNames) != 1 {
		t.Fatal(names, err)
	}
	_, err = c.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: name})
	wantCode(t, "DeleteRule with targets", err, "ValidationException")
	removed, err := c.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: name, Ids: []string{"5", "6"}})
	if err != nil || removed.FailedEntryCount != 1 || *removed.FailedEntries[0].TargetId != "6" {
		t.Fatal(removed, err)
	}
	_, err = c.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: name})
	wantCode(t, "DeleteRule", err, "")
	_, err = c.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: name})
	wantCode(t, "DeleteRule once more", err, "")
	_, err = c.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: name})
	wantCode(t, "DescribeRule", err, "ResourceNotFoundException")
	_, err = c.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: name})
	wantCode(t, "EnableRule", err, "ResourceNotFoundException")
}

func TestPutTargetsRefuses(t *testing.T) {
	const queue = "arn:aws:sqs:us-east-1:123456789012:q"
	tests := map[string]struct {
		targets []types.Target
		want    string
	}{
		"five":                          {targets(queue, queue, queue, queue, queue), ""},
		"six":                           {targets(queue, queue, queue, queue, queue, queue), "LimitExceededException"},
		"no ARN":                        {targets("q"), "ValidationException"},
		"another region's function":     {targets("arn:aws:lambda:eu-west-1:123456789012:function:f"), "ValidationException"},
		"another region's event bus":    {targets("arn:aws:events:eu-west-1:123456789012:event-bus/default"), ""},
		"a target that has no region":   {targets("arn:aws:autoscaling:::"), ""},
		"an id that is not one":         {[]types.Target{{Id: aws.String("a b"), Arn: aws.String(queue)}}, "ValidationException"},
		"none, though one at least is":  {[]types.Target{}, "ValidationException"},
		"the same id twice is one only": {append(targets(queue, queue, queue, queue, queue), targets(queue)...), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sim.Scenario{OtherRegions: &sim.Region{Buses: map[string][]sim.Rule{"default": {{Name: "r"}}}}})
			_, err := eventsIn(w, "us-east-1").PutTargets(context.Background(), &eventbridge.PutTargetsInput{Rule: aws.String("r"), Targets: tt.targets})
			wantCode(t, "PutTargets", err, tt.want)
		})
	}
}

func TestManagedRulesStay(t *testing.T) {
	ctx, name := context.Background(), aws.String("managed")
	w := newWorld(t, sim.Scenario{OtherRegions: &sim.Region{Buses: map[string][]sim.Rule{"default": {{Name: "managed", ManagedBy: "s3.amazonaws.com"}}}}})
	c := eventsIn(w, "us-east-1")
	for operation, do := range map[string]func() error{
		"PutRule": func() error {
			_, err := c.PutRule(ctx, &eventbridge.PutRuleInput{Name: name, EventPattern: aws.String("{}")})
			return err
		},
		"EnableRule": func() error { _, err := c.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: name}); return err },
		"DisableRule": func() error {
			_, err := c.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: name})
			return err
		},
		"DeleteRule": func() error { _, err := c.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: name}); return err },
		"PutTargets": func() error {
			_, err := c.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: name, Targets: targets("arn:aws:sqs:us-east-1:123456789012:q")})
			return err
		},
		"RemoveTargets": func() error {
			_, err := c.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: name, Ids: []string{"1"}})
			return err
		},
		"TagResource": func() error {
			_, err := c.TagResource(ctx, &eventbridge.TagResourceInput{ResourceARN: aws.String("arn:aws:events:us-east-1:123456789012:rule/managed"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
			return err
		},
	} {
		wantCode(t, operation, do(), "ManagedRuleException")
	}
	_, err := c.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: name, Force: true})
	wantCode(t, "DeleteRule with force", err, "")
}

func TestQuotas(t *testing.T) {
	ctx := context.Background()
	for region, most := range map[string]int{"us-east-1": 300, "eu-south-1": 100} {
		w := newWorld(t, sim.Scenario{OtherRegions: &sim.Region{OptIn: sim.OptInEnabled, Buses: map[string][]sim.Rule{"default": {{Name: "n", Count: most - 1}}}}})
		c := eventsIn(w, region)
		for name, want := range map[string]string{"n-001": "", "last": ""} {
			_, err := c.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String(name), EventPattern: aws.String("{}")})
			wantCode(t, "PutRule "+name, err, want)
		}
		_, err := c.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("more"), EventPattern: aws.String("{}")})
		wantCode(t, "PutRule over quota in "+region, err, "LimitExceededException")
	}
	c := eventsIn(newWorld(t, sim.Scenario{}), "us-east-1")
	for i := range 99 {
		_, err := c.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: aws.String(fmt.Sprint("b", i))})
		wantCode(t, "CreateEventBus", err, "")
	}
	_, err := c.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: aws.String("more")})
	wantCode(t, "CreateEventBus over quota", err, "LimitExceededException")
}

func TestEventBuses(t *testing.T) {
	ctx := context.Background()
	c := eventsIn(newWorld(t, sim.Scenario{}), "us-east-1")
	create := func(name string) error {
		_, err := c.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: &name, Description: aws.String("d")})
		return err
	}
	remove := func(name string) error {
		_, err := c.DeleteEventBus(ctx, &eventbridge.DeleteEventBusInput{Name: &name})
		return err
	}
	wantCode(t, "create", create("orders"), "")
	wantCode(t, "create twice", create("orders"), "ResourceAlreadyExistsException")
	wantCode(t, "create default", create("default"), "ResourceAlreadyExistsException")
	wantCode(t, "create with a slash", create("a/b"), "ValidationException")
	described, err := c.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: aws.String("orders")})
	if err != nil || *described.Description != "d" {
		t.Error(described, err)
	}
	bus := aws.String("orders")
	_, err = c.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("r"), EventBusName: bus, EventPattern: aws.String("{}")})
	wantCode(t, "PutRule", err, "")
	tagged := aws.String("arn:aws:events:us-east-1:123456789012:rule/orders/r")
	_, err = c.TagResource(ctx, &eventbridge.TagResourceInput{ResourceARN: tagged, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}, {Key: aws.String("c"), Value: aws.String("d")}}})
	wantCode(t, "TagResource", err, "")
	_, err = c.UntagResource(ctx, &eventbridge.UntagResourceInput{ResourceARN: tagged, TagKeys: []string{"a"}})
	wantCode(t, "UntagResource", err, "")
	tags, err := c.ListTagsForResource(ctx, &eventbridge.ListTagsForResourceInput{ResourceARN: tagged})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "c" {
		t.Error(tags, err)
	}
	wantCode(t, "delete with rules", remove("orders"), "ValidationException")
	_, err = c.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: aws.String("r"), EventBusName: bus})
	wantCode(t, "DeleteRule", err, "")
	wantCode(t, "delete", remove("orders"), "")
	wantCode(t, "delete twice", remove("orders"), "")
	wantCode(t, "delete default", remove("default"), "ValidationException")
	_, err = c.ListArchives(ctx, &eventbridge.ListArchivesInput{})
	wantCode(t, "ListArchives", err, "UnknownOperationException")
}
