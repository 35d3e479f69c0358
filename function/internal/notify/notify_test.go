package notify_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/history"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const account = "123456789012"

func evaluation(region string, reason audit.Reason, detail string, examples ...string) audit.Evaluation {
	return audit.Evaluation{
		Account: account, Region: region, Status: audit.Conformity.Status(reason), Reason: reason, Detail: detail,
		Evidence: audit.Evidence{Rules: len(examples), Examples: append([]string{}, examples...)}, ConsoleURL: audit.Scope{Account: account, Region: region}.ConsoleURL(),
	}
}

func recordOf(evaluations ...audit.Evaluation) record.Record {
	report := audit.NewReport(evaluations, audit.SourceAccount)
	at := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	r := record.Record{
		SchemaVersion: record.SchemaVersion, RunID: "5d1f0a3e-7c55-4a8e-9a57-0d8a1e6f2b11", Trigger: record.Trigger{Kind: "schedule", ID: "e-1"},
		Check: record.CWE001(), Policy: audit.Conformity, StartedAt: at, FinishedAt: at.Add(time.Second), APICalls: 36,
		Coverage: report.Coverage, Summary: report.Summary, Evaluations: report.Evaluations,
		Notification: record.Notification{TopicARN: "arn:aws:sns:us-east-1:123456789012:t"}, Warnings: []string{},
	}
	r.Notification.Kind = notify.Kind(r)
	return r
}

// hostile is a record in which everybody who may write a text wrote the worst.
func hostile() record.Record {
	const worst = "`*_~<!channel> &amp; \u202eevil\r\nFAILING: 0 regions\x1b[31m\u2028<script>\x00"
	r := recordOf(
		evaluation("eu-west-1", audit.NoActiveRules, "1 rule, "+worst, "x; rm -rf /"),
		evaluation("eu-west-2", audit.AccessDenied, worst),
	)
	r.Warnings = []string{"first " + worst}
	return r
}

