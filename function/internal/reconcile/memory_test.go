package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

// lived is an account with two regions that may pass and fail, and a bucket.
const lived = `{"topics": ["` + topic + `"], "buckets": ["history"], "otherRegions": {"buses": {"default": [{"name": "nightly"}]}},
	"regions": {"eu-west-1": {"buses": {"default": [{"name": "nightly"}]}}, "sa-east-1": {"buses": {"default": [{"name": "nightly"}]}}}}`

// remembering are the options of a run with the store, at a time.
func remembering(w *sim.World, at time.Time) reconcile.Options {
	o := options()
	o.Selection.Only = []string{"eu-west-1", "sa-east-1"}
	o.RunID = "run-" + at.Format("0102-1504")
	o.Audit.Now = func() time.Time { return at }
	o.Notify = notify.Options{TopicARN: topic, On: notify.OnChange, Reminder: 7 * 24 * time.Hour}
	o.Store = session(w, "us-east-1").Store("s3://history/eb")
	return o
}

func set(t *testing.T, w *sim.World, region, state string) {
	t.Helper()
	if err := w.SetRuleState(region, "default", "nightly", state); err != nil {
		t.Fatal(err)
	}
}

// Weeks of runs: each day's message, or none, with what is new first and since when.
func TestWeeksOfRuns(t *testing.T) {
	w := world(t, lived)
	start := time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
	sent := 0
	for _, day := range []struct {
		n       int
		do      func()
		subject string // "" for none
		mail    []string
	}{
		{0, func() {}, "", nil},
		{1, func() { set(t, w, "eu-west-1", "DISABLED") }, "CWE-001 FAILING: 1 new, 1 of 2 regions, account 123456789012",
			[]string{"NEWLY FAILING: 1 region\n", "eu-west-1  1 rule, disabled: nightly, since 2026-11-02 06:00 UTC", "{\"account\": \"123456789012\", \"region\": \"eu-west-1\","}},
		{2, func() {}, "", nil},
		{3, func() { set(t, w, "sa-east-1", "DISABLED") }, "CWE-001 FAILING: 1 new, 2 of 2 regions, account 123456789012",
			[]string{"NEWLY FAILING: 1 region\n", "sa-east-1  1 rule, disabled: nightly, since 2026-11-04 06:00 UTC", "STILL FAILING: 1 region\n", "eu-west-1  1 rule, disabled: nightly, since 2026-11-02 06:00 UTC"}},
		{4, func() { must0(t, w.AddFault(sim.Fault{Kind: sim.Deny, Region: "sa-east-1", Service: "events"})) }, "CWE-001 INCOMPLETE: 1 of 2 regions not judged, account 123456789012",
			[]string{"NOT JUDGED ANY MORE: 1 region\n", "sa-east-1  no permission for events:ListRules", "STILL FAILING: 1 region\n"}},
		{5, func() {}, "", nil},
		{6, func() { w.ClearFaults() }, "", nil}, // it fails on, as was told
		{9, func() {}, "", nil},
		{10, func() {}, "", nil}, // the message of day 4 named both
		{11, func() {}, "CWE-001 REMINDER: 2 of 2 regions still failing, account 123456789012", []string{"STILL FAILING: 2 regions\n", "sa-east-1  1 rule, disabled: nightly, since 2026-11-04 06:00 UTC"}},
		{12, func() { set(t, w, "eu-west-1", "ENABLED") }, "CWE-001 RESOLVED: 1 region passes, 1 still failing, account 123456789012",
			[]string{"RESOLVED: 1 region\n", "eu-west-1  failed (NO_ACTIVE_RULES) since 2026-11-02 06:00 UTC, passes now:", "STILL FAILING: 1 region\n"}},
		{13, func() { set(t, w, "sa-east-1", "ENABLED") }, "CWE-001 RESOLVED: 1 region passes, 0 still failing, account 123456789012", []string{"RESOLVED: 1 region\n"}},
		{14, func() {}, "", nil},
	} {
		day.do()
		at := start.AddDate(0, 0, day.n)
		r, err := run(t.Context(), w, remembering(w, at))
		if err != nil {
			t.Fatal(err)
		}
		messages := w.Published()[sent:]
		sent = len(w.Published())
		if day.subject == "" {
			if len(messages) != 0 || r.Notification.Kind != record.None {
				t.Errorf("day %d: %d messages, %s", day.n, len(messages), r.Notification.Kind)
			}
			continue
		}
		if len(messages) != 1 || messages[0].Subject != day.subject {
			t.Errorf("day %d: %d messages, %q, want %q", day.n, len(messages), subjects(messages), day.subject)
			continue
		}
		var texts map[string]string
		must0(t, json.Unmarshal([]byte(messages[0].Message), &texts))
		mail, last := strings.Join(strings.Fields(texts["email"]), " "), -1
		for _, want := range day.mail {
			at := strings.Index(mail, strings.Join(strings.Fields(want), " "))
			if at <= last {
				t.Errorf("day %d: %q is missing or out of order in\n%s", day.n, want, texts["email"])
			}
			last = at
		}
		if kind := messages[0].Attributes["kind"].Value; !strings.Contains(day.subject, kind) || string(r.Notification.Kind) != kind {
			t.Errorf("day %d: kind %s", day.n, kind)
		}
	}
	objects := w.Objects("history")
	if got := objects["eb/records/year=2026/month=11/day=02/060000-run-1102-0600.json"]; strings.Count(got, "\n") != 1 || !strings.Contains(got, `"since":"2026-11-02T06:00:00Z"`) {
		t.Errorf("the record of the second day: %q", got)
	}
	if state := objects["eb/state.json"]; !strings.Contains(state, `"scopes":[]`) || len(objects) != 14 {
		t.Errorf("%d objects, state %s", len(objects), state)
	}
}

