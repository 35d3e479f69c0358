package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/offline"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

const (
	topic   = "arn:aws:sns:us-east-1:123456789012:eventbridge-auditor"
	failing = `{"topics": ["` + topic + `"], "otherRegions": {"buses": {"default": [{"name": "nightly"}]}}, "regions": {"eu-west-1": {}}}`
)

// bootstrap is the executable under test: the one that `sam build` made, where BOOTSTRAP names it, else one built here
// with the same flags.
var bootstrap = os.Getenv("BOOTSTRAP")

func TestMain(m *testing.M) {
	offline.Guard()
	status := 1
	func() {
		if bootstrap == "" {
			dir, err := os.MkdirTemp("", "bootstrap")
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return
			}
			defer os.RemoveAll(dir)
			bootstrap = filepath.Join(dir, "bootstrap")
			build := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", bootstrap, ".")
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "build the function: %v\n%s", err, out)
				return
			}
		}
		status = m.Run()
	}()
	os.Exit(status)
}

// readSources reads what the executable is built from. The go command builds it out of this test's sight, and would take
// an earlier result for this one's if a test did not look at the files itself.
func readSources() error {
	return filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" {
			_, err = os.ReadFile(path)
		}
		return err
	})
}

// lambdaService is a stub of the Lambda Runtime API: it hands out invocations and takes their results.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
type lambdaService struct {
	invocations chan invocation
	results     chan result
}

type invocation struct {
	id      string
	payload []byte
	timeout time.Duration
}

type result struct {
	id    string
	body  []byte
	error bool
	at    time.Time
}

func (s *lambdaService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/2018-06-01/runtime/invocation/")
	if path == "next" {
		select {
		case i := <-s.invocations:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", i.id)
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(i.timeout).UnixMilli()))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:eventbridge-auditor")
			w.Write(i.payload)
		case <-r.Context().Done():
		}
		return
	}
	id, kind, _ := strings.Cut(path, "/")
	body, _ := io.ReadAll(r.Body)
	s.results <- result{id, body, kind == "error", time.Now()}
	w.WriteHeader(http.StatusAccepted)
}

type function struct {
	service *lambdaService
	log     *lockedBuffer
	world   *sim.World
	count   int
}

// logged returns the log once it has so many lines: it comes through a pipe, a little after the result.
func (f *function) logged(lines int) string {
	for deadline := time.Now().Add(5 * time.Second); strings.Count(f.log.text(), "\n") < lines && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	return f.log.text()
}

type lockedBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer // not embedded: its other methods do not lock
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

// start runs the executable as Lambda would, on a simulated AWS.
func start(t *testing.T, scenario string, environ ...string) *function {
	t.Helper()
	if err := readSources(); err != nil {
		t.Fatal(err)
	}
	s, err := sim.Parse([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	world, err := sim.New(s)
	if err != nil {
		t.Fatal(err)
	}
	aws := httptest.NewServer(world)
	service := &lambdaService{invocations: make(chan invocation), results: make(chan result, 1)}
	api := httptest.NewServer(service)
	f := &function{service: service, log: &lockedBuffer{}, world: world}
	process := exec.Command(bootstrap)
	process.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(api.URL, "http://"), "AWS_ENDPOINT_URL=" + aws.URL, "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token", "TOPIC_ARN=" + topic,
		"AWS_LAMBDA_FUNCTION_NAME=eventbridge-auditor", "HTTP_PROXY=" + offline.DeadProxy, "HTTPS_PROXY=" + offline.DeadProxy, "NO_PROXY=127.0.0.1",
	}, environ...)
	process.Stderr, process.Stdout = f.log, f.log
	if err := process.Start(); err != nil {
		t.Fatalf("start %s: %v", bootstrap, err)
	}
	t.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
		for _, server := range []*httptest.Server{api, aws} {
			server.CloseClientConnections()
			server.Close()
		}
	})
	return f
}

func (f *function) invoke(t *testing.T, payload string, timeout time.Duration) result {
	t.Helper()
	f.count++
	id := fmt.Sprintf("8476a536-e9f4-11e8-9739-2dfe598c%04d", f.count)
	select {
	case f.service.invocations <- invocation{id, []byte(payload), timeout}:
	case <-time.After(20 * time.Second):
		t.Fatalf("the function does not poll; its log: %s", f.log.text())
	}
	select {
	case r := <-f.service.results:
		if r.id != id {
			t.Fatalf("result of %s, want %s", r.id, id)
		}
		return r
	case <-time.After(timeout + 20*time.Second):
		t.Fatalf("no result; the function's log: %s", f.log.text())
		return result{}
	}
}

