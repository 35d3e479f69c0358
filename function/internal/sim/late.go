package sim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// past is what a region was before a change.
type past struct {
	until time.Time
	state *region
}

// remember keeps what the region is before the call changes it, where a fault
// of the kind late may ask for it.
func (c *call) remember(now *region) {
	if isRead(c.operation) {
		return
	}
	keep := time.Duration(0)
	for _, f := range c.world.faults {
		if f.Kind == Late {
			keep = max(keep, time.Duration(f.Delay))
		}
	}
	if keep == 0 {
		return
	}
	at := c.world.now()
	now.history = slices.DeleteFunc(now.history, func(p past) bool { return at.Sub(p.until) > keep })
	now.history = append(now.history, past{at, now.clone()})
}

// asOf is what the region was so long ago.
func (r *region) asOf(now time.Time, ago time.Duration) *region {
	for _, p := range r.history {
		if p.until.After(now.Add(-ago)) {
			return p.state
		}
	}
	return r
}

func isRead(operation string) bool {
	return strings.HasPrefix(operation, "List") || strings.HasPrefix(operation, "Describe") || strings.HasPrefix(operation, "Get")
}

// clone copies what an operation may change.
func (r *region) clone() *region {
	out := &region{optIn: r.optIn, buses: map[string]*bus{}, functions: map[string]*function{}}
	for name, b := range r.buses {
		copied := *b
		copied.tags, copied.rules = maps.Clone(b.tags), map[string]*rule{}
		for ruleName, old := range b.rules {
			fresh := *old
			fresh.targets, fresh.Tags = maps.Clone(old.targets), maps.Clone(old.Tags)
			copied.rules[ruleName] = &fresh
		}
		out.buses[name] = &copied
	}
	for name, f := range r.functions {
		out.functions[name] = &function{f.name, slices.Clone(f.statements)}
	}
	return out
}