func must0(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func subjects(messages []sim.Published) []string {
	var all []string
	for _, m := range messages {
		all = append(all, m.Subject)
	}
	return all
}

// A store that is denied, gone, or full of garbage costs no alert and no run.
func TestStoreThatFails(t *testing.T) {
	at := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name  string
		fault sim.Fault
		warns string
		kept  bool
	}{
		{"reading denied", sim.Fault{Kind: sim.Deny, Operation: "GetObject"}, "earlier runs are not known", false},
		{"reading hangs", sim.Fault{Kind: sim.Hang, Operation: "GetObject"}, "earlier runs are not known", false},
		{"garbage for ever", sim.Fault{Kind: sim.Garbage, Operation: "GetObject"}, "the state of earlier runs is unreadable", true},
		{"writing denied", sim.Fault{Kind: sim.Deny, Operation: "PutObject"}, "not kept for the runs to come: write state.json: no permission for s3:PutObject", false},
		{"writing throttled for ever", sim.Fault{Kind: sim.Unavailable, Operation: "PutObject"}, "not kept for the runs to come", false},
		{"connection cut", sim.Fault{Kind: sim.Reset, Service: "s3"}, "earlier runs are not known", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := world(t, lived, test.fault)
				set(t, w, "eu-west-1", "DISABLED")
				r, err := run(t.Context(), w, remembering(w, at))
				if err != nil {
					t.Fatal(err)
				}
				if len(w.Published()) != 1 || r.Notification.Kind != record.Failing {
					t.Errorf("%d messages, %s", len(w.Published()), r.Notification.Kind)
				}
				if !slices.ContainsFunc(r.Warnings, func(s string) bool { return strings.Contains(s, test.warns) }) {
					t.Errorf("warnings %q", r.Warnings)
				}
				if _, kept := w.Objects("history")["eb/state.json"]; kept && !test.kept {
					t.Error("a state was written over one that nobody could read")
				}
			})
		})
	}
	w := world(t, `{"topics": ["`+topic+`"]}`) // no such bucket
	r, err := run(t.Context(), w, remembering(w, at))
	if err != nil || len(w.Published()) != 1 || !strings.Contains(strings.Join(r.Warnings, "\n"), "check that the bucket history exists") {
		t.Errorf("%v, %q", err, r.Warnings)
	}
	w = world(t, lived)
	must0(t, w.SetObject("history", "eb/state.json", "\x00not a state"))
	set(t, w, "eu-west-1", "DISABLED")
	r, err = run(t.Context(), w, remembering(w, at))
	if err != nil || len(w.Published()) != 1 || w.Objects("history")["eb/unreadable/state-run-1102-0600.json"] != "\x00not a state" {
		t.Errorf("%v, %q, %v", err, r.Warnings, w.Objects("history"))
	}
	if r, err := run(t.Context(), w, remembering(w, at.Add(time.Hour))); err != nil || len(r.Warnings) != 0 || len(w.Published()) != 1 {
		t.Errorf("the next run: %v, %q, %d messages", err, r.Warnings, len(w.Published()))
	}
}

