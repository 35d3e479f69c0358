package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

// everyKind has a region for every reason that rules and opt-in states can give.
const everyKind = `{
  "topics": ["` + topic + `"],
  "otherRegions": {"optIn": "ENABLED", "buses": {"default": [{"name": "nightly", "targets": [{"id": "1", "arn": "arn:aws:sqs:us-east-1:123456789012:q"}]}]}},
  "regions": {
    "eu-north-1": {"buses": {"orders": [{"name": "created", "targets": [{"id": "1", "arn": "arn:aws:sqs:us-east-1:123456789012:q"}]}]}},
    "eu-west-1": {"buses": {"default": [{"name": "off", "state": "DISABLED"}]}},
    "eu-west-2": {},
    "eu-west-3": {"buses": {"default": [{"name": "AutoScalingManagedRule", "managedBy": "autoscaling.amazonaws.com", "targets": [{"id": "1", "arn": "arn:aws:sqs:us-east-1:123456789012:q"}]}]}},
    "eu-central-1": {"buses": {"default": [{"name": "tick", "description": "the schedule [eventbridge-auditor:plumbing]"}]}},
    "sa-east-1": {"buses": {"default": [{"name": "cc", "description": "[eventbridge-auditor:remediation]", "targets": [{"id": "1", "arn": "arn:aws:sqs:us-east-1:123456789012:q"}]}]}},
    "ca-central-1": {"buses": {"default": [{"name": "trail", "state": "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}]}},
    "us-west-1": {"buses": {"default": [{"name": "odd", "state": "HIBERNATING"}]}},
    "us-west-2": {"buses": {"default": [{"name": "off", "state": "DISABLED", "count": 250}, {"name": "zz-last", "targets": [{"id": "1", "arn": "arn:aws:sqs:us-east-1:123456789012:q"}]}]}},
    "ap-east-2": {"optIn": "DISABLED"},
    "ca-west-1": {"optIn": "ENABLING"},
    "mx-central-1": {"optIn": "DISABLING"}
  }
}`

func TestVerdictsEndToEnd(t *testing.T) {
	want := map[string][2]audit.Reason{ // conformity, strict
		"eu-north-1": {audit.ActiveRules, audit.ActiveRules}, "eu-west-1": {audit.NoActiveRules, audit.NoActiveRules},
		"eu-west-2": {audit.NoRules, audit.NoRules}, "eu-west-3": {audit.OnlyManagedRules, audit.OnlyManagedRules},
		"eu-central-1": {audit.OnlyAuditorRules, audit.OnlyAuditorRules}, "sa-east-1": {audit.OnlyRemediationRule, audit.OnlyRemediationRule},
		"ca-central-1": {audit.ActiveRules, audit.OnlyTargetlessRules}, "us-west-1": {audit.NoActiveRules, audit.NoActiveRules},
		"us-west-2": {audit.ActiveRules, audit.ActiveRules}, "ap-east-2": {audit.RegionNotEnabled, audit.RegionNotEnabled},
		"ca-west-1": {audit.RegionTransitional, audit.RegionTransitional}, "mx-central-1": {audit.RegionTransitional, audit.RegionTransitional},
		"ap-south-1": {audit.Excluded, audit.Excluded},
	}
	for i, policy := range audit.Policies() {
		t.Run(string(policy), func(t *testing.T) {
			w := world(t, everyKind)
			o := options()
			o.Audit.Policy = policy
			o.Selection.Exclude = []string{"ap-south-1"}
			r, err := run(t.Context(), w, o)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Evaluations) != 34 {
				t.Fatalf("%d rows", len(r.Evaluations))
			}
			for _, e := range r.Evaluations {
				reason := audit.ActiveRules
				if reasons, ok := want[e.Region]; ok {
					reason = reasons[i]
				}
				if e.Reason != reason || e.Status != policy.Status(reason) || e.Account != "123456789012" || e.Detail == "" {
					t.Errorf("%s: %s %s %q, want %s", e.Region, e.Status, e.Reason, e.Detail, reason)
				}
			}
			// A region that is settled beforehand is never asked; one that is settled by its first page is asked once.
			calls := map[string]int{}
			for _, c := range w.Calls() {
				if c.Service == "events" {
					calls[c.Region]++
				}
			}
			for _, region := range []string{"ap-east-2", "ca-west-1", "mx-central-1", "ap-south-1"} {
				if calls[region] != 0 {
					t.Errorf("%s was asked %d times", region, calls[region])
				}
			}
			for _, e := range r.Evaluations {
				if e.APICalls != calls[e.Region] {
					t.Errorf("%s: says %d requests, AWS saw %d", e.Region, e.APICalls, calls[e.Region])
				}
			}
			if e := row(t, r, "us-east-1"); policy == audit.Conformity && (e.APICalls != 1 || e.Evidence.Complete) {
				t.Errorf("a region whose first page settles it: %+v", e)
			}
			if e := row(t, r, "us-west-2"); e.Evidence.Rules != 251 || e.Evidence.Examples[0] != "zz-last" {
				t.Errorf("pages were dropped: %+v", e.Evidence)
			}
			if e := row(t, r, "eu-west-2"); e.APICalls != 2 || !e.Evidence.Complete || e.Evidence.Buses != 1 {
				t.Errorf("a region without rules: %+v", e)
			}
			if r.APICalls != len(w.Calls())-1 { // the publication comes after the count
				t.Errorf("the record counts %d requests, AWS saw %d and the publication", r.APICalls, len(w.Calls())-1)
			}
		})
	}
}

