package reconcile_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

// outcome is what a fault must come to.
type outcome struct {
	name   string
	fault  sim.Fault
	reason audit.Reason
	detail string // must be part of the row's detail
}

// faults is every fault that AWS or the way to it can have, and what becomes of the region that it hits.
var faults = []outcome{
	{"throttled for ever", sim.Fault{Kind: sim.Throttle}, audit.Throttled, "still throttled after 3 attempts (ThrottlingException)"},
	{"throttled twice", sim.Fault{Kind: sim.Throttle, Times: 2}, audit.ActiveRules, "nightly"},
	{"no permission", sim.Fault{Kind: sim.Deny}, audit.AccessDenied, "no permission for events:"},
	{"denied by an SCP", sim.Fault{Kind: sim.SCP}, audit.DeniedBySCP, "a service control policy denies events:"},
	{"token refused", sim.Fault{Kind: sim.InvalidToken}, audit.InvalidCredentials, "the token was refused (UnrecognizedClientException)"},
	{"token expired", sim.Fault{Kind: sim.ExpiredToken}, audit.InvalidCredentials, "the credentials have expired"},
	{"hangs", sim.Fault{Kind: sim.Hang}, audit.Timeout, "no complete answer within 10s"},
	{"slow, but in time", sim.Fault{Kind: sim.Slow, Delay: sim.Duration(9 * time.Second)}, audit.ActiveRules, "nightly"},
	{"too slow", sim.Fault{Kind: sim.Slow, Delay: sim.Duration(11 * time.Second)}, audit.Timeout, "no complete answer within 10s"},
	{"connection cut for ever", sim.Fault{Kind: sim.Reset}, audit.Unreachable, "connection reset"},
	{"connection cut once", sim.Fault{Kind: sim.Reset, Times: 1}, audit.ActiveRules, "nightly"},
	{"no such host", sim.Fault{Kind: sim.NoDNS}, audit.Unreachable, "no such host: events.eu-west-1.amazonaws.com"},
	{"nobody listens", sim.Fault{Kind: sim.Refuse}, audit.Unreachable, "connection refused"},
	{"garbage", sim.Fault{Kind: sim.Garbage}, audit.ServiceError, "could not be understood"},
	{"a page of HTML", sim.Fault{Kind: sim.HTML}, audit.ServiceError, "HTTP status 404 without an AWS error code"},
	{"internal failure", sim.Fault{Kind: sim.ServerError}, audit.ServiceError, "InternalFailure (HTTP 500)"},
	{"unavailable", sim.Fault{Kind: sim.Unavailable}, audit.ServiceError, "(HTTP 503)"},
	{"an unknown code", sim.Fault{Kind: sim.UnknownCode}, audit.ServiceError, "(HTTP 400)"},
	{"an unknown operation", sim.Fault{Kind: sim.UnknownOperation}, audit.ServiceError, "UnknownOperationException"},
	{"endless pages", sim.Fault{Kind: sim.EndlessPages}, audit.ServiceError, "endless pages: stopped after 50 pages"},
	{"the same page for ever", sim.Fault{Kind: sim.SameToken}, audit.ServiceError, "endless pages: the same page token came twice"},
}

// Each fault, in each call that a region takes, gives the region its reason and leaves every other region's row as it was.
func TestFaultsOfARegion(t *testing.T) {
	const hit = "eu-west-1"
	for _, operation := range []struct {
		name   string
		policy audit.Policy
		// empty makes a region whose first page settles nothing, so that the later calls happen too
		empty bool
	}{{"ListRules", audit.Conformity, false}, {"ListEventBuses", audit.Conformity, true}, {"ListTargetsByRule", audit.Strict, false}} {
		for _, f := range faults {
			t.Run(operation.name+"/"+f.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					scenario := healthy
					if operation.empty {
						scenario = `{"topics": ["` + topic + `"], "otherRegions": {"buses": {"orders": [{"name": "nightly"}]}}}`
					}
					o := options()
					o.Audit.Policy = operation.policy
					before, err := run(t.Context(), world(t, scenario), o)
					if err != nil {
						t.Fatal(err)
					}
					f.fault.Region, f.fault.Operation = hit, operation.name
					w := world(t, scenario, f.fault)
					after, err := run(t.Context(), w, o)
					if err != nil {
						t.Fatalf("a fault of one region failed the run: %v", err)
					}
					if len(after.Evaluations) != 34 {
						t.Fatalf("%d rows, want 34", len(after.Evaluations))
					}
					got := row(t, after, hit)
					want, detail := f.reason, f.detail
					if f.fault.Kind == sim.SameToken && operation.name == "ListRules" {
						want, detail = audit.ActiveRules, "nightly" // the first page settles it
					}
					if f.fault.Kind == sim.SameToken && operation.name == "ListTargetsByRule" {
						want, detail = audit.ActiveRules, "nightly"
					}
					if f.fault.Kind == sim.SameToken && operation.name == "ListEventBuses" {
						want, detail = audit.ActiveRules, "orders/nightly"
					}
					if got.Reason != want || !strings.Contains(got.Detail, detail) {
						t.Errorf("%s %q, want %s %q", got.Reason, got.Detail, want, detail)
					}
					for i, e := range after.Evaluations {
						old := before.Evaluations[i]
						e.DurationMS, old.DurationMS = 0, 0
						if e.Region != hit && (e.Status != old.Status || e.Reason != old.Reason || e.Detail != old.Detail || e.APICalls != old.APICalls) {
							t.Errorf("the fault changed %s from %+v to %+v", e.Region, old, e)
						}
					}
					checkTold(t, w, after, want)
				})
			})
		}
	}
}

