package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
)

// recorded is a run's record in the form that a store keeps, with the reasons of two regions.
func recorded(t *testing.T, store, day, first, second string) {
	t.Helper()
	status := func(reason string) string {
		if reason == "ACTIVE_RULES" {
			return "COMPLIANT"
		}
		return "NON_COMPLIANT"
	}
	line := `{"schemaVersion":"1.0","runId":"r","finishedAt":"` + day + `T06:00:00Z","evaluations":[` +
		`{"account":"123456789012","region":"eu-west-1","status":"` + status(first) + `","reason":"` + first + `"},` +
		`{"account":"123456789012","region":"sa-east-1","status":"` + status(second) + `","reason":"` + second + `"}]}`
	folder := filepath.Join(store, "records", "year="+day[:4], "month="+day[5:7], "day="+day[8:])
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "060000-r.json"), []byte(line+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestHistory(t *testing.T) {
	store := t.TempDir()
	recorded(t, store, "2026-11-01", "ACTIVE_RULES", "ACTIVE_RULES")
	recorded(t, store, "2026-11-02", "NO_RULES", "ACTIVE_RULES")
	recorded(t, store, "2026-11-03", "NO_ACTIVE_RULES", "NO_RULES")
	recorded(t, store, "2026-11-06", "ACTIVE_RULES", "NO_RULES")
	if err := os.WriteFile(filepath.Join(store, "records", "year=2026", "month=11", "day=02", "junk.json"), []byte("junk"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"table", "json", "csv"} {
		stdout, stderr, status := execute(t, nil, "history", "--store", store, "--days", "3650", "--output", form)
		if status != 0 || !strings.Contains(stderr, "junk.json is no record") {
			t.Errorf("%s: status %d, %q", form, status, stderr)
		}
		path := "history-" + form + ".txt"
		if *update {
			os.WriteFile(filepath.Join("testdata", path), []byte(stdout), 0o644)
			continue
		}
		if want, err := os.ReadFile(filepath.Join("testdata", path)); err != nil || string(want) != stdout {
			t.Errorf("%s differs, %v\n%s", path, err, stdout)
		}
	}
	if stdout, _, status := execute(t, []string{"STORE=" + store}, "history", "--days", "1"); status != 0 || stdout != "No run in the last 1 days.\n" {
		t.Errorf("%d %q", status, stdout)
	}
	for _, args := range [][]string{{}, {"--store", filepath.Join(store, "nowhere")}, {"--store", "s3:bucket"}, {"--store", store, "--days", "0"}} {
		if _, stderr, status := execute(t, nil, append([]string{"history"}, args...)...); status != 2 || stderr == "" {
			t.Errorf("%q: status %d, %q", args, status, stderr)
		}
	}
}

// An audit with a store in a folder tells once, and history knows.
func TestAuditWithAStore(t *testing.T) {
	store := filepath.Join(t.TempDir(), "made", "here")
	w := serve(t, `{"topics": ["`+topic+`"], "otherRegions": {"buses": {"default": [{"name": "nightly"}]}}, "regions": {"eu-west-1": {}}}`)
	for range 2 {
		stdout, stderr, status := execute(t, nil, "audit", "--store", store, "--topic-arn", topic, "--output", "json")
		var r record.Record
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || status != 3 || stderr != "" || r.Changes == nil || len(r.Warnings) != 0 {
			t.Fatalf("status %d, %v, %q, %q", status, err, stderr, r.Warnings)
		}
	}
	if n := len(w.Published()); n != 1 {
		t.Errorf("%d messages of one failure", n)
	}
	if stdout, _, status := execute(t, nil, "history", "--store", store); status != 0 || !strings.Contains(stdout, "1 failure, 1 open") || !strings.Contains(stdout, "eu-west-1") {
		t.Errorf("status %d, %s", status, stdout)
	}
	if _, stderr, status := execute(t, nil, "audit", "--notify-on", "change"); status != 2 || !strings.Contains(stderr, "change needs a store") {
		t.Errorf("status %d, %q", status, stderr)
	}
}

func TestExceptionsInTheTerminal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "exceptions.json")
	if err := os.WriteFile(file, []byte(`[{"region": "sa-east-1", "reason": "not in use", "owner": "cloud", "expires": "2099-12-31"}]`), 0o644); err != nil {
		t.Fatal(err)
	}
	serve(t, mixed)
	stdout, _, status := execute(t, nil, "audit", "--exceptions", file, "--regions", "sa-east-1,us-east-1")
	if status != 0 || !strings.Contains(stdout, "EXEMPT") || !strings.Contains(stdout, "until 2099-12-31: not in use (owner: cloud)") {
		t.Errorf("status %d, %s", status, stdout)
	}
	if stdout, _, _ := execute(t, nil, "plan", "--exceptions", file, "--regions", "sa-east-1"); !strings.Contains(stdout, "SKIPPED  EXEMPT") {
		t.Error(stdout)
	}
	for text, says := range map[string]string{
		file + ".gone":                  "no such file",
		`[{"region": "sa-east-1"}, {}]`: "exceptions[0].expires: is missing or empty\neventbridge-auditor: exceptions[0].owner: is missing or empty",
		`[`:                             "exceptions: want a JSON list",
	} {
		if stdout, stderr, status := execute(t, nil, "audit", "--exceptions", text); status != 2 || stdout != "" || !strings.Contains(stderr, says) {
			t.Errorf("%s: status %d, %q", text, status, stderr)
		}
	}
}

