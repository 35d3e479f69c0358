package history_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/history"
)

const account = "123456789012"

// day is a run's findings: regions by name with their reasons.
func findings(text string) []audit.Evaluation {
	var all []audit.Evaluation
	for field := range strings.FieldsSeq(text) {
		region, reason, _ := strings.Cut(field, "=")
		all = append(all, audit.Evaluation{Account: account, Region: region, Reason: audit.Reason(reason), Status: audit.Conformity.Status(audit.Reason(reason))})
	}
	return all
}

func tell(c history.Changes) string {
	var parts []string
	for _, list := range []struct {
		name    string
		changes []history.Change
	}{{"failing", c.Failing}, {"unjudged", c.Unjudged}, {"resolved", c.Resolved}, {"due", c.Due}, {"standing", c.Standing}} {
		for _, change := range list.changes {
			part := fmt.Sprintf("%s %s %s since %s", list.name, change.Region, change.Reason, change.Since.Format("Jan2"))
			if change.Was != "" {
				part += " was " + string(change.Was)
			}
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "; ")
}

// Weeks of a life, run by run.
func TestWeeks(t *testing.T) {
	start := time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
	var s history.State
	for _, run := range []struct {
		day     int
		told    bool // the message, where one is due, got out
		found   string
		changes string
	}{
		{0, true, "eu-west-1=ACTIVE_RULES sa-east-1=ACTIVE_RULES", ""},
		{1, true, "eu-west-1=NO_RULES sa-east-1=ACTIVE_RULES", "failing eu-west-1 NO_RULES since Nov2"},
		{2, true, "eu-west-1=NO_RULES sa-east-1=ACTIVE_RULES", "standing eu-west-1 NO_RULES since Nov2"},
		{3, true, "eu-west-1=NO_ACTIVE_RULES sa-east-1=ACTIVE_RULES", "failing eu-west-1 NO_ACTIVE_RULES since Nov2 was NO_RULES"},
		{4, true, "eu-west-1=TIMEOUT sa-east-1=ACTIVE_RULES", "unjudged eu-west-1 TIMEOUT since Nov5 was NO_ACTIVE_RULES"},
		{5, true, "eu-west-1=THROTTLED sa-east-1=ACTIVE_RULES", "standing eu-west-1 THROTTLED since Nov5 was NO_ACTIVE_RULES"},
		{6, true, "eu-west-1=NO_ACTIVE_RULES sa-east-1=ACTIVE_RULES", "standing eu-west-1 NO_ACTIVE_RULES since Nov2"},
		{10, true, "eu-west-1=NO_ACTIVE_RULES sa-east-1=ACTIVE_RULES", "standing eu-west-1 NO_ACTIVE_RULES since Nov2"}, // it was named on day 4
		{11, true, "eu-west-1=NO_ACTIVE_RULES sa-east-1=NO_RULES", "failing sa-east-1 NO_RULES since Nov12; due eu-west-1 NO_ACTIVE_RULES since Nov2"},
		{12, false, "eu-west-1=ACTIVE_RULES sa-east-1=NO_RULES", "resolved eu-west-1 ACTIVE_RULES since Nov2 was NO_ACTIVE_RULES; standing sa-east-1 NO_RULES since Nov12"},
		{13, true, "eu-west-1=ACTIVE_RULES sa-east-1=NO_RULES", "resolved eu-west-1 ACTIVE_RULES since Nov2 was NO_ACTIVE_RULES; standing sa-east-1 NO_RULES since Nov12"},
		{14, true, "eu-west-1=ACTIVE_RULES sa-east-1=EXEMPT", ""},
		{15, true, "eu-west-1=ACTIVE_RULES sa-east-1=NO_RULES", "failing sa-east-1 NO_RULES since Nov16"},
		{16, true, "eu-west-1=ACTIVE_RULES sa-east-1=EXCLUDED", ""},
		{17, true, "sa-east-1=NO_RULES", "standing sa-east-1 NO_RULES since Nov16"},
		{18, true, "eu-west-1=TIMEOUT", "unjudged eu-west-1 TIMEOUT since Nov19"},
		{19, true, "eu-west-1=ACTIVE_RULES sa-east-1=ONLY_MANAGED_RULES", "resolved sa-east-1 ONLY_MANAGED_RULES since Nov16 was NO_RULES"},
		{20, false, "eu-west-1=NO_RULES", "failing eu-west-1 NO_RULES since Nov21"},
		{21, false, "eu-west-1=NO_RULES", "failing eu-west-1 NO_RULES since Nov21"},
		{22, true, "eu-west-1=ACTIVE_RULES", ""}, // nobody had heard of it
	} {
		now := start.AddDate(0, 0, run.day)
		found := findings(run.found)
		changes := s.Compare(found, now, 7*24*time.Hour)
		if got := tell(changes); got != run.changes {
			t.Errorf("day %d: got %q, want %q", run.day, got, run.changes)
		}
		var message *history.Changes
		if run.told && !changes.Empty() {
			message = &changes
		}
		s = s.Next(found, now, message)
		s.Date(found)
		for _, e := range found {
			if open := e.Status == audit.NonCompliant || e.Status == audit.InsufficientData; open != (e.Since != nil) {
				t.Errorf("day %d: %s is %s since %v", run.day, e.Region, e.Status, e.Since)
			}
		}
	}
	if len(s.Scopes) != 0 {
		t.Errorf("at the end %+v is open", s.Scopes)
	}
	s = s.Next(findings("eu-west-1=NO_RULES"), start, &history.Changes{})
	if c := s.Compare(findings("eu-west-1=NO_RULES"), start.AddDate(1, 0, 0), 0); len(c.Due) != 0 {
		t.Error("a reminder though it is off")
	}
}

// A race that is lost does not take away what the winner told: only who was told that a scope passes forgets its failure.
func TestRaceKeepsWhatTheOtherTold(t *testing.T) {
	now := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	ours := history.State{}.Compare(findings("eu-west-1=ACTIVE_RULES sa-east-1=NO_RULES"), now, 0) // says FAILING sa-east-1
	theirs := history.State{}.Next(findings("eu-west-1=NO_RULES"), now, &history.Changes{})        // told FAILING eu-west-1
	merged := theirs.Next(findings("eu-west-1=ACTIVE_RULES sa-east-1=NO_RULES"), now, &ours)
	if got := tell(merged.Compare(findings("eu-west-1=ACTIVE_RULES sa-east-1=NO_RULES"), now, 0)); !strings.Contains(got, "resolved eu-west-1") {
		t.Errorf("the next run says %q", got)
	}
}

// A failure that is told stays to be reminded of while nobody can judge the scope; a pass that nobody heard of ends it.
func TestSpells(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, 1+n, 6, 0, 0, 0, time.UTC) }
	s := history.State{}.Next(findings("eu-west-1=NO_RULES"), day(0), &history.Changes{})
	s = s.Next(findings("eu-west-1=ACCESS_DENIED"), day(1), &history.Changes{})
	if got := tell(s.Compare(findings("eu-west-1=ACCESS_DENIED"), day(9), 7*24*time.Hour)); got != "due eu-west-1 NO_RULES since Nov1; standing eu-west-1 ACCESS_DENIED since Nov2 was NO_RULES" {
		t.Errorf("unjudged for long: %q", got)
	}
	if got := tell(s.Compare(findings("eu-west-1=NO_RULES"), day(8).Add(-2*time.Second), 7*24*time.Hour)); got != "due eu-west-1 NO_RULES since Nov1" {
		t.Errorf("a run that is two seconds early: %q", got)
	}
	s = s.Next(findings("eu-west-1=ACTIVE_RULES"), day(10), nil)
	if got := tell(s.Compare(findings("eu-west-1=ACTIVE_RULES"), day(11), 0)); got != "resolved eu-west-1 ACTIVE_RULES since Nov1 was NO_RULES" {
		t.Errorf("passes: %q", got)
	}
	if got := tell(s.Compare(findings("eu-west-1=NO_RULES"), day(20), 0)); got != "failing eu-west-1 NO_RULES since Nov21" {
		t.Errorf("fails again: %q", got)
	}
	if s = s.Next(findings("eu-west-1=NO_RULES"), day(20), nil); !s.Scopes[0].Failing.Since.Equal(day(20)) || s.Scopes[0].Failing.Told != nil {
		t.Errorf("%+v", s.Scopes[0].Failing)
	}
}

