package notify

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
)

// MaxBytes is what SNS takes in one message, attributes included.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
const MaxBytes = 262_144

// Message is what is published.
type Message struct {
	Subject    string      // ASCII, at most 99 characters, one line
	Body       string      // JSON: a text for each protocol, "default" among them
	Attributes []Attribute // for subscription filter policies
}

// Attribute is an SNS message attribute.
type Attribute struct{ Name, Type, Value string }

// Size is what counts against MaxBytes.
func (m Message) Size() int {
	n := len(m.Subject) + len(m.Body)
	for _, a := range m.Attributes {
		n += len(a.Name) + len(a.Type) + len(a.Value)
	}
	return n
}

// Compose writes the message of a run. It never exceeds MaxBytes: the machine-readable form drops evaluations from the
// end, those that pass first, and says how many.
func Compose(r record.Record, kind record.Kind) (Message, error) {
	readable, err := json.Marshal(chatMessage(r, kind))
	if err != nil {
		return Message{}, err
	}
	prose := text(r)
	body := map[string]string{"default": prose, "email": prose, "https": string(readable), "sms": sms(r)}
	m := Message{Subject: subject(r, kind), Attributes: attributes(r, kind)}
	fill := func(r record.Record) error {
		data, err := json.Marshal(r)
		if err != nil {
			return err
		}
		for _, protocol := range recordProtocols {
			body[protocol] = string(data)
		}
		whole, err := json.Marshal(body)
		m.Body = string(whole)
		return err
	}
	order := byImportance(r.Evaluations)
	if n, err := fitting(r.Evaluations, order, MaxBytes); err != nil {
		return m, err
	} else if n == len(order) {
		if err := fill(r); err != nil || m.Size() <= MaxBytes {
			return m, err
		}
	}
	if err := fill(shorten(r, nil)); err != nil {
		return m, err
	}
	const slack = 64 // the numbers in the sentence about what was left out change their length
	n, err := fitting(r.Evaluations, order, MaxBytes-m.Size()-slack)
	if err != nil {
		return m, err
	}
	if err := fill(shorten(r, order[:n])); err != nil {
		return m, err
	}
	if m.Size() > MaxBytes {
		return m, fmt.Errorf("the message has %d bytes with %d evaluations left; SNS takes %d", m.Size(), n, MaxBytes)
	}
	return m, nil
}

// recordProtocols are the subscribers that get the record.
var recordProtocols = []string{"sqs", "lambda", "http", "email-json"}

// byImportance orders the evaluations' indexes: failing, then unjudged, then the rest, each in the record's order.
func byImportance(evaluations []audit.Evaluation) []int {
	order := make([]int, len(evaluations))
	for i := range order {
		order[i] = i
	}
	rank := func(i int) int { return slices.Index(audit.Statuses(), evaluations[i].Status) }
	slices.SortStableFunc(order, func(a, b int) int { return rank(a) - rank(b) })
	return order
}

// fitting returns how many evaluations, taken in the order given, add at most so many bytes to the body, where each
// stands once for every protocol, as JSON within a JSON string.
func fitting(evaluations []audit.Evaluation, order []int, bytes int) (int, error) {
	for n, i := range order {
		data, err := json.Marshal(evaluations[i])
		if err == nil {
			data, err = json.Marshal(string(data))
		}
		if err != nil {
			return 0, err
		}
		if bytes -= len(recordProtocols) * (len(data) - len(`""`) + len(`,`)); bytes < 0 {
			return n, nil
		}
	}
	return len(order), nil
}

// shorten keeps the evaluations at the given indexes, and says how many are left out.
func shorten(r record.Record, keep []int) record.Record {
	kept := slices.Sorted(slices.Values(keep))
	all := r.Evaluations
	r.Evaluations, r.Omitted = make([]audit.Evaluation, len(kept)), len(all)-len(kept)
	for i, at := range kept {
		r.Evaluations[i] = all[at]
	}
	r.Warnings = append(slices.Clone(r.Warnings), fmt.Sprintf("%d of %d evaluations were left out of this notification, to keep it within %d bytes",
		r.Omitted, len(all), MaxBytes))
	return r
}

func attributes(r record.Record, kind record.Kind) []Attribute {
	regions, _ := json.Marshal(failingRegions(r)) // a list of strings: cannot fail
	account := "multiple"
	if ids := accounts(r); len(ids) == 1 {
		account = ids[0]
	}
	return []Attribute{
		{"check", "String", r.Check.ID},
		{"kind", "String", string(kind)},
		{"riskLevel", "String", r.Check.RiskLevel},
		{"account", "String", account},
		{"nonCompliantCount", "Number", fmt.Sprint(r.Summary[audit.NonCompliant])},
		{"regions", "String.Array", string(regions)},
	}
}