func TestGoldens(t *testing.T) {
	unjudged := []audit.Evaluation{
		evaluation("me-south-1", audit.DeniedBySCP, "a service control policy denies events:ListRules (arn:aws:organizations::111122223333:policy/o-a1b2c3d4e5/service_control_policy/p-11112222)"),
		evaluation("ap-southeast-3", audit.Timeout, "no complete answer within 10s"),
	}
	ok := evaluation("us-east-1", audit.ActiveRules, "active rule nightly", "nightly")
	failing := recordOf(append(unjudged, ok,
		evaluation("eu-west-1", audit.NoActiveRules, "3 rules, all disabled", "orders/nightly", "purge-old", "weekly"),
		evaluation("eu-west-2", audit.NoActiveRules, "1 rule, disabled", "orders/weekly"),
		evaluation("sa-east-1", audit.NoRules, "no rule on the only event bus"),
		evaluation("us-west-2", audit.OnlyAuditorRules, "all active rules are this product's own: tick", "tick"),
		evaluation("af-south-1", audit.RegionNotEnabled, "opt-in region that this account has not enabled"))...)
	failing.Warnings = []string{"region list taken from ec2:DescribeRegions, since no permission for account:ListRegions: no identity-based policy allows the account:ListRegions action"}
	const rule, function = "arn:aws:events:eu-west-1:123456789012:rule/cc-scheduled-event-rule", "arn:aws:lambda:eu-west-1:123456789012:function:LogScheduledEvent"
	step := func(a remediation.Action, r remediation.StepResult, wrong string) remediation.Step {
		return remediation.Step{Action: a, Result: r, Resource: rule, Error: wrong, Command: "aws events …"}
	}
	fine := []remediation.Step{step(remediation.PutRule, remediation.StepApplied, ""), {Action: remediation.AddPermission, Result: remediation.StepUnchanged, Resource: function},
		step(remediation.PutTargets, remediation.StepApplied, ""), step(remediation.EnableRule, remediation.StepApplied, "")}
	changed := recordOf(ok, evaluation("eu-west-1", audit.OnlyRemediationRule, "the only active rule is the one made as remediation: cc-scheduled-event-rule", "cc-scheduled-event-rule"),
		evaluation("eu-west-2", audit.NoRules, "no rule on the only event bus"), evaluation("eu-west-3", audit.NoRules, "no rule on the only event bus"))
	changed.Remediation = &remediation.Report{Mode: remediation.ModeApply, Regions: []remediation.Region{
		{Account: account, Region: "eu-west-1", Result: remediation.Remediated, Before: audit.NonCompliant, After: audit.Compliant, Steps: fine},
		{Account: account, Region: "eu-west-2", Result: remediation.Failed, Reason: remediation.StepFailure, Before: audit.NonCompliant, After: audit.NonCompliant,
			Detail: "PutTargets: no permission for events:PutTargets: no identity-based policy allows the events:PutTargets action",
			Steps: []remediation.Step{step(remediation.PutRule, remediation.StepApplied, ""), step(remediation.PutTargets, remediation.StepFailed, "no permission for events:PutTargets"),
				step(remediation.EnableRule, remediation.StepSkipped, "")}},
		{Account: account, Region: "eu-west-3", Result: remediation.Skipped, Reason: remediation.NoTargetFunction, Before: audit.NonCompliant,
			Detail: "there is no function LogScheduledEvent in eu-west-3, and a rule's function must be in the rule's own region", Steps: []remediation.Step{}},
		{Account: account, Region: "me-south-1", Result: remediation.Skipped, Reason: "REGION_NOT_ENABLED", Before: audit.NotApplicable, Steps: []remediation.Step{}},
	}}
	resolved := recordOf(ok, evaluation("eu-west-1", audit.OnlyRemediationRule, "the only active rule is the one made as remediation: cc-scheduled-event-rule", "cc-scheduled-event-rule"))
	resolved.Remediation = &remediation.Report{Mode: remediation.ModeApply, Regions: changed.Remediation.Regions[:1]}
	resolved.Notification.Kind = notify.Kind(resolved)
	days := func(n int) time.Time { return time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC).AddDate(0, 0, -n) }
	change := func(region string, reason audit.Reason, n int) history.Change {
		return history.Change{Account: account, Region: region, Reason: reason, Since: days(n)}
	}
	was := func(c history.Change, reason audit.Reason) history.Change { c.Was = reason; return c }
	dated := func(e audit.Evaluation, n int) audit.Evaluation { at := days(n); e.Since = &at; return e }
	remembered := func(c history.Changes, evaluations ...audit.Evaluation) record.Record {
		r := recordOf(evaluations...)
		r.Changes = &c
		r.Notification.Kind = notify.Kind(r)
		return r
	}
	fallen := dated(evaluation("eu-west-2", audit.NoActiveRules, "1 rule, disabled", "weekly"), 5)
	blind := dated(evaluation("me-south-1", audit.DeniedBySCP, "a service control policy denies events:ListRules"), 9)
	for name, r := range map[string]record.Record{
		"change-failing": remembered(history.Changes{Failing: []history.Change{change("sa-east-1", audit.NoRules, 0), was(change("us-west-1", audit.NoActiveRules, 3), audit.NoRules)},
			Unjudged: []history.Change{change("ap-southeast-3", audit.Timeout, 0)}, Resolved: []history.Change{was(change("eu-west-1", audit.ActiveRules, 12), audit.NoRules)},
			Standing: []history.Change{change("eu-west-2", audit.NoActiveRules, 5), change("me-south-1", audit.DeniedBySCP, 9)}},
			dated(evaluation("sa-east-1", audit.NoRules, "no rule on the only event bus"), 0), dated(evaluation("us-west-1", audit.NoActiveRules, "3 rules, all disabled", "a", "b", "c"), 3),
			dated(evaluation("ap-southeast-3", audit.Timeout, "no complete answer within 10s"), 0), evaluation("eu-west-1", audit.ActiveRules, "active rule nightly", "nightly"), fallen, blind, ok),
		"change-resolved":   remembered(history.Changes{Resolved: []history.Change{was(change("eu-west-1", audit.ActiveRules, 12), audit.NoRules)}, Standing: []history.Change{change("eu-west-2", audit.NoActiveRules, 5)}}, evaluation("eu-west-1", audit.ActiveRules, "active rule nightly", "nightly"), fallen, ok),
		"change-incomplete": remembered(history.Changes{Unjudged: []history.Change{change("me-south-1", audit.DeniedBySCP, 0)}}, dated(blind, 0), ok),
		"change-reminder":   remembered(history.Changes{Due: []history.Change{change("eu-west-2", audit.NoActiveRules, 5)}, Standing: []history.Change{change("me-south-1", audit.DeniedBySCP, 9)}}, fallen, blind, ok),
		"changed":           changed,
		"resolved":          resolved,
		"failing":           failing,
		"one":               recordOf(evaluation("eu-west-1", audit.NoRules, "no rule on the only event bus")),
		"incomplete":        recordOf(append(unjudged, ok)...),
		"ok":                recordOf(ok, evaluation("af-south-1", audit.RegionNotEnabled, "opt-in region that this account has not enabled")),
		"hostile":           hostile(),
	} {
		t.Run(name, func(t *testing.T) {
			m, err := notify.Compose(r, r.Notification.Kind)
			if err != nil {
				t.Fatal(err)
			}
			check(t, m)
			var texts map[string]string
			if err := json.Unmarshal([]byte(m.Body), &texts); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", transcript(t, m))
			if texts["default"] != texts["email"] {
				t.Error("default and email differ")
			}
			for _, protocol := range []string{"sqs", "lambda", "http", "email-json"} {
				var got record.Record
				if err := json.Unmarshal([]byte(texts[protocol]), &got); err != nil || len(got.Evaluations) != len(r.Evaluations) || got.RunID != r.RunID {
					t.Errorf("%s does not carry the record: %v", protocol, err)
				}
			}
		})
	}
}

