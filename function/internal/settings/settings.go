// Package settings holds the one table of settings that the function's environment variables and the terminal's flags
// both come from, and turns their text into the rooms' options. It reads no environment itself and calls nothing.
package settings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

// Settings are the options of the rooms, as the user set them.
type Settings struct {
	Selection  audit.Selection
	Audit      audit.Options // Policy, Concurrency and RegionTimeout; the clock and the observer are the caller's
	Notify     notify.Options
	Store      string // s3://BUCKET/PREFIX, or a folder; "" means none
	Exceptions string // JSON, a file's name, or s3://BUCKET/KEY; "" means none

	Action      trigger.Action // what a run does unless its payload says otherwise
	MayChange   bool           // whether a payload may ask for changes
	Remediation remediation.Options
}

// Setting is a row of the table.
type Setting struct {
	Flag       string // without dashes; "" where the terminal has none
	Variable   string // environment variable
	Value      string // what the value looks like, for help
	Default    string // as text; "" means none
	DefaultDoc string // describes the default where Default cannot
	Help       string
	Changes    bool // matters only where something is planned or changed

	set func(s *Settings, value string) error // its error continues the sentence "NAME: …"
}

// Table returns every setting that works, in the order in which help shows them.
func Table() []Setting { return slices.Clone(table) }