// Every sample payload runs, one after the other in one warm process, and returns its record.
func TestEverySamplePayload(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "events", "*.json"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d sample payloads, %v", len(files), err)
	}
	f := start(t, failing, "MODE=remediate") // there is no function in eu-west-1, so that it fails on
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			payload, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			before := len(f.world.Published())
			got := f.invoke(t, string(payload), time.Minute)
			if got.error {
				t.Fatalf("error %s", got.body)
			}
			var r record.Record
			if err := json.Unmarshal(got.body, &r); err != nil {
				t.Fatal(err)
			}
			var event struct {
				DetailType string   `json:"detail-type"`
				Action     string   `json:"action"`
				ID         string   `json:"id"`
				Regions    []string `json:"regions"`
				Notify     *bool    `json:"notify"`
			}
			if err := json.Unmarshal(payload, &event); err != nil {
				t.Fatal(err)
			}
			if event.Action == "self-test" {
				if len(r.SelfTest) < 4 || len(r.Evaluations) != 0 || r.Notification.Kind != record.Test {
					t.Errorf("%s", got.body)
				}
				return
			}
			mode, planned := map[string]remediation.Mode{"plan": remediation.ModePlan, "remediate": remediation.ModeApply, "": remediation.ModeApply, "undo": remediation.ModeUndo}[event.Action]
			if planned != (r.Remediation != nil) || planned && r.Remediation.Mode != mode {
				t.Errorf("action %q, remediation %+v", event.Action, r.Remediation)
			}
			kind, id := "manual", got.id
			if event.DetailType != "" {
				kind, id = "schedule", event.ID
			}
			if r.Trigger.Kind != kind || r.Trigger.ID != id || r.RunID != got.id || r.SchemaVersion != "1.0" {
				t.Errorf("trigger %+v, run %s, schema %s", r.Trigger, r.RunID, r.SchemaVersion)
			}
			want := 34
			if event.Regions != nil {
				want = len(event.Regions)
			}
			if len(r.Evaluations) != want || r.Coverage.RegionSource != audit.SourceAccount {
				t.Errorf("%d rows, want %d; coverage %+v", len(r.Evaluations), want, r.Coverage)
			}
			i := slices.IndexFunc(r.Evaluations, func(e audit.Evaluation) bool { return e.Region == "eu-west-1" })
			if i < 0 || r.Evaluations[i].Reason != audit.NoRules {
				t.Errorf("eu-west-1 is not NO_RULES: %+v", r.Evaluations)
			}
			sent := len(f.world.Published()) - before
			if silent := event.Notify != nil && !*event.Notify; silent != (sent == 0) || silent != (r.Notification.Kind == record.None) {
				t.Errorf("%d messages, notification %+v", sent, r.Notification)
			}
		})
	}
	checkLog(t, f.logged(len(files)), len(files))
}

// checkLog holds the log to JSON lines that Lambda's level filter understands, one a run at the default level.
func checkLog(t *testing.T, text string, runs int) {
	t.Helper()
	lines := 0
	for line := range strings.Lines(text) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["level"] == nil || entry["timestamp"] == nil || entry["message"] == nil {
			t.Errorf("not a log line: %s", line)
		}
		lines++
	}
	if lines != runs {
		t.Errorf("%d log lines, want one a run: %s", lines, text)
	}
	if strings.Contains(text, "secret") || strings.Contains(text, "token") {
		t.Error("the log has a secret")
	}
}