// transcript is a message in the form of each protocol: default is email's, and sqs, lambda, http and email-json are alike.
func transcript(t *testing.T, m notify.Message) string {
	t.Helper()
	var texts map[string]string
	if err := json.Unmarshal([]byte(m.Body), &texts); err != nil {
		t.Fatal(err)
	}
	indent := func(text string) string {
		var out bytes.Buffer
		if err := json.Indent(&out, []byte(text), "", "  "); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Subject: %s\n", m.Subject)
	for _, a := range m.Attributes {
		fmt.Fprintf(&b, "%s (%s): %s\n", a.Name, a.Type, a.Value)
	}
	fmt.Fprintf(&b, "\n=== email\n%s=== sms\n%s\n=== https\n%s\n=== sqs\n%s\n", texts["email"], texts["sms"], indent(texts["https"]), indent(texts["sqs"]))
	return b.String()
}

// A self-test's message is marked as one, in every form.
func TestSelfTestMessage(t *testing.T) {
	r := recordOf()
	r.SelfTest = []record.Trial{{Name: "identity", OK: true, Detail: "account 123456789012"},
		{Name: "store", OK: false, Detail: "no permission for s3:PutObject `*_<!channel>\r\nFAILING"}}
	m, err := notify.ComposeTest(r)
	if err != nil {
		t.Fatal(err)
	}
	check(t, m)
	golden(t, "test.txt", transcript(t, m))
}

// check holds a message to what SNS, mail clients and phones take, whatever is in it.
func check(t *testing.T, m notify.Message) {
	t.Helper()
	size := len(m.Subject) + len(m.Body)
	for _, a := range m.Attributes {
		size += len(a.Name) + len(a.Type) + len(a.Value)
	}
	if size > 262_144 || size != m.Size() {
		t.Errorf("%d bytes, it says %d; SNS takes 262,144", size, m.Size())
	}
	for _, c := range m.Subject {
		if c < ' ' || c > '~' {
			t.Errorf("subject %q has %q", m.Subject, c)
		}
	}
	if n := len(m.Subject); n == 0 || n > 99 {
		t.Errorf("subject has %d characters", n)
	}
	var texts map[string]string
	if err := json.Unmarshal([]byte(m.Body), &texts); err != nil {
		t.Fatalf("not an object of strings: %v", err)
	}
	for _, protocol := range []string{"default", "email", "sqs", "lambda", "http", "email-json", "https", "sms"} {
		if texts[protocol] == "" {
			t.Errorf("no text for %s", protocol)
		}
	}
	if n := utf8.RuneCountInString(texts["sms"]); n > 140 {
		t.Errorf("sms has %d characters", n)
	}
	for line := range strings.Lines(texts["email"]) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > 78 && strings.Contains(strings.TrimSpace(line), " ") && !strings.HasPrefix(line, "    ") {
			t.Errorf("mail line of %d columns: %q", n, line)
		}
		for _, c := range line {
			if c < ' ' || c == 0x7f || c == 0x2028 || c == 0x202e {
				t.Errorf("mail has %q in %q", c, line)
			}
		}
	}
	var chat struct {
		Version, Source string
		Content         struct{ TextType, Title, Description string }
		Metadata        struct{ ThreadID, Summary string }
	}
	if err := json.Unmarshal([]byte(texts["https"]), &chat); err != nil || chat.Version != "1.0" || chat.Source != "custom" || chat.Content.TextType != "client-markdown" {
		t.Errorf("not a custom notification: %+v %v", chat, err)
	}
	if a, b := utf8.RuneCountInString(chat.Content.Title), utf8.RuneCountInString(chat.Content.Description); a > 250 || b > 8000 || b == 0 {
		t.Errorf("title of %d, description of %d characters", a, b)
	}
}

