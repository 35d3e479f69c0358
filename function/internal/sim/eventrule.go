package sim

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

type ruleJSON struct {
	Name               string
	Arn                string
	EventPattern       string `json:",omitempty"`
	State              string
	Description        string `json:",omitempty"`
	ScheduleExpression string `json:",omitempty"`
	RoleArn            string `json:",omitempty"`
	ManagedBy          string `json:",omitempty"`
	EventBusName       string
	CreatedBy          string `json:",omitempty"` // DescribeRule only
}

func (c *call) ruleJSON(b *bus, r *rule) ruleJSON {
	return ruleJSON{
		Name: r.Name, Arn: c.ruleARN(b.name, r.Name), EventPattern: string(r.EventPattern), State: r.State,
		Description: r.Description, ScheduleExpression: r.ScheduleExpression, RoleArn: r.RoleARN,
		ManagedBy: r.ManagedBy, EventBusName: b.name,
	}
}

func listRules(c *call) (any, *apiError) {
	in, e := decodeJSON[struct {
		EventBusName, NamePrefix, NextToken *string
		Limit                               *int
	}](c)
	if e != nil {
		return nil, e
	}
	size, e := checkLimit(in.Limit, "limit", 100)
	if e != nil {
		return nil, e
	}
	if in.NamePrefix != nil {
		if e := checkName("namePrefix", in.NamePrefix); e != nil {
			return nil, e
		}
	}
	b, e := c.findBus(in.EventBusName)
	if e != nil {
		return nil, e
	}
	prefix := text(in.NamePrefix)
	var rules []*rule
	for _, name := range slices.Sorted(maps.Keys(b.rules)) {
		if strings.HasPrefix(name, prefix) {
			rules = append(rules, b.rules[name])
		}
	}
	part, next, ok := page(c, rules, func(r *rule) string { return r.Name }, size, text(in.NextToken), b.name, prefix)
	if !ok {
		return nil, badPage()
	}
	out := struct {
		NextToken string `json:",omitempty"`
		Rules     []ruleJSON
	}{next, []ruleJSON{}}
	for _, r := range part {
		out.Rules = append(out.Rules, c.ruleJSON(b, r))
	}
	return out, nil
}

// ruleInput is the input of the operations on one rule.
type ruleInput struct {
	Name, EventBusName *string
	Force              bool
}

func describeRule(c *call) (any, *apiError) {
	in, e := decodeJSON[ruleInput](c)
	if e != nil {
		return nil, e
	}
	b, r, e := c.findRule("name", in.Name, in.EventBusName)
	if e != nil {
		return nil, e
	}
	out := c.ruleJSON(b, r)
	out.CreatedBy = c.account
	return out, nil
}

// putRule makes a rule or replaces it whole: what the call leaves out is gone.
// Tags count for new rules only; targets stay.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
func putRule(c *call) (any, *apiError) {
	in, e := decodeJSON[struct {
		Name, EventBusName, ScheduleExpression, EventPattern *string
		State, Description, RoleArn                          *string
		Tags                                                 []tagJSON
	}](c)
	if e != nil {
		return nil, e
	}
	if e := checkName("name", in.Name); e != nil {
		return nil, e
	}
	for _, member := range []struct {
		name  string
		value *string
		most  int
	}{{"scheduleExpression", in.ScheduleExpression, 256}, {"eventPattern", in.EventPattern, 4096},
		{"description", in.Description, 512}, {"roleArn", in.RoleArn, 1600}} {
		if e := checkLength(member.name, member.value, member.most); e != nil {
			return nil, e
		}
	}
	state := "ENABLED"
	if in.State != nil {
		state = *in.State
	}
	if !slices.Contains(ruleStates, state) {
		return nil, violation("'"+state+"'", "state", "Member must satisfy enum value set: ["+strings.Join(ruleStates, ", ")+"]")
	}
	b, e := c.findBus(in.EventBusName)
	if e != nil {
		return nil, e
	}
	schedule, pattern := text(in.ScheduleExpression), text(in.EventPattern)
	switch {
	case schedule == "" && pattern == "":
		return nil, invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case schedule != "" && b.name != defaultBus:
		return nil, invalid("ScheduleExpression is supported only on the default event bus.")
	case schedule != "" && !validSchedule(schedule):
		return nil, invalid("Parameter ScheduleExpression is not valid.")
	case pattern != "" && !isJSONObject(pattern):
		return nil, &apiError{http.StatusBadRequest, "InvalidEventPatternException", "Event pattern is not valid. Reason: Filter is not an object"}
	case pattern != "" && patternFault(pattern) != "":
		return nil, &apiError{http.StatusBadRequest, "InvalidEventPatternException", "Event pattern is not valid. Reason: " + patternFault(pattern)}
	case in.RoleArn != nil && !isARN(*in.RoleArn):
		return nil, invalid("Parameter RoleArn is not valid. Reason: Provided Arn is not in correct format.")
	}
	fresh := &rule{targets: map[string]target{}, Rule: Rule{
		Name: *in.Name, State: state, Description: text(in.Description), RoleARN: text(in.RoleArn),
		ScheduleExpression: schedule, EventPattern: Pattern(pattern), Tags: map[string]string{},
	}}
	if old := b.rules[*in.Name]; old != nil {
		if e := old.managed(); e != nil {
			return nil, e
		}
		fresh.targets, fresh.Tags = old.targets, old.Tags
	} else {
		if len(b.rules) >= maxRules(c.region) {
			return nil, overQuota()
		}
		for _, t := range in.Tags {
			fresh.Tags[t.Key] = t.Value
		}
	}
	b.rules[fresh.Name] = fresh
	return struct{ RuleArn string }{c.ruleARN(b.name, fresh.Name)}, nil
}

func enableRule(c *call) (any, *apiError)  { return setState(c, "ENABLED") }
func disableRule(c *call) (any, *apiError) { return setState(c, "DISABLED") }

func setState(c *call, state string) (any, *apiError) {
	in, e := decodeJSON[ruleInput](c)
	if e != nil {
		return nil, e
	}
	_, r, e := c.findRule("name", in.Name, in.EventBusName)
	if e == nil {
		e = r.managed()
	}
	if e != nil {
		return nil, e
	}
	r.State = state
	return nil, nil
}

// deleteRule deletes a rule without targets. One that is not there is deleted
// already.
func deleteRule(c *call) (any, *apiError) {
	in, e := decodeJSON[ruleInput](c)
	if e != nil {
		return nil, e
	}
	b, r, e := c.findRule("name", in.Name, in.EventBusName)
	if e != nil && b != nil {
		return nil, nil
	}
	if e == nil && !in.Force {
		e = r.managed()
	}
	if e != nil {
		return nil, e
	}
	if len(r.targets) > 0 {
		return nil, invalid("Rule can't be deleted since it has targets.")
	}
	delete(b.rules, r.Name)
	return nil, nil
}