// Told first, kept after: a run that is cut off in between tells again, and a message that did not get out is sent by the next.
func TestNoAlertIsLost(t *testing.T) {
	at := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	w := world(t, lived)
	set(t, w, "eu-west-1", "DISABLED")
	must0(t, w.AddFault(sim.Fault{Kind: sim.Deny, Service: "sns", Times: 1}))
	_, err := run(t.Context(), w, remembering(w, at))
	var unpublished *reconcile.PublishError
	if state := w.Objects("history")["eb/state.json"]; !errors.As(err, &unpublished) || !strings.Contains(state, `"since":"2026-11-02T06:00:00Z"`) || strings.Contains(state, "told") {
		t.Fatalf("%v, %v", err, state)
	}
	o := remembering(w, at)
	o.Store = deadStore{} // the process dies once it has told
	if _, err := run(t.Context(), w, o); err != nil || len(w.Published()) != 1 {
		t.Fatalf("%v, %d messages", err, len(w.Published()))
	}
	if _, err := run(t.Context(), w, remembering(w, at.Add(time.Hour))); err != nil || len(w.Published()) != 2 {
		t.Fatalf("the alert is not repeated: %v, %d messages", err, len(w.Published()))
	}
	if _, err := run(t.Context(), w, remembering(w, at.Add(2*time.Hour))); err != nil || len(w.Published()) != 2 {
		t.Fatalf("the alert is repeated for ever: %v, %d messages", err, len(w.Published()))
	}
}

type deadStore struct{}

func (deadStore) Get(context.Context, string) ([]byte, string, error) {
	return []byte(`{"schemaVersion":"1.0"}`), "1", nil
}
func (deadStore) Put(context.Context, string, []byte, string) error { return errDead }
func (deadStore) List(context.Context, string) ([]string, error)    { return nil, errDead }

// While no message gets out, the state still knows since when, the records tell of each run, and the first message that does
// get out is right.
func TestPublishingThatFailsForDays(t *testing.T) {
	w := world(t, lived)
	set(t, w, "eu-west-1", "DISABLED")
	must0(t, w.AddFault(sim.Fault{Kind: sim.Deny, Service: "sns", Times: 3}))
	start := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	for n := range 4 {
		r, err := run(t.Context(), w, remembering(w, start.AddDate(0, 0, n)))
		if (err == nil) != (n == 3) || !row(t, r, "eu-west-1").Since.Equal(start) {
			t.Errorf("day %d: %v, since %v", n, err, row(t, r, "eu-west-1").Since)
		}
	}
	if len(w.Published()) != 1 || !strings.Contains(w.Published()[0].Message, "since 2026-11-02 06:00 UTC") || len(w.Objects("history")) != 5 {
		t.Errorf("%d messages, %d objects", len(w.Published()), len(w.Objects("history")))
	}
}

