package settings_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/settings"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

const topic = "arn:aws:sns:us-east-1:123456789012:eventbridge-auditor"

func TestDefaults(t *testing.T) {
	empty := []string{"REGIONS=", "EXCLUDE_REGIONS=", "COMPLIANCE_POLICY=", "TOPIC_ARN=", "NOTIFY_ON=", "CONCURRENCY=", "REGION_TIMEOUT=", "MODE=",
		"STORE=", "REMINDER_INTERVAL=", "EXCEPTIONS=",
		"REMEDIATION_RULE_NAME=", "REMEDIATION_SCHEDULE=", "REMEDIATION_EVENT_PATTERN=", "REMEDIATION_TARGET_FUNCTION=", "REMEDIATION_STATEMENT_ID=",
		"REMEDIATION_TARGET_ID=", "REMEDIATION_LIMIT="}
	for name, environ := range map[string][]string{"no variable": nil, "empty variables": empty} {
		got, err := settings.Read(settings.Environment(environ))
		want := settings.Settings{
			Audit:  audit.Options{Policy: audit.Conformity, Concurrency: 64, RegionTimeout: 10 * time.Second},
			Notify: notify.Options{Reminder: 7 * 24 * time.Hour},
			Action: trigger.Audit, Remediation: remediation.Defaults(),
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestEverySetting(t *testing.T) {
	got, err := settings.Read(settings.Environment([]string{"REGIONS=us-east-1, eu-west-1,us-east-1", "EXCLUDE_REGIONS=ap-south-1", "COMPLIANCE_POLICY=strict",
		"TOPIC_ARN=" + topic, "NOTIFY_ON=always", "CONCURRENCY=7", "REGION_TIMEOUT=1m30s", "MODE=remediate", "UNRELATED=x", "STORE=s3://bucket/a/b", "REMINDER_INTERVAL=24h", "EXCEPTIONS=s3://bucket/e.json",
		"REMEDIATION_RULE_NAME=r", "REMEDIATION_SCHEDULE=rate(1 hour)", "REMEDIATION_EVENT_PATTERN=health", "REMEDIATION_TARGET_FUNCTION=f",
		"REMEDIATION_STATEMENT_ID=s", "REMEDIATION_TARGET_ID=t", "REMEDIATION_LIMIT=7"}))
	want := settings.Settings{
		Selection: audit.Selection{Only: []string{"eu-west-1", "us-east-1"}, Exclude: []string{"ap-south-1"}},
		Audit:     audit.Options{Policy: audit.Strict, Concurrency: 7, RegionTimeout: 90 * time.Second},
		Notify:    notify.Options{TopicARN: topic, On: notify.Always, Reminder: 24 * time.Hour},
		Store:     "s3://bucket/a/b", Exceptions: "s3://bucket/e.json",
		Action: trigger.Remediate, MayChange: true,
		Remediation: remediation.Options{RuleName: "r", Schedule: "rate(1 hour)", EventPattern: `{"source":["aws.health"]}`, TargetFunction: "f",
			StatementID: "s", TargetID: "t", Limit: 7},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAStoreMeansChange(t *testing.T) {
	for on, want := range map[string]notify.When{"": notify.OnChange, "change": notify.OnChange, "always": notify.Always, "never": notify.Never} {
		got, err := settings.Read(settings.Environment([]string{"STORE=folder", "NOTIFY_ON=" + on, "REMINDER_INTERVAL=0"}))
		if err != nil || got.Notify.On != want || got.Notify.Reminder != 0 {
			t.Errorf("%q: %+v, %v", on, got.Notify, err)
		}
	}
}

func TestFlagWinsOverVariable(t *testing.T) {
	flags := func(s settings.Setting) (string, string, bool) { return "strict", "--" + s.Flag, s.Flag == "policy" }
	got, err := settings.Read(flags, settings.Environment([]string{"COMPLIANCE_POLICY=nonsense", "CONCURRENCY=3"}))
	if err != nil || got.Audit.Policy != audit.Strict || got.Audit.Concurrency != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestBadSettings(t *testing.T) {
	for _, test := range []struct{ name, variable, says string }{
		{"region's case", "REGIONS=EU-WEST-1", `REGIONS: want region names with commas between, such as eu-west-1,us-east-1; not a region's name: "EU-WEST-1"`},
		{"an empty item", "EXCLUDE_REGIONS=eu-west-1,,us-east-1", `EXCLUDE_REGIONS: want region names with commas between, such as eu-west-1,us-east-1; not a region's name: ""`},
		{"blank", "REGIONS=  ", "REGIONS: is empty; leave it out for the default (every region of the partition)"},
		{"policy", "COMPLIANCE_POLICY=Strict", `COMPLIANCE_POLICY: want conformity or strict, got "Strict"`},
		{"not an ARN", "TOPIC_ARN=eventbridge-auditor", `TOPIC_ARN: want the ARN of an SNS topic, such as arn:aws:sns:us-east-1:123456789012:eventbridge-auditor, got "eventbridge-auditor"`},
		{"another service's ARN", "TOPIC_ARN=arn:aws:sqs:us-east-1:123456789012:q", "TOPIC_ARN: want the ARN of an SNS topic"},
		{"FIFO", "TOPIC_ARN=" + topic + ".fifo", "TOPIC_ARN: \"" + topic + ".fifo\" is a FIFO topic"},
		{"change without a store", "NOTIFY_ON=change", `notify-on (NOTIFY_ON): change needs a store`},
		{"notify", "NOTIFY_ON=sometimes", `NOTIFY_ON: want change, always or never, got "sometimes"`},
		{"store", "STORE=s3:/bucket", `STORE: want s3://BUCKET/…, got "s3:/bucket"`},
		{"store's bucket", "STORE=s3://Bucket/x", `STORE: want s3://BUCKET/…`},
		{"exceptions", "EXCEPTIONS=s3://bucket", `EXCEPTIONS: want an object, s3://BUCKET/KEY, got "s3://bucket"`},
		{"reminder", "REMINDER_INTERVAL=weekly", `REMINDER_INTERVAL: want a duration of at least 1m, such as 168h, or 0, got "weekly"`},
		{"reminder too short", "REMINDER_INTERVAL=1s", `REMINDER_INTERVAL: want a duration of at least 1m`},
		{"mode", "MODE=fix", `MODE: want report, plan or remediate, got "fix"`},
		{"rule name", "REMEDIATION_RULE_NAME=my rule", `REMEDIATION_RULE_NAME: want a rule's name: at most 64 letters, digits, dots, dashes and underscores, got "my rule"`},
		{"rule name too long", "REMEDIATION_RULE_NAME=" + strings.Repeat("r", 65), "REMEDIATION_RULE_NAME: want a rule's name"},
		{"schedule", "REMEDIATION_SCHEDULE=rate(5 minute)", "REMEDIATION_SCHEDULE: rate: want rate(5 minutes), got rate(5 minute)"},
		{"pattern", "REMEDIATION_EVENT_PATTERN=heath", "REMEDIATION_EVENT_PATTERN: want an event pattern as a JSON object"},
		{"function's ARN", "REMEDIATION_TARGET_FUNCTION=arn:aws:lambda:eu-west-1:123456789012:function:f", "REMEDIATION_TARGET_FUNCTION: want a function's name without region"},
		{"statement", "REMEDIATION_STATEMENT_ID=a.b", "REMEDIATION_STATEMENT_ID: want a statement's id"},
		{"target", "REMEDIATION_TARGET_ID=a b", "REMEDIATION_TARGET_ID: want a target's id"},
		{"limit", "REMEDIATION_LIMIT=0", `REMEDIATION_LIMIT: want a whole number from 1 to 100000, got "0"`},
		{"concurrency zero", "CONCURRENCY=0", `CONCURRENCY: want a whole number from 1 to 1024, got "0"`},
		{"concurrency too high", "CONCURRENCY=1025", `CONCURRENCY: want a whole number from 1 to 1024, got "1025"`},
		{"an endless value", "COMPLIANCE_POLICY=" + strings.Repeat("x", 5000), `COMPLIANCE_POLICY: want conformity or strict, got "xxx`},
		{"concurrency text", "CONCURRENCY=many", `CONCURRENCY: want a whole number from 1 to 1024, got "many"`},
		{"timeout without unit", "REGION_TIMEOUT=10", `REGION_TIMEOUT: want a duration from 100ms to 10m, such as 10s, got "10"`},
		{"timeout negative", "REGION_TIMEOUT=-1s", "REGION_TIMEOUT: want a duration"},
		{"timeout huge", "REGION_TIMEOUT=99999h", "REGION_TIMEOUT: want a duration"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := settings.Read(settings.Environment([]string{test.variable}))
			var bad *settings.Error
			if !errors.As(err, &bad) || len(bad.Problems) != 1 || len(err.Error()) > 500 || !strings.HasPrefix(err.Error(), test.says) {
				t.Errorf("error %v, want %q", err, test.says)
			}
		})
	}
	_, err := settings.Read(settings.Environment([]string{"CONCURRENCY=x", "REGION_TIMEOUT=y", "COMPLIANCE_POLICY=z"}))
	var bad *settings.Error
	if !errors.As(err, &bad) || len(bad.Problems) != 3 {
		t.Errorf("not all named at once: %v", err)
	}
}

// A row without a help text, or two rows for one name, would show in --help.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range settings.Table() {
		for _, name := range []string{row.Flag, row.Variable} {
			if name != "" && seen[name] {
				t.Errorf("%s comes twice", name)
			}
			seen[name] = true
		}
		if row.Variable == "" || row.Help == "" || row.Value == "" || row.DefaultText() == "" {
			t.Errorf("incomplete row %+v", row)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("eu-west-1", "us-east-1", "strict", topic, "always", "7", "10s", "report")
	f.Add("", " ", "x\n", "arn:", "change", "-1", "1e9h", "plan")
	f.Fuzz(func(t *testing.T, regions, exclude, policy, topicARN, on, concurrency, timeout, mode string) {
		got, err := settings.Read(settings.Environment([]string{"REGIONS=" + regions, "EXCLUDE_REGIONS=" + exclude, "COMPLIANCE_POLICY=" + policy,
			"TOPIC_ARN=" + topicARN, "NOTIFY_ON=" + on, "CONCURRENCY=" + concurrency, "REGION_TIMEOUT=" + timeout, "MODE=" + mode}))
		if err != nil {
			var bad *settings.Error
			if !errors.As(err, &bad) || len(bad.Problems) == 0 {
				t.Fatalf("error %v names nothing", err)
			}
			for _, p := range bad.Problems {
				if strings.ContainsAny(p, "\n\r\x1b") {
					t.Errorf("not one printable line: %q", p)
				}
			}
			return
		}
		if got.Audit.Concurrency < 1 || got.Audit.RegionTimeout <= 0 || got.Audit.Policy == "" {
			t.Errorf("accepted %+v", got)
		}
		for _, r := range append(got.Selection.Only, got.Selection.Exclude...) {
			if !audit.IsRegionName(r) {
				t.Errorf("accepted region %q", r)
			}
		}
	})
}
