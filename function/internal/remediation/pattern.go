package remediation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// named are the event patterns that go by a name, for a rule that is of use beside letting the region pass.
//
//   - health: what AWS Health says of the account in the region.
//   - root-sign-in: console sign-ins with the root credentials, which reach us-east-1 alone.
//   - iam-changes: calls that change IAM. IAM is global: its events reach us-east-1 alone.
//   - eventbridge-tampering: calls that take rules, targets or buses away.
//
// All but health come through CloudTrail, and only where a trail logs management events.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
var named = map[string]string{
	"health": `{"source":["aws.health"]}`,
	"root-sign-in": `{"detail":{"userIdentity":{"type":["Root"]}},"detail-type":["AWS Console Sign In via CloudTrail"],` +
		`"source":["aws.signin"]}`,
	"iam-changes": `{"detail":{"eventName":[{"prefix":"Add"},{"prefix":"Attach"},{"prefix":"Change"},{"prefix":"Create"},` +
		`{"prefix":"Deactivate"},{"prefix":"Delete"},{"prefix":"Detach"},{"prefix":"Enable"},{"prefix":"Put"},{"prefix":"Remove"},` +
		`{"prefix":"Reset"},{"prefix":"Resync"},{"prefix":"Set"},{"prefix":"Tag"},{"prefix":"Untag"},{"prefix":"Update"},` +
		`{"prefix":"Upload"}],"eventSource":["iam.amazonaws.com"]},"detail-type":["AWS API Call via CloudTrail"],"source":["aws.iam"]}`,
	"eventbridge-tampering": `{"detail":{"eventName":["DeleteRule","DisableRule","RemoveTargets","DeleteEventBus"],` +
		`"eventSource":["events.amazonaws.com"]},"detail-type":["AWS API Call via CloudTrail"],"source":["aws.events"]}`,
}

// PatternNote says what a person ought to know of an event pattern before it is put into every region; "" when nothing.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html
func PatternNote(pattern string) string {
	for _, name := range []string{"iam-changes", "root-sign-in"} {
		if pattern == named[name] {
			return "the events of " + name + " come to us-east-1 alone: elsewhere the rule lets its region pass and never fires"
		}
	}
	return ""
}

// PatternNames lists the named event patterns, sorted.
func PatternNames() []string {
	return []string{"eventbridge-tampering", "health", "iam-changes", "root-sign-in"}
}

// maxPattern is the most characters that PutRule takes.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
const maxPattern = 4096

// ParsePattern reads an event pattern, given as JSON or by name, and returns it as canonical JSON. It refuses what
// EventBridge would refuse, as far as the pattern alone can tell.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
func ParsePattern(text string) (string, error) {
	if pattern, ok := named[text]; ok {
		return pattern, nil
	}
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return "", fmt.Errorf("want an event pattern as a JSON object, such as {\"source\":[\"aws.health\"]}, or one of %s; got %q",
			strings.Join(PatternNames(), ", "), text)
	}
	value, err := decode(text)
	if err != nil {
		return "", fmt.Errorf("the event pattern is not JSON: %w", err)
	}
	if err := checkFields("", value.(map[string]any)); err != nil {
		return "", fmt.Errorf("the event pattern is refused: %w", err)
	}
	pattern := canonical(text)
	if n := len([]rune(pattern)); n > maxPattern {
		return "", fmt.Errorf("the event pattern has %d characters; EventBridge takes %d", n, maxPattern)
	}
	return pattern, nil
}