func TestForeignTextForgesNothing(t *testing.T) {
	m, err := notify.Compose(hostile(), record.Failing)
	if err != nil {
		t.Fatal(err)
	}
	check(t, m)
	var texts map[string]string
	json.Unmarshal([]byte(m.Body), &texts)
	for line := range strings.Lines(texts["email"]) {
		if strings.HasPrefix(line, "FAILING: 0") {
			t.Error("a foreign text forged a heading")
		}
	}
	if strings.Contains(texts["email"], "rm -rf") && strings.Contains(texts["email"], "--name x; rm") {
		t.Error("a foreign name got into a command")
	}
	if strings.Contains(texts["https"], "<!channel>") {
		t.Error("a foreign text notifies a whole channel")
	}
}

// At the size limit the machine-readable form loses what matters least, and says so; the text stays short.
func TestSizeLimit(t *testing.T) {
	for _, accounts := range []int{10, 100, 1000} {
		t.Run(fmt.Sprint(accounts), func(t *testing.T) {
			var evaluations []audit.Evaluation
			for a := range accounts {
				for region := range 34 {
					reason := audit.ActiveRules
					if region < 2 {
						reason = audit.NoRules
					}
					e := evaluation(fmt.Sprintf("xx-region-%d", region+1), reason, "a detail of \"some\" length, with <markup> & the like")
					e.Account = fmt.Sprintf("%012d", a)
					evaluations = append(evaluations, e)
				}
			}
			r := recordOf(evaluations...)
			m, err := notify.Compose(r, record.Failing)
			if err != nil {
				t.Fatal(err)
			}
			check(t, m)
			if m.Size() < notify.MaxBytes*95/100 {
				t.Errorf("only %d bytes of %d are used", m.Size(), notify.MaxBytes)
			}
			var texts map[string]string
			json.Unmarshal([]byte(m.Body), &texts)
			var got record.Record
			if err := json.Unmarshal([]byte(texts["sqs"]), &got); err != nil {
				t.Fatal(err)
			}
			if got.Omitted == 0 || got.Omitted+len(got.Evaluations) != len(evaluations) || len(got.Warnings) != 1 {
				t.Errorf("omitted %d, kept %d of %d, warnings %q", got.Omitted, len(got.Evaluations), len(evaluations), got.Warnings)
			}
			if got.Summary[audit.NonCompliant] != 2*accounts || got.Coverage.Scopes != len(evaluations) {
				t.Error("the sums were cut too")
			}
			if !slices.IsSortedFunc(got.Evaluations, func(a, b audit.Evaluation) int { return strings.Compare(a.Scope().String(), b.Scope().String()) }) {
				t.Error("the kept evaluations are not in the record's order")
			}
			passing := 0
			for _, e := range got.Evaluations {
				if e.Status == audit.Compliant {
					passing++
				}
			}
			if kept := len(got.Evaluations) - passing; passing > 0 && kept != 2*accounts {
				t.Errorf("%d passing evaluations kept, yet only %d of %d failing ones", passing, kept, 2*accounts)
			}
			if accounts == 1000 && !strings.Contains(texts["email"], "more regions did not fit this message") {
				t.Error("the mail does not say what it left out")
			}
			if accounts == 1000 { // the record itself is long: its beginning shows the form
				text := transcript(t, m)
				golden(t, "limit.txt", text[:strings.Index(text, "=== sqs")+1500]+"\n")
			}
			if len(r.Warnings) != 0 || r.Omitted != 0 || len(r.Evaluations) != len(evaluations) {
				t.Error("composing changed the record itself")
			}
		})
	}
}

