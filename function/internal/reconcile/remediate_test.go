package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

const (
	ruleName     = "cc-scheduled-event-rule"
	functionName = "LogScheduledEvent"
	statementID  = "cc-scheduled-event"
)

func functionARN(region string) string {
	return "arn:aws:lambda:" + region + ":123456789012:function:" + functionName
}

// ready is an account in which every enabled region fails and could be mended.
const ready = `{"topics": ["` + topic + `"], "otherRegions": {"functions": [{"name": "LogScheduledEvent"}]}}`

// changing are the options of a run that may change these regions.
func changing(regions ...string) reconcile.Options {
	o := options()
	o.MayChange = true
	o.Remediation = remediation.Defaults()
	o.Selection.Only = regions
	o.Notify.TopicARN = ""
	return o
}

func act(ctx context.Context, client cloud.HTTPClient, o reconcile.Options, a trigger.Action) (record.Record, error) {
	s := cloud.OpenStatic(cloud.Static{HTTPClient: client, Region: "us-east-1", AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret", Timeout: 10 * time.Second})
	return reconcile.Run(ctx, s, o, trigger.Trigger{Kind: trigger.Manual, ID: "req-1", Action: a})
}

// must acts, and the run must not fail.
func must(t *testing.T, w *sim.World, o reconcile.Options, a trigger.Action) record.Record {
	t.Helper()
	r, err := act(t.Context(), w.Client(), o, a)
	if err != nil {
		t.Fatal(err)
	}
	if r.Remediation == nil {
		t.Fatalf("a %s without a remediation in its record", a)
	}
	return r
}

func part(t *testing.T, r record.Record, region string) remediation.Region {
	t.Helper()
	for _, part := range r.Remediation.Regions {
		if part.Region == region {
			return part
		}
	}
	t.Fatalf("%s is not in the remediation", region)
	return remediation.Region{}
}

// steps tells the steps of a region as "PutRule=APPLIED AddPermission=UNCHANGED".
func steps(region remediation.Region) string {
	var all []string
	for _, s := range region.Steps {
		all = append(all, string(s.Action)+"="+string(s.Result))
	}
	return strings.Join(all, " ")
}

const (
	applied = "PutRule=APPLIED AddPermission=APPLIED PutTargets=APPLIED EnableRule=APPLIED"
	undone  = "DisableRule=APPLIED RemoveTargets=APPLIED DeleteRule=APPLIED RemovePermission=APPLIED"
)

// made returns the rule of the remediation's name on the default bus.
func made(w *sim.World, region string) (sim.Rule, bool) {
	for _, r := range w.Rules(region)["default"] {
		if r.Name == ruleName {
			return r, true
		}
	}
	return sim.Rule{}, false
}

// halfCompliant says what is wrong with a region that passes by a rule that does nothing; "" when all is well.
func halfCompliant(w *sim.World, region string) string {
	r, ok := made(w, region)
	if !ok || r.State == "DISABLED" {
		return ""
	}
	statements, _ := w.Statements(region, functionName)
	if !slices.Equal(r.Targets, []sim.Target{{ID: "5", ARN: functionARN(region)}}) || !slices.Contains(statements, statementID) {
		return fmt.Sprintf("%s: the rule is %s with targets %v and statements %v", region, r.State, r.Targets, statements)
	}
	return ""
}

// complete says what a mended region lacks.
func complete(w *sim.World, region string) string {
	r, ok := made(w, region)
	statements, _ := w.Statements(region, functionName)
	switch {
	case !ok:
		return region + ": there is no rule"
	case r.State != "ENABLED" || r.ScheduleExpression != "rate(5 minutes)" || !maps.Equal(r.Tags, map[string]string{"eventbridge-auditor": "remediation"}):
		return fmt.Sprintf("%s: the rule is %+v", region, r)
	case !slices.Equal(statements, []string{statementID}):
		return fmt.Sprintf("%s: statements %v", region, statements)
	}
	return halfCompliant(w, region)
}

// leftOver says what undo left.
func leftOver(w *sim.World, region string) string {
	if r, ok := made(w, region); ok {
		return fmt.Sprintf("%s: the rule is still there: %+v", region, r)
	}
	if statements, _ := w.Statements(region, functionName); len(statements) != 0 {
		return fmt.Sprintf("%s: statements %v", region, statements)
	}
	return ""
}

// watched is a world in which it is checked after every call that no region passes by a rule without its target.
func watched(t *testing.T, scenario string) *sim.World {
	t.Helper()
	s, err := sim.Parse([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	var w *sim.World
	w, err = sim.NewWithOptions(s, sim.Options{OnCall: func(c sim.Call) {
		if problem := halfCompliant(w, c.Region); problem != "" {
			t.Errorf("after %s: %s", c.Operation, problem)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	seen(w)
	return w
}

// operations are the calls to a region's rules and functions, in their order.
func operations(w *sim.World, region string) string {
	var all []string
	for _, c := range w.Calls() {
		if c.Region == region && (c.Service == "events" || c.Service == "lambda") {
			all = append(all, c.Operation)
		}
	}
	return strings.Join(all, " ")
}

// The order of the calls is what keeps a region from passing too early.
func TestRemediateAndUndo(t *testing.T) {
	w := watched(t, ready)
	o := changing("eu-west-1", "eu-west-2")
	r := must(t, w, o, trigger.Remediate)
	for _, region := range []string{"eu-west-1", "eu-west-2"} {
		got := part(t, r, region)
		if got.Result != remediation.Remediated || got.Before != audit.NonCompliant || got.After != audit.Compliant || steps(got) != applied || got.Reason != "" {
			t.Errorf("%+v", got)
		}
		if e := row(t, r, region); e.Status != audit.Compliant || e.Reason != audit.OnlyRemediationRule {
			t.Errorf("the record still says %s (%s)", e.Status, e.Reason)
		}
		if problem := complete(w, region); problem != "" {
			t.Error(problem)
		}
	}
	const plan = "ListRules ListEventBuses DescribeRule GetFunction GetPolicy "
	const apply = "DescribeRule GetFunction GetPolicy PutRule AddPermission PutTargets ListTargetsByRule EnableRule ListTargetsByRule "
	const proof = "ListRules ListEventBuses"
	if got := operations(w, "eu-west-1"); got != plan+apply+proof {
		t.Errorf("calls\n%s, want\n%s", got, plan+apply+proof)
	}
	if r.Remediation.Mode != remediation.ModeApply || r.Summary[audit.Compliant] != 2 || r.APICalls != len(w.Calls()) {
		t.Errorf("mode %s, summary %v, %d requests of %d", r.Remediation.Mode, r.Summary, r.APICalls, len(w.Calls()))
	}
	if again := must(t, w, o, trigger.Remediate); len(again.Remediation.Regions) != 0 {
		t.Errorf("a second run finds something to do: %+v", again.Remediation)
	}
	r = must(t, w, o, trigger.Undo)
	for _, region := range []string{"eu-west-1", "eu-west-2"} {
		if got := part(t, r, region); got.Result != remediation.Undone || got.Before != audit.Compliant || got.After != audit.NonCompliant || steps(got) != undone {
			t.Errorf("%+v", got)
		}
		if problem := leftOver(w, region); problem != "" {
			t.Error(problem)
		}
	}
	if again := must(t, w, o, trigger.Undo); len(again.Remediation.Regions) != 0 {
		t.Errorf("a second undo finds something to do: %+v", again.Remediation)
	}
}

// A plan asks and changes nothing, and says what remediate then does.
func TestPlanIsWhatRemediateDoes(t *testing.T) {
	for _, policy := range audit.Policies() {
		w := world(t, `{"otherRegions": {"functions": [{"name": "LogScheduledEvent"}]}, "regions": {
			"eu-west-1": {"functions": [{"name": "LogScheduledEvent"}], "buses": {"default": [{"name": "nightly"}]}},
			"eu-west-2": {}, "ap-east-1": {"optIn": "DISABLED"}, "ap-east-2": {"optIn": "ENABLING"}},
			"faults": [{"region": "eu-west-3", "service": "events", "kind": "scp"}]}`)
		o := changing()
		o.Audit.Policy = policy
		o.Selection.Exclude = []string{"sa-east-1"}
		before, _ := json.Marshal(w.Rules("us-east-1"))
		plan := must(t, w, o, trigger.Plan)
		for _, c := range w.Calls() {
			if !strings.HasPrefix(c.Operation, "List") && !strings.HasPrefix(c.Operation, "Get") && !strings.HasPrefix(c.Operation, "Describe") {
				t.Errorf("a plan called %s", c.Operation)
			}
		}
		if after, _ := json.Marshal(w.Rules("us-east-1")); string(after) != string(before) {
			t.Errorf("a plan changed %s to %s", before, after)
		}
		for region, want := range map[string]remediation.Refusal{"eu-west-2": remediation.NoTargetFunction, "eu-west-3": "DENIED_BY_SCP",
			"ap-east-1": "REGION_NOT_ENABLED", "ap-east-2": "REGION_TRANSITIONAL", "sa-east-1": "EXCLUDED"} {
			if got := part(t, plan, region); got.Result != remediation.Skipped || got.Reason != want || got.Detail == "" || len(got.Steps) != 0 {
				t.Errorf("%s: %+v, want %s", region, got, want)
			}
		}
		if !strings.Contains(part(t, plan, "eu-west-2").Remedy, "--template-file infra/regional-target.yaml") {
			t.Errorf("no command that deploys the function: %q", part(t, plan, "eu-west-2").Remedy)
		}
		if plan.Coverage.Scopes != 34 || plan.Summary[audit.NonCompliant] == 0 {
			t.Errorf("%+v %v", plan.Coverage, plan.Summary)
		}
		outcome := must(t, w, o, trigger.Remediate)
		if len(outcome.Remediation.Regions) != len(plan.Remediation.Regions) {
			t.Fatalf("%d regions, planned %d", len(outcome.Remediation.Regions), len(plan.Remediation.Regions))
		}
		for i, planned := range plan.Remediation.Regions {
			did := outcome.Remediation.Regions[i]
			if planned.Result == remediation.Planned {
				if did.Result != remediation.Remediated || strings.ReplaceAll(steps(planned), "PLANNED", "APPLIED") != steps(did) {
					t.Errorf("%s: planned %s, did %s %s", planned.Region, steps(planned), did.Result, steps(did))
				}
				for _, s := range planned.Steps {
					if !strings.Contains(s.Command, "aws ") || !strings.Contains(s.Command, planned.Region) || s.Resource == "" {
						t.Errorf("step %+v", s)
					}
				}
			} else if did.Result != planned.Result || did.Reason != planned.Reason {
				t.Errorf("%s: planned %s %s, did %s %s", planned.Region, planned.Result, planned.Reason, did.Result, did.Reason)
			}
		}
	}
}

// dying is the way to AWS of a process that is stopped at its n-th call, once it is done and before its answer is heard.
// Nothing that the process still tries reaches anything.
type dying struct {
	client *sim.Client
	calls  atomic.Int64
	at     int64
}

var errDead = errors.New("the process is dead")

func (d *dying) Do(r *http.Request) (*http.Response, error) {
	switch n := d.calls.Add(1); {
	case n < d.at:
		return d.client.Do(r)
	case n == d.at:
		if resp, err := d.client.Do(r); err == nil {
			resp.Body.Close()
		}
	}
	return nil, errDead
}

// The process is stopped at each single call of a remediation, then run again, then undone. At no time does a region pass
// without its target, the second run finishes what the first began, and undo leaves nothing.
func TestCrashMatrix(t *testing.T) {
	regions := []string{"eu-west-1", "eu-west-2"}
	o := changing(regions...)
	o.Audit.Concurrency = 1
	whole := watched(t, ready)
	must(t, whole, o, trigger.Remediate)
	must(t, whole, o, trigger.Undo)
	calls := len(whole.Calls()) // of both, so that every call of either is hit
	for _, cut := range []trigger.Action{trigger.Remediate, trigger.Undo} {
		for at := 0; at <= calls; at++ {
			synctest.Test(t, func(t *testing.T) {
				w := watched(t, ready)
				if cut == trigger.Undo {
					must(t, w, o, trigger.Remediate)
				}
				act(t.Context(), &dying{client: w.Client(), at: int64(at)}, o, cut)
				for _, region := range regions {
					passes := false
					if r, ok := made(w, region); ok {
						passes = r.State == "ENABLED"
					}
					if report := must(t, w, o, trigger.Plan); (row(t, report, region).Status == audit.Compliant) != passes {
						t.Errorf("%s: enabled %v, judged %s", region, passes, row(t, report, region).Status)
					}
				}
				if cut == trigger.Remediate {
					if r := must(t, w, o, trigger.Remediate); r.Summary[audit.Compliant] != 2 {
						t.Errorf("cut at call %d: the second run ends with %v, %+v", at, r.Summary, r.Remediation)
					}
					for _, region := range regions {
						if problem := complete(w, region); problem != "" {
							t.Errorf("cut at call %d: %s", at, problem)
						}
					}
				}
				must(t, w, o, trigger.Undo)
				for _, region := range regions {
					if problem := leftOver(w, region); problem != "" {
						t.Errorf("%s cut at call %d: %s", cut, at, problem)
					}
				}
			})
		}
	}
	t.Logf("%d calls, each cut in either command", calls)
}

// Every call of a region's remediation fails in every way that AWS has. The region then fails on, or is mended all the
// same; the run never fails; when the fault is gone, the next run finishes, and undo cleans up.
func TestFaultsOfARemediation(t *testing.T) {
	for _, operation := range []string{"DescribeRule", "GetFunction", "GetPolicy", "PutRule", "AddPermission", "PutTargets", "ListTargetsByRule", "EnableRule"} {
		for _, kind := range []string{sim.Throttle, sim.Deny, sim.SCP, sim.InvalidToken, sim.Hang, sim.Reset, sim.NoDNS, sim.Garbage, sim.HTML, sim.ServerError,
			sim.Unavailable, sim.UnknownCode, sim.UnknownOperation, sim.FailedEntries} {
			if kind == sim.FailedEntries && operation != "PutTargets" {
				continue
			}
			t.Run(operation+"/"+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := watched(t, ready)
					if err := w.AddFault(sim.Fault{Kind: kind, Operation: operation, Region: "eu-west-1"}); err != nil {
						t.Fatal(err)
					}
					o := changing("eu-west-1")
					r := must(t, w, o, trigger.Remediate)
					got := part(t, r, "eu-west-1")
					if got.Result != remediation.Failed || got.Detail == "" || got.Before != audit.NonCompliant || row(t, r, "eu-west-1").Status != audit.NonCompliant {
						t.Errorf("%s %s %q, judged %s", got.Result, steps(got), got.Detail, row(t, r, "eu-west-1").Status)
					}
					if got.Reason != remediation.StillFailing && !slices.ContainsFunc(got.Steps, func(s remediation.Step) bool { return s.Result == remediation.StepFailed && s.Error != "" }) {
						t.Errorf("no step says what failed: %+v", got.Steps)
					}
					w.ClearFaults()
					if r := must(t, w, o, trigger.Remediate); part(t, r, "eu-west-1").Result != remediation.Remediated || complete(w, "eu-west-1") != "" {
						t.Errorf("the next run: %+v, %s", part(t, r, "eu-west-1"), complete(w, "eu-west-1"))
					}
					for _, undoing := range []string{"DescribeRule", "ListTagsForResource", "GetPolicy", "DisableRule", "RemoveTargets", "DeleteRule", "RemovePermission"} {
						if kind == sim.FailedEntries && undoing != "RemoveTargets" {
							continue
						}
						if err := w.AddFault(sim.Fault{Kind: kind, Operation: undoing}); err != nil {
							t.Fatal(err)
						}
						if r := must(t, w, o, trigger.Undo); len(r.Remediation.Regions) != 1 || r.Remediation.Regions[0].Result != remediation.Failed {
							t.Errorf("undo with %s of %s: %+v", kind, undoing, r.Remediation)
						}
						w.ClearFaults()
						must(t, w, o, trigger.Remediate) // where the fault let undo get half-way
					}
					must(t, w, o, trigger.Undo)
					if problem := leftOver(w, "eu-west-1"); problem != "" {
						t.Error(problem)
					}
				})
			})
		}
	}
}

// Changes take a while to be seen, by whatever reads.
func TestChangesThatAreSeenLate(t *testing.T) {
	for _, late := range []time.Duration{300 * time.Millisecond, 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := watched(t, ready)
			if err := w.AddFault(sim.Fault{Kind: sim.Late, Delay: sim.Duration(late)}); err != nil {
				t.Fatal(err)
			}
			o := changing("eu-west-1", "eu-west-2")
			r := must(t, w, o, trigger.Remediate)
			for _, region := range []string{"eu-west-1", "eu-west-2"} {
				if got := part(t, r, region); got.Result != remediation.Remediated || got.After != audit.Compliant || steps(got) != applied {
					t.Errorf("%s: %+v", late, got)
				}
			}
			time.Sleep(late)
			r = must(t, w, o, trigger.Undo)
			for _, region := range []string{"eu-west-1", "eu-west-2"} {
				if got := part(t, r, region); got.Result != remediation.Undone || got.After != audit.NonCompliant || leftOver(w, region) != "" {
					t.Errorf("%s: %+v %s", late, got, leftOver(w, region))
				}
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // so late that the rule is not enabled: rather a region that fails than a lie
		w := watched(t, ready)
		if err := w.AddFault(sim.Fault{Kind: sim.Late, Delay: sim.Duration(time.Minute), Operation: "ListTargetsByRule"}); err != nil {
			t.Fatal(err)
		}
		r := must(t, w, changing("eu-west-1"), trigger.Remediate)
		if got := part(t, r, "eu-west-1"); got.Result != remediation.Failed || !strings.Contains(got.Detail, "not enabled, since the rule's target 5 is not there") || row(t, r, "eu-west-1").Status != audit.NonCompliant {
			t.Errorf("%+v", got)
		}
	})
}

// A remediation and an undo at once, at every distance, may end either way, but never in a rule that is enabled and has no
// target, not even where the last step of undo fails.
func TestRemediateAndUndoAtOnce(t *testing.T) {
	for _, fault := range []string{"", "DeleteRule"} {
		for apart := range 40 {
			synctest.Test(t, func(t *testing.T) {
				w := world(t, `{"regions": {"eu-west-1": {"functions": [{"name": "LogScheduledEvent"}]}}}`)
				o := changing("eu-west-1")
				must(t, w, o, trigger.Remediate)
				if err := w.SetRuleState("eu-west-1", "default", ruleName, "DISABLED"); err != nil { // as a run that was cut off leaves it
					t.Fatal(err)
				}
				faults := []sim.Fault{{Kind: sim.Slow, Delay: sim.Duration(100 * time.Millisecond)}}
				if fault != "" {
					faults = append([]sim.Fault{{Kind: sim.Deny, Operation: fault}}, faults...)
				}
				for _, f := range faults {
					if err := w.AddFault(f); err != nil {
						t.Fatal(err)
					}
				}
				var both sync.WaitGroup
				for i, action := range []trigger.Action{trigger.Remediate, trigger.Undo} {
					both.Go(func() {
						time.Sleep(time.Duration(i) * time.Duration(apart-20) * 37 * time.Millisecond)
						if _, err := act(t.Context(), w.Client(), o, action); err != nil {
							t.Error(err)
						}
					})
				}
				both.Wait()
				if problem := halfCompliant(w, "eu-west-1"); problem != "" && len(strings.Split(problem, "targets []")) > 1 {
					t.Errorf("apart %d, %q: %s", apart, fault, problem)
				}
			})
		}
	}
}

// Two runs at once on the same regions, begun at every distance from each other, end in the same state.
func TestTwoRunsAtOnce(t *testing.T) {
	for apart := range 12 {
		synctest.Test(t, func(t *testing.T) {
			w := world(t, ready, sim.Fault{Kind: sim.Slow, Delay: sim.Duration(100 * time.Millisecond)})
			o := changing("eu-west-1", "eu-west-2")
			var both sync.WaitGroup
			records := make([]record.Record, 2)
			for i := range records {
				both.Go(func() {
					time.Sleep(time.Duration(i*apart) * 70 * time.Millisecond)
					var err error
					if records[i], err = act(t.Context(), w.Client(), o, trigger.Remediate); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
			for i, r := range records {
				if r.Summary[audit.Compliant] != 2 {
					t.Errorf("apart %d: run %d ends with %v %+v", apart, i, r.Summary, r.Remediation)
				}
			}
			for _, region := range o.Selection.Only {
				if problem := complete(w, region); problem != "" {
					t.Errorf("apart %d: %s", apart, problem)
				}
			}
			for i := range records {
				both.Go(func() {
					time.Sleep(time.Duration(i*apart) * 70 * time.Millisecond)
					r, err := act(t.Context(), w.Client(), o, trigger.Undo)
					if err != nil || len(r.Changed(remediation.Failed)) > 0 {
						t.Errorf("apart %d: undo %d: %v %+v", apart, i, err, r.Remediation)
					}
				})
			}
			both.Wait()
			for _, region := range o.Selection.Only {
				if problem := leftOver(w, region); problem != "" {
					t.Errorf("apart %d: %s", apart, problem)
				}
			}
		})
	}
}

// refusing answers some requests of one kind with an error before it lets them through.
type refusing struct {
	dying
	operation    string // X-Amz-Target; or else method and path
	method, path string
	status       int
	body, header string
	left         int
}

func (f *refusing) Do(r *http.Request) (*http.Response, error) {
	hit := f.operation != "" && r.Header.Get("X-Amz-Target") == f.operation || f.path != "" && r.Method == f.method && r.URL.Path == f.path
	if !hit || f.left == 0 {
		return f.dying.Do(r)
	}
	f.left--
	h := http.Header{"Content-Type": {"application/json"}}
	if f.header != "" {
		h.Set("X-Amzn-Errortype", f.header)
	}
	return &http.Response{StatusCode: f.status, Header: h, Body: io.NopCloser(strings.NewReader(f.body)), Request: r}, nil
}
