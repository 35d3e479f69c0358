package cli

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
)

var resultColor = map[remediation.Result]string{
	remediation.Planned: "36", remediation.Remediated: "32", remediation.Undone: "32", remediation.Failed: "31;1", remediation.Skipped: "2",
}

// resultOrder puts what is or would be done before what is left.
var resultOrder = []remediation.Result{remediation.Failed, remediation.Planned, remediation.Remediated, remediation.Undone, remediation.Skipped}

// renderChange shows a plan or what became of it, with the commands that a person could run instead.
func renderChange(r record.Record, l look, hasTopic bool) string {
	var b strings.Builder
	b.WriteString(l.paint("1", l.fill(notify.Headline(r), "")) + "\n")
	b.WriteString(l.paint("1", l.fill(notify.ChangeHeadline(*r.Remediation), "")) + "\n")
	if r.Remediation.Mode != remediation.ModeUndo && len(r.Changed(remediation.Planned, remediation.Remediated, remediation.Failed)) > 0 {
		b.WriteString(l.fill("With "+printable(r.Remediation.Rule.String())+".", "  ") + "\n")
	}
	b.WriteString(changeTable(r, l))
	b.WriteString(changeCommands(*r.Remediation, l))
	b.WriteString(footer(r, l, hasTopic))
	return b.String()
}

func changeTable(r record.Record, l look) string {
	rows := changeRows(r)
	if len(rows) == 0 {
		return ""
	}
	used := 0
	for _, row := range rows {
		used = max(used, len(row.scope)+len("  REMEDIATED  ")+len(row.reason)+2)
	}
	if l.width > 0 && l.width-used < 40 { // too narrow for columns
		return changeList(rows, l)
	}
	t := newTable()
	withReason := slices.ContainsFunc(rows, func(row changeRow) bool { return row.reason != "" })
	t.AppendHeader(columns(withReason, "region", "result", "reason", "detail"))
	for _, row := range rows {
		detail := printable(row.detail)
		if l.width >= minWidth && l.width-used-1 > 20 {
			detail = wrapWords(detail, l.width-used-1)
		}
		t.AppendRow(columns(withReason, row.scope, l.paint(resultColor[row.result], string(row.result)), row.reason, detail))
	}
	return "\n" + t.Render() + "\n"
}

// changeList has the detail of each row on lines of its own.
func changeList(rows []changeRow, l look) string {
	var b strings.Builder
	b.WriteString("\n")
	for _, row := range rows {
		b.WriteString(strings.TrimRight(row.scope+"  "+l.paint(resultColor[row.result], string(row.result))+"  "+row.reason, " ") + "\n" +
			"  " + strings.ReplaceAll(wrapWords(printable(row.detail), max(20, l.width-3)), "\n", "\n  ") + "\n")
	}
	return b.String()
}

func columns(withReason bool, scope, result, reason, detail string) table.Row {
	if withReason {
		return table.Row{scope, result, reason, detail}
	}
	return table.Row{scope, result, detail}
}

type changeRow struct {
	scope  string
	result remediation.Result
	reason string
	detail string
}

// changeRows gives each region a row, but for regions that are left for the same reason and are more than a few: they share
// one that names them.
func changeRows(r record.Record) []changeRow {
	const few = 3
	name := labelOf(r)
	regions := slices.Clone(r.Remediation.Regions)
	slices.SortStableFunc(regions, func(a, b remediation.Region) int {
		return slices.Index(resultOrder, a.Result) - slices.Index(resultOrder, b.Result)
	})
	alike := map[remediation.Refusal][]string{}
	for _, region := range regions {
		if region.Result == remediation.Skipped {
			alike[region.Reason] = append(alike[region.Reason], name(region.Account, region.Region))
		}
	}
	var rows []changeRow
	told := map[remediation.Refusal]bool{}
	for _, region := range regions {
		names := alike[region.Reason]
		switch {
		case region.Result != remediation.Skipped || len(names) <= few:
			rows = append(rows, changeRow{name(region.Account, region.Region), region.Result, string(region.Reason), notify.DescribeChange(region)})
		case !told[region.Reason]:
			told[region.Reason] = true
			rows = append(rows, changeRow{fmt.Sprintf("%d regions", len(names)), region.Result, string(region.Reason), strings.Join(names, ", ")})
		}
	}
	return rows
}

// changeCommands prints the AWS CLI commands of a plan, ready to be pasted into a shell.
func changeCommands(report remediation.Report, l look) string {
	var b strings.Builder
	for _, region := range report.Regions {
		if commands := commandsOf(region); len(commands) > 0 { // only a plan has any
			b.WriteString("\n" + l.paint("2", "# "+region.Scope().String()) + "\n" + remediation.Chain(commands) + "\n")
		}
	}
	for _, region := range report.Regions {
		if region.Remedy != "" {
			b.WriteString("\n" + l.paint("2", "# "+region.Scope().String()+": "+string(region.Reason)+"; to mend that, then run again") + "\n" + region.Remedy + "\n")
		}
	}
	return b.String()
}

func commandsOf(region remediation.Region) []string {
	var commands []string
	for _, s := range region.Steps {
		if s.Command != "" {
			commands = append(commands, s.Command)
		}
	}
	return commands
}

// renderChangeCSV has one line a region of the plan or the outcome.
func renderChangeCSV(r record.Record) (string, error) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Write([]string{"account", "region", "result", "reason", "detail", "before", "after", "steps", "remedy", "mode", "runId", "finishedAt"})
	for _, region := range r.Remediation.Regions {
		steps := make([]string, len(region.Steps))
		for i, s := range region.Steps {
			steps[i] = string(s.Action) + "=" + string(s.Result)
		}
		w.Write([]string{
			region.Account, region.Region, string(region.Result), string(region.Reason), cell(region.Detail), string(region.Before), string(region.After),
			strings.Join(steps, " "), region.Remedy, string(r.Remediation.Mode), r.RunID, r.FinishedAt.Format("2006-01-02T15:04:05Z07:00"),
		})
	}
	w.Flush()
	return b.String(), w.Error()
}

// renderChangeMarkdown is for an issue, a change request or a CI summary.
func renderChangeMarkdown(r record.Record) string {
	var b strings.Builder
	b.WriteString("# " + r.Check.ID + ": " + r.Check.Title + "\n\n" + notify.Headline(r) + "\n" + notify.ChangeHeadline(*r.Remediation) + "\n\n")
	t := table.NewWriter()
	t.AppendHeader(table.Row{"Account", "Region", "Result", "Reason", "Before", "After", "Detail"})
	for _, region := range r.Remediation.Regions {
		t.AppendRow(table.Row{region.Account, region.Region, string(region.Result), string(region.Reason), string(region.Before), string(region.After),
			inMarkdown(notify.DescribeChange(region))})
	}
	b.WriteString(t.RenderMarkdown() + "\n")
	if commands := changeCommands(*r.Remediation, look{}); commands != "" {
		b.WriteString("\n```sh" + commands + "```\n")
	}
	b.WriteString(markdownFooter(r))
	return b.String()
}