// An audit that uses up the run's time still knows what was told, and tells it once.
func TestMemoryOfARunOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world(t, lived, sim.Fault{Kind: sim.Hang, Service: "events", Region: "eu-west-1"})
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			o := remembering(w, time.Now())
			o.Audit.RegionTimeout = 5 * time.Minute
			r, err := run(ctx, w, o)
			cancel()
			if err != nil || len(r.Warnings) != 0 {
				t.Errorf("%v, %q", err, r.Warnings)
			}
			time.Sleep(24 * time.Hour)
		}
		if got := subjects(w.Published()); len(got) != 1 || !strings.Contains(got[0], "INCOMPLETE") {
			t.Errorf("%q", got)
		}
	})
}

// A remediation that is interrupted still keeps the record of what it did to the account, and blames nobody.
func TestInterruptedRemediationIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world(t, strings.Replace(lived, `"eu-west-1": {"buses": {"default": [{"name": "nightly"}]}}`, `"eu-west-1": {"functions": [{"name": "LogScheduledEvent"}]}`, 1),
			sim.Fault{Kind: sim.Slow, Delay: sim.Duration(time.Second), Operation: "PutTargets"})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		o := remembering(w, time.Now())
		o.MayChange, o.Action, o.Remediation = true, trigger.Remediate, remediation.Defaults()
		r, err := run(ctx, w, o)
		if err == nil || len(w.Published()) != 0 || len(r.Warnings) != 0 {
			t.Errorf("%v, %d messages, warnings %q", err, len(w.Published()), r.Warnings)
		}
		kept := ""
		for name, text := range w.Objects("history") {
			if strings.Contains(name, "/records/") {
				kept = text
			}
		}
		if !strings.Contains(kept, `"action":"PutRule","result":"APPLIED"`) {
			t.Errorf("the record of what was done is not kept: %q", kept)
		}
	})
}

// A list of exceptions that is broken or old from end to end costs no alert.
func TestEndlessWarnings(t *testing.T) {
	for name, list := range map[string]string{
		"broken": "[" + strings.Repeat("1,", 1500) + "1]",
		"old":    "[" + strings.TrimSuffix(strings.Repeat(`{"region": "sa-east-1", "reason": "r", "owner": "o", "expires": "2020-01-01"},`, 700), ",") + "]",
	} {
		w := world(t, lived)
		set(t, w, "eu-west-1", "DISABLED")
		o := remembering(w, time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC))
		o.Exceptions.JSON = []byte(list)
		r, err := run(t.Context(), w, o)
		if err != nil || len(w.Published()) != 1 || len(r.Warnings) < 700 || !strings.Contains(w.Published()[0].Message, "more warnings are in the run's record") {
			t.Errorf("%s: %v, %d messages, %d warnings", name, err, len(w.Published()), len(r.Warnings))
		}
	}
}

// Two runs at once on one state both get their findings into it.
func TestTwoRunsOnOneState(t *testing.T) {
	for _, where := range []string{"s3", "folder"} {
		t.Run(where, func(t *testing.T) {
			w := world(t, lived, sim.Fault{Kind: sim.Slow, Service: "s3", Delay: sim.Duration(time.Millisecond)})
			set(t, w, "eu-west-1", "DISABLED")
			set(t, w, "sa-east-1", "DISABLED")
			folder := t.TempDir()
			at := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					o := remembering(w, at.Add(time.Duration(i)*time.Minute))
					o.Selection.Only = [][]string{{"eu-west-1"}, {"sa-east-1"}}[i%2]
					if where == "folder" {
						o.Store = cloud.Folder(folder)
					}
					if r, err := run(t.Context(), w, o); err != nil || len(r.Warnings) != 0 {
						t.Error(err, r.Warnings)
					}
				})
			}
			all.Wait()
			o := remembering(w, at.Add(time.Hour))
			if where == "folder" {
				o.Store = cloud.Folder(folder)
			}
			r, err := run(t.Context(), w, o)
			if err != nil || len(r.Changes.Standing) != 2 || r.Notification.Kind != record.None {
				t.Errorf("%v, %+v", err, r.Changes)
			}
			names, err := o.Store.List(t.Context(), "records/")
			if err != nil || len(names) != 9 {
				t.Errorf("%d records, %v: %v", len(names), err, names)
			}
		})
	}
}

