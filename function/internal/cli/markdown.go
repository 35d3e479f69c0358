package cli

import (
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
)

// renderMarkdown is for an issue, a wiki or a CI summary.
func renderMarkdown(r record.Record) string {
	var b strings.Builder
	b.WriteString("# " + r.Check.ID + ": " + r.Check.Title + "\n\n" + notify.Headline(r) + "\n\n")
	t := table.NewWriter()
	t.AppendHeader(table.Row{"Account", "Region", "Status", "Reason", "Detail"})
	for _, e := range ordered(r) {
		t.AppendRow(table.Row{e.Account, e.Region, string(e.Status), string(e.Reason), inMarkdown(notify.Describe(e))})
	}
	b.WriteString(t.RenderMarkdown() + "\n")
	for _, status := range []audit.Status{audit.NonCompliant, audit.InsufficientData} {
		for _, g := range notify.Groups(r.Evaluations, status) {
			b.WriteString("\n**" + string(g.Reason) + "**: " + g.Advice + "\n")
			if len(g.Commands) > 0 {
				b.WriteString("\n```sh\n" + strings.Join(g.Commands, "\n") + "\n```\n")
			}
		}
	}
	b.WriteString(markdownFooter(r))
	return b.String()
}

func markdownFooter(r record.Record) string {
	var b strings.Builder
	if len(r.Warnings) > 0 {
		b.WriteString("\n**Warnings**\n\n")
		for _, w := range r.Warnings {
			b.WriteString("- " + inMarkdown(w) + "\n")
		}
	}
	b.WriteString("\n_Run " + r.RunID + ", " + r.FinishedAt.Format("2006-01-02 15:04:05 UTC") + ", policy " + string(r.Policy) +
		", region list from " + r.Coverage.RegionSource + "._\n")
	return b.String()
}

// inMarkdown keeps foreign text from being markup.
func inMarkdown(s string) string {
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "<", "&lt;", ">", "&gt;", "[", `\[`, "]", `\]`).Replace(printable(s))
}
