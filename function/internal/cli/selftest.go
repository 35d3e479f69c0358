package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

func selfTestCommand() command {
	return command{
		name: "self-test", summary: "try credentials, region list, one region, store and topic; send a marked message",
		about: "Judges no region and changes nothing but a mark in the store. Exit status 1 where a part does not work.\n" +
			"The deployed function does the same for the payload {\"action\": \"self-test\"}.",
		flags:    append(settingFlags(false), flagRow{name: "output", value: "table|json", help: "the form of the report", defaultText: "table", check: oneOf("table", "json")}, verboseFlag()),
		settings: true,
		run:      runSelfTest,
	}
}

func runSelfTest(ctx context.Context, p *program, values flagValues) (int, error) {
	session, o, err := p.open(ctx, values, false)
	if err != nil {
		return 0, err
	}
	defer session.Close()
	r, err := reconcile.Run(ctx, session, o, trigger.Trigger{Kind: trigger.CLI, ID: o.RunID, Action: trigger.SelfTest})
	if err != nil {
		return 0, err
	}
	failed := 0
	l := p.lookOf(p.stdout)
	var b strings.Builder
	for _, t := range r.SelfTest {
		word, color := "works", "32"
		if !t.OK {
			failed++
			word, color = "FAILS", "31;1"
		}
		b.WriteString(fmt.Sprintf("%-11s", t.Name) + l.paint(color, word) + "  " + l.fill(printable(t.Detail), strings.Repeat(" ", 18)) + "\n")
	}
	for _, w := range r.Warnings {
		b.WriteString("\n" + l.fill("Warning: "+printable(w), "  ") + "\n")
	}
	text := b.String()
	if values["output"] == "json" {
		if text, err = renderJSON(r); err != nil {
			return 0, err
		}
	}
	if err := p.write(text); err != nil {
		return 0, err
	}
	if failed > 0 {
		return exitFailed, nil
	}
	return exitClean, nil
}