// memory are Blobs in memory, in which a test may meddle before a Put.
type memory struct {
	pieces map[string]string
	meddle func()
}

func (m *memory) Get(_ context.Context, name string) ([]byte, string, error) {
	text, ok := m.pieces[name]
	if !ok {
		return nil, "", history.ErrNone
	}
	return []byte(text), "v" + text, nil
}

func (m *memory) Put(_ context.Context, name string, data []byte, version string) error {
	if m.meddle != nil {
		m.meddle()
	}
	now, ok := m.pieces[name]
	if ok != (version != "") || ok && version != "v"+now {
		return history.ErrChanged
	}
	m.pieces[name] = string(data)
	return nil
}

func (m *memory) List(context.Context, string) ([]string, error) { return nil, nil }

// A lost race is run again on what the other run left, and nothing of either is lost.
func TestLostRaces(t *testing.T) {
	ctx, now := t.Context(), time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	m := &memory{pieces: map[string]string{}}
	races := 2
	m.meddle = func() {
		if races == 0 {
			return
		}
		races--
		other := history.Journal{Blobs: &memory{pieces: m.pieces}}
		s, _, err := other.Load(ctx, "other")
		if err != nil {
			t.Fatal(err)
		}
		found := findings(fmt.Sprintf("eu-west-%d=NO_RULES", races+2))
		if err := other.Save(ctx, "other", s, func(s history.State) history.State { return s.Next(found, now, &history.Changes{}) }); err != nil {
			t.Fatal(err)
		}
	}
	j := history.Journal{Blobs: m}
	s, aside, err := j.Load(ctx, "run")
	if err != nil || aside != "" {
		t.Fatal(aside, err)
	}
	if err := j.Save(ctx, "run", s, func(s history.State) history.State {
		return s.Next(findings("eu-west-1=NO_RULES"), now, &history.Changes{})
	}); err != nil {
		t.Fatal(err)
	}
	s, _, _ = j.Load(ctx, "again")
	var regions []string
	for _, o := range s.Scopes {
		regions = append(regions, o.Region)
	}
	if !slices.Equal(regions, []string{"eu-west-1", "eu-west-2", "eu-west-3"}) {
		t.Errorf("open are %v", regions)
	}
	races = 1000
	if err := j.Save(ctx, "run", s, func(s history.State) history.State { return s }); err == nil {
		t.Error("a race that is lost for ever is no error")
	}
}

