package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

func planCommand() command {
	return changeCommand(trigger.Plan, "audit, then show what remediate would change, as AWS CLI commands too; change nothing",
		"Every region that fails or could not be judged is in the plan, with what would be done or why nothing would be.\n")
}

func remediateCommand() command {
	return changeCommand(trigger.Remediate, "audit, give each failing region a rule with a target, and audit those regions again",
		"Makes one rule, one permission and one target in a region, in an order in which the region fails until all is\n"+
			"there. Touches nothing that it did not make itself. A run that is cut short is finished by the next one.\n"+
			"The exit status is that of the audit after the changes.\n")
}

func undoCommand() command {
	return changeCommand(trigger.Undo, "remove what remediate made, and nothing else",
		"Removes the rule, its target and the permission, where marker and tag say that remediate made them and nobody has\n"+
			"changed them since. The exit status is that of an audit afterwards (3 where a region fails now), or 1 if a step failed.\n")
}

func changeCommand(action trigger.Action, summary, about string) command {
	return command{
		name: string(action), summary: summary,
		about: about + "A flag wins over its variable. The AWS SDK's own settings hold.\n\nFor example\n" + examples[action],
		flags: changeFlags(action), settings: true, changes: true,
		run: func(ctx context.Context, p *program, values flagValues) (int, error) {
			return runChange(ctx, p, values, action)
		},
	}
}

var examples = map[trigger.Action]string{
	trigger.Plan:      "  eventbridge-auditor plan --regions eu-west-1,eu-west-2\n  eventbridge-auditor plan --event-pattern '{\"source\":[\"aws.health\"]}' --output json",
	trigger.Remediate: "  eventbridge-auditor remediate --dry-run\n  eventbridge-auditor remediate --regions eu-west-1 --event-pattern health",
	trigger.Undo:      "  eventbridge-auditor undo --dry-run\n  eventbridge-auditor undo --regions eu-west-1 --yes",
}

func changeFlags(action trigger.Action) []flagRow {
	rows := settingFlags(true)
	if action == trigger.Undo { // the rule's own description says how it was made
		rows = slices.DeleteFunc(rows, func(r flagRow) bool { return r.name == "schedule" || r.name == "event-pattern" })
	}
	if action != trigger.Plan {
		rows = append(rows, flagRow{name: "dry-run", help: "show what would be changed, with the commands that do the same, and change nothing", boolean: true, check: oneOf("true", "false")},
			flagRow{name: "yes", help: "do not ask before anything is changed; required without a terminal", boolean: true, check: oneOf("true", "false")})
	}
	return append(rows, outputFlag(), verboseFlag())
}

func runChange(ctx context.Context, p *program, values flagValues, action trigger.Action) (int, error) {
	dry := values["dry-run"] == "true"
	ask := action != trigger.Plan && !dry && values["yes"] != "true"
	var unanswered error
	if _, ok := terminal(p.stdin); ask && !ok {
		unanswered = &flagError{[]string{fmt.Sprintf("--yes: %s changes the account, and without a terminal nobody can be asked; "+
			"add --yes, or look first with --dry-run", action)}}
	}
	session, o, err := p.open(ctx, values, true, unanswered)
	if err != nil {
		return 0, err
	}
	defer session.Close()
	o.MayChange, o.DryRun = true, dry
	progress := p.progress()
	o.Audit.Observe = progress.show
	if ask {
		o.Confirm = func(r record.Record) error {
			progress.clear()
			return p.confirm(ctx, r)
		}
	}
	r, err := reconcile.Run(ctx, session, o, trigger.Trigger{Kind: trigger.CLI, ID: o.RunID, Action: action})
	progress.clear()
	if r.RunID == "" {
		return 0, err
	}
	if writeErr := p.report(r, values["output"], o.Notify.TopicARN != ""); writeErr != nil {
		return 0, errors.Join(writeErr, err)
	}
	if failed := r.Changed(remediation.Failed); err == nil && !dry && action == trigger.Undo && len(failed) > 0 {
		names := make([]string, len(failed))
		for i, region := range failed {
			names[i] = region.Region
		}
		err = fmt.Errorf("undo failed in %s: see the report; what is left can be undone by the next run", strings.Join(names, ", "))
	}
	return verdictStatus(r), err
}

// confirm shows the plan and asks for a yes, on the terminal.
func (p *program) confirm(ctx context.Context, r record.Record) error {
	l := p.lookOf(p.stderr)
	verb := "be changed"
	if r.Remediation.Mode == remediation.ModeUndo {
		verb = "have the rule of this product removed"
	}
	n := 0
	for _, region := range r.Remediation.Regions {
		if region.Changes() {
			n++
		}
	}
	fmt.Fprintf(p.stderr, "%s\n%s of account %s will %s as shown. Type yes to go on: ", renderChange(r, l, false), count(n, "region", "regions"),
		r.Evaluations[0].Account, verb)
	answer := make(chan string, 1)
	go func() { // a read from a terminal cannot be cut short; the program ends with it pending
		line, _ := bufio.NewReader(p.stdin).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.stderr)
		return errors.New("interrupted: nothing was changed")
	case line := <-answer:
		if !strings.EqualFold(line, "yes") {
			return errors.New("not confirmed: nothing was changed")
		}
		return nil
	}
}
