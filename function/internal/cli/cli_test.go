package cli_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cli"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/offline"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	offline.Guard()
	os.Exit(m.Run())
}

const topic = "arn:aws:sns:us-east-1:123456789012:eventbridge-auditor"

// execute runs the program, whose SDK reads the process's environment.
func execute(t *testing.T, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, err bytes.Buffer
	status = cli.Run(t.Context(), args, env, strings.NewReader(""), &out, &err)
	return out.String(), err.String(), status
}

// serve serves a scenario on loopback and points the SDK at it.
func serve(t *testing.T, scenario string) *sim.World {
	t.Helper()
	s, err := sim.Parse([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	w, err := sim.New(s)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	return w
}

const mixed = `{
  "topics": ["` + topic + `"],
  "otherRegions": {"buses": {"default": [{"name": "nightly"}]}},
  "regions": {"eu-west-1": {"buses": {"default": [{"name": "off", "state": "DISABLED", "count": 3}]}}, "sa-east-1": {}, "ap-east-1": {"optIn": "DISABLED"}},
  "faults": [{"region": "eu-west-2", "service": "events", "kind": "scp"}]
}`

var (
	uuid     = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	instants = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)`)
	took     = regexp.MustCompile(`"durationMs": \d+|\d\.\d s\b`)
	inCSV    = regexp.MustCompile(`(?m)^(123456789012,.*),\d+,(https://[^,]*),`)
)

// golden compares a transcript with the file of its name, with what differs from run to run blotted out.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = uuid.ReplaceAllString(got, "UUID")
	got = instants.ReplaceAllString(got, "INSTANT")
	got = took.ReplaceAllString(got, "TOOK")
	got = inCSV.ReplaceAllString(got, "$1,TOOK,$2,")
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (refresh with -update, then read it)\ngot:\n%s", path, got)
	}
}

func TestTranscripts(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   []string
		status int
	}{
		{"table", []string{"audit"}, 3},
		{"json", []string{"audit", "--output", "json", "--regions", "eu-west-1,eu-west-2,ap-east-1"}, 3},
		{"csv", []string{"audit", "--output=csv"}, 3},
		{"markdown", []string{"audit", "-output", "markdown"}, 3},
		{"published", []string{"audit", "--topic-arn", topic, "--regions", "sa-east-1"}, 3},
		{"usage", nil, 2},
		{"help", []string{"help"}, 0},
		{"help-audit", []string{"audit", "--help"}, 0},
		{"help-simulate", []string{"help", "simulate"}, 0},
		{"unknown-command", []string{"adit"}, 2},
		{"all-mistakes", []string{"audit", "--regoins", "x", "--policy", "lax", "--output", "xml", "extra", "--concurrency", "0", "--topic-arn"}, 2},
		{"typo", []string{"audit", "--regions", "eu-wset-1,eu-west-2"}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			serve(t, mixed)
			stdout, stderr, status := execute(t, nil, test.args...)
			if status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			golden(t, test.name+".txt", "=== standard output\n"+stdout+"=== standard error\n"+stderr)
			if strings.Contains(stdout+stderr, "\x1b") {
				t.Error("an escape sequence, though this is no terminal")
			}
		})
	}
}

// changing is an account with a region for each thing that remediation may meet.
const changing = `{
  "topics": ["` + topic + `"],
  "otherRegions": {"buses": {"default": [{"name": "nightly"}]}},
  "regions": {
    "eu-central-1": {"functions": [{"name": "LogScheduledEvent"}]},
    "eu-west-1": {"functions": [{"name": "LogScheduledEvent"}], "buses": {"default": [{"name": "off", "state": "DISABLED"}]}},
    "eu-west-2": {},
    "eu-west-3": {"functions": [{"name": "LogScheduledEvent"}], "buses": {"default": [{"name": "cc-scheduled-event-rule", "state": "DISABLED"}]}},
    "sa-east-1": {"functions": [{"name": "LogScheduledEvent"}]}},
  "faults": [{"region": "us-east-2", "service": "events", "kind": "scp"}, {"region": "sa-east-1", "operation": "PutTargets", "kind": "deny"}]
}`

