package sim_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

// allRules reads a bus page by page.
func allRules(t *testing.T, c *eventbridge.Client, in eventbridge.ListRulesInput) (rules []types.Rule, pages int) {
	t.Helper()
	for {
		out, err := c.ListRules(context.Background(), &in)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		rules = append(rules, out.Rules...)
		if out.NextToken == nil {
			return rules, pages
		}
		in.NextToken = out.NextToken
	}
}

func TestListRulesPages(t *testing.T) {
	w := loadWorld(t, "paging")
	tests := map[string]struct {
		region       string
		in           eventbridge.ListRulesInput
		rules, pages int
	}{
		"last page active": {"eu-west-1", eventbridge.ListRulesInput{}, 250, 3},
		"exactly a page":   {"eu-north-1", eventbridge.ListRulesInput{}, 100, 1},
		"small pages":      {"eu-west-1", eventbridge.ListRulesInput{Limit: aws.Int32(7)}, 250, 36},
		"prefix":           {"eu-west-1", eventbridge.ListRulesInput{NamePrefix: aws.String("nightly-00")}, 9, 1},
		"prefix of none":   {"eu-west-1", eventbridge.ListRulesInput{NamePrefix: aws.String("x")}, 0, 1},
		"by name":          {"eu-west-3", eventbridge.ListRulesInput{EventBusName: aws.String("team-30")}, 1, 1},
		"by ARN":           {"eu-west-3", eventbridge.ListRulesInput{EventBusName: aws.String("arn:aws:events:eu-west-3:123456789012:event-bus/team-30")}, 1, 1},
		"quota":            {"us-west-2", eventbridge.ListRulesInput{}, 300, 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rules, pages := allRules(t, eventsIn(w, tt.region), tt.in)
			if len(rules) != tt.rules || pages != tt.pages {
				t.Errorf("%d rules on %d pages, want %d on %d", len(rules), pages, tt.rules, tt.pages)
			}
			seen := map[string]bool{}
			for _, r := range rules {
				seen[*r.Name] = true
			}
			if len(seen) != len(rules) {
				t.Errorf("%d of %d rules are different", len(seen), len(rules))
			}
		})
	}
}

func TestListRulesRefuses(t *testing.T) {
	w := loadWorld(t, "paging")
	first, err := eventsIn(w, "eu-west-1").ListRules(context.Background(), &eventbridge.ListRulesInput{})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		region string
		in     eventbridge.ListRulesInput
		want   string
	}{
		"limit 0":               {"eu-west-1", eventbridge.ListRulesInput{Limit: aws.Int32(0)}, "ValidationException"},
		"limit 101":             {"eu-west-1", eventbridge.ListRulesInput{Limit: aws.Int32(101)}, "ValidationException"},
		"bad token":             {"eu-west-1", eventbridge.ListRulesInput{NextToken: aws.String("x")}, "ValidationException"},
		"another region's":      {"eu-west-2", eventbridge.ListRulesInput{NextToken: first.NextToken}, "ValidationException"},
		"another prefix's":      {"eu-west-1", eventbridge.ListRulesInput{NextToken: first.NextToken, NamePrefix: aws.String("n")}, "ValidationException"},
		"its own":               {"eu-west-1", eventbridge.ListRulesInput{NextToken: first.NextToken}, ""},
		"no such bus":           {"eu-west-1", eventbridge.ListRulesInput{EventBusName: aws.String("x")}, "ResourceNotFoundException"},
		"another region's bus":  {"eu-west-1", eventbridge.ListRulesInput{EventBusName: aws.String("arn:aws:events:eu-west-3:123456789012:event-bus/team-30")}, "ResourceNotFoundException"},
		"no bus name":           {"eu-west-1", eventbridge.ListRulesInput{EventBusName: aws.String("a b")}, "ValidationException"},
		"region not enabled":    {"ap-east-1", eventbridge.ListRulesInput{}, "UnrecognizedClientException"},
		"prefix with a blank":   {"eu-west-1", eventbridge.ListRulesInput{NamePrefix: aws.String("a b")}, "ValidationException"},
		"prefix of 65 and more": {"eu-west-1", eventbridge.ListRulesInput{NamePrefix: aws.String(strings.Repeat("a", 65))}, "ValidationException"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := eventsIn(w, tt.region).ListRules(context.Background(), &tt.in)
			wantCode(t, "ListRules", err, tt.want)
		})
	}
}

