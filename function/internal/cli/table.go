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
	b.WriteString(l.paint("1", l.fill(notify.Headline(r), "")) + "\n\n")
	b.WriteString(evaluationTable(r, l))
	b.WriteString(advice(r, l))
	b.WriteString(footer(r, l, hasTopic))
	return b.String()
}

// footer has the warnings, and what was published.
func footer(r record.Record, l look, hasTopic bool) string {
	var b strings.Builder
	for _, w := range r.Warnings {
		b.WriteString("\n" + l.fill("Warning: "+printable(w), "  ") + "\n")
	}
	switch {
	case r.Notification.MessageID != "":
		fmt.Fprintf(&b, "\nPublished to %s (message %s).\n", r.Notification.TopicARN, r.Notification.MessageID)
	case hasTopic:
		b.WriteString("\nNothing was published.\n")
	}
	return b.String()
}

// fill breaks a text between words at the width, with an indent on every line but the first.
func (l look) fill(s, indent string) string {
	if l.width < minWidth {
		return s
	}
	return strings.ReplaceAll(wrapWords(s, l.width-len(indent)-1), "\n", "\n"+indent)
}

// minWidth is the narrowest terminal for which anything is broken into lines; a narrower one does that itself.
const minWidth = 60

// wrapWords breaks between words, never within one: names are there to be copied.
func wrapWords(s string, width int) string {
	var b strings.Builder
	line := 0
	for word := range strings.FieldsSeq(s) {
		n := len([]rune(word))
		switch {
		case line == 0:
		case line+1+n > width:
			b.WriteString("\n")
			line = 0
		default:
			b.WriteString(" ")
			line++
		}
		b.WriteString(word)
		line += n
	}
	return b.String()
}

// newTable is a table of plain columns, without lines.
func newTable() table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatUpper
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	return t
}

func evaluationTable(r record.Record, l look) string {
	t := newTable()
	rows := rows(r)
	used := 0
	for _, row := range rows {
		used = max(used, len(row.scope))
	}
	used += len("  REGION_TRANSITIONAL  ")
	// On a narrow terminal the status goes: the reason implies it, and its colour stays.
	withStatus := l.width == 0 || l.width >= used+len("INSUFFICIENT_DATA  ")+40
	if withStatus {
		used += len("INSUFFICIENT_DATA  ")
		t.AppendHeader(table.Row{"region", "status", "reason", "detail"})
	} else {
		t.AppendHeader(table.Row{"region", "reason", "detail"})
	}
	room := 0
	if l.width >= minWidth {
		room = l.width - used - 1
	}
	for _, row := range rows {
		detail, color := printable(row.detail), statusColor[row.status]
		if room > 0 {
			detail = wrapWords(detail, room)
		}
		if withStatus {
			t.AppendRow(table.Row{row.scope, l.paint(color, string(row.status)), string(row.reason), detail})
		} else {
			t.AppendRow(table.Row{row.scope, l.paint(color, string(row.reason)), detail})
		}
	}
	return t.Render() + "\n"
}

// labelOf names a scope as briefly as the record allows: without the account where there is one only.
func labelOf(r record.Record) func(account, region string) string {
	n := len(r.Evaluations)
	one := n > 0 && r.Evaluations[0].Account == r.Evaluations[n-1].Account
	return func(account, region string) string {
		if one {
			return region
		}
		return account + "/" + region
	}
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
	label := labelOf(r)
	alike := map[audit.Reason][]string{}
	var all []tableRow
	evaluations := ordered(r)
	for i, e := range evaluations {
		name := label(e.Account, e.Region)
		if e.Status != audit.NotApplicable {
			detail := notify.Describe(e)
			if e.Since != nil {
				detail += ", since " + e.Since.UTC().Format("2006-01-02 15:04 UTC")
			}
			all = append(all, tableRow{name, e.Status, e.Reason, detail})
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
			names := make([]string, len(g.Evaluations))
			for i, e := range g.Evaluations {
				names[i] = e.Region
			}
			names = slices.Compact(names)
			if len(names) > 6 {
				names = append(names[:6], "…")
			}
			line := fmt.Sprintf("%s (%s): %s", g.Reason, strings.Join(names, ", "), g.Advice)
			b.WriteString("\n" + strings.Replace(l.fill(line, "  "), string(g.Reason), l.paint(statusColor[status], string(g.Reason)), 1) + "\n")
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
