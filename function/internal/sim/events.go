package sim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// eventsService is EventBridge's API of event buses, rules and targets.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Operations.html
var eventsService = service{
	protocol: awsJSON,
	target:   "AWSEvents",
	prefix:   "events",
	operations: map[string]operation{
		"CreateEventBus": createEventBus, "DeleteEventBus": deleteEventBus,
		"DescribeEventBus": describeEventBus, "ListEventBuses": listEventBuses,
		"PutRule": putRule, "DescribeRule": describeRule, "ListRules": listRules, "DeleteRule": deleteRule,
		"EnableRule": enableRule, "DisableRule": disableRule,
		"PutTargets": putTargets, "RemoveTargets": removeTargets,
		"ListTargetsByRule": listTargetsByRule, "ListRuleNamesByTarget": listRuleNamesByTarget,
		"TagResource": tagResource, "UntagResource": untagResource, "ListTagsForResource": listTagsForResource,
	},
}

// The quotas that EventBridge starts an account with.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const (
	maxBuses   = 100
	maxTargets = 5
)

func maxRules(region string) int {
	if region == "af-south-1" || region == "eu-south-1" {
		return 100
	}
	return 300
}

// The rule states that PutRule takes.
var ruleStates = []string{"ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}

const defaultBus = "default"

// bus is an event bus with its rules by name.
type bus struct {
	name, description string
	created           time.Time
	rules             map[string]*rule
	tags              map[string]string
}

// rule is a rule with its targets by id, as the JSON that put them.
type rule struct {
	Rule
	targets map[string]target
}

func newBus(name string, created time.Time) *bus {
	return &bus{name: name, created: created, rules: map[string]*rule{}, tags: map[string]string{}}
}

// newRule makes one rule of a scenario's.
func newRule(name string, from Rule) *rule {
	r := &rule{Rule: from, targets: map[string]target{}}
	r.Name, r.Count, r.Targets = name, 0, nil
	r.Tags = map[string]string{}
	maps.Copy(r.Tags, from.Tags)
	if r.State == "" {
		r.State = "ENABLED"
	}
	if r.ScheduleExpression == "" && r.EventPattern == "" {
		r.EventPattern = `{"source":["com.example"]}`
	}
	for _, t := range from.Targets {
		r.targets[t.ID] = newTarget(t.ID, t.ARN)
	}
	return r
}

func (b *bus) snapshot() []Rule {
	rules := []Rule{}
	for _, name := range slices.Sorted(maps.Keys(b.rules)) {
		r := b.rules[name].Rule
		r.Tags = maps.Clone(r.Tags)
		for _, id := range slices.Sorted(maps.Keys(b.rules[name].targets)) {
			r.Targets = append(r.Targets, Target{id, b.rules[name].targets[id].arn})
		}
		rules = append(rules, r)
	}
	return rules
}

// state is what the call sees of its region; it exists, since run has checked.
func (c *call) state() *region { return c.seen }

func (c *call) eventsARN(resource string) string {
	return arn{c.world.partition.name, "events", c.region, c.account, resource}.String()
}

func (c *call) busARN(b *bus) string { return c.eventsARN("event-bus/" + b.name) }

func (c *call) ruleARN(busName, ruleName string) string {
	if busName == defaultBus || busName == "" {
		return c.eventsARN("rule/" + ruleName)
	}
	return c.eventsARN("rule/" + busName + "/" + ruleName)
}

// findBus resolves an event bus's optional name or ARN.
func (c *call) findBus(nameOrARN *string) (*bus, *apiError) {
	name := defaultBus
	if nameOrARN != nil {
		name = *nameOrARN
	}
	if name == "" {
		return nil, violation("''", "eventBusName", "Member must have length greater than or equal to 1")
	}
	if a, ok := parseARN(name); ok {
		rest, isBus := strings.CutPrefix(a.resource, "event-bus/")
		if a.service != "events" || !isBus || a.region != c.region || a.account != c.account || a.partition != c.world.partition.name {
			return nil, notFound("Event bus " + name + " does not exist.")
		}
		name = rest
	}
	if !busPattern.MatchString(name) {
		return nil, violation("'"+name+"'", "eventBusName", `Member must satisfy regular expression pattern: [/\.\-_A-Za-z0-9]+`)
	}
	b := c.state().buses[name]
	if b == nil {
		return nil, notFound("Event bus " + name + " does not exist.")
	}
	return b, nil
}

// findRule resolves a rule's name on a bus.
func (c *call) findRule(member string, name, busName *string) (*bus, *rule, *apiError) {
	if e := checkName(member, name); e != nil {
		return nil, nil, e
	}
	b, e := c.findBus(busName)
	if e != nil {
		return nil, nil, e
	}
	r := b.rules[*name]
	if r == nil {
		return b, nil, notFound("Rule " + *name + " does not exist on EventBus " + b.name + ".")
	}
	return b, r, nil
}

// checkName checks a required name of a rule or id of a target.
func checkName(member string, name *string) *apiError {
	switch {
	case name == nil:
		return violation("null", member, "Member must not be null")
	case *name == "":
		return violation("''", member, "Member must have length greater than or equal to 1")
	case len(*name) > 64:
		return violation("'"+*name+"'", member, "Member must have length less than or equal to 64")
	case !rulePattern.MatchString(*name):
		return violation("'"+*name+"'", member, `Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+`)
	}
	return nil
}

func checkLength(member string, s *string, most int) *apiError {
	if s != nil && len(*s) > most {
		return violation("'"+*s+"'", member, "Member must have length less than or equal to "+strconv.Itoa(most))
	}
	return nil
}

func notFound(text string) *apiError {
	return &apiError{http.StatusBadRequest, "ResourceNotFoundException", text}
}

func overQuota() *apiError {
	return &apiError{http.StatusBadRequest, "LimitExceededException", "The requested resource exceeds the maximum number allowed."}
}

// managed refuses changes to a rule that an AWS service owns.
func (r *rule) managed() *apiError {
	if r.ManagedBy == "" {
		return nil
	}
	return &apiError{http.StatusBadRequest, "ManagedRuleException",
		fmt.Sprintf("Rule %s is managed by %s and can be changed by that service only.", r.Name, r.ManagedBy)}
}

// resource is the ARN that an access-denied text names for the call.
func (c *call) resource() string {
	switch c.service {
	case "sns":
		if topic := c.form.Get("TopicArn"); topic != "" {
			return topic
		}
		return arn{c.world.partition.name, "sns", c.region, c.account, "*"}.String()
	case "s3":
		return c.s3Resource()
	case "lambda":
		name := c.parameters["FunctionName"]
		if isARN(name) {
			return name
		}
		return c.functionARN(name)
	case "events":
	default:
		return ""
	}
	in, _ := decodeJSON[struct{ Name, Rule, EventBusName, ResourceARN *string }](c)
	busName := text(in.EventBusName)
	busName = busName[strings.LastIndex(busName, ":event-bus/")+1:]
	busName = strings.TrimPrefix(busName, "event-bus/")
	switch {
	case in.ResourceARN != nil:
		return *in.ResourceARN
	case strings.Contains(c.operation, "EventBus"):
		if in.Name != nil {
			return c.eventsARN("event-bus/" + *in.Name)
		}
		return c.eventsARN("event-bus/*")
	case in.Rule != nil:
		return c.ruleARN(busName, *in.Rule)
	case in.Name != nil:
		return c.ruleARN(busName, *in.Name)
	}
	return c.ruleARN(busName, "*")
}