// A chat service cuts or refuses a description of more than 8,000 characters, whatever reasons there are.
func TestChatStaysShort(t *testing.T) {
	for _, n := range []int{5, 60, 200, 1000} {
		var evaluations []audit.Evaluation
		reasons := audit.Reasons()
		for i := range n {
			evaluations = append(evaluations, evaluation(fmt.Sprintf("xx-region-%d", i+1), reasons[i%len(reasons)], strings.Repeat("`<why> ", 30)))
		}
		r := recordOf(evaluations...)
		for range 30 {
			r.Warnings = append(r.Warnings, strings.Repeat("warning <&> ", 100))
		}
		m, err := notify.Compose(r, record.Failing)
		if err != nil {
			t.Fatal(err)
		}
		check(t, m)
		var texts map[string]string
		json.Unmarshal([]byte(m.Body), &texts)
		var chat struct{ Content struct{ Description string } }
		if err := json.Unmarshal([]byte(texts["https"]), &chat); err != nil {
			t.Fatal(err)
		}
		text := chat.Content.Description
		if length := utf8.RuneCountInString(text); length > 8000 {
			t.Errorf("%d regions: %d characters", n, length)
		}
		if regexp.MustCompile(`\)\n\n\*[A-Z]`).MatchString(text) {
			t.Errorf("%d regions: a heading with nothing under it in\n%s", n, text)
		}
		if !strings.Contains(text, "*Warnings*") || !strings.Contains(text, "more warnings are in the mail") {
			t.Errorf("%d regions: no warnings in the chat", n)
		}
	}
}

