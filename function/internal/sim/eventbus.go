package sim

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

type busJSON struct {
	Name             string
	Arn              string
	Description      string  `json:",omitempty"`
	CreationTime     float64 `json:",omitempty"`
	LastModifiedTime float64 `json:",omitempty"`
}

func (c *call) busJSON(b *bus) busJSON {
	seconds := float64(b.created.UnixMilli()) / float64(time.Second/time.Millisecond)
	return busJSON{b.name, c.busARN(b), b.description, seconds, seconds}
}

func listEventBuses(c *call) (any, *apiError) {
	in, e := decodeJSON[struct {
		NamePrefix, NextToken *string
		Limit                 *int
	}](c)
	if e != nil {
		return nil, e
	}
	size, e := checkLimit(in.Limit, "limit", 100)
	if e != nil {
		return nil, e
	}
	prefix := text(in.NamePrefix)
	var buses []*bus
	for _, name := range slices.Sorted(maps.Keys(c.state().buses)) {
		if strings.HasPrefix(name, prefix) {
			buses = append(buses, c.state().buses[name])
		}
	}
	part, next, ok := page(c, buses, func(b *bus) string { return b.name }, size, text(in.NextToken), prefix)
	if !ok {
		return nil, badPage()
	}
	out := struct {
		EventBuses []busJSON
		NextToken  string `json:",omitempty"`
	}{EventBuses: []busJSON{}, NextToken: next}
	for _, b := range part {
		out.EventBuses = append(out.EventBuses, c.busJSON(b))
	}
	return out, nil
}

func badPage() *apiError { return invalid("Parameter NextToken is not valid.") }

func describeEventBus(c *call) (any, *apiError) {
	in, e := decodeJSON[struct{ Name *string }](c)
	if e != nil {
		return nil, e
	}
	b, e := c.findBus(in.Name)
	if e != nil {
		return nil, e
	}
	return c.busJSON(b), nil
}

func createEventBus(c *call) (any, *apiError) {
	in, e := decodeJSON[struct {
		Name, Description, EventSourceName *string
		Tags                               []tagJSON
	}](c)
	if e != nil {
		return nil, e
	}
	name := text(in.Name)
	switch {
	case in.Name == nil:
		return nil, violation("null", "name", "Member must not be null")
	case !busPattern.MatchString(name):
		return nil, violation("'"+name+"'", "name", `Member must satisfy regular expression pattern: [/\.\-_A-Za-z0-9]+`)
	case strings.Contains(name, "/") && text(in.EventSourceName) != name:
		return nil, invalid("Event bus name must not contain '/'.")
	case in.EventSourceName != nil:
		return nil, notFound("Event source " + *in.EventSourceName + " does not exist.")
	case c.state().buses[name] != nil:
		return nil, &apiError{http.StatusBadRequest, "ResourceAlreadyExistsException", "Event bus " + name + " already exists."}
	case len(c.state().buses) >= maxBuses:
		return nil, overQuota()
	}
	b := newBus(name, c.world.now())
	b.description = text(in.Description)
	for _, t := range in.Tags {
		b.tags[t.Key] = t.Value
	}
	c.state().buses[name] = b
	return struct {
		EventBusArn string
		Description string `json:",omitempty"`
	}{c.busARN(b), b.description}, nil
}

func deleteEventBus(c *call) (any, *apiError) {
	in, e := decodeJSON[struct{ Name *string }](c)
	if e != nil {
		return nil, e
	}
	if in.Name == nil {
		return nil, violation("null", "name", "Member must not be null")
	}
	if *in.Name == defaultBus {
		return nil, invalid("Cannot delete event bus default.")
	}
	if b := c.state().buses[*in.Name]; b != nil && len(b.rules) > 0 {
		return nil, invalid("Event bus " + b.name + " can't be deleted since it has rules.")
	}
	delete(c.state().buses, *in.Name)
	return nil, nil
}

type tagJSON struct{ Key, Value string }

// tagsOf finds the tags of a rule's or event bus's ARN.
func (c *call) tagsOf(resourceARN *string) (map[string]string, *rule, *apiError) {
	if resourceARN == nil {
		return nil, nil, violation("null", "resourceARN", "Member must not be null")
	}
	a, ok := parseARN(*resourceARN)
	if !ok || a.service != "events" {
		return nil, nil, invalid("Parameter ResourceARN is not valid. Reason: Provided Arn is not in correct format.")
	}
	kind, name, _ := strings.Cut(a.resource, "/")
	if a.region == c.region && a.account == c.account {
		if b := c.state().buses[name]; kind == "event-bus" && b != nil {
			return b.tags, nil, nil
		}
		busName, ruleName := defaultBus, name
		if i := strings.LastIndex(name, "/"); i >= 0 {
			busName, ruleName = name[:i], name[i+1:]
		}
		if b := c.state().buses[busName]; kind == "rule" && b != nil && b.rules[ruleName] != nil {
			return b.rules[ruleName].Tags, b.rules[ruleName], nil
		}
	}
	return nil, nil, notFound("The resource " + *resourceARN + " does not exist.")
}

func tagResource(c *call) (any, *apiError) {
	in, e := decodeJSON[struct {
		ResourceARN *string
		Tags        []tagJSON
	}](c)
	if e != nil {
		return nil, e
	}
	tags, r, e := c.tagsOf(in.ResourceARN)
	if e == nil && r != nil {
		e = r.managed()
	}
	if e != nil {
		return nil, e
	}
	for _, t := range in.Tags {
		tags[t.Key] = t.Value
	}
	return struct{}{}, nil
}

func untagResource(c *call) (any, *apiError) {
	in, e := decodeJSON[struct {
		ResourceARN *string
		TagKeys     []string
	}](c)
	if e != nil {
		return nil, e
	}
	tags, r, e := c.tagsOf(in.ResourceARN)
	if e == nil && r != nil {
		e = r.managed()
	}
	if e != nil {
		return nil, e
	}
	for _, key := range in.TagKeys {
		delete(tags, key)
	}
	return struct{}{}, nil
}

func listTagsForResource(c *call) (any, *apiError) {
	in, e := decodeJSON[struct{ ResourceARN *string }](c)
	if e != nil {
		return nil, e
	}
	tags, _, e := c.tagsOf(in.ResourceARN)
	if e != nil {
		return nil, e
	}
	out := struct{ Tags []tagJSON }{[]tagJSON{}}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out.Tags = append(out.Tags, tagJSON{key, tags[key]})
	}
	return out, nil
}