func TestTranscriptsOfChanges(t *testing.T) {
	w := serve(t, changing)
	for _, test := range []struct {
		name   string
		args   []string
		status int
	}{
		{"plan", []string{"plan", "--exclude-regions", "us-east-1"}, 3},
		{"plan-csv", []string{"plan", "--output", "csv"}, 3},
		{"plan-markdown", []string{"plan", "--output", "markdown", "--event-pattern", "health", "--regions", "eu-west-1,eu-west-2"}, 3},
		{"plan-json", []string{"plan", "--output", "json", "--regions", "eu-west-1"}, 3},
		{"remediate-unconfirmed", []string{"remediate"}, 2},
		{"remediate", []string{"remediate", "--yes", "--topic-arn", topic}, 3},
		{"remediate-json", []string{"remediate", "--yes", "--output", "json", "--regions", "sa-east-1"}, 3},
		{"undo", []string{"undo", "--yes"}, 3},
		{"undo-nothing", []string{"undo", "--yes", "--regions", "us-west-1"}, 0},
		{"help-remediate", []string{"remediate", "--help"}, 0},
		{"help-undo", []string{"help", "undo"}, 0},
		{"change-mistakes", []string{"remediate", "--schedule", "rate(5 minute)", "--event-pattern", "helth", "--target-function", "arn:aws:lambda:eu-west-1:123456789012:function:f", "--limit", "0", "--rule-nam", "x"}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(w.Calls())
			stdout, stderr, status := execute(t, nil, test.args...)
			if status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			if calls := len(w.Calls()) - before; test.status == 2 && calls != 0 {
				t.Errorf("%d calls in spite of bad usage", calls)
			}
			golden(t, test.name+".txt", "=== standard output\n"+stdout+"=== standard error\n"+stderr)
		})
	}
	if rules := w.Rules("eu-west-3")["default"]; len(rules) != 1 || rules[0].State != "DISABLED" {
		t.Errorf("a rule of somebody else is %+v now", rules)
	}
}

func TestExitStatusOfChanges(t *testing.T) {
	const mendable = `{"topics": ["` + topic + `"], "otherRegions": {"functions": [{"name": "LogScheduledEvent"}], "buses": {"default": [{"name": "nightly"}]}},
		"regions": {"eu-west-1": {"functions": [{"name": "LogScheduledEvent"}]}}, "faults": [%]}`
	for _, test := range []struct {
		name, faults string
		before       string // a command that comes first
		command      string
		status       int
		says         string
	}{
		{"a plan", ``, "", "plan", 3, ""},
		{"a plan with nothing to do", ``, "remediate --yes", "plan", 0, ""},
		{"remediate", ``, "", "remediate --yes", 0, ""},
		{"remediate, a region not judged", `{"region": "eu-west-2", "service": "events", "kind": "deny"}`, "", "remediate --yes", 4, ""},
		{"a step fails", `{"operation": "EnableRule", "kind": "deny"}`, "", "remediate --yes", 3, ""},
		{"publishing fails", `{"service": "sns", "kind": "deny"}`, "", "remediate --yes --topic-arn " + topic, 1, "no permission for sns:Publish"},
		{"no credentials", `{"service": "sts", "kind": "invalid-token"}`, "", "remediate --yes", 1, "AWS credentials"},
		{"undo", ``, "remediate --yes", "undo --yes", 3, ""},
		{"remediate, dry", ``, "", "remediate --dry-run", 3, ""},
		{"undo, dry", ``, "remediate --yes", "undo --dry-run", 0, ""},
		{"undo nothing", ``, "remediate --yes", "undo --yes --regions us-east-1", 0, ""},
		{"a step of undo fails", `{"operation": "DeleteRule", "kind": "deny"}`, "remediate --yes", "undo --yes", 1, "undo failed in eu-west-1"},
		{"undo cannot read", `{"operation": "GetPolicy", "kind": "deny", "after": 2}`, "remediate --yes", "undo --yes --regions eu-west-1", 1, "undo failed in eu-west-1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			serve(t, strings.Replace(mendable, "%", test.faults, 1))
			if test.before != "" {
				execute(t, nil, strings.Fields(test.before)...)
			}
			stdout, stderr, status := execute(t, nil, strings.Fields(test.command)...)
			if status != test.status || !strings.Contains(stderr, test.says) || (test.says == "") != (stderr == "") {
				t.Errorf("status %d, want %d; stdout %s, stderr %q, want %q in it", status, test.status, stdout, stderr, test.says)
			}
		})
	}
	w := serve(t, strings.Replace(mendable, "%", "", 1))
	execute(t, nil, "remediate", "--yes")
	changed := len(w.Rules("eu-west-1")["default"])
	for _, form := range []string{"table", "json", "csv", "markdown"} {
		if stdout, _, _ := execute(t, nil, "undo", "--dry-run", "--output", form); !strings.Contains(stdout, "DeleteRule") || len(w.Rules("eu-west-1")["default"]) != changed {
			t.Errorf("undo --dry-run --output %s: %s", form, stdout)
		}
	}
	serve(t, strings.Replace(mendable, "%", "", 1))
	if stdout, _, _ := execute(t, nil, "plan", "--event-pattern", "root-sign-in"); !strings.Contains(stdout, "Warning: the events of root-sign-in come to us-east-1 alone") {
		t.Errorf("no warning of a pattern that never fires: %s", stdout)
	}
	env := []string{"REMEDIATION_LIMIT=none", "REMEDIATION_SCHEDULE=never"}
	if _, stderr, status := execute(t, env, "audit"); status != 3 || stderr != "" {
		t.Errorf("audit minds settings of remediation: %d %q", status, stderr)
	}
	if _, stderr, status := execute(t, env, "plan"); status != 2 || !strings.Contains(stderr, "REMEDIATION_LIMIT: want") || !strings.Contains(stderr, "REMEDIATION_SCHEDULE: want") {
		t.Errorf("plan: %d %q", status, stderr)
	}
}

