// Package notify decides whether a run is worth a message and writes it: subject, attributes, and one text for each kind
// of subscriber, within SNS's limits. It is pure: it sends nothing and reads no clock. Text that comes from AWS or from
// whoever named a rule is foreign: it can neither break a form nor forge a line.
package notify

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
)

// When says which runs publish.
type When string

const (
	OnProblem When = ""       // the default without a store: a run in which a region fails or could not be judged
	OnChange  When = "change" // the default with one: what is new, what is resolved, and reminders
	Always    When = "always" // every run, also when nothing is wrong
	Never     When = "never"
)

// Options say where and when to publish. The zero value publishes nothing.
type Options struct {
	TopicARN string // "" means nowhere
	On       When
	Reminder time.Duration // with a store: how long after it was last told a failure is told again; 0 is never
}

// topicARN counts no repetition: a counted one would cost a millisecond of every cold start.
var topicARN = regexp.MustCompile(`^arn:aws[a-z-]*:sns:([a-z0-9-]+):[0-9]{12}:([A-Za-z0-9_-]+)$`)

// CheckTopic says what is wrong with a topic's ARN, nil when nothing is.
func CheckTopic(arn string) error {
	if strings.HasSuffix(arn, ".fifo") {
		return fmt.Errorf("%q is a FIFO topic, which has no email, https or Lambda subscribers; use a standard topic", arn)
	}
	if m := topicARN.FindStringSubmatch(arn); m == nil || !audit.IsRegionName(m[1]) || len(m[2]) > 256 {
		return fmt.Errorf("want the ARN of an SNS topic, such as arn:aws:sns:us-east-1:123456789012:eventbridge-auditor, got %q", arn)
	}
	return nil
}

// ErrNoTopic says that a message was asked for where none can be sent.
var ErrNoTopic = errors.New("notify: true was asked for, but no topic is set; set TOPIC_ARN, or leave notify out")

// Kind tells what a run has to say: with a store what has changed, else how things stand.
func Kind(r record.Record) record.Kind {
	c := r.Changes
	switch {
	case c == nil:
		return Standing(r)
	case len(c.Failing) > 0:
		return record.Failing
	case len(c.Unjudged) > 0:
		return record.Incomplete
	case len(c.Resolved) > 0 || len(r.Changed(remediation.Remediated)) > 0:
		return record.Resolved
	case len(c.Due) > 0:
		return record.Reminder
	default:
		return record.None
	}
}

// Standing tells how things stand after a run.
func Standing(r record.Record) record.Kind {
	switch {
	case r.Summary[audit.NonCompliant] > 0:
		return record.Failing
	case r.Summary[audit.InsufficientData] > 0:
		return record.Incomplete
	case len(r.Changed(remediation.Remediated)) > 0:
		return record.Resolved
	default:
		return record.None
	}
}

// Due reports whether a run of the kind publishes. asked is the run's own wish, which goes before the setting; nil when
// it has none.
func (o Options) Due(kind record.Kind, asked *bool) bool {
	switch {
	case o.TopicARN == "":
		return false
	case asked != nil:
		return *asked
	case o.On == Never:
		return false
	default:
		return o.On == Always || kind != record.None
	}
}