func TestSelfTest(t *testing.T) {
	w := serve(t, `{"topics": ["`+topic+`"], "buckets": ["history"], "otherRegions": {"buses": {"default": [{"name": "nightly"}]}}}`)
	args := []string{"self-test", "--topic-arn", topic, "--store", "s3://history/eb"}
	stdout, stderr, status := execute(t, nil, args...)
	golden(t, "self-test.txt", stdout)
	if status != 0 || stderr != "" || len(w.Published()) != 1 {
		t.Fatalf("status %d, %q, %d messages", status, stderr, len(w.Published()))
	}
	m := w.Published()[0]
	if m.Subject != "CWE-001 TEST: this is not an alert" || m.Attributes["kind"].Value != "TEST" || !strings.Contains(m.Message, "This is a test") {
		t.Errorf("%+v", m)
	}
	if objects := w.Objects("history"); len(objects) != 1 || objects["eb/self-test.json"] == "" {
		t.Errorf("%v", objects)
	}
	execute(t, nil, args...) // once more, over its own mark
	for _, test := range []struct{ fault, args, fails, says string }{
		{`{"service": "sns", "kind": "deny"}`, "", "topic", "no permission for sns:Publish"},
		{`{"service": "s3", "operation": "PutObject", "kind": "deny"}`, "", "store", "no permission for s3:PutObject"},
		{`{"service": "s3", "kind": "deny"}`, "", "store", "no permission for s3:GetObject"},
		{`{"service": "events", "kind": "deny"}`, "", "rules", "no permission for events:ListRules"},
		{`{"service": "account", "kind": "deny"}, {"service": "ec2", "kind": "deny"}`, "", "regions", "no region list"},
		{`{"service": "sts", "kind": "invalid-token"}`, "", "identity", "AWS credentials"},
	} {
		serve(t, `{"topics": ["`+topic+`"], "buckets": ["history"], "otherRegions": {"buses": {"default": [{"name": "nightly"}]}}, "faults": [`+test.fault+`]}`)
		stdout, _, status := execute(t, nil, append(args, "--output", "json")...)
		var r record.Record
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || status != 1 {
			t.Errorf("%s: status %d, %v", test.fault, status, err)
		}
		for _, trial := range r.SelfTest {
			if trial.OK == (trial.Name == test.fails) || !trial.OK && !strings.Contains(trial.Detail, test.says) {
				t.Errorf("%s: %+v", test.fault, trial)
			}
		}
	}
	if stdout, _, status := execute(t, nil, "self-test"); status != 1 || !strings.Contains(stdout, "no topic is set") {
		t.Errorf("status %d, %s", status, stdout)
	}
}