// The record has every key that README.md shows.
func TestRecordKeys(t *testing.T) {
	w := world(t, everyKind)
	r, err := run(t.Context(), w, options())
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"schemaVersion", "runId", "trigger", "check", "policy", "startedAt", "finishedAt", "apiCalls", "coverage", "summary", "evaluations", "notification", "warnings"} {
		if got[key] == nil {
			t.Errorf("no %s", key)
		}
	}
	first := got["evaluations"].([]any)[0].(map[string]any)
	for _, key := range []string{"account", "region", "status", "reason", "detail", "evidence", "apiCalls", "durationMs", "consoleUrl"} {
		if first[key] == nil {
			t.Errorf("no evaluations[0].%s", key)
		}
	}
	evidence := first["evidence"].(map[string]any)
	for _, key := range []string{"buses", "rules", "active", "managed", "complete", "examples"} {
		if evidence[key] == nil {
			t.Errorf("no evaluations[0].evidence.%s", key)
		}
	}
	for _, key := range []string{"COMPLIANT", "NON_COMPLIANT", "INSUFFICIENT_DATA", "NOT_APPLICABLE"} {
		if got["summary"].(map[string]any)[key] == nil {
			t.Errorf("no summary.%s", key)
		}
	}
	if !strings.HasSuffix(got["startedAt"].(string), "Z") {
		t.Errorf("startedAt %v is not in UTC", got["startedAt"])
	}
	m, _ := published(t, w)
	if got := m.Attributes["regions"]; got.Type != "String.Array" || got.Value != `["eu-central-1","eu-west-1","eu-west-2","us-west-1"]` {
		t.Errorf("attribute regions %+v", got)
	}
	if got := m.Attributes["nonCompliantCount"]; got.Type != "Number" || got.Value != "4" {
		t.Errorf("attribute nonCompliantCount %+v", got)
	}
}

func TestNotificationSettings(t *testing.T) {
	yes, no := true, false
	const failing = `{"topics": ["` + topic + `"]}`
	for _, test := range []struct {
		name, scenario string
		on             notify.When
		asked          *bool
		kind           record.Kind
		messages       int
	}{
		{"failing", failing, notify.OnProblem, nil, record.Failing, 1},
		{"healthy", healthy, notify.OnProblem, nil, record.None, 0},
		{"healthy, always", healthy, notify.Always, nil, record.None, 1},
		{"failing, never", failing, notify.Never, nil, record.None, 0},
		{"failing, never, but asked for", failing, notify.Never, &yes, record.Failing, 1},
		{"failing, asked not to", failing, notify.Always, &no, record.None, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := world(t, test.scenario)
			o := options()
			o.Notify.On = test.on
			r, err := reconcile.Run(t.Context(), session(w, "us-east-1"), o, trigger.Trigger{Kind: trigger.Manual, Notify: test.asked})
			if err != nil || r.Notification.Kind != test.kind || len(w.Published()) != test.messages || (r.Notification.MessageID != "") != (test.messages == 1) {
				t.Errorf("%+v, %d messages, %v", r.Notification, len(w.Published()), err)
			}
		})
	}
}