// checkTold holds the notification to the verdict.
func checkTold(t *testing.T, w *sim.World, r record.Record, reason audit.Reason) {
	t.Helper()
	switch r.Policy.Status(reason) {
	case audit.Compliant:
		if n := len(w.Published()); n != 0 || r.Notification.Kind != record.None || !r.Coverage.Complete {
			t.Errorf("all is well, yet %d messages, kind %s, coverage %+v", n, r.Notification.Kind, r.Coverage)
		}
	default:
		m, texts := published(t, w)
		if r.Notification.Kind != record.Incomplete || m.Attributes["kind"].Value != "INCOMPLETE" || r.Notification.MessageID != m.MessageID {
			t.Errorf("notification %+v, attribute %q", r.Notification, m.Attributes["kind"].Value)
		}
		if r.Coverage.Complete || r.Coverage.Judged != 33 {
			t.Errorf("coverage %+v", r.Coverage)
		}
		for _, text := range []string{texts["default"], texts["https"], texts["sqs"]} {
			if !strings.Contains(text, string(reason)) || !strings.Contains(text, "eu-west-1") {
				t.Errorf("the region or its reason is missing in %s", text)
			}
		}
	}
}

func TestPagesThatNeverSettle(t *testing.T) {
	const scenario = `{"otherRegions": {"buses": {"default": [{"name": "off", "state": "DISABLED"}]}}}`
	w := world(t, scenario, sim.Fault{Kind: sim.SameToken, Operation: "ListRules", Region: "eu-west-1"})
	o := options()
	o.Notify.TopicARN = ""
	r, err := run(t.Context(), w, o)
	if err != nil {
		t.Fatal(err)
	}
	if e := row(t, r, "eu-west-1"); e.Reason != audit.ServiceError || e.Detail != "events:ListRules: endless pages: the same page token came twice" {
		t.Errorf("%s %q", e.Reason, e.Detail)
	}
}

// A region list that fails is replaced by the next best, which the record names; with none left the run fails.
func TestFaultsOfTheRegionList(t *testing.T) {
	for _, f := range faults {
		if f.reason == audit.ActiveRules || f.fault.Kind == sim.EndlessPages && f.fault.Times > 0 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, second := f.fault, f.fault
				first.Operation, second.Operation = "ListRegions", "DescribeRegions"
				r, err := run(t.Context(), world(t, healthy, first), options())
				if err != nil {
					t.Fatal(err)
				}
				if r.Coverage.RegionSource != audit.SourceEC2 || r.Coverage.Scopes != 34 || !r.Coverage.Complete {
					t.Errorf("coverage %+v", r.Coverage)
				}
				if len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], "region list taken from ec2:DescribeRegions, since ") || !strings.Contains(r.Warnings[0], "account:ListRegions") {
					if f.reason != audit.Unreachable || len(r.Warnings) != 1 {
						t.Errorf("warnings %q", r.Warnings)
					}
				}
				if f.fault.Kind == sim.EndlessPages || f.fault.Kind == sim.SameToken {
					return // DescribeRegions has no pages
				}
				w := world(t, healthy, first, second)
				_, err = run(t.Context(), w, options())
				var none *cloud.RegionListError
				if !errors.As(err, &none) || len(none.Problems) != 2 {
					t.Fatalf("both lists failed, yet %v", err)
				}
				if len(w.Published()) != 0 {
					t.Error("something was published")
				}
				o := options()
				o.Selection.Only = []string{"eu-west-1", "us-east-1"}
				r, err = run(t.Context(), world(t, healthy, first, second), o)
				if err != nil || r.Coverage.RegionSource != "--regions" || r.Coverage.Scopes != 2 || !r.Coverage.Complete || len(r.Warnings) != 2 {
					t.Errorf("with named regions: %+v %q %v", r.Coverage, r.Warnings, err)
				}
			})
		})
	}
}

// An empty list is never an empty success.
func TestAnEmptyRegionListIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world(t, healthy, sim.Fault{Kind: sim.EndlessPages, Operation: "ListRegions"}, sim.Fault{Kind: sim.Deny, Operation: "DescribeRegions"})
		_, err := run(t.Context(), w, options())
		var none *cloud.RegionListError
		if !errors.As(err, &none) || !strings.Contains(err.Error(), "endless pages") || !strings.Contains(err.Error(), "ec2:DescribeRegions") {
			t.Errorf("got %v", err)
		}
	})
}