var table = []Setting{
	{
		Flag: "regions", Variable: "REGIONS", Value: "a,b", DefaultDoc: "every region of the partition",
		Help: "only these regions",
		set:  func(s *Settings, v string) (err error) { s.Selection.Only, err = regionList(v); return },
	}, {
		Flag: "exclude-regions", Variable: "EXCLUDE_REGIONS", Value: "a,b", DefaultDoc: "none",
		Help: "leave these regions out; each keeps its row, as EXCLUDED",
		set:  func(s *Settings, v string) (err error) { s.Selection.Exclude, err = regionList(v); return },
	}, {
		Flag: "policy", Variable: "COMPLIANCE_POLICY", Value: "conformity|strict", Default: string(audit.Conformity),
		Help: "conformity: any active rule passes; strict: only a rule of your own that has a target",
		set: func(s *Settings, v string) error {
			s.Audit.Policy = audit.Policy(v)
			return oneOf(s.Audit.Policy, audit.Policies()...)
		},
	}, {
		Flag: "topic-arn", Variable: "TOPIC_ARN", Value: "ARN", DefaultDoc: "none: nothing is published",
		Help: "the SNS topic to publish to",
		set: func(s *Settings, v string) error {
			s.Notify.TopicARN = v
			return notify.CheckTopic(v)
		},
	}, {
		Flag: "notify-on", Variable: "NOTIFY_ON", Value: "change|always|never",
		DefaultDoc: "change with a store, else every run in which a region fails or could not be judged",
		Help:       "when to publish; change: what is new, what is resolved, and reminders; always: also when nothing is wrong",
		set: func(s *Settings, v string) error {
			s.Notify.On = notify.When(v)
			return oneOf(s.Notify.On, notify.OnChange, notify.Always, notify.Never)
		},
	}, {
		Flag: "store", Variable: "STORE", Value: "s3://BUCKET/PREFIX|FOLDER", DefaultDoc: "none",
		Help: "where to keep what was found and told, and each run's record",
		set: func(s *Settings, v string) error {
			s.Store = v
			return checkLocation(v, false)
		},
	}, {
		Flag: "reminder-interval", Variable: "REMINDER_INTERVAL", Value: "D", Default: "168h",
		Help: "with a store: tell again what still fails after so long; 0 is never",
		set: func(s *Settings, v string) (err error) {
			s.Notify.Reminder, err = time.ParseDuration(v)
			if v != "0" && err != nil || s.Notify.Reminder < 0 || s.Notify.Reminder != 0 && s.Notify.Reminder < time.Minute {
				return fmt.Errorf("want a duration of at least 1m, such as 168h, or 0, got %q", v)
			}
			return nil
		},
	}, {
		Flag: "exceptions", Variable: "EXCEPTIONS", Value: "FILE|JSON|s3://BUCKET/KEY", DefaultDoc: "none",
		Help: "regions that need not pass: a JSON list of region, reason, owner, expires, and perhaps account",
		set: func(s *Settings, v string) error {
			s.Exceptions = v
			return checkLocation(v, true)
		},
	}, {
		Variable: "MODE", Value: "report|plan|remediate", Default: "report",
		Help: "what a run does unless its payload says otherwise; remediate also lets payloads ask for remediate and undo",
		set: func(s *Settings, v string) error {
			s.Action, s.MayChange = map[string]trigger.Action{"report": trigger.Audit, "plan": trigger.Plan, "remediate": trigger.Remediate}[v], v == "remediate"
			return oneOf(v, "report", "plan", "remediate")
		},
	}, {
		Flag: "rule-name", Variable: "REMEDIATION_RULE_NAME", Value: "NAME", Default: remediation.DefaultRuleName, Changes: true,
		Help: "the rule to make, or to undo, on a region's default event bus",
		set:  name(ruleName, "a rule's name: at most 64 letters, digits, dots, dashes and underscores", func(s *Settings) *string { return &s.Remediation.RuleName }),
	}, {
		Flag: "schedule", Variable: "REMEDIATION_SCHEDULE", Value: "EXPRESSION", DefaultDoc: remediation.DefaultSchedule + ", or none with an event pattern", Changes: true,
		Help: "when the rule runs its target: rate(…) or cron(…)",
		set: func(s *Settings, v string) error {
			s.Remediation.Schedule = v
			return remediation.CheckSchedule(v)
		},
	}, {
		Flag: "event-pattern", Variable: "REMEDIATION_EVENT_PATTERN", Value: "JSON|NAME", DefaultDoc: "none", Changes: true,
		Help: "the events that run the rule's target: JSON, or " + strings.Join(remediation.PatternNames(), ", ") + " (the last two: us-east-1 only)",
		set: func(s *Settings, v string) (err error) {
			s.Remediation.EventPattern, err = remediation.ParsePattern(v)
			return
		},
	}, {
		Flag: "target-function", Variable: "REMEDIATION_TARGET_FUNCTION", Value: "NAME", Default: remediation.DefaultTargetFunction, Changes: true,
		Help: "the Lambda function that the rule runs; it must exist in the rule's own region",
		set: name(functionName, "a function's name without region, account or version: at most 64 letters, digits, dashes and underscores",
			func(s *Settings) *string { return &s.Remediation.TargetFunction }),
	}, {
		Flag: "statement-id", Variable: "REMEDIATION_STATEMENT_ID", Value: "ID", Default: remediation.DefaultStatementID, Changes: true,
		Help: "the statement in the function's policy that lets the rule run it",
		set: name(statementID, "a statement's id: at most 100 letters, digits, dashes and underscores",
			func(s *Settings) *string { return &s.Remediation.StatementID }),
	}, {
		Flag: "target-id", Variable: "REMEDIATION_TARGET_ID", Value: "ID", Default: remediation.DefaultTargetID, Changes: true,
		Help: "the id of the rule's target",
		set: name(ruleName, "a target's id: at most 64 letters, digits, dots, dashes and underscores",
			func(s *Settings) *string { return &s.Remediation.TargetID }),
	}, {
		Flag: "limit", Variable: "REMEDIATION_LIMIT", Value: "N", Default: strconv.Itoa(remediation.DefaultLimit), Changes: true,
		Help: "regions that one run changes, or undoes, at most; the first goes alone, and if it fails the others are left",
		set: func(s *Settings, v string) (err error) {
			s.Remediation.Limit, err = strconv.Atoi(v)
			if err != nil || s.Remediation.Limit < 1 || s.Remediation.Limit > 100_000 {
				return fmt.Errorf("want a whole number from 1 to 100000, got %q", v)
			}
			return nil
		},
	}, {
		Flag: "concurrency", Variable: "CONCURRENCY", Value: "N", Default: "64",
		Help: "regions asked at once",
		set: func(s *Settings, v string) (err error) {
			s.Audit.Concurrency, err = strconv.Atoi(v)
			if err != nil || s.Audit.Concurrency < 1 || s.Audit.Concurrency > 1024 {
				return fmt.Errorf("want a whole number from 1 to 1024, got %q", v)
			}
			return nil
		},
	}, {
		Flag: "region-timeout", Variable: "REGION_TIMEOUT", Value: "D", Default: "10s",
		Help: "time for one region, all its requests and retries included",
		set: func(s *Settings, v string) (err error) {
			s.Audit.RegionTimeout, err = time.ParseDuration(v)
			if err != nil || s.Audit.RegionTimeout < 100*time.Millisecond || s.Audit.RegionTimeout > 10*time.Minute {
				return fmt.Errorf("want a duration from 100ms to 10m, such as 10s, got %q", v)
			}
			return nil
		},
	},
}

