package sim_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

func TestParseNamesThePlaceOfEveryMistake(t *testing.T) {
	tests := map[string]struct{ json, want string }{
		"not JSON":            {`{"regions": `, "scenario.regions: not JSON"},
		"truncated":           {`{"regions": {}`, "not JSON"},
		"a list":              {`[]`, "scenario: want an object, got a list"},
		"null":                {`null`, "scenario: want an object, got null"},
		"trailing":            {`{} {}`, "something follows"},
		"unknown key":         {`{"colour": 1}`, "scenario.colour: unknown key; known are description"},
		"unknown nested":      {`{"regions":{"eu-west-1":{"busses":{}}}}`, "scenario.regions.eu-west-1.busses: unknown key; known are optIn, buses"},
		"case matters":        {`{"Regions":{}}`, "scenario.Regions: unknown key"},
		"repeated":            {`{"regions":{"eu-west-1":{},"eu-west-1":{}}}`, "scenario.regions.eu-west-1: given twice"},
		"wrong type":          {`{"faults":[{"kind":"deny"},{"kind":7}]}`, "scenario.faults[1].kind: want a string, got the number 7"},
		"not whole":           {`{"pageSize":1.5}`, "scenario.pageSize: want a whole number"},
		"skipped object":      {`{"pageSize":{"a":[1]},"account":"1"}`, "scenario.pageSize: want a number, got an object"},
		"partition":           {`{"partition":"aws-moon"}`, "scenario.partition: unknown partition \"aws-moon\"; known are aws, aws-cn, aws-us-gov"},
		"account":             {`{"account":"12"}`, "scenario.account"},
		"caller":              {`{"callerArn":"me"}`, "scenario.callerArn"},
		"misspelt region":     {`{"regions":{"eu-wset-1":{}}}`, "scenario.regions.eu-wset-1: partition aws has no such region"},
		"no region":           {`{"regions":{"Europe":{"optIn":"ENABLED"}}}`, "scenario.regions.Europe: not a region's name"},
		"opt-in state":        {`{"regions":{"ap-east-1":{"optIn":"ON"}}}`, `scenario.regions.ap-east-1.optIn: unknown opt-in state "ON"`},
		"always on":           {`{"regions":{"us-east-1":{"optIn":"DISABLED"}}}`, "us-east-1 cannot be switched off"},
		"never by default":    {`{"regions":{"ap-east-1":{"optIn":"ENABLED_BY_DEFAULT"}}}`, "opt-in region"},
		"rule without a name": {`{"regions":{"us-east-1":{"buses":{"default":[{}]}}}}`, "scenario.regions.us-east-1.buses.default[0].name: missing"},
		"rule name":           {`{"otherRegions":{"buses":{"default":[{"name":"a b"}]}}}`, `scenario.otherRegions.buses.default[0].name: "a b" is not a rule's name`},
		"rule twice":          {`{"otherRegions":{"buses":{"default":[{"name":"n","count":2},{"name":"n-002"}]}}}`, "another rule named \"n-002\""},
		"rule count":          {`{"otherRegions":{"buses":{"default":[{"name":"n","count":-1}]}}}`, "count: -1"},
		"rule state":          {`{"otherRegions":{"buses":{"default":[{"name":"n","state":"on"}]}}}`, "state: \"on\" is not a state"},
		"rate":                {`{"otherRegions":{"buses":{"default":[{"name":"n","scheduleExpression":"rate(1 minutes)"}]}}}`, "scheduleExpression"},
		"schedule elsewhere":  {`{"otherRegions":{"buses":{"x":[{"name":"n","scheduleExpression":"rate(1 minute)"}]}}}`, "only the default event bus takes schedules"},
		"pattern":             {`{"otherRegions":{"buses":{"default":[{"name":"n","eventPattern":"[]"}]}}}`, "eventPattern: not a JSON object"},
		"pattern type":        {`{"otherRegions":{"buses":{"default":[{"name":"n","eventPattern":7}]}}}`, "eventPattern: want an event pattern"},
		"target":              {`{"otherRegions":{"buses":{"default":[{"name":"n","targets":[{"id":"1","arn":"x"}]}]}}}`, "targets[0].arn: \"x\" is not an ARN"},
		"topic":               {`{"topics":["arn:aws:sqs:us-east-1:123456789012:q"]}`, "scenario.topics[0]"},
		"fault kind":          {`{"faults":[{"kind":"gremlin"}]}`, `scenario.faults[0]: unknown kind "gremlin"; known are throttle, deny`},
		"fault service":       {`{"faults":[{"kind":"deny","service":"s4"}]}`, "unknown service \"s4\"; known are account, ec2, events, lambda, s3, sns, sts"},
		"slow without delay":  {`{"faults":[{"kind":"slow"}]}`, "needs a delay"},
		"delay":               {`{"faults":[{"kind":"slow","delay":"soon"}]}`, `scenario.faults[0].delay: "soon" is not a duration`},
		"times":               {`{"faults":[{"kind":"deny","times":-1}]}`, "times -1 is negative"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := sim.Parse([]byte(tt.json))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestParseReportsAllMistakesAtOnce(t *testing.T) {
	_, err := sim.Parse([]byte(`{"account":"1","faults":[{"kind":"x"}],"topics":["y"]}`))
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("want three mistakes, got %v", err)
	}
}

func TestLoad(t *testing.T) {
	for _, want := range []string{"demo", "denied", "empty", "faults", "govcloud", "healthy", "paging"} {
		if !slices.Contains(sim.Names(), want) {
			t.Errorf("no scenario %s in %v", want, sim.Names())
		}
	}
	for _, name := range sim.Names() {
		s, err := sim.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Description == "" {
			t.Errorf("scenario %s has no description", name)
		}
		newWorld(t, s)
	}
	if _, err := sim.Load("nowhere"); err == nil || !strings.Contains(err.Error(), "demo, denied, empty") {
		t.Errorf("want an error that lists the names, got %v", err)
	}
}

// active counts the active rules of a region that no AWS service manages, and
// all rules there are.
func active(w *sim.World, region string) (customer, managed, all int) {
	for rules := range maps.Values(w.Rules(region)) {
		for _, r := range rules {
			all++
			switch {
			case r.State == "DISABLED":
			case r.ManagedBy != "":
				managed++
			default:
				customer++
			}
		}
	}
	return customer, managed, all
}

func TestDemoTellsItsStory(t *testing.T) {
	w := loadWorld(t, "demo")
	var none, disabled, managedOnly, enabled int
	for _, region := range w.Regions() {
		if state := w.OptIn(region); state != "ENABLED" && state != "ENABLED_BY_DEFAULT" {
			continue
		}
		enabled++
		switch customer, managed, all := active(w, region); {
		case customer > 0:
		case managed > 0:
			managedOnly++
		case all > 0:
			disabled++
		default:
			none++
		}
	}
	if len(w.Regions()) != 34 || enabled != 23 || none != 2 || disabled != 2 || managedOnly != 1 {
		t.Errorf("%d regions, %d enabled, %d without rules, %d with disabled ones, %d with managed ones",
			len(w.Regions()), enabled, none, disabled, managedOnly)
	}
	if w.OptIn("ca-west-1") != "ENABLING" || w.OptIn("me-south-1") != "ENABLED" || w.OptIn("ap-southeast-3") != "ENABLED" {
		t.Error("the regions with a story have another opt-in state")
	}
	if rules := w.Rules("ca-central-1"); rules["default"][0].State != "DISABLED" || rules["payments"][0].State != "ENABLED" {
		t.Error("ca-central-1 is to have its only active rule on a custom bus")
	}
}

func TestWorldsShareNothing(t *testing.T) {
	s, err := sim.Load("healthy")
	if err != nil {
		t.Fatal(err)
	}
	one, two := newWorld(t, s), newWorld(t, s)
	if err := one.SetRuleState("eu-west-1", "default", "guardduty-high-severity", "DISABLED"); err != nil {
		t.Fatal(err)
	}
	if got := two.Rules("eu-west-1")["default"][0].State; got != "ENABLED" {
		t.Errorf("the other world's rule is %s", got)
	}
	if got := one.Rules("eu-west-2")["default"][0].State; got != "ENABLED" {
		t.Errorf("the other region's rule is %s", got)
	}
}

func TestPartitionsHaveTheirRegions(t *testing.T) {
	for name, want := range map[string]int{"aws": 34, "aws-cn": 2, "aws-us-gov": 2} {
		if got := len(newWorld(t, sim.Scenario{Partition: name}).Regions()); got != want {
			t.Errorf("%s has %d regions, want %d", name, got, want)
		}
	}
	w := newWorld(t, sim.Scenario{Regions: map[string]sim.Region{"eu-moon-1": {OptIn: sim.OptInEnabled}}})
	if len(w.Regions()) != 35 || w.OptIn("eu-moon-1") != "ENABLED" || w.OptIn("eu-mars-1") != "" {
		t.Error("a region newer than the program is missing")
	}
}