// checkFields checks an object of a pattern: each field is an object, or a list of what its value may be.
func checkFields(place string, fields map[string]any) error {
	if len(fields) == 0 {
		return fmt.Errorf("%s is an empty object", at(place))
	}
	var problems []error
	for name, value := range fields {
		inner := strings.TrimPrefix(place+"."+name, ".")
		switch value := value.(type) {
		case map[string]any:
			problems = append(problems, checkFields(inner, value))
		case []any:
			problems = append(problems, checkValues(inner, name, value))
		default:
			problems = append(problems, fmt.Errorf("%s: want a list of values, such as [%s], or an object", inner, show(value)))
		}
	}
	problems = slices.DeleteFunc(problems, func(err error) bool { return err == nil })
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if len(problems) == 0 {
		return nil
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}

// filters are the comparisons that a pattern may have in the place of a value.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
var filters = []string{"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"}

func checkValues(place, name string, values []any) error {
	if len(values) == 0 {
		return fmt.Errorf("%s: an empty list matches nothing", place)
	}
	for _, value := range values {
		object, isObject := value.(map[string]any)
		if _, isList := value.([]any); isList {
			return fmt.Errorf("%s: a list within a list", place)
		}
		if name == "$or" {
			if !isObject {
				return fmt.Errorf("%s: want objects in the list", place)
			}
			if err := checkFields(place, object); err != nil {
				return err
			}
			continue
		}
		for filter, operand := range object {
			if !slices.Contains(filters, filter) {
				return fmt.Errorf("%s: unknown filter %q; known are %s", place, filter, strings.Join(filters, ", "))
			}
			if want := wrongOperand(filter, operand); want != "" {
				return fmt.Errorf("%s: the filter %s wants %s, got %s", place, filter, want, show(operand))
			}
		}
		if isObject && len(object) != 1 {
			return fmt.Errorf("%s: want exactly one filter in an object, got %d", place, len(object))
		}
	}
	return nil
}

// wrongOperand says what a filter wants where the operand is not that; "" where it is.
func wrongOperand(filter string, operand any) string {
	text, isText := operand.(string)
	fields, isObject := operand.(map[string]any)
	list, isList := operand.([]any)
	switch filter {
	case "exists":
		if _, ok := operand.(bool); !ok {
			return "true or false"
		}
	case "cidr":
		if _, err := netip.ParsePrefix(text); err != nil {
			return "an address range such as 10.0.0.0/24"
		}
	case "prefix", "suffix": // a text, or one whose case does not matter
		ignoring, ok := fields["equals-ignore-case"].(string)
		if !isText && !(isObject && len(fields) == 1 && ok && ignoring != "") {
			return "a text"
		}
	case "equals-ignore-case":
		if !isText {
			return "a text"
		}
	case "wildcard":
		if !isText || strings.Contains(text, "**") {
			return "a text with single *"
		}
	case "numeric": // comparisons and numbers in turn
		if !isList || len(list) == 0 || len(list) > 4 || len(list)%2 != 0 {
			return "a comparison and a number, once or twice"
		}
		for i, item := range list {
			sign, isSign := item.(string)
			_, isNumber := item.(json.Number)
			if i%2 == 0 && !(isSign && slices.Contains([]string{"<", "<=", "=", ">=", ">"}, sign)) || i%2 == 1 && !isNumber {
				return "a comparison (<, <=, =, >=, >) and a number, once or twice"
			}
		}
	case "anything-but": // a value, a list of values, or one of some filters
		for inner := range fields {
			if !slices.Contains([]string{"prefix", "suffix", "equals-ignore-case", "wildcard"}, inner) {
				return "values, or the filter prefix, suffix, equals-ignore-case or wildcard"
			}
		}
		if isObject && len(fields) != 1 || isList && len(list) == 0 || operand == nil {
			return "values, or one filter"
		}
	}
	return ""
}

func at(place string) string {
	if place == "" {
		return "the pattern"
	}
	return place
}

func show(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "…"
	}
	return string(text)
}

// decode reads one JSON value, and keeps numbers as they are written. A key that comes twice is an error: the first of the
// two would be lost without a word.
func decode(text string) (any, error) {
	if key := repeatedKey(json.NewDecoder(strings.NewReader(text))); key != "" {
		return nil, fmt.Errorf("the key %q comes twice in one object", key)
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the closing brace")
	}
	return value, nil
}

// repeatedKey returns a key that an object of the text has twice, "" where there is none or the text is not JSON.
func repeatedKey(d *json.Decoder) string {
	type level struct {
		keys  map[string]bool // nil in a list
		isKey bool            // the next string is a key
	}
	var open []level
	for {
		token, err := d.Token()
		if err != nil {
			return ""
		}
		top := len(open) - 1
		switch token := token.(type) {
		case json.Delim:
			switch token {
			case '{':
				open = append(open, level{keys: map[string]bool{}, isKey: true})
				continue
			case '[':
				open = append(open, level{})
				continue
			}
			open = open[:top]
			top--
		case string:
			if top >= 0 && open[top].isKey {
				if open[top].keys[token] {
					return token
				}
				open[top].keys[token], open[top].isKey = true, false
				continue
			}
		}
		if top >= 0 && open[top].keys != nil {
			open[top].isKey = true // a value is over
		}
	}
}

// canonical writes JSON without blanks and with sorted keys, so that equal patterns are equal texts. What is not JSON is
// left as it is.
func canonical(text string) string {
	if text == "" {
		return ""
	}
	value, err := decode(text)
	if err != nil {
		return text
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(value) != nil {
		return text
	}
	return strings.TrimSpace(out.String())
}