// Error names every bad setting at once.
type Error struct{ Problems []string }

func (e *Error) Error() string { return strings.Join(e.Problems, "\n") }

// Source gives the text of a setting and the name under which the user set it ("--regions", "REGIONS"). ok is false for a
// setting that the user left alone.
type Source func(Setting) (value, name string, ok bool)

// Read fills Settings from the first source that has each setting, else from its default. Its error is an *Error.
func Read(sources ...Source) (Settings, error) {
	var s Settings
	var problems []string
	for _, row := range table {
		value, name := row.Default, ""
		for _, source := range sources {
			if v, n, ok := source(row); ok {
				value, name = v, n
				break
			}
		}
		switch {
		case name == "" && value == "":
		case strings.TrimSpace(value) == "":
			problems = append(problems, name+": is empty; leave it out for the default ("+row.DefaultText()+")")
		default:
			if err := row.set(&s, value); err != nil {
				problems = append(problems, name+": "+shorten(err.Error()))
			}
		}
	}
	if s.Notify.On == notify.OnChange && s.Store == "" {
		problems = append(problems, "notify-on (NOTIFY_ON): change needs a store of earlier results; set --store (STORE), or leave it out")
	}
	if problems != nil {
		return Settings{}, &Error{problems}
	}
	if s.Notify.On == notify.OnProblem && s.Store != "" {
		s.Notify.On = notify.OnChange
	}
	return s, nil
}

// checkLocation says what is wrong with where something is kept. Only what begins with s3: can be wrong by itself.
func checkLocation(v string, object bool) error {
	if !strings.HasPrefix(v, "s3:") {
		return nil
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(v, "s3://"), "/")
	letters := identifier{63, ".-"}
	switch {
	case !strings.HasPrefix(v, "s3://") || len(bucket) < 3 || !letters.fits(bucket) || bucket != strings.ToLower(bucket):
		return fmt.Errorf("want s3://BUCKET/…, got %q", v)
	case object && (key == "" || strings.HasSuffix(key, "/")):
		return fmt.Errorf("want an object, s3://BUCKET/KEY, got %q", v)
	}
	return nil
}

// DefaultText tells the default to people.
func (s Setting) DefaultText() string {
	if s.DefaultDoc != "" {
		return s.DefaultDoc
	}
	return s.Default
}

// Environment is the Source of environment variables, given as "NAME=value" pairs. An empty variable counts as not set,
// since a deployment template cannot leave one out.
func Environment(environ []string) Source {
	values := make(map[string]string, len(table))
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return func(s Setting) (string, string, bool) {
		value := values[s.Variable]
		return value, s.Variable, s.Variable != "" && value != ""
	}
}

// shorten keeps a message readable that quotes an endless value.
func shorten(s string) string {
	const most = 400
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// The lengths are checked apart: a counted repetition in a pattern would cost a millisecond of every cold start.
var (
	ruleName     = identifier{64, "._-"}
	functionName = identifier{64, "_-"}
	statementID  = identifier{100, "_-"}
)

// identifier is what AWS takes for a name: at most so many letters, digits and the characters given.
type identifier struct {
	most  int
	marks string
}

func (i identifier) fits(v string) bool {
	return v != "" && len(v) <= i.most && !strings.ContainsFunc(v, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(i.marks, c))
	})
}

func name(allowed identifier, want string, field func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		if !allowed.fits(v) {
			return fmt.Errorf("want %s, got %q", want, v)
		}
		*field(s) = v
		return nil
	}
}

func regionList(text string) ([]string, error) {
	names := strings.Split(text, ",")
	var bad []string
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		if !audit.IsRegionName(names[i]) {
			bad = append(bad, strconv.Quote(names[i]))
		}
	}
	if bad != nil {
		return nil, fmt.Errorf("want region names with commas between, such as eu-west-1,us-east-1; not a region's name: %s", strings.Join(bad, ", "))
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func oneOf[T ~string](value T, allowed ...T) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	last := len(names) - 1
	return fmt.Errorf("want %s or %s, got %q", strings.Join(names[:last], ", "), names[last], value)
}
