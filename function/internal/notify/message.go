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
	body := map[string]string{"default": text(r), "email": text(r), "https": string(readable), "sms": sms(r)}
	m := Message{Subject: subject(r, kind), Attributes: attributes(r, kind)}
	fill := func(keep int) error {
		data, err := json.Marshal(shorten(r, keep))
		if err != nil {
			return err
		}
		for _, protocol := range []string{"sqs", "lambda", "http", "email-json"} {
			body[protocol] = string(data)
		}
		whole, err := json.Marshal(body)
		m.Body = string(whole)
		return err
	}
	if err := fill(len(r.Evaluations)); err != nil || m.Size() <= MaxBytes {
		return m, err
	}
	fits, tooMany := 0, len(r.Evaluations)
	for fits+1 < tooMany {
		middle := (fits + tooMany) / 2
		if err := fill(middle); err != nil {
			return m, err
		}
		if m.Size() <= MaxBytes {
			fits = middle
		} else {
			tooMany = middle
		}
	}
	if err := fill(fits); err != nil {
		return m, err
	}
	if m.Size() > MaxBytes {
		return m, fmt.Errorf("the message has %d bytes without a single evaluation; SNS takes %d", m.Size(), MaxBytes)
	}
	return m, nil
}

// shorten keeps the n evaluations that matter most: failing, then unjudged, then the rest, each in the record's order.
func shorten(r record.Record, n int) record.Record {
	dropped := len(r.Evaluations) - n
	if dropped <= 0 {
		return r
	}
	rank := func(e audit.Evaluation) int { return slices.Index(audit.Statuses(), e.Status) }
	order := make([]int, len(r.Evaluations))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(r.Evaluations[a]) - rank(r.Evaluations[b]) })
	kept := order[:n]
	slices.Sort(kept)
	evaluations := make([]audit.Evaluation, n)
	for i, at := range kept {
		evaluations[i] = r.Evaluations[at]
	}
	r.Evaluations, r.Omitted = evaluations, dropped
	r.Warnings = append(slices.Clone(r.Warnings),
		fmt.Sprintf("%d of %d evaluations were left out of this notification, to keep it within %d bytes", dropped, dropped+n, MaxBytes))
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
