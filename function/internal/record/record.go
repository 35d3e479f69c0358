// Package record is the outward vocabulary, version 1.0: the one JSON document that the function returns, that
// `--output json` prints, and that a machine-readable notification carries. It is pure data; keys may be added, never
// changed or dropped within the version.
package record

import (
	"slices"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/history"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
)

// SchemaVersion is the version of this vocabulary: the minor part grows with additions, the major with anything else.
const SchemaVersion = "1.0"

// Record tells one run.
type Record struct {
	SchemaVersion string               `json:"schemaVersion"`
	RunID         string               `json:"runId"`
	Trigger       Trigger              `json:"trigger"`
	Auditor       string               `json:"auditor,omitempty"` // ARN of the function that ran; empty in the terminal
	Check         Check                `json:"check"`
	Policy        audit.Policy         `json:"policy"`
	StartedAt     time.Time            `json:"startedAt"`  // UTC
	FinishedAt    time.Time            `json:"finishedAt"` // UTC, when the last verdict stood; publishing comes after
	APICalls      int                  `json:"apiCalls"`   // requests sent to AWS until FinishedAt, retries included
	Coverage      audit.Coverage       `json:"coverage"`
	Summary       map[audit.Status]int `json:"summary"`                      // every status, also those that did not occur
	Evaluations   []audit.Evaluation   `json:"evaluations"`                  // sorted by account, then region
	Omitted       int                  `json:"omittedEvaluations,omitempty"` // in a notification: evaluations that did not fit it
	SelfTest      []Trial              `json:"selfTest,omitempty"`           // of a self-test, which judges no region
	Changes       *history.Changes     `json:"changes,omitempty"`            // against the runs before; absent where none are known
	Remediation   *remediation.Report  `json:"remediation,omitempty"`        // what was planned or changed; absent in a plain audit
	Notification  Notification         `json:"notification"`
	Warnings      []string             `json:"warnings"` // what went wrong without ending the run; never null
}

// Take puts an audit's result into the record.
func (r *Record) Take(report audit.Report) {
	r.Coverage, r.Summary, r.Evaluations = report.Coverage, report.Summary, report.Evaluations
}

// Changed returns the regions with a result, none where nothing was planned.
func (r Record) Changed(results ...remediation.Result) []remediation.Region {
	var regions []remediation.Region
	if r.Remediation != nil {
		for _, region := range r.Remediation.Regions {
			if slices.Contains(results, region.Result) {
				regions = append(regions, region)
			}
		}
	}
	return regions
}

// Trial is one part of a self-test.
type Trial struct {
	Name   string `json:"name"` // identity, regions, rules, store, exceptions or topic
	OK     bool   `json:"ok"`
	Detail string `json:"detail"` // what was found, or what is wrong and how to mend it
}

// Trigger is what started the run.
type Trigger struct {
	Kind string `json:"kind"` // schedule, manual, cli or change
	ID   string `json:"id"`
}

// Check names the rule that regions are held to.
type Check struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	RiskLevel string `json:"riskLevel"`
}

// CWE001 is the check.
func CWE001() Check {
	return Check{ID: audit.CheckID, Title: audit.CheckTitle, RiskLevel: audit.RiskLevel}
}

// Kind is the kind of a notification.
type Kind string

const (
	Failing    Kind = "FAILING"    // at least one region is NON_COMPLIANT; with a store: newly, or for another reason
	Incomplete Kind = "INCOMPLETE" // none fails, but not every region could be judged; with a store: fewer than before
	Resolved   Kind = "RESOLVED"   // what failed before passes, and nothing new is wrong
	Reminder   Kind = "REMINDER"   // nothing is new, but something fails on
	Test       Kind = "TEST"       // of a self-test: nothing is wrong
	None       Kind = "NONE"       // nothing was published, or nothing was wrong
)

// Notification is what was published.
type Notification struct {
	TopicARN  string `json:"topicArn"`
	MessageID string `json:"messageId"` // empty inside the message itself, which has no id before it is sent
	Kind      Kind   `json:"kind"`
}