func TestExitStatus(t *testing.T) {
	const healthy = `{"topics": ["` + topic + `"], "otherRegions": {"buses": {"default": [{"name": "nightly"}]}}, "faults": [%]}`
	for _, test := range []struct {
		name, faults string
		args, env    []string
		status       int
		says         string
	}{
		{"clean", ``, nil, nil, 0, ""},
		{"a region fails and another could not be judged", `{"region": "eu-west-1", "service": "events", "kind": "deny"}`, []string{"--policy", "strict"}, nil, 3, ""},
		{"not complete", `{"region": "eu-west-1", "service": "events", "kind": "hang"}`, []string{"--region-timeout", "300ms"}, nil, 4, ""},
		{"connection cut", `{"region": "eu-west-1", "service": "events", "kind": "reset"}`, nil, nil, 4, ""},
		{"token refused everywhere", `{"service": "sts", "kind": "invalid-token"}`, nil, nil, 1, "AWS credentials: sts:GetCallerIdentity: the token was refused (InvalidClientTokenId)"},
		{"no region list", `{"service": "account", "kind": "deny"}, {"service": "ec2", "kind": "deny"}`, nil, nil, 1, "no region list: no permission for account:ListRegions"},
		{"no topic", ``, []string{"--topic-arn", topic + "-gone", "--notify-on", "always"}, nil, 1, "publish to " + topic + "-gone: sns:Publish: NotFound (HTTP 404)"},
		{"publishing denied", `{"service": "sns", "kind": "deny"}`, []string{"--topic-arn", topic, "--notify-on=always"}, nil, 1, "no permission for sns:Publish"},
		{"bad variable", ``, nil, []string{"CONCURRENCY=lots"}, 2, `CONCURRENCY: want a whole number from 1 to 1024, got "lots"`},
		{"flag over bad variable", ``, []string{"--concurrency", "3"}, []string{"CONCURRENCY=lots"}, 0, ""},
		{"variable", ``, nil, []string{"REGIONS=eu-west-7"}, 2, `did you mean`},
		{"empty flag", ``, []string{"--regions", ""}, nil, 2, "--regions: is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := serve(t, strings.Replace(healthy, "%", test.faults, 1))
			stdout, stderr, status := execute(t, test.env, append([]string{"audit", "--output", "json"}, test.args...)...)
			if status != test.status || !strings.Contains(stderr, test.says) {
				t.Errorf("status %d, want %d; stderr %q, want %q in it", status, test.status, stderr, test.says)
			}
			if test.status == 2 && stdout != "" || status != 1 && len(w.Published()) != 0 {
				t.Errorf("stdout %q, %d messages", stdout, len(w.Published()))
			}
			if status == 0 || status >= 3 || strings.HasPrefix(test.says, "publish") {
				var r record.Record
				if err := json.Unmarshal([]byte(stdout), &r); err != nil || len(r.Evaluations) != 34 {
					t.Errorf("standard output is not one record: %v", err)
				}
			}
		})
	}
}

