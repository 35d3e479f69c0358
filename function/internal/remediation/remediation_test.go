package remediation_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
)

func TestSchedules(t *testing.T) {
	good := strings.Split("rate(1 minute)|rate(5 minutes)|rate(1 hour)|rate(24 hours)|rate(1 day)|rate(365 days)|"+
		"cron(0 6 * * ? *)|cron(0/15 * * * ? *)|cron(0 18 ? * MON-FRI *)|cron(0 8 1 * ? *)|cron(0 10 L * ? *)|cron(0 10 LW * ? *)|cron(0 10 L-3 * ? *)|"+
		"cron(0 10 15W * ? *)|cron(0 10 ? * 6L *)|cron(0 10 ? * L *)|cron(0 10 ? * MON#1 *)|cron(5,35 14 * JAN,jun ? 2027-2030)|cron(0 0 1-5,20 1/3 ? *)", "|")
	for _, text := range good {
		if err := remediation.CheckSchedule(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, says := range map[string]string{
		"":                                "want rate(5 minutes) or cron",
		"every day":                       "want rate(5 minutes) or cron",
		"rate(5 minutes":                  "want rate(5 minutes) or cron",
		"at(2027-01-01T00:00:00)":         "want rate(5 minutes) or cron",
		"rate(5 minute)":                  "want rate(5 minutes), got rate(5 minute)",
		"rate(1 minutes)":                 "want rate(1 minute), got rate(1 minutes)",
		"rate(0 minutes)":                 "whole number of at least 1",
		"rate(-5 minutes)":                "whole number of at least 1",
		"rate(+5 minutes)":                "whole number of at least 1",
		"rate(05 minutes)":                "whole number of at least 1",
		"rate(5  minutes)":                "want minutes, hours or days",
		"rate(5 weeks)":                   "want minutes, hours or days",
		"rate(5minutes)":                  "whole number",
		"rate()":                          "whole number",
		"cron(0 6 * * *)":                 "want six fields",
		"cron(0 6 * * ? * *)":             "want six fields",
		"cron(0 6 * * * *)":               "exactly one ?",
		"cron(0 6 ? * ? *)":               "exactly one ?",
		"cron(60 6 * * ? *)":              `"60" is no value for minutes (0-59)`,
		"cron(0 24 * * ? *)":              "hours",
		"cron(0 6 0 * ? *)":               "day-of-month",
		"cron(0 6 32 * ? *)":              "day-of-month",
		"cron(0 6 * 13 ? *)":              "month",
		"cron(0 6 * JANUARY ? *)":         "month",
		"cron(0 6 ? * 8 *)":               "day-of-week",
		"cron(0 6 ? * MON#6 *)":           "day-of-week",
		"cron(0 6 ? * #1 *)":              "day-of-week",
		"cron(0 6 * * ? 1969)":            "year",
		"cron(0 6 * * ? 2200)":            "year",
		"cron(0/0 6 * * ? *)":             "minutes",
		"cron(0/+5 6 * * ? *)":            "minutes",
		"cron(+5 6 * * ? *)":              "minutes",
		"cron(0,,5 6 * * ? *)":            "minutes",
		"cron(? 6 * * ? *)":               "minutes",
		"cron(0 6 W * ? *)":               "day-of-month",
		"cron(0 6 * * ? *) ":              "want rate",
		"rate(99999999999999999999 days)": "whole number",
	} {
		if err := remediation.CheckSchedule(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

func TestPatterns(t *testing.T) {
	for text, want := range map[string]string{
		`{"source":["aws.health"]}`:                                      `{"source":["aws.health"]}`,
		" {\n \"source\" : [ \"a<b>&\" ] , \"account\":[\"1\"]} ":        `{"account":["1"],"source":["a<b>&"]}`,
		`{"detail":{"n":[1.50,null,true,{"numeric":[">",1e3]}]}}`:        `{"detail":{"n":[1.50,null,true,{"numeric":[">",1e3]}]}}`,
		`{"$or":[{"a":["b"]},{"c":{"d":[{"exists":false}]}}]}`:           `{"$or":[{"a":["b"]},{"c":{"d":[{"exists":false}]}}]}`,
		`{"a":[{"anything-but":{"prefix":"x"}},{"cidr":"10.0.0.0/24"}]}`: `{"a":[{"anything-but":{"prefix":"x"}},{"cidr":"10.0.0.0/24"}]}`,
		"health": `{"source":["aws.health"]}`,
		`{"a":[{"prefix":{"equals-ignore-case":"x"}},{"numeric":[">",0,"<=",5]},{"anything-but":["x",1]}],"b":{"a":[{"wildcard":"*x*"}]}}`: `{"a":[{"prefix":{"equals-ignore-case":"x"}},{"numeric":[">",0,"<=",5]},{"anything-but":["x",1]}],"b":{"a":[{"wildcard":"*x*"}]}}`,
	} {
		if got, err := remediation.ParsePattern(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for text, says := range map[string]string{
		"":                            "want an event pattern as a JSON object",
		"helth":                       "or one of eventbridge-tampering, health, iam-changes, root-sign-in",
		"[]":                          "want an event pattern as a JSON object",
		`{"source":["a"]`:             "not JSON",
		`{"source":["a"]} x`:          "not JSON: something follows",
		`{}`:                          "the pattern is an empty object",
		`{"detail":{}}`:               "detail is an empty object",
		`{"source":"aws.health"}`:     `source: want a list of values, such as ["aws.health"], or an object`,
		`{"detail":{"a":5,"b":null}}`: "detail.a: want a list of values, such as [5], or an object; detail.b: want",
		`{"source":[]}`:               "source: an empty list",
		`{"source":[["a"]]}`:          "a list within a list",
		`{"source":[{"perfix":"a"}]}`: `unknown filter "perfix"`,
		`{"source":[{}]}`:             "exactly one filter",
		`{"source":[{"prefix":"a","suffix":"b"}]}`:         "exactly one filter",
		`{"source":["a"],"source":["b"]}`:                  `the key "source" comes twice`,
		`{"a":{"b":[1],"c":[{"prefix":"x"}],"b":[2]}}`:     `the key "b" comes twice`,
		`{"a":[{"prefix":5}]}`:                             "the filter prefix wants a text, got 5",
		`{"a":[{"exists":"yes"}]}`:                         "the filter exists wants true or false",
		`{"a":[{"numeric":["~",5]}]}`:                      "the filter numeric wants a comparison",
		`{"a":[{"numeric":[">"]}]}`:                        "the filter numeric wants a comparison",
		`{"a":[{"cidr":"nonsense"}]}`:                      "the filter cidr wants an address range",
		`{"a":[{"anything-but":{}}]}`:                      "the filter anything-but wants values",
		`{"a":[{"anything-but":{"cidr":"10.0.0.0/8"}}]}`:   "the filter anything-but wants values",
		`{"a":[{"wildcard":"a**"}]}`:                       "the filter wildcard wants",
		`{"$or":["a"]}`:                                    "$or: want objects",
		`{"source":["` + strings.Repeat("x", 4100) + `"]}`: "EventBridge takes 4096",
	} {
		if got, err := remediation.ParsePattern(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %q, %v, want %q", text, got, err, says)
		}
	}
	for _, name := range remediation.PatternNames() {
		pattern, err := remediation.ParsePattern(name)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := remediation.ParsePattern(pattern); err != nil || again != pattern {
			t.Errorf("%s is not canonical, or not a pattern: %s, %v", name, again, err)
		}
	}
}

// The commands of a region are chained: none runs after one that failed, and a target that AWS refused in a 200 is a failure.
func TestChainStopsAtAFailure(t *testing.T) {
	s := remediation.SpecFor(audit.Scope{Account: "123456789012", Region: "eu-west-1"}, remediation.Defaults())
	chain := remediation.Chain([]string{s.Command(remediation.PutRule), s.Command(remediation.AddPermission), s.Command(remediation.PutTargets), s.Command(remediation.EnableRule)})
	for _, test := range []struct{ stub, want string }{
		{`echo "$2" >&2; echo 0`, "put-rule add-permission put-targets enable-rule"},
		{`echo "$2" >&2; echo 1`, "put-rule add-permission put-targets"},
		{`echo "$2" >&2; test "$2" != add-permission`, "put-rule add-permission"},
	} {
		sh := exec.Command("sh", "-c", "aws() { "+test.stub+"; }; "+chain)
		var called strings.Builder
		sh.Stderr = &called
		err := sh.Run()
		if got := strings.Join(strings.Fields(called.String()), " "); got != test.want || (err == nil) != (test.want == "put-rule add-permission put-targets enable-rule") {
			t.Errorf("%s: called %q, want %q, %v", test.stub, got, test.want, err)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{`{"source":["aws.health"]}`, `{"a":{"b":[{"prefix":"x"},1,null]}}`, "health", `{"$or":[{"a":["b"]}]}`, `{"\u2028":["\ud800"]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pattern, err := remediation.ParsePattern(text)
		if err != nil {
			return
		}
		if again, err := remediation.ParsePattern(pattern); err != nil || again != pattern {
			t.Errorf("%q became %q, and that %q, %v", text, pattern, again, err)
		}
		if !json.Valid([]byte(pattern)) || strings.Contains(pattern, "\n") {
			t.Errorf("%q became %q", text, pattern)
		}
	})
}

func FuzzSchedule(f *testing.F) {
	for _, seed := range []string{"rate(5 minutes)", "cron(0 6 * * ? *)", "cron(0 10 ? * MON#1 *)", "cron(////// )", "rate( )"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := remediation.CheckSchedule(text); err == nil && (strings.TrimSpace(text) != text || !strings.HasSuffix(text, ")")) {
			t.Errorf("%q is taken", text)
		}
	})
}

// The longest names still leave a description that PutRule takes, and ARNs follow the partition.
func TestSpec(t *testing.T) {
	s := remediation.SpecFor(audit.Scope{Account: "123456789012", Region: "cn-north-1"}, remediation.Options{
		RuleName: strings.Repeat("r", 64), TargetFunction: strings.Repeat("f", 64), StatementID: strings.Repeat("s", 100), TargetID: strings.Repeat("t", 64),
	})
	if len(s.Description) > 512 || !strings.Contains(s.Description, audit.MarkerRemediation) {
		t.Errorf("description of %d: %s", len(s.Description), s.Description)
	}
	if !strings.HasPrefix(s.RuleARN, "arn:aws-cn:events:cn-north-1:123456789012:rule/r") || !strings.HasPrefix(s.FunctionARN, "arn:aws-cn:lambda:cn-north-1:123456789012:function:f") {
		t.Errorf("%s %s", s.RuleARN, s.FunctionARN)
	}
	if s.Schedule != remediation.DefaultSchedule || s.Pattern != "" {
		t.Errorf("%q %q", s.Schedule, s.Pattern)
	}
}

// Whatever stands in the settings, a command is one command of a shell, with the words that AWS is to get.
func TestCommandsAreSafeToPaste(t *testing.T) {
	pattern, err := remediation.ParsePattern(`{"source":["it's; rm -rf \"/\" $(reboot) ` + "`x`" + ` \\ !"]}`)
	if err != nil {
		t.Fatal(err)
	}
	o := remediation.Defaults()
	o.EventPattern, o.Schedule = pattern, "cron(0 6 ? * MON#1 *)"
	s := remediation.SpecFor(audit.Scope{Account: "123456789012", Region: "eu-west-1"}, o)
	for action, want := range map[remediation.Action][]string{
		remediation.PutRule: {"events", "put-rule", "--region", "eu-west-1", "--name", "cc-scheduled-event-rule", "--state", "DISABLED", "--schedule-expression", "cron(0 6 ? * MON#1 *)",
			"--event-pattern", pattern, "--tags", "Key=eventbridge-auditor,Value=remediation", "--description", s.Description},
		remediation.PutTargets: {"events", "put-targets", "--region", "eu-west-1", "--rule", "cc-scheduled-event-rule", "--targets", "Id=5,Arn=" + s.FunctionARN, "--query", "FailedEntryCount", "--output", "text"},
		remediation.AddPermission: {"lambda", "add-permission", "--region", "eu-west-1", "--function-name", "LogScheduledEvent", "--statement-id", "cc-scheduled-event",
			"--action", "lambda:InvokeFunction", "--principal", "events.amazonaws.com", "--source-arn", s.RuleARN, "--source-account", "123456789012"},
		remediation.EnableRule:       {"events", "enable-rule", "--region", "eu-west-1", "--name", "cc-scheduled-event-rule"},
		remediation.DisableRule:      {"events", "disable-rule", "--region", "eu-west-1", "--name", "cc-scheduled-event-rule"},
		remediation.RemoveTargets:    {"events", "remove-targets", "--region", "eu-west-1", "--rule", "cc-scheduled-event-rule", "--ids", "5", "--query", "FailedEntryCount", "--output", "text"},
		remediation.DeleteRule:       {"events", "delete-rule", "--region", "eu-west-1", "--name", "cc-scheduled-event-rule"},
		remediation.RemovePermission: {"lambda", "remove-permission", "--region", "eu-west-1", "--function-name", "LogScheduledEvent", "--statement-id", "cc-scheduled-event"},
	} {
		// The stand-in for aws writes its words to standard error, since a command may read what aws answers.
		sh := exec.Command("sh", "-c", "aws() { for word; do printf '%s\\n' \"$word\" >&2; done; echo 0; }; "+s.Command(action))
		var words strings.Builder
		sh.Stderr = &words
		err := sh.Run()
		out := words.String()
		if got := strings.Split(strings.TrimSuffix(out, "\n"), "\n"); err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: a shell makes %q of it, want %q, %v", action, got, want, err)
		}
	}
}
