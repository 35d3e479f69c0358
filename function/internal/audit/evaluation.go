package audit

import (
	"cmp"
	"slices"
	"time"
)

// The check that every evaluation is about.
const (
	CheckID    = "CWE-001"
	CheckTitle = "AWS CloudWatch Events In Use"
	RiskLevel  = "MEDIUM"
)

// Evaluation is the verdict on one scope. It is part of the Record's version 1 vocabulary: keys may be added, not changed.
type Evaluation struct {
	Account    string     `json:"account"`
	Region     string     `json:"region"`
	Status     Status     `json:"status"`
	Reason     Reason     `json:"reason"`
	Detail     string     `json:"detail"` // one line for people; may hold names and words from AWS
	Evidence   Evidence   `json:"evidence"`
	APICalls   int        `json:"apiCalls"`        // requests sent for this scope, retries included
	Since      *time.Time `json:"since,omitempty"` // since when it fails or could not be judged, where earlier runs are known; UTC
	DurationMS int64      `json:"durationMs"`      // from the first request to the verdict; 0 when nothing was asked
	ConsoleURL string     `json:"consoleUrl,omitempty"`
}

// Scope returns the evaluated scope.
func (e Evaluation) Scope() Scope { return Scope{Account: e.Account, Region: e.Region} }

// Evidence is what the verdict rests on: counts of what was read.
type Evidence struct {
	Buses    int      `json:"buses"`    // event buses of which rules were read
	Rules    int      `json:"rules"`    // rules read
	Active   int      `json:"active"`   // of those, rules in an active state
	Managed  int      `json:"managed"`  // of those, rules that belong to AWS services, in any state
	Own      int      `json:"own"`      // of those, rules that are this product's own plumbing, in any state
	Complete bool     `json:"complete"` // false: reading stopped, since the verdict was settled or could not be reached
	Examples []string `json:"examples"` // at most a few names, of the rules that show the reason best; BUS/NAME off the default bus
}

// Coverage says how much of what was to be judged was judged.
type Coverage struct {
	Scopes       int    `json:"scopes"`
	Judged       int    `json:"judged"` // all but INSUFFICIENT_DATA
	Complete     bool   `json:"complete"`
	RegionSource string `json:"regionSource"`
}

// Report is the result of an audit.
type Report struct {
	Coverage    Coverage
	Summary     map[Status]int // has every Status, also those that did not occur
	Evaluations []Evaluation   // sorted by account, then region
	APICalls    int            // the sum over the evaluations
}

// NewReport sorts and sums up evaluations. It takes over the slice.
func NewReport(evaluations []Evaluation, regionSource string) Report {
	slices.SortFunc(evaluations, func(a, b Evaluation) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region))
	})
	report := Report{Summary: make(map[Status]int, 4), Evaluations: evaluations}
	for _, s := range Statuses() {
		report.Summary[s] = 0
	}
	for _, e := range evaluations {
		report.Summary[e.Status]++
		report.APICalls += e.APICalls
	}
	judged := len(evaluations) - report.Summary[InsufficientData]
	report.Coverage = Coverage{Scopes: len(evaluations), Judged: judged, Complete: judged == len(evaluations), RegionSource: regionSource}
	return report
}

// Renewed returns the report with the newer evaluations in the place of the earlier ones of their scopes, but for one
// that could not judge where the scope failed before: it never resolves an earlier failure. The requests of both looks count.
func (r Report) Renewed(newer []Evaluation) Report {
	evaluations := slices.Clone(r.Evaluations)
	for _, e := range newer {
		i := slices.IndexFunc(evaluations, func(old Evaluation) bool { return old.Scope() == e.Scope() })
		if i < 0 {
			continue
		}
		e.APICalls += evaluations[i].APICalls
		if e.Status == InsufficientData && evaluations[i].Status == NonCompliant {
			evaluations[i].APICalls = e.APICalls
			continue
		}
		evaluations[i] = e
	}
	return NewReport(evaluations, r.Coverage.RegionSource)
}

// evaluation makes the row of a scope.
func (c Candidate) evaluation(p Policy, reason Reason, detail string, s Snapshot, took time.Duration) Evaluation {
	return Evaluation{
		Account: c.Account, Region: c.Region,
		Status: p.Status(reason), Reason: reason, Detail: detail,
		Evidence: Evidence{
			Buses: s.Buses, Rules: s.rules, Active: s.active, Managed: s.managed, Own: s.own, Complete: s.Complete,
			Examples: append([]string{}, s.examples(reason)...),
		},
		APICalls: s.APICalls, DurationMS: took.Milliseconds(), ConsoleURL: c.ConsoleURL(),
	}
}