// What may not be done is refused before anything is called.
func TestRefusals(t *testing.T) {
	yes := true
	for _, test := range []struct {
		name string
		t    trigger.Trigger
		o    func(*reconcile.Options)
		says string
	}{
		{"remediate", trigger.Trigger{Action: trigger.Remediate}, nil, `action "remediate" is refused: remediation is not enabled`},
		{"undo", trigger.Trigger{Action: trigger.Undo}, nil, `action "undo" is refused: remediation is not enabled`},
		{"notify without a topic", trigger.Trigger{Notify: &yes}, func(o *reconcile.Options) { o.Notify.TopicARN = "" }, "no topic is set"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, o := world(t, everyKind), options()
			if test.o != nil {
				test.o(&o)
			}
			_, err := reconcile.Run(t.Context(), session(w, "us-east-1"), o, test.t)
			var refused *reconcile.RefusedError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.says) || len(w.Calls()) != 0 {
				t.Errorf("%v, %d calls", err, len(w.Calls()))
			}
		})
	}
}

// A region or account that is not there is an error that names it, before any region is asked or anything published.
func TestUnknownScopes(t *testing.T) {
	for _, test := range []struct {
		name string
		t    trigger.Trigger
		says string
	}{
		{"typo", trigger.Trigger{Regions: []string{"eu-wset-1"}}, `did you mean "eu-west-1"?`},
		{"another partition", trigger.Trigger{Regions: []string{"cn-north-1"}}, `"cn-north-1" is in partition aws-cn, the account is in aws`},
		{"another account", trigger.Trigger{Accounts: []string{"123456789012", "111122223333"}}, "111122223333 cannot be audited from here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := world(t, everyKind)
			_, err := reconcile.Run(t.Context(), session(w, "us-east-1"), options(), test.t)
			var selection *audit.SelectionError
			if !errors.As(err, &selection) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			for _, c := range w.Calls() {
				if c.Service == "events" || c.Service == "sns" {
					t.Errorf("%s:%s was called", c.Service, c.Operation)
				}
			}
		})
	}
	w := world(t, everyKind)
	r, err := reconcile.Run(t.Context(), session(w, "us-east-1"), options(), trigger.Trigger{Regions: []string{"eu-west-1"}, Accounts: []string{"123456789012"}})
	if err != nil || len(r.Evaluations) != 1 || r.Evaluations[0].Region != "eu-west-1" {
		t.Errorf("one region asked for: %+v, %v", r.Evaluations, err)
	}
}

// A run that is about to be cut off by its deadline publishes what it has; what it did not reach is TIMEOUT.
func TestDeadline(t *testing.T) {
	for _, left := range []time.Duration{2 * time.Second, 8 * time.Second, 60 * time.Second} {
		t.Run(left.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), left)
				defer cancel()
				w := world(t, healthy, sim.Fault{Kind: sim.Hang, Service: "events", Region: "eu-west-1"}, sim.Fault{Kind: sim.Slow, Delay: sim.Duration(100 * time.Millisecond), Service: "sns"})
				o := options()
				o.Audit.Concurrency = 1 // the regions after the hanging one are not reached
				o.Audit.RegionTimeout = 5 * time.Minute
				start := time.Now()
				r, err := run(ctx, w, o)
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took >= left {
					t.Errorf("took %s of %s", took, left)
				}
				if len(r.Evaluations) != 34 || row(t, r, "eu-central-1").Reason != audit.ActiveRules {
					t.Errorf("%d rows, the region before the hanging one is %s", len(r.Evaluations), row(t, r, "eu-central-1").Reason)
				}
				for region, detail := range map[string]string{"eu-west-1": "cut short: the run's time ran out", "us-east-1": "not asked: the run's time ran out before its turn"} {
					if e := row(t, r, region); e.Reason != audit.Timeout || e.Detail != detail {
						t.Errorf("%s: %s %q", region, e.Reason, e.Detail)
					}
				}
				if m, _ := published(t, w); m.Attributes["kind"].Value != "INCOMPLETE" {
					t.Errorf("kind %q", m.Attributes["kind"].Value)
				}
			})
		})
	}
}

func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := world(t, healthy, sim.Fault{Kind: sim.Hang, Service: "events"})
		time.AfterFunc(time.Second, cancel)
		_, err := run(ctx, w, options())
		if err == nil || err.Error() != "interrupted: nothing was published" || len(w.Published()) != 0 {
			t.Errorf("%v, %d messages", err, len(w.Published()))
		}
	})
}