func TestErrorForm(t *testing.T) {
	for _, test := range []struct {
		name, payload, errorType, says string
		environ                        []string
	}{
		{"unknown key", `{"region": "eu-west-1"}`, "InvalidPayload", `did you mean "regions"?`, nil},
		{"not JSON", `{`, "InvalidPayload", "is not JSON", nil},
		{"empty", ``, "InvalidPayload", "is empty", nil},
		{"another event", `{"detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2", "id": "1"}`, "InvalidPayload", "is not one that this function acts on", nil},
		{"remediate", `{"action": "remediate"}`, "Refused", "remediation is not enabled", nil},
		{"undo", `{"action": "undo"}`, "Refused", "remediation is not enabled", nil},
		{"unknown region", `{"regions": ["eu-wset-1"]}`, "InvalidSelection", `did you mean "eu-west-1"?`, nil},
		{"foreign account", `{"accounts": ["111122223333"]}`, "InvalidSelection", "111122223333 cannot be audited from here", nil},
		{"bad settings, all named", `{}`, "InvalidSettings", "CONCURRENCY: want a whole number from 1 to 1024, got \"0\"\nREGION_TIMEOUT: want", []string{"CONCURRENCY=0", "REGION_TIMEOUT=never"}},
		{"no topic", `{}`, "NotPublished", "publish to " + topic + "-gone: sns:Publish: NotFound", []string{"TOPIC_ARN=" + topic + "-gone"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := start(t, failing, test.environ...)
			got := f.invoke(t, test.payload, time.Minute)
			var form struct {
				ErrorMessage, ErrorType string
				StackTrace              []any
			}
			if err := json.Unmarshal(got.body, &form); err != nil || !got.error {
				t.Fatalf("not an error: %s %v", got.body, err)
			}
			if form.ErrorType != test.errorType || !strings.Contains(form.ErrorMessage, test.says) || form.StackTrace != nil {
				t.Errorf("got %+v, want %s with %q", form, test.errorType, test.says)
			}
			if len(f.world.Published()) != 0 {
				t.Error("something was published")
			}
			for _, c := range f.world.Calls() {
				if (c.Service == "events" || c.Service == "sns") && test.errorType != "NotPublished" {
					t.Errorf("%s:%s was called", c.Service, c.Operation)
				}
			}
			// The process lives on: the next invocation is served, and a bad setting is told again.
			if again := f.invoke(t, test.payload, time.Minute); !again.error || string(again.body) != string(got.body) {
				t.Errorf("the second invocation got %s", again.body)
			}
		})
	}
}

// The function tells only what changes, and tests itself when asked.
func TestStoreAndSelfTest(t *testing.T) {
	scenario := strings.Replace(failing, `{"topics"`, `{"buckets": ["history"], "topics"`, 1)
	f := start(t, scenario, "STORE=s3://history/eb", `EXCEPTIONS=[{"region": "us-west-1", "reason": "r", "owner": "o", "expires": "2099-01-01"}, {"region": "x"}]`)
	for i := range 2 {
		got := f.invoke(t, `{}`, time.Minute)
		var r record.Record
		if err := json.Unmarshal(got.body, &r); err != nil || got.error {
			t.Fatalf("%s, %v", got.body, err)
		}
		if n := len(f.world.Published()); n != 1 || (r.Notification.Kind == record.Failing) != (i == 0) {
			t.Errorf("run %d: %d messages, %s", i, n, r.Notification.Kind)
		}
		if !slices.ContainsFunc(r.Warnings, func(s string) bool { return strings.Contains(s, "exceptions[1].owner: is missing") }) || r.Summary[audit.NotApplicable] != 18 {
			t.Errorf("warnings %q, %v", r.Warnings, r.Summary)
		}
	}
	got := f.invoke(t, `{"action": "self-test"}`, time.Minute)
	var r record.Record
	if err := json.Unmarshal(got.body, &r); err != nil || got.error || len(r.SelfTest) != 6 || r.Notification.Kind != record.Test {
		t.Fatalf("%s, %v", got.body, err)
	}
	for _, trial := range r.SelfTest {
		if trial.OK == (trial.Name == "exceptions") {
			t.Errorf("%+v", trial)
		}
	}
}

