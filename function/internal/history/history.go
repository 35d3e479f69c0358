// Package history remembers: what was found and told in earlier runs, so that an alert means that something changed, and
// each run's record, so that somebody can ask later. It is pure but for Load, Save and Append, which act only through
// Blobs; it reads no clock but to wait, and never logs.
package history

import (
	"cmp"
	"slices"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// SchemaVersion is the version of the state's form.
const SchemaVersion = "1.0"

// State is what is open after a run: every scope that fails, or could not be judged. A scope that is not in it passed, or
// was never looked at.
type State struct {
	SchemaVersion string    `json:"schemaVersion"`
	UpdatedAt     time.Time `json:"updatedAt"` // UTC
	Scopes        []Open    `json:"scopes"`    // sorted by account, then region
}

// Open is what is open about a scope. A scope that fails and then cannot be judged has both.
type Open struct {
	Account  string `json:"account"`
	Region   string `json:"region"`
	Failing  *Spell `json:"failing,omitempty"`
	Unjudged *Spell `json:"unjudged,omitempty"`
}

func (o Open) scope() audit.Scope { return audit.Scope{Account: o.Account, Region: o.Region} }

// Spell is a time in which a scope failed, or could not be judged.
type Spell struct {
	Reason     audit.Reason `json:"reason"`               // the newest
	Since      time.Time    `json:"since"`                // UTC
	Told       *time.Time   `json:"told,omitempty"`       // when the receivers last heard of it; nil while they did not
	ToldReason audit.Reason `json:"toldReason,omitempty"` // what they heard
	Over       bool         `json:"over,omitempty"`       // the scope has passed since, and the receivers do not know
}

// Changes is what a run has to say of the state that it found. Together with the state it decides on a message. It is part of
// the Record's vocabulary: keys may be added, not changed.
type Changes struct {
	Failing  []Change `json:"failing"`  // newly, or for another reason, and the receivers do not know yet
	Unjudged []Change `json:"unjudged"` // could not be judged, and the receivers do not know yet
	Resolved []Change `json:"resolved"` // passes now, and the receivers believe that it fails
	Due      []Change `json:"due"`      // fails on, and was last told so long ago that it is told again
	Standing []Change `json:"standing"` // fails or cannot be judged as the receivers know

	Omitted int `json:"omittedChanges,omitempty"` // in a notification: changes that did not fit it
}

// Change is one scope's part of Changes.
type Change struct {
	Account string       `json:"account"`
	Region  string       `json:"region"`
	Reason  audit.Reason `json:"reason"`
	Since   time.Time    `json:"since"`
	Was     audit.Reason `json:"was,omitempty"` // the reason that the receivers know, where it is another
}

// Scope returns the change's scope.
func (c Change) Scope() audit.Scope { return audit.Scope{Account: c.Account, Region: c.Region} }

// Empty reports whether nothing is new, and nothing due.
func (c Changes) Empty() bool {
	return len(c.Failing)+len(c.Unjudged)+len(c.Resolved)+len(c.Due) == 0
}

// lists are the changes, what matters most first.
func (c *Changes) lists() []*[]Change {
	return []*[]Change{&c.Failing, &c.Unjudged, &c.Resolved, &c.Due, &c.Standing}
}

// All returns every change, what matters most first.
func (c Changes) All() []Change {
	var all []Change
	for _, list := range c.lists() {
		all = append(all, *list...)
	}
	return all
}

// First keeps the first n changes of All, and counts the others.
func (c Changes) First(n int) Changes {
	for _, list := range c.lists() {
		keep := min(n, len(*list))
		c.Omitted += len(*list) - keep
		*list = append([]Change{}, (*list)[:keep]...)
		n -= keep
	}
	return c
}

// Compare holds a run's evaluations against the state before it. A failure that is last told longer ago than reminder is
// due; a reminder of 0 never is.
//
//	now                    before                        change
//	NON_COMPLIANT          not told, or another reason   Failing
//	NON_COMPLIANT          told long ago                 Due
//	NON_COMPLIANT          told                          Standing
//	INSUFFICIENT_DATA      not told                      Unjudged; an earlier failure stays open, and may be due
//	INSUFFICIENT_DATA      told                          Standing
//	COMPLIANT              a failure was told            Resolved
//	anything else          anything                      none
func (s State) Compare(evaluations []audit.Evaluation, now time.Time, reminder time.Duration) Changes {
	changes := Changes{Failing: []Change{}, Unjudged: []Change{}, Resolved: []Change{}, Due: []Change{}, Standing: []Change{}}
	before := s.index()
	for _, e := range evaluations {
		open := before[e.Scope()]
		c := Change{Account: e.Account, Region: e.Region, Reason: e.Reason, Since: now}
		switch e.Status {
		case audit.NonCompliant:
			f := open.Failing
			if f != nil {
				c.Since = f.Since
			}
			switch {
			case f != nil && f.Over: // it passed in between
				c.Since = now
				changes.Failing = append(changes.Failing, c)
			case f == nil || f.Told == nil:
				changes.Failing = append(changes.Failing, c)
			case f.ToldReason != e.Reason:
				c.Was = f.ToldReason
				changes.Failing = append(changes.Failing, c)
			case f.due(now, reminder):
				changes.Due = append(changes.Due, c)
			default:
				changes.Standing = append(changes.Standing, c)
			}
		case audit.InsufficientData:
			u, f := open.Unjudged, open.Failing
			if u != nil {
				c.Since = u.Since
			}
			if f != nil && !f.Over {
				c.Was = f.Reason
				if f.due(now, reminder) {
					changes.Due = append(changes.Due, Change{Account: e.Account, Region: e.Region, Reason: f.Reason, Since: f.Since})
				}
			}
			if u == nil || u.Told == nil {
				changes.Unjudged = append(changes.Unjudged, c)
			} else {
				changes.Standing = append(changes.Standing, c)
			}
		case audit.Compliant:
			if f := open.Failing; f != nil && f.Told != nil {
				c.Since, c.Was = f.Since, f.ToldReason
				changes.Resolved = append(changes.Resolved, c)
			}
		}
	}
	return changes
}

// due reports whether a failure was told so long ago that it is told again. Runs do not come to the second, so that a run a
// little early counts.
func (s *Spell) due(now time.Time, reminder time.Duration) bool {
	return reminder > 0 && s.Told != nil && now.Sub(*s.Told) >= reminder-min(time.Hour, reminder/20)
}

// Next is the state after a run. told is what its message said, beside naming every scope that fails or could not be judged;
// nil where no message went out. Scopes that the run left out stay as they are; one that need not be judged any more is
// forgotten.
func (s State) Next(evaluations []audit.Evaluation, now time.Time, message *Changes) State {
	after := s.index()
	told, resolved := message != nil, map[audit.Scope]bool{}
	if told {
		for _, c := range message.Resolved {
			resolved[c.Scope()] = true
		}
	}
	for _, e := range evaluations {
		open, scope := after[e.Scope()], e.Scope()
		switch e.Status {
		case audit.NonCompliant:
			after[scope] = Open{Account: e.Account, Region: e.Region, Failing: open.Failing.goOn(e.Reason, now, told)}
		case audit.InsufficientData:
			failing := open.Failing
			if failing != nil && !failing.Over && failing.Told != nil {
				failing = failing.goOn(failing.Reason, now, told) // the message says that it failed before
			}
			after[scope] = Open{Account: e.Account, Region: e.Region, Failing: failing, Unjudged: open.Unjudged.goOn(e.Reason, now, told)}
		case audit.Compliant:
			if f := open.Failing; f != nil && f.Told != nil && !resolved[scope] { // the receivers still believe that it fails
				over := *f
				over.Over = true
				after[scope] = Open{Account: e.Account, Region: e.Region, Failing: &over}
				continue
			}
			delete(after, scope)
		default:
			if e.Reason != audit.Excluded { // left out by this run alone, perhaps
				delete(after, scope)
			}
		}
	}
	next := State{SchemaVersion: SchemaVersion, UpdatedAt: now.UTC(), Scopes: make([]Open, 0, len(after))}
	for _, open := range after {
		next.Scopes = append(next.Scopes, open)
	}
	slices.SortFunc(next.Scopes, func(a, b Open) int { return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region)) })
	return next
}

// goOn is the spell after one more run with the reason; nil begins one.
func (s *Spell) goOn(reason audit.Reason, now time.Time, told bool) *Spell {
	next := Spell{Since: now.UTC()}
	if s != nil && !s.Over {
		next = *s
	}
	next.Reason = reason
	if told {
		at := now.UTC()
		next.Told, next.ToldReason = &at, reason
	}
	return &next
}

func (s State) index() map[audit.Scope]Open {
	all := make(map[audit.Scope]Open, len(s.Scopes))
	for _, open := range s.Scopes {
		all[open.scope()] = open
	}
	return all
}

// Date gives each failing or unjudged evaluation the time since when it is so.
func (s State) Date(evaluations []audit.Evaluation) {
	all := s.index()
	for i, e := range evaluations {
		open := all[e.Scope()]
		switch {
		case e.Status == audit.NonCompliant && open.Failing != nil && !open.Failing.Over:
			evaluations[i].Since = &open.Failing.Since
		case e.Status == audit.InsufficientData && open.Unjudged != nil:
			evaluations[i].Since = &open.Unjudged.Since
		}
	}
}