func TestUnreadableState(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `{"schemaVersion":"2.0"}`, `{"schemaVersion":"1.0","scopes":[{"account":"1"}]}`, "\x00\xff"} {
		m := &memory{pieces: map[string]string{"state.json": text}}
		j := history.Journal{Blobs: m}
		s, aside, err := j.Load(t.Context(), "run-1")
		if err != nil || len(s.Scopes) != 0 || !strings.Contains(aside, "unreadable/state-run-1.json") || m.pieces["unreadable/state-run-1.json"] != text {
			t.Errorf("%q: %+v, %q, %v, %v", text, s, aside, err, m.pieces)
		}
		now := time.Now()
		if err := j.Save(t.Context(), "run-1", s, func(s history.State) history.State { return s.Next(nil, now, nil) }); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if _, aside, err := j.Load(t.Context(), "run-2"); err != nil || aside != "" {
			t.Errorf("%q is still there: %q, %v", text, aside, err)
		}
	}
}

func TestRecordsArePartitionedByDay(t *testing.T) {
	m := &memory{pieces: map[string]string{}}
	j := history.Journal{Blobs: m}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", -8*3600))
	for range 2 {
		if err := j.Append(t.Context(), at, "run-1", []byte(`{"a":1}`)); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.pieces["records/year=2026/month=01/day=02/110405-run-1.json"]; got != "{\"a\":1}\n" || len(m.pieces) != 1 {
		t.Errorf("%q", m.pieces)
	}
}