func TestListRulesTellsEverything(t *testing.T) {
	w := newWorld(t, sim.Scenario{Regions: map[string]sim.Region{"eu-west-1": {Buses: map[string][]sim.Rule{
		"default": {{Name: "nightly", State: "DISABLED", Description: "d", ManagedBy: "s3.amazonaws.com", RoleARN: "arn:aws:iam::123456789012:role/r", ScheduleExpression: "rate(1 day)"}},
		"orders":  {{Name: "placed", State: "FUTURE_STATE", EventPattern: `{"source":["shop"]}`}},
	}}}})
	c := eventsIn(w, "eu-west-1")
	rules, _ := allRules(t, c, eventbridge.ListRulesInput{})
	r := rules[0]
	got := fmt.Sprint(*r.Name, *r.Arn, r.State, *r.Description, *r.ManagedBy, *r.RoleArn, *r.ScheduleExpression, *r.EventBusName, r.EventPattern == nil)
	want := "nightlyarn:aws:events:eu-west-1:123456789012:rule/nightlyDISABLEDds3.amazonaws.comarn:aws:iam::123456789012:role/rrate(1 day)defaulttrue"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	rules, _ = allRules(t, c, eventbridge.ListRulesInput{EventBusName: aws.String("orders")})
	if r := rules[0]; *r.Arn != "arn:aws:events:eu-west-1:123456789012:rule/orders/placed" || r.State != "FUTURE_STATE" || *r.EventPattern != `{"source":["shop"]}` {
		t.Errorf("custom bus: %+v", r)
	}
	buses, err := c.ListEventBuses(context.Background(), &eventbridge.ListEventBusesInput{})
	if err != nil || len(buses.EventBuses) != 2 || *buses.EventBuses[1].Arn != "arn:aws:events:eu-west-1:123456789012:event-bus/orders" || buses.EventBuses[0].CreationTime == nil {
		t.Errorf("buses: %+v, %v", buses, err)
	}
}

