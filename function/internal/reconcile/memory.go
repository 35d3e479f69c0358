package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/history"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
)

// memory is what is known of the runs before; nil where nothing is kept.
type memory struct {
	journal *history.Journal
	known   bool // whether the state could be read and written
	now     time.Time
}

// forMemory gives a run that somebody interrupts a few seconds more to keep what it did: it may have changed the account.
func forMemory(ctx context.Context) (context.Context, context.CancelFunc) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	}
	return context.WithCancel(ctx)
}

// remember reads the state of the runs before, and puts into the record what has changed since. A store that does not answer
// is a warning: the run then tells how things stand, since an alert too many is better than one that is lost.
func remember(ctx context.Context, o Options, r *record.Record) *memory {
	if o.Store == nil {
		return nil
	}
	m := &memory{journal: &history.Journal{Blobs: o.Store}, now: o.Audit.Now().UTC()}
	before, aside, err := m.journal.Load(ctx, r.RunID)
	if err != nil {
		r.Warnings = append(r.Warnings, fmt.Sprintf("earlier runs are not known, so that what stands is told as if it were new: %v", err))
		return m
	}
	if aside != "" {
		r.Warnings = append(r.Warnings, aside)
	}
	m.known = true
	changes := before.Compare(r.Evaluations, m.now, o.Notify.Reminder)
	r.Changes = &changes
	before.Next(r.Evaluations, m.now, nil).Date(r.Evaluations)
	// What was found is kept at once, so that "since" is right even while no message gets out, and a store that cannot be
	// written is in the message. That it was told is kept once it was.
	if err := m.save(ctx, r, before, nil); err != nil {
		r.Warnings = append(r.Warnings, notKept(err))
		m.known = false
	}
	return m
}

func (m *memory) save(ctx context.Context, r *record.Record, state history.State, told *history.Changes) error {
	evaluations := slices.Clone(r.Evaluations)
	return m.journal.Save(ctx, r.RunID, state, func(s history.State) history.State { return s.Next(evaluations, m.now, told) })
}

func notKept(err error) string { return fmt.Sprintf("not kept for the runs to come: %v", err) }

// keep writes down that the message went out, and keeps the run's record. What cannot be kept is a warning.
func (m *memory) keep(ctx context.Context, o Options, r *record.Record) {
	if m == nil {
		return
	}
	warn := func(err error) {
		if err != nil {
			r.Warnings = append(r.Warnings, notKept(err))
		}
	}
	if m.known && r.Notification.MessageID != "" { // over a state that could not be read, nothing is written
		state, err := m.journal.Renew(ctx, r.RunID)
		if err == nil {
			err = m.save(ctx, r, state, r.Changes)
		}
		warn(err)
	}
	line, err := json.Marshal(r)
	if err == nil {
		err = m.journal.Append(ctx, r.FinishedAt, r.RunID, line)
	}
	warn(err)
}

// Exceptions are the regions that need not pass, as JSON or as an object of S3 that has it.
type Exceptions struct {
	JSON   []byte
	URL    string // s3://BUCKET/KEY; "" means JSON
	Strict bool   // whether a mistake ends the run; else the entry is left out and named
}

// except marks the candidates that an exception covers. blocked says why nothing may be changed, where the list cannot be
// trusted: an entry that cannot be read may be about any region.
func except(ctx context.Context, objects Objects, o Options, candidates []audit.Candidate, list audit.RegionList, r *record.Record) (blocked string, err error) {
	data := o.Exceptions.JSON
	if o.Exceptions.URL != "" {
		if data, err = objects.ReadObject(ctx, o.Exceptions.URL); err != nil {
			if o.Exceptions.Strict {
				return "", fmt.Errorf("exceptions: %w", err)
			}
			r.Warnings = append(r.Warnings, fmt.Sprintf("no exception counts, since they could not be read: %v", err))
			return "the exceptions could not be read, and any region may be one", nil
		}
	}
	if data == nil {
		return "", nil
	}
	exceptions, problems := audit.ParseExceptions(data)
	if problems != nil {
		for i := range problems {
			problems[i] = "exceptions" + problems[i]
			if problems[i][len("exceptions")] != '[' {
				problems[i] = "exceptions: " + problems[i][len("exceptions"):]
			}
		}
		if o.Exceptions.Strict {
			return "", &audit.ExceptionError{Problems: problems}
		}
		for _, p := range problems {
			r.Warnings = append(r.Warnings, p+"; the entry does not count")
		}
		blocked = "an exception could not be read, and any region may be the one that it is about: " + problems[0]
	}
	r.Warnings = append(r.Warnings, audit.Except(candidates, list.Regions, exceptions, o.Audit.Now())...)
	return blocked, nil
}
