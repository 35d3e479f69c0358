// Package trigger reads what started a run: the payload of a Lambda invocation. It is pure, and strict: a payload that it
// does not know whole is refused before anything is called, since a misread request to change an account is worse than
// none.
package trigger

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// Kind says what started a run.
type Kind string

const (
	Schedule Kind = "schedule" // an EventBridge rule's or EventBridge Scheduler's tick
	Manual   Kind = "manual"   // an invocation by hand
	CLI      Kind = "cli"      // the terminal
)

// Action is what a run is asked to do.
type Action string

const (
	Audit     Action = "audit"
	Plan      Action = "plan"
	Remediate Action = "remediate"
	Undo      Action = "undo"
	SelfTest  Action = "self-test" // whether the auditor itself works, told by a marked message
)

func actions() []string {
	return []string{string(Audit), string(Plan), string(Remediate), string(Undo), string(SelfTest)}
}

// Trigger is what started a run, and what it asks for.
type Trigger struct {
	Kind     Kind
	ID       string   // of the event or request: equal for two deliveries of one event
	Action   Action   // "" means what the settings say
	Regions  []string // narrows the run; empty means what the settings say
	Accounts []string // narrows the run; empty means what the settings say
	Notify   *bool    // true: publish, whatever is found; false: do not; nil: what the settings say
}

// PayloadError names everything that is wrong with a payload.
type PayloadError struct{ Problems []string }

func (e *PayloadError) Error() string {
	return "payload: " + strings.Join(e.Problems, "; ") + ` (send {} for a full run, or for instance {"action": "audit", "regions": ["eu-west-1"]})`
}

// Parse reads an invocation payload. requestID names the run where the payload has no id of its own. Its error is a
// *PayloadError.
func Parse(payload []byte, requestID string) (Trigger, error) {
	keys, err := object(payload)
	if err != nil {
		return Trigger{}, &PayloadError{[]string{err.Error()}}
	}
	if _, ok := keys["detail-type"]; ok {
		return scheduled(keys, requestID)
	}
	return manual(keys, requestID)
}

// scheduled reads the envelope of an EventBridge event. Keys beyond the ones used here are AWS's to add.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
func scheduled(keys map[string]json.RawMessage, requestID string) (Trigger, error) {
	var problems []string
	text := func(key string) string {
		value, err := stringValue(keys[key])
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", key, err))
		}
		return value
	}
	detailType, source := text("detail-type"), text("source")
	for _, key := range manualKeys {
		if _, ok := keys[key]; ok {
			problems = append(problems, fmt.Sprintf("%q does not go with \"detail-type\": send either an event or a manual request", key))
		}
	}
	if problems == nil {
		if detailType != "Scheduled Event" || (source != "aws.events" && source != "aws.scheduler") {
			problems = append(problems, fmt.Sprintf("event %q from %q is not one that this function acts on: only \"Scheduled Event\" from aws.events or aws.scheduler is", detailType, source))
		}
	}
	id := requestID
	if _, ok := keys["id"]; ok && problems == nil {
		id = cmp.Or(text("id"), requestID)
	}
	if problems != nil {
		return Trigger{}, &PayloadError{problems}
	}
	return Trigger{Kind: Schedule, ID: id}, nil
}

var manualKeys = []string{"action", "regions", "accounts", "notify"}

func manual(keys map[string]json.RawMessage, requestID string) (Trigger, error) {
	t := Trigger{Kind: Manual, ID: requestID}
	var problems []string
	bad := func(key, format string, args ...any) {
		problems = append(problems, key+": "+fmt.Sprintf(format, args...))
	}
	for _, key := range sortedKeys(keys) {
		raw := keys[key]
		switch key {
		case "action":
			value, err := stringValue(raw)
			switch {
			case err != nil:
				bad(key, "%v", err)
			case !slices.Contains(actions(), value):
				bad(key, "%q is not one of %s", value, strings.Join(actions(), ", "))
			default:
				t.Action = Action(value)
			}
		case "regions":
			values, err := stringList(raw)
			if err != nil {
				bad(key, "%v", err)
			}
			for _, v := range values {
				if !audit.IsRegionName(v) {
					bad(key, "%q is not a region's name, such as eu-west-1", v)
				}
			}
			t.Regions = values
		case "accounts":
			values, err := stringList(raw)
			if err != nil {
				bad(key, "%v", err)
			}
			for _, v := range values {
				if !accountID.MatchString(v) {
					bad(key, "%q is not an account id of 12 digits", v)
				}
			}
			t.Accounts = values
		case "notify":
			if text := string(raw); text != "true" && text != "false" {
				bad(key, "want true or false, got %s", show(raw))
			} else {
				yes := text == "true"
				t.Notify = &yes
			}
		default:
			problem := fmt.Sprintf("unknown key %q", key)
			if guess := audit.Nearest(strings.ToLower(key), manualKeys); guess != "" {
				problem += fmt.Sprintf(", did you mean %q?", guess)
			} else {
				problem += ", known are " + strings.Join(manualKeys, ", ")
			}
			problems = append(problems, problem)
		}
	}
	if problems != nil {
		return Trigger{}, &PayloadError{problems}
	}
	return t, nil
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// object reads one JSON object. Unlike json.Unmarshal it refuses a key that comes twice, and it matches keys to the
// letter.
func object(data []byte) (map[string]json.RawMessage, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("is empty")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	first, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	if first != json.Delim('{') {
		return nil, fmt.Errorf("want a JSON object, got %s", shorten(string(bytes.TrimSpace(data))))
	}
	keys := map[string]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("is not JSON: %w", err)
		}
		key, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("is not JSON: key %v", token)
		}
		if _, twice := keys[key]; twice {
			return nil, fmt.Errorf("key %q comes twice", key)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("is not JSON, at key %q: %w", key, err)
		}
		keys[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	if rest := bytes.TrimSpace(data[d.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("has more after the JSON object: %s", shorten(string(rest)))
	}
	return keys, nil
}

func stringValue(raw json.RawMessage) (string, error) {
	if len(raw) == 0 {
		return "", errors.New("is missing")
	}
	var value *string
	if err := json.Unmarshal(raw, &value); err != nil || value == nil {
		return "", fmt.Errorf("want a string, got %s", show(raw))
	}
	return *value, nil
}

func stringList(raw json.RawMessage) ([]string, error) {
	var values []*string
	if err := json.Unmarshal(raw, &values); err != nil || values == nil || slices.Contains(values, nil) {
		return nil, fmt.Errorf("want a list of strings, got %s", show(raw))
	}
	if len(values) == 0 {
		return nil, errors.New("is an empty list: leave the key out to mean all")
	}
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = *v
	}
	return list, nil
}

func sortedKeys(keys map[string]json.RawMessage) []string {
	names := make([]string, 0, len(keys))
	for k := range keys {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// show gives a JSON value as it was sent, where that is one printable line of moderate length.
func show(raw json.RawMessage) string {
	text := string(raw)
	if len(text) > 60 || strings.ContainsFunc(text, func(c rune) bool { return !strconv.IsPrint(c) }) {
		return shorten(text)
	}
	return text
}

// shorten quotes foreign text so that it fits a line.
func shorten(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}