// In every partition the account's own regions are audited, and no others.
func TestPartitions(t *testing.T) {
	for _, test := range []struct{ partition, home, region, source string }{
		{"aws-cn", "cn-northwest-1", "cn-north-1", audit.SourceAccount},
		{"aws-us-gov", "us-gov-west-1", "us-gov-east-1", audit.SourceEC2},
	} {
		t.Run(test.partition, func(t *testing.T) {
			w := world(t, fmt.Sprintf(`{"partition": %q, "otherRegions": {"buses": {"default": [{"name": "nightly"}]}}}`, test.partition))
			o := options()
			o.Notify.TopicARN = ""
			r, err := reconcile.Run(t.Context(), session(w, test.home), o, trigger.Trigger{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Coverage.RegionSource != test.source || len(r.Evaluations) != 2 || row(t, r, test.region).Reason != audit.ActiveRules || len(r.Warnings) != 0 {
				t.Errorf("%+v %q", r.Coverage, r.Warnings)
			}
		})
	}
}

// A region newer than this program is audited like any other.
func TestANewRegion(t *testing.T) {
	w := world(t, `{"regions": {"xx-newland-7": {"optIn": "ENABLED", "buses": {"default": [{"name": "first"}]}}}}`)
	o := options()
	o.Notify.TopicARN = ""
	r, err := run(t.Context(), w, o)
	if err != nil || len(r.Evaluations) != 35 || row(t, r, "xx-newland-7").Reason != audit.ActiveRules {
		t.Errorf("%d rows, %v", len(r.Evaluations), err)
	}
}

// What a payload selects is still held to what the settings leave out; a run that asks nothing says so.
func TestPayloadRegionsAndExclusions(t *testing.T) {
	w, o := world(t, everyKind), options()
	o.Selection.Exclude = []string{"eu-west-1"}
	r, err := reconcile.Run(t.Context(), session(w, "us-east-1"), o, trigger.Trigger{Regions: []string{"eu-west-1", "eu-west-2"}})
	if err != nil || len(r.Evaluations) != 2 || row(t, r, "eu-west-1").Reason != audit.Excluded || row(t, r, "eu-west-2").Reason != audit.NoRules {
		t.Errorf("%+v, %v", r.Evaluations, err)
	}
	r, err = reconcile.Run(t.Context(), session(w, "us-east-1"), o, trigger.Trigger{Regions: []string{"eu-west-1"}})
	if err != nil || len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], "no region was asked") {
		t.Errorf("%q, %v", r.Warnings, err)
	}
}

func TestATopicOfAnotherPartition(t *testing.T) {
	w, o := world(t, healthy), options()
	o.Notify.TopicARN = "arn:aws-cn:sns:cn-north-1:123456789012:alerts"
	_, err := run(t.Context(), w, o)
	var selection *audit.SelectionError
	if !errors.As(err, &selection) || !strings.Contains(err.Error(), "is in partition aws-cn, the account is in aws") {
		t.Errorf("got %v", err)
	}
}

// Whatever hangs before the regions are asked leaves time for its fallback, for the regions and for the message.
func TestHangingAccountQuestions(t *testing.T) {
	for _, left := range []time.Duration{6 * time.Second, 15 * time.Second, 60 * time.Second} {
		t.Run(left.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), left)
				defer cancel()
				w := world(t, `{"topics": ["`+topic+`"]}`, sim.Fault{Kind: sim.Hang, Service: "sts"}, sim.Fault{Kind: sim.Hang, Service: "account"})
				o := options()
				o.Fallback = audit.Identity{Account: "123456789012", Partition: "aws", ARN: "arn:aws:lambda:us-east-1:123456789012:function:f"}
				r, err := run(ctx, w, o)
				if err != nil || r.Summary[audit.NonCompliant] != 17 || r.Coverage.RegionSource != audit.SourceEC2 || len(r.Warnings) != 2 {
					t.Fatalf("%+v %q %v", r.Coverage, r.Warnings, err)
				}
				published(t, w)
			})
		})
	}
}

// A message that cannot be sent in time is an error before the deadline, not a death at it.
func TestPublishingEndsBeforeTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const left = 12 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), left)
		defer cancel()
		start := time.Now()
		_, err := run(ctx, world(t, `{"topics": ["`+topic+`"]}`, sim.Fault{Kind: sim.Hang, Service: "events"}, sim.Fault{Kind: sim.Hang, Service: "sns"}), options())
		var failed *reconcile.PublishError
		if took := time.Since(start); !errors.As(err, &failed) || left-took < 100*time.Millisecond {
			t.Errorf("after %s of %s: %v", took, left, err)
		}
	})
}

var _ reconcile.Cloud = (*cloud.Session)(nil)