// Exceptions take regions out, and what is wrong with them is said; nothing is changed while a list cannot be trusted.
func TestExceptionsOfARun(t *testing.T) {
	const whole = `[{"region": "eu-west-1", "reason": "pilot", "owner": "eu", "expires": "2026-11-10"}]`
	at := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name    string
		e       reconcile.Exceptions
		object  string
		exempt  bool
		warns   string
		blocked bool
		fails   string
	}{
		{"inline", reconcile.Exceptions{JSON: []byte(whole)}, "", true, "the exception for eu-west-1 (owner: eu) ends with 2026-11-10", false, ""},
		{"in S3", reconcile.Exceptions{URL: "s3://history/lists/e.json"}, whole, true, "ends with 2026-11-10", false, ""},
		{"gone from S3", reconcile.Exceptions{URL: "s3://history/lists/e.json"}, "", false, "no exception counts, since they could not be read: read s3://history/lists/e.json: there is none", true, ""},
		{"gone from S3, in the terminal", reconcile.Exceptions{URL: "s3://history/lists/e.json", Strict: true}, "", false, "", false, "there is none"},
		{"a broken entry", reconcile.Exceptions{JSON: []byte(strings.Replace(whole, "]", `, {"region": "sa-east-1"}]`, 1))}, "", true, "exceptions[1].owner: is missing or empty; the entry does not count", true, ""},
		{"a broken entry, in the terminal", reconcile.Exceptions{JSON: []byte(`[{"region": "sa-east-1"}]`), Strict: true}, "", false, "", false, "exceptions[0].expires: is missing or empty"},
		{"no list", reconcile.Exceptions{JSON: []byte(`{}`)}, "", false, "exceptions: want a JSON list", true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := world(t, strings.Replace(lived, `"sa-east-1": {`, `"sa-east-1": {"functions": [{"name": "LogScheduledEvent"}], `, 1))
			set(t, w, "eu-west-1", "DISABLED")
			set(t, w, "sa-east-1", "DISABLED")
			if test.object != "" {
				must0(t, w.SetObject("history", "lists/e.json", test.object))
			}
			o := remembering(w, at)
			o.Exceptions, o.MayChange, o.Action, o.Remediation = test.e, true, trigger.Remediate, remediation.Defaults()
			r, err := run(t.Context(), w, o)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) || len(w.Published()) != 0 {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if e := row(t, r, "eu-west-1"); (e.Reason == audit.Exempt) != test.exempt || test.exempt && e.Detail != "until 2026-11-10: pilot (owner: eu)" {
				t.Errorf("eu-west-1 is %s: %s", e.Reason, e.Detail)
			}
			if !slices.ContainsFunc(r.Warnings, func(s string) bool { return strings.Contains(s, test.warns) }) {
				t.Errorf("warnings %q, want %q", r.Warnings, test.warns)
			}
			got := part(t, r, "sa-east-1")
			if blocked := got.Reason == remediation.ExceptionsUnreadable; blocked != test.blocked || !blocked && got.Result != remediation.Remediated {
				t.Errorf("%+v", got)
			}
			if test.warns != "" && len(w.Published()) == 1 && !strings.Contains(strings.ReplaceAll(fmt.Sprint(w.Published()[0].Message), "\\n", " "), "WARNINGS") {
				t.Errorf("the message does not warn: %s", w.Published()[0].Message)
			}
		})
	}
}