// A refused token proves nothing about a region whose opt-in status nobody knows.
func TestARefusedTokenWithoutARegionList(t *testing.T) {
	w := world(t, healthy, sim.Fault{Kind: sim.Deny, Operation: "ListRegions"}, sim.Fault{Kind: sim.Deny, Operation: "DescribeRegions"})
	o := options()
	o.Selection.Only = []string{"ap-east-2", "eu-west-1"} // the first is not enabled
	r, err := run(t.Context(), w, o)
	if err != nil {
		t.Fatal(err)
	}
	e := row(t, r, "ap-east-2")
	if e.Reason != audit.InvalidCredentials || e.Status != audit.InsufficientData || !strings.Contains(e.Detail, "the region may not be enabled") {
		t.Errorf("%+v", e)
	}
}

func TestFaultsOfTheIdentity(t *testing.T) {
	for _, f := range faults {
		if f.reason == audit.ActiveRules || f.fault.Kind == sim.EndlessPages || f.fault.Kind == sim.SameToken {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f.fault.Operation = "GetCallerIdentity"
				w := world(t, healthy, f.fault)
				if _, err := run(t.Context(), w, options()); err == nil || !strings.Contains(err.Error(), "AWS_REGION") ||
					strings.HasPrefix(err.Error(), "AWS credentials: ") != (f.reason == audit.InvalidCredentials || f.reason == audit.AccessDenied || f.reason == audit.DeniedBySCP) {
					t.Errorf("got %v", err)
				}
				o := options()
				var err error
				if o.Fallback, err = cloud.ParseIdentity("arn:aws:lambda:us-east-1:123456789012:function:auditor"); err != nil {
					t.Fatal(err)
				}
				r, err := run(t.Context(), world(t, healthy, f.fault), o)
				if err != nil || r.Coverage.Scopes != 34 || len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], "account taken from arn:aws:lambda:") {
					t.Errorf("the function's own ARN did not carry: %+v %q %v", r.Coverage, r.Warnings, err)
				}
			})
		})
	}
}

// A message that cannot be sent fails the run, with the record complete; one that a retry can send is sent once.
func TestFaultsOfPublishing(t *testing.T) {
	const failing = `{"topics": ["` + topic + `"]}`
	for _, f := range faults {
		if f.fault.Kind == sim.EndlessPages || f.fault.Kind == sim.SameToken {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f.fault.Operation = "Publish"
				w := world(t, failing, f.fault)
				r, err := run(t.Context(), w, options())
				if r.Coverage.Scopes != 34 || r.Summary[audit.NonCompliant] != 17 {
					t.Errorf("the record is not complete: %+v", r.Coverage)
				}
				if f.reason == audit.ActiveRules {
					if m, _ := published(t, w); err != nil || r.Notification.MessageID != m.MessageID || r.Notification.Kind != record.Failing {
						t.Errorf("%+v, %v", r.Notification, err)
					}
					return
				}
				if f.fault.Kind == sim.Garbage { // SNS may have taken it; what came back is no receipt
					if err == nil {
						t.Error("an answer that cannot be understood passes for a receipt")
					}
					return
				}
				var failed *reconcile.PublishError
				if !errors.As(err, &failed) || !strings.Contains(err.Error(), topic) || !strings.Contains(err.Error(), "sns:Publish") {
					t.Errorf("got %v", err)
				}
				if len(w.Published()) != 0 || r.Notification.Kind != record.None || r.Notification.MessageID != "" {
					t.Errorf("%d messages, notification %+v", len(w.Published()), r.Notification)
				}
			})
		})
	}
}

// Many faults at once: still one row a region, and the record that SQS gets is the one that is returned.
func TestEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := sim.Load("faults")
		if err != nil {
			t.Fatal(err)
		}
		s.Topics = []string{topic}
		w, err := sim.New(s)
		if err != nil {
			t.Fatal(err)
		}
		r, err := run(t.Context(), w, options())
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Evaluations) != 34 || !slices.IsSortedFunc(r.Evaluations, func(a, b audit.Evaluation) int { return strings.Compare(a.Region, b.Region) }) {
			t.Errorf("%d rows, or not sorted", len(r.Evaluations))
		}
		_, texts := published(t, w)
		var sent record.Record
		if err := json.Unmarshal([]byte(texts["sqs"]), &sent); err != nil {
			t.Fatal(err)
		}
		sent.Notification.MessageID = r.Notification.MessageID
		a, _ := json.Marshal(sent)
		b, _ := json.Marshal(r)
		if string(a) != string(b) {
			t.Errorf("sent %s\nreturned %s", a, b)
		}
	})
}