// The function mends on its schedule, tells what it did, and undoes when asked.
func TestRemediation(t *testing.T) {
	const mendable = `{"topics": ["` + topic + `"], "otherRegions": {"buses": {"default": [{"name": "nightly"}]}}, "regions": {"eu-west-1": {"functions": [{"name": "LogScheduledEvent"}]}}}`
	schedule, err := os.ReadFile(filepath.Join("..", "events", "scheduler-template-input.json"))
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, mendable, "MODE=remediate", "REMEDIATION_EVENT_PATTERN=health", "REMEDIATION_LIMIT=", "REMEDIATION_SCHEDULE=")
	run := func(payload string) record.Record {
		t.Helper()
		got := f.invoke(t, payload, time.Minute)
		var r record.Record
		if err := json.Unmarshal(got.body, &r); err != nil || got.error {
			t.Fatalf("%s, %v", got.body, err)
		}
		return r
	}
	if r := run(`{"action": "plan"}`); r.Remediation.Count(remediation.Planned) != 1 || r.Notification.Kind != record.Failing {
		t.Errorf("%+v %+v", r.Remediation, r.Notification)
	}
	if r := run(string(schedule)); r.Remediation.Count(remediation.Remediated) != 1 || r.Summary[audit.NonCompliant] != 0 || r.Notification.Kind != record.Resolved {
		t.Errorf("%+v %+v", r.Remediation, r.Notification)
	}
	rules := f.world.Rules("eu-west-1")["default"]
	if len(rules) != 1 || rules[0].EventPattern != `{"source":["aws.health"]}` || rules[0].State != "ENABLED" || len(rules[0].Targets) != 1 {
		t.Errorf("%+v", rules)
	}
	if r := run(`{}`); r.Notification.Kind != record.None || r.Remediation.Count(remediation.Remediated) != 0 {
		t.Errorf("a second run: %+v %+v", r.Remediation, r.Notification)
	}
	if r := run(`{"action": "undo", "notify": false}`); r.Remediation.Count(remediation.Undone) != 1 || r.Summary[audit.NonCompliant] != 1 {
		t.Errorf("%+v", r.Remediation)
	}
	if rules := f.world.Rules("eu-west-1")["default"]; len(rules) != 0 {
		t.Errorf("undo left %+v", rules)
	}
	subjects := []string{}
	for _, m := range f.world.Published() {
		subjects = append(subjects, m.Subject)
	}
	if want := []string{"CWE-001 FAILING: 1 of 34 regions, account 123456789012", "CWE-001 RESOLVED: 1 region remediated, account 123456789012"}; !slices.Equal(subjects, want) {
		t.Errorf("published %q, want %q", subjects, want)
	}
	if log := f.logged(6); strings.Count(log, `"message":"run"`) != 4 || strings.Count(log, `"message":"changed"`) != 2 {
		t.Errorf("the log has not a line for each change and each run: %s", log)
	}
}

// A run that meets its deadline still publishes, and returns in time.
func TestDeadline(t *testing.T) {
	scenario := strings.TrimSuffix(failing, "}") + `, "faults": [{"region": "eu-west-3", "service": "events", "kind": "hang"}]}`
	f := start(t, scenario, "REGION_TIMEOUT=5m")
	const timeout = 4 * time.Second
	deadline := time.Now().Add(timeout)
	got := f.invoke(t, `{}`, timeout)
	if late := got.at.Sub(deadline); late > 0 {
		t.Errorf("the result came %s after the deadline", late)
	}
	var r record.Record
	if err := json.Unmarshal(got.body, &r); err != nil || got.error {
		t.Fatalf("%s, %v", got.body, err)
	}
	if len(r.Evaluations) != 34 || r.Summary[audit.NonCompliant] != 1 || r.Summary[audit.InsufficientData] != 1 || r.Coverage.Complete {
		t.Errorf("summary %v, coverage %+v", r.Summary, r.Coverage)
	}
	if messages := f.world.Published(); len(messages) != 1 || !strings.Contains(messages[0].Message, "the run's time ran out") {
		t.Errorf("%d messages", len(messages))
	}
}

// Where STS does not answer, the function's own ARN says whose account it is.
func TestIdentityFromTheFunction(t *testing.T) {
	f := start(t, strings.TrimSuffix(failing, "}")+`, "faults": [{"service": "sts", "kind": "deny"}]}`)
	got := f.invoke(t, `{}`, time.Minute)
	var r record.Record
	if err := json.Unmarshal(got.body, &r); err != nil || got.error {
		t.Fatalf("%s, %v", got.body, err)
	}
	if len(r.Evaluations) != 34 || r.Evaluations[0].Account != "123456789012" || len(r.Warnings) != 1 || r.Auditor == "" {
		t.Errorf("%d rows, auditor %q, warnings %q", len(r.Evaluations), r.Auditor, r.Warnings)
	}
}

func TestDebugLog(t *testing.T) {
	f := start(t, failing, "AWS_LAMBDA_LOG_LEVEL=DEBUG")
	f.invoke(t, `{}`, time.Minute)
	if n := strings.Count(f.logged(35), `"message":"judged"`); n != 34 {
		t.Errorf("%d debug lines, want one a scope", n)
	}
}

// The executable is what the template promises: static, without the RPC interface and symbols, for this machine.
func TestExecutable(t *testing.T) {
	out, err := exec.Command("go", "version", "-m", bootstrap).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`-tags=lambda\.norpc`, `-trimpath=true`, `CGO_ENABLED=0`, `GOARCH=` + runtime.GOARCH, `path\s+github\.com/eventbridge-auditor/eventbridge-auditor/function\n`} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	data, err := os.ReadFile(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte(".debug_info")) || bytes.Contains(data, []byte("\x00.symtab\x00")) {
		t.Error("the executable is not stripped")
	}
}
