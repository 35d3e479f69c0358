package trigger_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name, payload string
		want          trigger.Trigger
	}{
		{"empty object", `{}`, trigger.Trigger{Kind: trigger.Manual, ID: "req-1"}},
		{"rule", `{"version":"0","id":"53dc4d37","detail-type":"Scheduled Event","source":"aws.events","account":"123456789012","time":"2026-11-22T06:00:00Z","region":"us-east-1","resources":["arn:aws:events:us-east-1:123456789012:rule/r"],"detail":{}}`,
			trigger.Trigger{Kind: trigger.Schedule, ID: "53dc4d37"}},
		{"scheduler, detail is a string", `{"id":"e-1","detail-type":"Scheduled Event","source":"aws.scheduler","detail":"{}","a-key-of-next-year":1}`,
			trigger.Trigger{Kind: trigger.Schedule, ID: "e-1"}},
		{"no id: the request's", `{"source":"aws.events","detail-type":"Scheduled Event","detail":{}}`, trigger.Trigger{Kind: trigger.Schedule, ID: "req-1"}},
		{"all keys", `{"action":"audit","regions":["eu-west-1","us-east-1"],"accounts":["123456789012"],"notify":true}`,
			trigger.Trigger{Kind: trigger.Manual, ID: "req-1", Action: trigger.Audit, Regions: []string{"eu-west-1", "us-east-1"}, Accounts: []string{"123456789012"}, Notify: yes()}},
		{"no notification", ` { "notify" : false } `, trigger.Trigger{Kind: trigger.Manual, ID: "req-1", Notify: no()}},
		{"another action", `{"action":"remediate"}`, trigger.Trigger{Kind: trigger.Manual, ID: "req-1", Action: trigger.Remediate}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := trigger.Parse([]byte(test.payload), "req-1")
			if err != nil {
				t.Fatal(err)
			}
			if got.Kind != test.want.Kind || got.ID != test.want.ID || got.Action != test.want.Action || !slices.Equal(got.Regions, test.want.Regions) ||
				!slices.Equal(got.Accounts, test.want.Accounts) || (got.Notify == nil) != (test.want.Notify == nil) || got.Notify != nil && *got.Notify != *test.want.Notify {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestRefusedPayloads(t *testing.T) {
	for _, test := range []struct{ name, payload, names string }{
		{"nothing", ``, "is empty"},
		{"blank", " \n", "is empty"},
		{"null", `null`, `want a JSON object, got "null"`},
		{"a list", `[{}]`, "want a JSON object"},
		{"a string", `"audit"`, "want a JSON object"},
		{"a number", `42`, "want a JSON object"},
		{"not JSON", `{action: audit}`, "is not JSON"},
		{"cut off", `{"action":"aud`, "is not JSON"},
		{"two objects", `{}{}`, "has more after the JSON object"},
		{"a key twice", `{"action":"audit","action":"remediate"}`, `key "action" comes twice`},
		{"unknown key", `{"region":"eu-west-1"}`, `unknown key "region", did you mean "regions"?`},
		{"other case", `{"Action":"audit"}`, `unknown key "Action", did you mean "action"?`},
		{"unknown key far off", `{"frobnicate":1}`, `unknown key "frobnicate", known are action, regions, accounts, notify`},
		{"unknown action", `{"action":"fix"}`, `action: "fix" is not one of audit, plan, remediate, undo, self-test`},
		{"action null", `{"action":null}`, "action: want a string"},
		{"action a list", `{"action":["audit"]}`, "action: want a string"},
		{"regions a string", `{"regions":"eu-west-1"}`, "regions: want a list of strings"},
		{"regions empty", `{"regions":[]}`, "regions: is an empty list"},
		{"regions null", `{"regions":null}`, "regions: want a list of strings"},
		{"regions with null", `{"regions":["eu-west-1",null]}`, "regions: want a list of strings"},
		{"regions with a number", `{"regions":[1]}`, "regions: want a list of strings"},
		{"bad region", `{"regions":["EU West"]}`, `regions: "EU West" is not a region's name`},
		{"bad account", `{"accounts":["12345"]}`, `accounts: "12345" is not an account id of 12 digits`},
		{"account a number", `{"accounts":[123456789012]}`, "accounts: want a list of strings"},
		{"notify a string", `{"notify":"yes"}`, "notify: want true or false"},
		{"notify null", `{"notify":null}`, "notify: want true or false"},
		{"all at once", `{"action":"fix","notify":1,"x":2}`, "notify: want true or false"},
		{"another event", `{"detail-type":"AWS API Call via CloudTrail","source":"aws.events","id":"1"}`, `event "AWS API Call via CloudTrail" from "aws.events" is not one`},
		{"a forged source", `{"detail-type":"Scheduled Event","source":"my.app","id":"1"}`, `from "my.app"`},
		{"an id that is none", `{"detail-type":"Scheduled Event","source":"aws.events","id":7}`, "id: want a string"},
		{"event and request in one", `{"detail-type":"Scheduled Event","source":"aws.events","id":"1","action":"remediate"}`, `"action" does not go with "detail-type"`},
		{"forging a line", `{"action":"x\nall is well"}`, `"x\nall is well"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := trigger.Parse([]byte(test.payload), "req-1")
			var payload *trigger.PayloadError
			if !errors.As(err, &payload) {
				t.Fatalf("got %+v, error %v; want a PayloadError", got, err)
			}
			if !strings.Contains(err.Error(), test.names) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q does not say %q on one line", err, test.names)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `{"action":"audit","regions":["eu-west-1"],"accounts":["123456789012"],"notify":true}`,
		`{"id":"1","detail-type":"Scheduled Event","source":"aws.scheduler","detail":"{}"}`, `{"a":1,"a":2}`, "{\"\\u0061ction\":\"audit\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := trigger.Parse(payload, "req")
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") || len(err.Error()) > 10_000+2*len(payload) {
				t.Errorf("not one clear line: %q", err)
			}
			return
		}
		// Whatever is accepted is a JSON object whose keys the decoder of the standard library sees alike.
		var keys map[string]any
		if err := json.Unmarshal(payload, &keys); err != nil {
			t.Fatalf("accepted what is not JSON: %v", err)
		}
		if action, ok := keys["action"]; ok && got.Kind == trigger.Manual && string(got.Action) != action {
			t.Errorf("action %q read from %v", got.Action, action)
		}
		if _, ok := keys["detail-type"]; ok != (got.Kind == trigger.Schedule) {
			t.Errorf("kind %s from %s", got.Kind, payload)
		}
	})
}
