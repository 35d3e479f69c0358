package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
)

// look is how a report may look where it is shown.
type look struct {
	color bool
	width int // columns; 0 means no bound
}

var statusColor = map[audit.Status]string{
	audit.NonCompliant: "31;1", audit.InsufficientData: "33", audit.Compliant: "32", audit.NotApplicable: "2",
}

func (l look) paint(code, s string) string {
	if !l.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// ordered returns the evaluations as a person wants them: what asks for action first.
func ordered(r record.Record) []audit.Evaluation {
	evaluations := slices.Clone(r.Evaluations)
	slices.SortStableFunc(evaluations, func(a, b audit.Evaluation) int {
		return slices.Index(audit.Statuses(), a.Status) - slices.Index(audit.Statuses(), b.Status)
	})
	return evaluations
}

func renderTable(r record.Record, l look, hasTopic bool) string {
	var b strings.Builder
	b.WriteString(l.paint("1", notify.Headline(r)) + "\n\n")
	b.WriteString(evaluationTable(r, l))
	b.WriteString(advice(r, l))
	for _, w := range r.Warnings {
		b.WriteString("\n" + l.paint("33", "Warning: ") + printable(w) + "\n")
	}
	switch {
	case r.Notification.MessageID != "":
		fmt.Fprintf(&b, "\nPublished to %s (message %s).\n", r.Notification.TopicARN, r.Notification.MessageID)
	case hasTopic:
		b.WriteString("\nNothing was published.\n")
	}
	return b.String()
}

func evaluationTable(r record.Record, l look) string {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatUpper
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	t.AppendHeader(table.Row{"region", "status", "reason", "detail"})
	used := 0
	for _, row := range rows(r) {
		used = max(used, len(row.scope))
		t.AppendRow(table.Row{row.scope, l.paint(statusColor[row.status], string(row.status)), string(row.reason), printable(row.detail)})
	}
	used += len("  INSUFFICIENT_DATA  REGION_TRANSITIONAL  ")
	if l.width > used+20 {
		t.SetColumnConfigs([]table.ColumnConfig{{Number: 4, WidthMax: l.width - used - 2, WidthMaxEnforcer: text.WrapSoft}})
	}
	return t.Render() + "\n"
}

type tableRow struct {
	scope  string
	status audit.Status
	reason audit.Reason
	detail string
}

// rows gives each evaluation its row, but for regions that need not be judged: where more than a few have the same
// reason, they share a row that names them, since they would hide what matters.
func rows(r record.Record) []tableRow {
	const few = 3
	if len(r.Evaluations) == 0 {
		return nil
	}
	one := r.Evaluations[0].Account == r.Evaluations[len(r.Evaluations)-1].Account
	alike := map[audit.Reason][]string{}
	var all []tableRow
	evaluations := ordered(r)
	for i, e := range evaluations {
		name := e.Region
		if !one {
			name = e.Account + "/" + e.Region
		}
		if e.Status != audit.NotApplicable {
			all = append(all, tableRow{name, e.Status, e.Reason, e.Detail})
			continue
		}
		alike[e.Reason] = append(alike[e.Reason], name)
		last := i == len(evaluations)-1 || !slices.ContainsFunc(evaluations[i+1:], func(o audit.Evaluation) bool { return o.Reason == e.Reason })
		switch names := alike[e.Reason]; {
		case !last:
		case len(names) > few:
			all = append(all, tableRow{fmt.Sprintf("%d regions", len(names)), e.Status, e.Reason, strings.Join(names, ", ")})
		default:
			for _, n := range names {
				all = append(all, tableRow{n, e.Status, e.Reason, e.Detail})
			}
		}
	}
	return all
}

// advice says what to do about each reason that occurred.
func advice(r record.Record, l look) string {
	var b strings.Builder
	for _, status := range []audit.Status{audit.NonCompliant, audit.InsufficientData} {
		for _, g := range notify.Groups(r.Evaluations, status) {
			fmt.Fprintf(&b, "\n%s  %s\n", l.paint(statusColor[status], string(g.Reason)), g.Advice)
			for _, c := range g.Commands {
				b.WriteString("  " + strings.ReplaceAll(c, "\n", "\n  ") + "\n")
			}
		}
	}
	return b.String()
}

// printable takes control characters, escape sequences among them, out of foreign text.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || (c >= 0x80 && c < 0xa0) {
			return ' '
		}
		return c
	}, s)
}