// With earlier runs, what is new is kept before what stands, in every form.
func TestSizeLimitOfChanges(t *testing.T) {
	for _, accounts := range []int{1, 30, 1000} {
		var evaluations []audit.Evaluation
		changes := &history.Changes{Failing: []history.Change{}, Unjudged: []history.Change{}, Resolved: []history.Change{}, Due: []history.Change{}, Standing: []history.Change{}}
		at := time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
		for a := range accounts {
			for n := range 34 {
				e := evaluation(fmt.Sprintf("xx-region-%d", n+1), audit.NoRules, "no rule on the only event bus")
				e.Account, e.Since = fmt.Sprintf("%012d", a), &at
				evaluations = append(evaluations, e)
				c := history.Change{Account: e.Account, Region: e.Region, Reason: e.Reason, Since: at}
				if a == accounts-1 && n < 5 {
					changes.Failing = append(changes.Failing, c)
				} else {
					changes.Standing = append(changes.Standing, c)
				}
			}
		}
		r := recordOf(evaluations...)
		r.Changes = changes
		m, err := notify.Compose(r, notify.Kind(r))
		if err != nil {
			t.Fatal(err)
		}
		check(t, m)
		var texts map[string]string
		json.Unmarshal([]byte(m.Body), &texts)
		var got record.Record
		if err := json.Unmarshal([]byte(texts["sqs"]), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Changes.Failing) != 5 || got.Changes.Omitted+len(got.Changes.Failing)+len(got.Changes.Standing) != 34*accounts || (accounts == 1) != (got.Changes.Omitted == 0) {
			t.Errorf("%d accounts: %d new, %d standing, %d omitted", accounts, len(got.Changes.Failing), len(got.Changes.Standing), got.Changes.Omitted)
		}
		for _, text := range []string{texts["email"], texts["https"]} {
			if !strings.Contains(text, fmt.Sprintf("%012d/xx-region-5", accounts-1)) && accounts > 1 {
				t.Errorf("%d accounts: what is new is cut from %s", accounts, text[:500])
			}
		}
		if len(r.Changes.Standing) != 34*accounts-5 || r.Changes.Omitted != 0 {
			t.Error("composing changed the record itself")
		}
	}
}

// The same of a remediation: what failed and what was changed goes before what was left alone.
func TestSizeLimitOfARemediation(t *testing.T) {
	for _, accounts := range []int{1, 10, 1000} {
		var evaluations []audit.Evaluation
		report := &remediation.Report{Mode: remediation.ModePlan}
		for a := range accounts {
			for n := range 34 {
				e := evaluation(fmt.Sprintf("xx-region-%d", n+1), audit.NoRules, "no rule on the only event bus")
				e.Account = fmt.Sprintf("%012d", a)
				evaluations = append(evaluations, e)
				region := remediation.Region{Account: e.Account, Region: e.Region, Result: remediation.Skipped, Reason: remediation.NoTargetFunction, Before: e.Status, Detail: strings.Repeat("why ", 30)}
				if n%2 == 0 {
					region.Result = remediation.Planned
					for _, a := range []remediation.Action{remediation.PutRule, remediation.AddPermission, remediation.PutTargets, remediation.EnableRule} {
						region.Steps = append(region.Steps, remediation.Step{Action: a, Result: remediation.StepPlanned, Resource: "arn:aws:events:xx-region-1:123456789012:rule/cc-scheduled-event-rule", Command: strings.Repeat("aws ", 100)})
					}
				}
				report.Regions = append(report.Regions, region)
			}
		}
		r := recordOf(evaluations...)
		r.Remediation = report
		m, err := notify.Compose(r, record.Failing)
		if err != nil {
			t.Fatal(err)
		}
		check(t, m)
		var texts map[string]string
		json.Unmarshal([]byte(m.Body), &texts)
		var got record.Record
		if err := json.Unmarshal([]byte(texts["sqs"]), &got); err != nil {
			t.Fatal(err)
		}
		kept := got.Remediation
		if kept.Omitted+len(kept.Regions) != len(report.Regions) || got.Omitted+len(got.Evaluations) != len(evaluations) || strings.Contains(texts["sqs"], "aws aws") {
			t.Errorf("%d accounts: %d + %d regions of %d, %d + %d evaluations of %d", accounts, kept.Omitted, len(kept.Regions), len(report.Regions), got.Omitted, len(got.Evaluations), len(evaluations))
		}
		if accounts == 1 && kept.Omitted+got.Omitted > 0 {
			t.Errorf("one account does not fit: %d and %d left out", kept.Omitted, got.Omitted)
		}
		if kept.Omitted > 0 && (kept.Count(remediation.Planned) == 0 || kept.Count(remediation.Skipped) > 0 && kept.Count(remediation.Planned) < 17*accounts) {
			t.Errorf("%d accounts: %d planned and %d skipped are kept", accounts, kept.Count(remediation.Planned), kept.Count(remediation.Skipped))
		}
		if report.Regions[0].Steps[0].Command == "" || len(report.Regions) != 34*accounts {
			t.Error("composing changed the record itself")
		}
	}
}

