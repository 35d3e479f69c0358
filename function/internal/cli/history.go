package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/history"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/settings"
)

func historyCommand() command {
	rows := []flagRow{}
	for _, row := range settingFlags(false) {
		if row.name == "store" {
			rows = append(rows, row)
		}
	}
	return command{
		name: "history", summary: "what failed when and for how long, from the records in the store",
		about: "Asks nothing of any region. The stack's output Store is the store of the deployed function.",
		flags: append(rows,
			flagRow{name: "days", value: "N", help: "so many days back", defaultText: "30", check: checkDays},
			flagRow{name: "output", value: "table|json|csv", help: "the form of the report", defaultText: "table", check: oneOf("table", "json", "csv")}),
		run: runHistory,
	}
}

func checkDays(v string) error {
	if n, err := strconv.Atoi(v); err != nil || n < 1 || n > 3650 {
		return fmt.Errorf("want a whole number from 1 to 3650, got %q", v)
	}
	return nil
}

func runHistory(ctx context.Context, p *program, values flagValues) (int, error) {
	location := values["store"]
	if location == "" {
		location = p.lookup("STORE")
	}
	if location == "" {
		return 0, &flagError{[]string{"--store: is missing; name the folder or s3://BUCKET/PREFIX that audit --store wrote to"}}
	}
	if _, err := settings.Read(flagSource(flagValues{"store": location})); err != nil {
		return 0, err
	}
	if _, err := os.Stat(location); err != nil && !strings.HasPrefix(location, "s3://") {
		return 0, &flagError{[]string{fmt.Sprintf("--store: %v", err)}}
	}
	days := 30
	if text, given := values["days"]; given {
		days, _ = strconv.Atoi(text) // checked
	}
	session, err := cloud.Open(ctx)
	if err != nil {
		return 0, err
	}
	defer session.Close()
	runs, bad, err := readRuns(ctx, session.Store(location), time.Now().AddDate(0, 0, -days))
	if err != nil {
		return 0, fmt.Errorf("read the records of %s: %w", location, err)
	}
	for _, name := range bad {
		fmt.Fprintf(p.stderr, "warning: %s is no record, and is left out\n", printable(name))
	}
	failures, ends := history.Timeline(runs)
	var text string
	switch values["output"] {
	case "json":
		var data []byte
		data, err = json.MarshalIndent(struct {
			Runs     int               `json:"runs"`
			Failures []history.Failure `json:"failures"`
			Days     []history.Day     `json:"days"`
		}{len(runs), append([]history.Failure{}, failures...), append([]history.Day{}, ends...)}, "", "  ")
		text = string(data) + "\n"
	case "csv":
		text, err = historyCSV(failures)
	default:
		text = historyTable(runs, failures, ends, days, p.lookOf(p.stdout))
	}
	if err != nil {
		return 0, err
	}
	return exitClean, p.write(text)
}

// readRuns reads the records since a time, several at once, and names the pieces that are none.
func readRuns(ctx context.Context, blobs history.Blobs, since time.Time) (runs []history.Run, bad []string, err error) {
	var days []string // listed one by one: a store may be older than anybody asks for
	for day := since; !day.After(time.Now().AddDate(0, 0, 1)); day = day.AddDate(0, 0, 1) {
		days = append(days, history.DayPrefix(day))
	}
	byDay, failed := make([][]string, len(days)), make([]error, len(days))
	audit.Each(len(days), 16, func(i int) { byDay[i], failed[i] = blobs.List(ctx, days[i]) })
	if err := errors.Join(failed...); err != nil {
		return nil, nil, err
	}
	names := slices.Concat(byDay...)
	type read struct {
		run history.Run
		ok  bool
		err error
	}
	all := make([]read, len(names))
	audit.Each(len(names), 16, func(i int) {
		data, _, err := blobs.Get(ctx, names[i])
		var r record.Record
		if err == nil {
			err = json.Unmarshal(data, &r)
			all[i].ok = err == nil && r.SchemaVersion != "" && !r.FinishedAt.IsZero()
			err = nil
		}
		all[i].run, all[i].err = history.Run{At: r.FinishedAt, Evaluations: r.Evaluations}, err
	})
	for i, one := range all {
		switch {
		case one.err != nil:
			return nil, nil, fmt.Errorf("%s: %w", names[i], one.err)
		case !one.ok:
			bad = append(bad, names[i])
		default:
			runs = append(runs, one.run)
		}
	}
	return runs, bad, nil
}

func historyTable(runs []history.Run, failures []history.Failure, days []history.Day, back int, l look) string {
	var b strings.Builder
	if len(runs) == 0 {
		return fmt.Sprintf("No run in the last %d days.\n", back)
	}
	open := 0
	for _, f := range failures {
		if f.Until == nil {
			open++
		}
	}
	b.WriteString(l.paint("1", fmt.Sprintf("%s from %s to %s: %s, %d open.", count(len(runs), "run", "runs"), days[0].Date, days[len(days)-1].Date,
		count(len(failures), "failure", "failures"), open)) + "\n")
	if len(failures) > 0 {
		t := newTable()
		t.AppendHeader(table.Row{"region", "failing since", "until", "for", "reason"})
		one := true
		for _, f := range failures {
			one = one && f.Account == failures[0].Account
		}
		for _, f := range failures {
			name, until := f.Region, l.paint("31;1", "fails on")
			if !one {
				name = f.Account + "/" + f.Region
			}
			if f.Until != nil {
				until = f.Until.UTC().Format("2006-01-02 15:04")
			}
			t.AppendRow(table.Row{name, f.From.UTC().Format("2006-01-02 15:04"), until, span(f.For), strings.Join(f.Reasons, ", ")})
		}
		b.WriteString("\n" + t.Render() + "\n")
	}
	b.WriteString("\nFailing regions at the end of each day (UTC)\n" + chart(days, l))
	return b.String()
}

// span tells a duration in days and hours, or in hours and minutes.
func span(d time.Duration) string {
	d = d.Round(time.Minute)
	if d < 24*time.Hour {
		return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd %02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// chart has a line a day, with a bar. Days without a run are marked: nobody looked.
func chart(days []history.Day, l look) string {
	most := 1
	for _, d := range days {
		most = max(most, d.Failing)
	}
	room := 50
	if l.width >= minWidth {
		room = min(room, l.width-30)
	}
	var b strings.Builder
	for _, d := range days {
		bar := strings.Repeat("█", (d.Failing*min(room, most)+most-1)/most)
		note := ""
		if d.Runs == 0 {
			bar, note = strings.Repeat("░", len([]rune(bar))), "  (no run)"
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("%s  %3d  %s%s", d.Date, d.Failing, l.paint("31", bar), note), " ") + "\n")
	}
	return b.String()
}

func historyCSV(failures []history.Failure) (string, error) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Write([]string{"account", "region", "from", "until", "hours", "reasons"})
	for _, f := range failures {
		until := ""
		if f.Until != nil {
			until = f.Until.UTC().Format(time.RFC3339)
		}
		w.Write([]string{f.Account, f.Region, f.From.UTC().Format(time.RFC3339), until, strconv.FormatFloat(f.For.Hours(), 'f', 1, 64), strings.Join(f.Reasons, " ")})
	}
	w.Flush()
	return b.String(), w.Error()
}