func TestListEventBusesPages(t *testing.T) {
	c := eventsIn(loadWorld(t, "paging"), "eu-west-3")
	in := &eventbridge.ListEventBusesInput{Limit: aws.Int32(10)}
	buses := 0
	for {
		out, err := c.ListEventBuses(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		buses += len(out.EventBuses)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if buses != 31 {
		t.Errorf("%d buses, want 31", buses)
	}
}

func TestPageSizeCapsEveryList(t *testing.T) {
	w := newWorld(t, sim.Scenario{PageSize: 2, OtherRegions: &sim.Region{Buses: map[string][]sim.Rule{"default": {{Name: "n", Count: 5}}}}})
	if rules, pages := allRules(t, eventsIn(w, "us-east-1"), eventbridge.ListRulesInput{Limit: aws.Int32(100)}); len(rules) != 5 || pages != 3 {
		t.Errorf("%d rules on %d pages", len(rules), pages)
	}
}

func TestPutRuleValidates(t *testing.T) {
	rule := func(f func(*eventbridge.PutRuleInput)) *eventbridge.PutRuleInput {
		in := &eventbridge.PutRuleInput{Name: aws.String("r")}
		f(in)
		return in
	}
	schedule := func(s string) *eventbridge.PutRuleInput {
		return rule(func(in *eventbridge.PutRuleInput) { in.ScheduleExpression = &s })
	}
	pattern := func(s string) *eventbridge.PutRuleInput {
		return rule(func(in *eventbridge.PutRuleInput) { in.EventPattern = &s })
	}
	const invalid = "ValidationException"
	tests := map[string]struct {
		in   *eventbridge.PutRuleInput
		want string
	}{
		"neither":   {rule(func(*eventbridge.PutRuleInput) {}), invalid},
		"name":      {&eventbridge.PutRuleInput{Name: aws.String("a b"), ScheduleExpression: aws.String("rate(1 day)")}, invalid},
		"long name": {&eventbridge.PutRuleInput{Name: aws.String(strings.Repeat("a", 65)), ScheduleExpression: aws.String("rate(1 day)")}, invalid},
		"state":     {rule(func(in *eventbridge.PutRuleInput) { in.ScheduleExpression, in.State = aws.String("rate(1 day)"), "ON" }), invalid},
		"long description": {rule(func(in *eventbridge.PutRuleInput) {
			in.ScheduleExpression, in.Description = aws.String("rate(1 day)"), aws.String(strings.Repeat("a", 513))
		}), invalid},
		"role": {rule(func(in *eventbridge.PutRuleInput) {
			in.ScheduleExpression, in.RoleArn = aws.String("rate(1 day)"), aws.String("r")
		}), invalid},
		"schedule on another bus": {rule(func(in *eventbridge.PutRuleInput) {
			in.ScheduleExpression, in.EventBusName = aws.String("rate(1 day)"), aws.String("orders")
		}), invalid},
		"no such bus": {rule(func(in *eventbridge.PutRuleInput) {
			in.EventPattern, in.EventBusName = aws.String("{}"), aws.String("x")
		}), "ResourceNotFoundException"},
		"pattern":                    {pattern(`{"source":["a"]}`), ""},
		"pattern list":               {pattern(`[1]`), "InvalidEventPatternException"},
		"pattern null":               {pattern(`null`), "InvalidEventPatternException"},
		"rate(1 minute)":             {schedule("rate(1 minute)"), ""},
		"rate(1 minutes)":            {schedule("rate(1 minutes)"), invalid},
		"rate(5 minutes)":            {schedule("rate(5 minutes)"), ""},
		"rate(5 minute)":             {schedule("rate(5 minute)"), invalid},
		"rate(0 minutes)":            {schedule("rate(0 minutes)"), invalid},
		"rate(5 weeks)":              {schedule("rate(5 weeks)"), invalid},
		"rate( 5 minutes )":          {schedule("rate( 5 minutes )"), invalid},
		"cron(0 8 1 * ? *)":          {schedule("cron(0 8 1 * ? *)"), ""},
		"cron(0/15 * * * ? *)":       {schedule("cron(0/15 * * * ? *)"), ""},
		"cron(5,35 14 * * ? *)":      {schedule("cron(5,35 14 * * ? *)"), ""},
		"cron(0 9 ? * 2#1 *)":        {schedule("cron(0 9 ? * 2#1 *)"), ""},
		"cron(15 10 ? * 6L 2019-22)": {schedule("cron(15 10 ? * 6L 2019-2022)"), ""},
		"cron(0 0 LW * ? *)":         {schedule("cron(0 0 LW * ? *)"), ""},
		"cron(0 18 ? * MON-FRI *)":   {schedule("cron(0 18 ? * MON-FRI *)"), ""},
		"five fields":                {schedule("cron(0 8 1 * ?)"), invalid},
		"no question mark":           {schedule("cron(0 8 1 * * *)"), invalid},
		"two question marks":         {schedule("cron(0 8 ? * ? *)"), invalid},
		"misplaced question mark":    {schedule("cron(? 8 1 * ? *)"), invalid},
		"minute 60":                  {schedule("cron(60 8 1 * ? *)"), invalid},
		"step of 60":                 {schedule("cron(*/60 * * * ? *)"), invalid},
		"weekday 0":                  {schedule("cron(0 8 ? * 0 *)"), invalid},
		"open":                       {schedule("cron(0 8 1 * ? *"), invalid},
		"words":                      {schedule("every day"), invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sim.Scenario{OtherRegions: &sim.Region{Buses: map[string][]sim.Rule{"orders": nil}}})
			_, err := eventsIn(w, "us-east-1").PutRule(context.Background(), tt.in)
			wantCode(t, "PutRule", err, tt.want)
		})
	}
}

func TestPutRuleReplacesTheWholeRule(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, sim.Scenario{OtherRegions: &sim.Region{Buses: map[string][]sim.Rule{"default": {{
		Name: "r", State: "DISABLED", Description: "d", ScheduleExpression: "rate(1 day)", Tags: map[string]string{"team": "a"},
		Targets: []sim.Target{{ID: "1", ARN: "arn:aws:sqs:us-east-1:123456789012:q"}},
	}}}}})
	c := eventsIn(w, "us-east-1")
	out, err := c.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("r"), EventPattern: aws.String(`{"source":["x"]}`),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("b")}}})
	if err != nil || *out.RuleArn != "arn:aws:events:us-east-1:123456789012:rule/r" {
		t.Fatal(out, err)
	}
	got, err := c.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: aws.String("r")})
	if err != nil || got.State != "ENABLED" || got.Description != nil || got.ScheduleExpression != nil || *got.EventPattern != `{"source":["x"]}` || *got.CreatedBy != "123456789012" {
		t.Errorf("%+v, %v", got, err)
	}
	targets, err := c.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: aws.String("r")})
	if err != nil || len(targets.Targets) != 1 {
		t.Errorf("targets are to stay: %+v, %v", targets, err)
	}
	tags, err := c.ListTagsForResource(ctx, &eventbridge.ListTagsForResourceInput{ResourceARN: out.RuleArn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "a" {
		t.Errorf("tags are to be ignored on update: %+v, %v", tags, err)
	}
}