// The longest texts that names can make still fit a phone and a subject.
func TestShortTextsStayShort(t *testing.T) {
	for _, n := range []int{1, 5, 34, 300} {
		var evaluations []audit.Evaluation
		for i := range n {
			evaluations = append(evaluations, evaluation(fmt.Sprintf("xx-a-very-long-name-of-a-region-%d", i+1), audit.NoRules, "x"))
		}
		m, err := notify.Compose(recordOf(evaluations...), record.Failing)
		if err != nil {
			t.Fatal(err)
		}
		check(t, m)
		var texts map[string]string
		if err := json.Unmarshal([]byte(m.Body), &texts); err != nil {
			t.Fatal(err)
		}
		if n > 5 && (len(texts["sms"]) < 100 || !strings.Contains(texts["sms"], " +")) {
			t.Errorf("%d regions: sms %q", n, texts["sms"])
		}
	}
}

func TestDue(t *testing.T) {
	yes, no := true, false
	on := func(w notify.When) notify.Options {
		return notify.Options{TopicARN: "arn:aws:sns:us-east-1:123456789012:t", On: w}
	}
	for _, test := range []struct {
		name  string
		o     notify.Options
		kind  record.Kind
		asked *bool
		want  bool
	}{
		{"no topic", notify.Options{On: notify.Always}, record.Failing, &yes, false},
		{"failing", on(notify.OnProblem), record.Failing, nil, true},
		{"incomplete", on(notify.OnProblem), record.Incomplete, nil, true},
		{"all well", on(notify.OnProblem), record.None, nil, false},
		{"always, all well", on(notify.Always), record.None, nil, true},
		{"never, failing", on(notify.Never), record.Failing, nil, false},
		{"never, but asked for", on(notify.Never), record.None, &yes, true},
		{"always, but asked not to", on(notify.Always), record.Failing, &no, false},
	} {
		if got := test.o.Due(test.kind, test.asked); got != test.want {
			t.Errorf("%s: %t, want %t", test.name, got, test.want)
		}
	}
}

// A rule is named in a command only where it is the only one, and a person's own: no command may enable a rule that
// somebody turned off for a reason, or one that would not mend the region.
func TestCommandsMakeNoChoice(t *testing.T) {
	for _, test := range []struct {
		name     string
		evidence audit.Evidence
		want     string
	}{
		{"the only rule", audit.Evidence{Rules: 1, Examples: []string{"nightly"}}, "--name nightly"},
		{"one of two", audit.Evidence{Rules: 2, Examples: []string{"delete-old", "guard"}}, "--name RULE_NAME"},
		{"one of many", audit.Evidence{Rules: 7, Examples: []string{"delete-old"}}, "--name RULE_NAME"},
		{"of an AWS service", audit.Evidence{Rules: 1, Managed: 1, Examples: []string{"AutoScalingManagedRule"}}, "--name RULE_NAME"},
		{"the product's own", audit.Evidence{Rules: 1, Own: 1, Examples: []string{"tick"}}, "--name RULE_NAME"},
	} {
		e := evaluation("eu-west-1", audit.NoActiveRules, "x")
		e.Evidence = test.evidence
		if got := notify.Groups([]audit.Evaluation{e}, audit.NonCompliant)[0].Commands; len(got) != 1 || !strings.HasSuffix(got[0], test.want) {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

func TestEveryProblemHasAdvice(t *testing.T) {
	for _, reason := range audit.Reasons() {
		for _, policy := range audit.Policies() {
			status := policy.Status(reason)
			if status != audit.NonCompliant && status != audit.InsufficientData {
				continue
			}
			e := evaluation("eu-west-1", reason, "x")
			e.Status = status
			groups := notify.Groups([]audit.Evaluation{e}, status)
			if len(groups) != 1 || groups[0].Title == "" || groups[0].Advice == "" || status == audit.NonCompliant && len(groups[0].Commands) == 0 {
				t.Errorf("%s has no advice: %+v", reason, groups)
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
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