// The exit status of each fault that a connection can have, in each place. Hanging lists take their full ten seconds and are
// left to the tests that have a clock of their own.
func TestExitStatusOfFaults(t *testing.T) {
	places := []struct {
		name, operations string
		args             []string
		status           int
		rows             int
	}{
		{"a region", "ListRules", []string{"--regions", "eu-west-1,eu-west-2", "--region-timeout", "300ms"}, 4, 2},
		{"the region lists", "ListRegions DescribeRegions", nil, 1, 0},
		{"the better region list", "ListRegions", nil, 0, 34},
		{"publishing", "Publish", []string{"--topic-arn", topic, "--notify-on", "always"}, 1, 34},
	}
	for _, kind := range []string{sim.Throttle, sim.Deny, sim.SCP, sim.InvalidToken, sim.ExpiredToken, sim.Hang, sim.Reset, sim.Garbage, sim.HTML,
		sim.ServerError, sim.Unavailable, sim.UnknownCode, sim.UnknownOperation} {
		for _, place := range places {
			if kind == sim.Hang && place.operations != "ListRules" {
				continue
			}
			t.Run(kind+"/"+place.name, func(t *testing.T) {
				w := serve(t, `{"topics": ["`+topic+`"], "otherRegions": {"buses": {"default": [{"name": "nightly"}]}}}`)
				for operation := range strings.FieldsSeq(place.operations) {
					f := sim.Fault{Operation: operation, Kind: kind}
					if operation == "ListRules" {
						f.Region = "eu-west-1"
					}
					if err := w.AddFault(f); err != nil {
						t.Fatal(err)
					}
				}
				stdout, stderr, status := execute(t, nil, append([]string{"audit", "--output", "json"}, place.args...)...)
				if status != place.status || (status == 1) != (stderr != "") {
					t.Errorf("status %d, want %d; stderr %q", status, place.status, stderr)
				}
				var r record.Record
				if err := json.Unmarshal([]byte(stdout), &r); place.rows > 0 && err != nil || len(r.Evaluations) != place.rows {
					t.Errorf("%d rows, want %d; %v", len(r.Evaluations), place.rows, err)
				}
				if len(w.Published()) != 0 {
					t.Errorf("%d messages", len(w.Published()))
				}
			})
		}
	}
}

// A rule may be called "-2-3", which a spreadsheet would take for a formula.
func TestCSVCells(t *testing.T) {
	serve(t, `{"otherRegions": {"buses": {"default": [{"name": "-2-3"}]}}}`)
	stdout, _, _ := execute(t, nil, "audit", "--output", "csv", "--regions", "eu-west-1")
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][10] != "'-2-3" {
		t.Errorf("%q, %v", rows, err)
	}
}

