package history

import (
	"cmp"
	"slices"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// Run is what one run found.
type Run struct {
	At          time.Time
	Evaluations []audit.Evaluation
}

// Failure is a time in which a scope failed, as the runs saw it.
type Failure struct {
	Account string        `json:"account"`
	Region  string        `json:"region"`
	Reasons []string      `json:"reasons"`         // each once, in their order
	From    time.Time     `json:"from"`            // since when it failed, as the first run that found it so knew
	Until   *time.Time    `json:"until,omitempty"` // of the first run that found it otherwise; absent while it fails on
	For     time.Duration `json:"-"`               // until then, or until the last run
}

// Day is how many scopes failed at the end of a day (UTC).
type Day struct {
	Date    string `json:"date"`
	Failing int    `json:"failing"`
	Runs    int    `json:"runs"`
}

// Timeline tells what failed when and for how long, the newest first, and how many scopes failed at the end of each day from
// the first run to the last. A run that could not judge a scope changes nothing about it; one in
// which it need not be judged ends its failure.
func Timeline(runs []Run) (failures []Failure, days []Day) {
	runs = slices.Clone(runs)
	slices.SortStableFunc(runs, func(a, b Run) int { return a.At.Compare(b.At) })
	open := map[audit.Scope]*Failure{}
	var all []*Failure
	for i, run := range runs {
		for _, e := range run.Evaluations {
			f := open[e.Scope()]
			switch {
			case e.Status == audit.InsufficientData:
			case e.Status == audit.NonCompliant:
				if f == nil {
					f = &Failure{Account: e.Account, Region: e.Region, From: run.At}
					if e.Since != nil && e.Since.Before(run.At) { // it began before the first run that is looked at
						f.From = *e.Since
					}
					open[e.Scope()] = f
					all = append(all, f)
				}
				if !slices.Contains(f.Reasons, string(e.Reason)) {
					f.Reasons = append(f.Reasons, string(e.Reason))
				}
			case f != nil:
				at := run.At
				f.Until = &at
				delete(open, e.Scope())
			}
		}
		days = addDay(days, run.At, len(open), i == 0)
	}
	for _, f := range all {
		end := runs[len(runs)-1].At
		if f.Until != nil {
			end = *f.Until
		}
		f.For = end.Sub(f.From)
		failures = append(failures, *f)
	}
	slices.SortStableFunc(failures, func(a, b Failure) int {
		return cmp.Or(b.From.Compare(a.From), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region))
	})
	return failures, days
}

// addDay notes the count at a run. A day without a run is as the day before ended.
func addDay(days []Day, at time.Time, failing int, first bool) []Day {
	date := at.UTC().Format(time.DateOnly)
	if first {
		return []Day{{date, failing, 1}}
	}
	for last := days[len(days)-1]; last.Date < date; last = days[len(days)-1] {
		next, err := time.Parse(time.DateOnly, last.Date)
		if err != nil {
			break
		}
		days = append(days, Day{next.AddDate(0, 0, 1).Format(time.DateOnly), last.Failing, 0})
	}
	last := &days[len(days)-1]
	last.Failing, last.Runs = failing, last.Runs+1
	return days
}
