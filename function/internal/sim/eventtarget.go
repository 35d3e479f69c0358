package sim

import (
	"encoding/json"
	"maps"
	"slices"
)

// target is a rule's target: what matters here, and the JSON it was put as.
type target struct {
	id, arn string
	raw     json.RawMessage
}

func newTarget(id, targetARN string) target {
	raw, _ := json.Marshal(struct{ Id, Arn string }{id, targetARN}) // strings always marshal
	return target{id, targetARN, raw}
}

type failedEntry struct{ TargetId, ErrorCode, ErrorMessage string }

type entriesResult struct {
	FailedEntryCount int
	FailedEntries    []failedEntry
}

func (c *call) entries(failed []failedEntry) entriesResult {
	return entriesResult{len(failed), emptyList(failed)}
}

// putTargets adds targets or replaces those with the same ids: all or none,
// but for a failed-entries fault.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
func putTargets(c *call) (any, *apiError) {
	in, e := decodeJSON[struct {
		Rule, EventBusName *string
		Targets            []json.RawMessage
	}](c)
	if e != nil {
		return nil, e
	}
	_, r, e := c.findRule("rule", in.Rule, in.EventBusName)
	if e == nil {
		e = r.managed()
	}
	if e != nil {
		return nil, e
	}
	if n := len(in.Targets); n < 1 || n > 100 {
		return nil, violation("'[]'", "targets", "Member must have length between 1 and 100, inclusive")
	}
	after := maps.Clone(r.targets)
	var failed []failedEntry
	for _, raw := range in.Targets {
		t, e := c.readTarget(raw)
		if e != nil {
			return nil, e
		}
		after[t.id] = t
		failed = append(failed, failedEntry{t.id, "InternalFailure", "The target could not be added."})
	}
	if len(after) > maxTargets {
		return nil, overQuota()
	}
	if c.fault.Kind == FailedEntries {
		return c.entries(failed), nil
	}
	r.targets = after
	return c.entries(nil), nil
}

// readTarget checks one target. Only event buses may be in another region.
func (c *call) readTarget(raw json.RawMessage) (target, *apiError) {
	var in struct{ Id, Arn *string }
	if json.Unmarshal(raw, &in) != nil {
		return target{}, invalid("Parameter Targets is not valid.")
	}
	if e := checkName("targets.1.member.id", in.Id); e != nil {
		return target{}, e
	}
	if in.Arn == nil {
		return target{}, violation("null", "targets.1.member.arn", "Member must not be null")
	}
	a, ok := parseARN(*in.Arn)
	switch {
	case !ok:
		return target{}, invalid("Parameter " + *in.Arn + " is not valid. Reason: Provided Arn is not in correct format.")
	case a.region != "" && a.region != c.region && a.service != "events":
		return target{}, invalid("Parameter " + *in.Arn + " is not valid. Reason: Provided Arn must be in the region " + c.region + " of the rule.")
	}
	return target{*in.Id, *in.Arn, slices.Clone(raw)}, nil
}

func removeTargets(c *call) (any, *apiError) {
	in, e := decodeJSON[struct {
		Rule, EventBusName *string
		Ids                []string
		Force              bool
	}](c)
	if e != nil {
		return nil, e
	}
	b, r, e := c.findRule("rule", in.Rule, in.EventBusName)
	if e == nil && !in.Force {
		e = r.managed()
	}
	if e != nil {
		return nil, e
	}
	if n := len(in.Ids); n < 1 || n > 100 {
		return nil, violation("'[]'", "ids", "Member must have length between 1 and 100, inclusive")
	}
	var failed []failedEntry
	for _, id := range in.Ids {
		_, there := r.targets[id]
		switch {
		case c.fault.Kind == FailedEntries:
			failed = append(failed, failedEntry{id, "InternalFailure", "The target could not be removed."})
		case !there:
			failed = append(failed, failedEntry{id, "ResourceNotFoundException", "Rule " + r.Name + " on EventBus " + b.name + " has no target " + id + "."})
		default:
			delete(r.targets, id)
		}
	}
	return c.entries(failed), nil
}

func listTargetsByRule(c *call) (any, *apiError) {
	in, e := decodeJSON[struct {
		Rule, EventBusName, NextToken *string
		Limit                         *int
	}](c)
	if e != nil {
		return nil, e
	}
	size, e := checkLimit(in.Limit, "limit", 100)
	if e != nil {
		return nil, e
	}
	b, r, e := c.findRule("rule", in.Rule, in.EventBusName)
	if e != nil {
		return nil, e
	}
	var targets []target
	for _, id := range slices.Sorted(maps.Keys(r.targets)) {
		targets = append(targets, r.targets[id])
	}
	part, next, ok := page(c, targets, func(t target) string { return t.id }, size, text(in.NextToken), b.name, r.Name)
	if !ok {
		return nil, badPage()
	}
	out := struct {
		NextToken string `json:",omitempty"`
		Targets   []json.RawMessage
	}{next, []json.RawMessage{}}
	for _, t := range part {
		out.Targets = append(out.Targets, t.raw)
	}
	return out, nil
}

func listRuleNamesByTarget(c *call) (any, *apiError) {
	in, e := decodeJSON[struct {
		TargetArn, EventBusName, NextToken *string
		Limit                              *int
	}](c)
	if e != nil {
		return nil, e
	}
	size, e := checkLimit(in.Limit, "limit", 100)
	if e != nil {
		return nil, e
	}
	if in.TargetArn == nil {
		return nil, violation("null", "targetArn", "Member must not be null")
	}
	b, e := c.findBus(in.EventBusName)
	if e != nil {
		return nil, e
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(b.rules)) {
		for _, t := range b.rules[name].targets {
			if t.arn == *in.TargetArn {
				names = append(names, name)
				break
			}
		}
	}
	part, next, ok := page(c, names, func(n string) string { return n }, size, text(in.NextToken), b.name, *in.TargetArn)
	if !ok {
		return nil, badPage()
	}
	return struct {
		NextToken string `json:",omitempty"`
		RuleNames []string
	}{next, emptyList(part)}, nil
}
