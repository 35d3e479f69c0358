package notify

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
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
// end, those that pass first, and regions left alone by a remediation, and says how many.
func Compose(r record.Record, kind record.Kind) (Message, error) {
	r.Warnings = boundedWarnings(r.Warnings)
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
	r = withoutCommands(r)
	evaluations, changes := byImportance(r), changesByImportance(r)
	whole, err := fitting(r.Evaluations, evaluations, MaxBytes)
	if err != nil {
		return m, err
	}
	if whole == len(evaluations) { // it may fit; a message that hardly can is not written to see
		if err := fill(r); err != nil || m.Size() <= MaxBytes {
			return m, err
		}
	}
	all := r.Changes
	if err := fill(shorten(withChanges(r, 0), nil, nil)); err != nil {
		return m, err
	}
	const slack = 128 // the numbers in the sentences about what was left out change their length
	if all != nil {
		told := all.All()
		n, err := fitting(told, ordered(len(told), func(int) int { return 0 }), (MaxBytes-m.Size()-slack)/4)
		if err != nil {
			return m, err
		}
		r = withChanges(r, n)
		if err := fill(shorten(r, nil, nil)); err != nil {
			return m, err
		}
	}
	room := MaxBytes - m.Size() - slack
	kept, err := fitting(changed(r), changes, room/2)
	if err != nil {
		return m, err
	}
	if err := fill(shorten(r, nil, changes[:kept])); err != nil {
		return m, err
	}
	n, err := fitting(r.Evaluations, evaluations, MaxBytes-m.Size()-slack)
	if err != nil {
		return m, err
	}
	if err := fill(shorten(r, evaluations[:n], changes[:kept])); err != nil {
		return m, err
	}
	if m.Size() > MaxBytes {
		return m, fmt.Errorf("the message has %d bytes with %d evaluations left; SNS takes %d", m.Size(), n, MaxBytes)
	}
	return m, nil
}

// boundedWarnings keeps the warnings of a notification short and few. What is left out is counted, and is in the run's record.
func boundedWarnings(warnings []string) []string {
	const most, longest = 20, 400
	bounded := []string{}
	for i, w := range warnings {
		if i == most {
			return append(bounded, fmt.Sprintf("%d more warnings are in the run's record", len(warnings)-most))
		}
		bounded = append(bounded, shortenText(w, longest))
	}
	return bounded
}

func shortenText(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

// recordProtocols are the subscribers that get the record.
var recordProtocols = []string{"sqs", "lambda", "http", "email-json"}

// byImportance orders the evaluations' indexes: failing, then unjudged, then the rest, each in the record's order.
func byImportance(r record.Record) []int {
	return ordered(len(r.Evaluations), func(i int) int { return slices.Index(audit.Statuses(), r.Evaluations[i].Status) })
}

// changesByImportance orders the indexes of the regions of a plan or an outcome: what failed, what was or would be done, then
// what is left alone.
func changesByImportance(r record.Record) []int {
	regions := changed(r)
	results := []remediation.Result{remediation.Failed, remediation.Remediated, remediation.Undone, remediation.Planned, remediation.Skipped}
	return ordered(len(regions), func(i int) int { return slices.Index(results, regions[i].Result) })
}

func ordered(n int, rank func(i int) int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(a) - rank(b) })
	return order
}

func changed(r record.Record) []remediation.Region {
	if r.Remediation == nil {
		return nil
	}
	return r.Remediation.Regions
}

// withoutCommands drops the commands of a plan: they are for a person at a terminal, and long.
func withoutCommands(r record.Record) record.Record {
	if r.Remediation == nil {
		return r
	}
	report := *r.Remediation
	report.Regions = slices.Clone(report.Regions)
	for i := range report.Regions {
		steps := slices.Clone(report.Regions[i].Steps)
		for j := range steps {
			steps[j].Command = ""
		}
		report.Regions[i].Steps = steps
	}
	r.Remediation = &report
	return r
}

// withChanges keeps the first n changes.
func withChanges(r record.Record, n int) record.Record {
	if r.Changes != nil {
		first := r.Changes.First(n)
		r.Changes = &first
	}
	return r
}

// fitting returns how many items, taken in the order given, add at most so many bytes to the body, where each stands once
// for every protocol, as JSON within a JSON string.
func fitting[T any](items []T, order []int, bytes int) (int, error) {
	for n, i := range order {
		data, err := json.Marshal(items[i])
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

// shorten keeps the evaluations and the regions of the remediation at the given indexes, and says how many are left out.
func shorten(r record.Record, evaluations, changes []int) record.Record {
	all := len(r.Evaluations)
	r.Evaluations, r.Omitted = pick(r.Evaluations, evaluations)
	r.Warnings = slices.Clone(r.Warnings)
	if r.Omitted > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d of %d evaluations were left out of this notification, to keep it within %d bytes", r.Omitted, all, MaxBytes))
	}
	if r.Remediation != nil {
		report := *r.Remediation
		all := len(report.Regions)
		if report.Regions, report.Omitted = pick(report.Regions, changes); report.Omitted > 0 {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%d of %d regions of the remediation were left out of this notification, to keep it within %d bytes",
				report.Omitted, all, MaxBytes))
		}
		r.Remediation = &report
	}
	return r
}

func pick[T any](items []T, indexes []int) (kept []T, omitted int) {
	kept = make([]T, 0, len(indexes))
	for _, i := range slices.Sorted(slices.Values(indexes)) {
		kept = append(kept, items[i])
	}
	return kept, len(items) - len(kept)
}

func attributes(r record.Record, kind record.Kind) []Attribute {
	regions, _ := json.Marshal(concernedRegions(r)) // a list of strings: cannot fail
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