// AWS's words are shown as words, in every form of the report.
func TestForeignWords(t *testing.T) {
	w := serve(t, `{"otherRegions": {"buses": {"default": [{"name": "nightly"}]}}, "faults": [{"operation": "ListRegions", "kind": "deny"}]}`)
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListRules") {
			rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
			rw.WriteHeader(http.StatusBadRequest)
			rw.Write([]byte(`{"__type":"Odd","message":"` + "`<b>` | *x* [a](b) \\u001b[31m\\nNO_RULES" + `"}`))
			return
		}
		w.ServeHTTP(rw, r)
	}))
	defer proxy.Close()
	t.Setenv("AWS_ENDPOINT_URL", proxy.URL)
	for _, form := range []string{"table", "markdown", "csv", "json"} {
		stdout, stderr, status := execute(t, nil, "audit", "--output", form, "--regions", "eu-west-1")
		if status != 4 || strings.ContainsAny(stdout+stderr, "\x1b\x00") {
			t.Errorf("%s: status %d, %q", form, status, stdout)
		}
		if form == "markdown" && !strings.Contains(stdout, "\\`&lt;b&gt;\\` \\| \\*x\\* \\[a\\](b)") {
			t.Errorf("markup in %s", stdout)
		}
		if form == "csv" {
			if rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll(); err != nil || len(rows) != 2 {
				t.Errorf("%d rows, %v", len(rows), err)
			}
			if !strings.Contains(stderr, "warning: region list taken from ec2:DescribeRegions") {
				t.Errorf("the warning is lost: %q", stderr)
			}
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAReportThatCannotBeWritten(t *testing.T) {
	serve(t, mixed)
	var stderr bytes.Buffer
	status := cli.Run(t.Context(), []string{"audit"}, nil, strings.NewReader(""), brokenPipe{}, &stderr)
	if status != 1 || !strings.Contains(stderr.String(), "write the report: no space left on device") {
		t.Errorf("status %d, stderr %q", status, stderr.String())
	}
}

func TestVerboseLogs(t *testing.T) {
	serve(t, mixed)
	_, stderr, _ := execute(t, nil, "audit", "--verbose")
	if n := strings.Count(stderr, "level=DEBUG msg=judged"); n != 34 {
		t.Errorf("%d debug lines, want one a scope", n)
	}
	if n := strings.Count(stderr, "level=INFO msg=run"); n != 1 {
		t.Errorf("%d info lines, want one a run", n)
	}
	if strings.Contains(stderr, "wJalrXUtnFEMI") {
		t.Error("the log has a secret")
	}
}

// Without an endpoint of ours the program must not get off this machine: this is what keeps every test of it honest.
func TestTheGuardHolds(t *testing.T) {
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	stdout, stderr, status := execute(t, nil, "audit")
	if status != 1 || stdout != "" || !strings.Contains(stderr, "connection refused") {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "") // the metadata address too is only reached through the dead proxy
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	status = cli.Run(ctx, []string{"audit"}, nil, strings.NewReader(""), &out, &errs)
	if status != 1 || !strings.Contains(errs.String(), "AWS credentials: ") || !strings.Contains(errs.String(), "aws configure") {
		t.Errorf("status %d, stderr %q", status, errs.String())
	}
}

func TestVersion(t *testing.T) {
	stdout, _, status := execute(t, nil, "version")
	if status != 0 || !strings.HasPrefix(stdout, "eventbridge-auditor ") || !strings.Contains(stdout, "commit ") || !strings.Contains(stdout, "go1.") {
		t.Errorf("status %d, %q", status, stdout)
	}
}

func TestDemo(t *testing.T) {
	start := time.Now()
	stdout, stderr, status := execute(t, []string{"REGIONS=nonsense", "TOPIC_ARN=nonsense"}, "demo")
	if status != 0 || stderr != "" {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	t.Logf("the demo took %s", time.Since(start))
	for _, reason := range []audit.Reason{audit.ActiveRules, audit.NoActiveRules, audit.NoRules, audit.OnlyManagedRules, audit.RegionNotEnabled, audit.DeniedBySCP, audit.Timeout} {
		if !strings.Contains(stdout, string(reason)) {
			t.Errorf("no region is %s", reason)
		}
	}
	golden(t, "demo.txt", stdout)
}

func TestSimulate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &watched{lines: make(chan string, 1000)}
	ended := make(chan int)
	go func() {
		ended <- cli.Run(ctx, []string{"simulate", "--listen", "127.0.0.1:0"}, nil, strings.NewReader(""), &bytes.Buffer{}, stderr)
	}()
	line := <-stderr.lines
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(line)
	if url == "" {
		t.Fatalf("no address in %q", line)
	}
	t.Setenv("AWS_ENDPOINT_URL", url)
	stdout, errs, status := execute(t, nil, "audit", "--region-timeout", "1s", "--output", "json", "--topic-arn", topic)
	var r record.Record
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || status != 3 || r.Notification.MessageID == "" || len(r.Evaluations) != 34 {
		t.Errorf("status %d, %v, notification %+v, stderr %q", status, err, r.Notification, errs)
	}
	cancel()
	select {
	case status := <-ended:
		if status != 0 {
			t.Errorf("exit status %d after an interrupt", status)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("did not end when interrupted")
	}
	for _, args := range [][]string{{"--listen", "nowhere"}, {"--scenario", "demmo"}, {"--scenario", "./no-such-file.json"}} {
		if _, errs, status := execute(t, nil, append([]string{"simulate"}, args...)...); status != 2 || !strings.Contains(errs, args[0]) {
			t.Errorf("%q: status %d, %q", args, status, errs)
		}
	}
}

// watched hands on what is written, one write a line.
type watched struct{ lines chan string }

func (w *watched) Write(p []byte) (int, error) {
	select {
	case w.lines <- string(p):
	default:
	}
	return len(p), nil
}
