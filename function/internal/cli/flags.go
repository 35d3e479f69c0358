package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/settings"
)

// flagRow is one flag of a command. A flag that has a variable comes from the table of settings.
type flagRow struct {
	name, value, help, defaultText, variable string
	boolean                                  bool
	check                                    func(value string) error // nil for settings, which check themselves
}

// flagValues holds the flags that were given.
type flagValues map[string]string

// flagError names every bad flag at once.
type flagError struct{ problems []string }

func (e *flagError) Error() string { return strings.Join(e.problems, "\n") }

var errHelp = errors.New("help wanted")

// settingFlags are the flags of the table of settings, with those that matter only where something is changed or without.
func settingFlags(changes bool) []flagRow {
	var rows []flagRow
	for _, s := range settings.Table() {
		if s.Flag != "" && (changes || !s.Changes) {
			rows = append(rows, flagRow{name: s.Flag, value: s.Value, help: s.Help, defaultText: s.DefaultText(), variable: s.Variable})
		}
	}
	return rows
}

// parseFlags reads a command's arguments. It goes on after a mistake, so that all of them are named at once, those of
// the settings included. Its error is a *flagError or errHelp.
func parseFlags(c command, args []string) (flagValues, error) {
	values, repeated := flagValues{}, map[string]bool{}
	set := flag.NewFlagSet(c.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	names := []string{}
	for _, row := range c.flags {
		keep := func(v string) error {
			if _, twice := values[row.name]; twice && !row.boolean {
				repeated[row.name] = true
			}
			values[row.name] = v
			return nil
		}
		if row.boolean {
			set.BoolFunc(row.name, row.help, keep)
		} else {
			set.Func(row.name, row.help, keep)
		}
		names = append(names, row.name)
	}
	var problems []string
	for len(args) > 0 {
		err := set.Parse(args)
		args = set.Args()
		switch {
		case errors.Is(err, flag.ErrHelp):
			return nil, errHelp
		case err != nil:
			unknown, isUnknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
			switch {
			case isUnknown:
				problem := fmt.Sprintf("unknown flag --%s", unknown)
				if guess := guessFlag(unknown, names); guess != "" {
					problem += fmt.Sprintf("; did you mean --%s?", guess)
				}
				problems = append(problems, problem)
				if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
					args = args[1:] // most likely the unknown flag's value
				}
			case strings.HasPrefix(err.Error(), "flag needs an argument: -"):
				problems = append(problems, "--"+strings.TrimPrefix(err.Error(), "flag needs an argument: -")+": the value is missing")
			default:
				problems = append(problems, err.Error())
			}
		case len(args) > 0:
			problems = append(problems, fmt.Sprintf("unexpected argument %q: %s takes flags only", args[0], c.name))
			args = args[1:]
		}
	}
	for _, row := range c.flags {
		if repeated[row.name] {
			problems = append(problems, fmt.Sprintf("--%s: is given twice; put all values into one", row.name))
		}
		if v, ok := values[row.name]; ok && row.check != nil {
			if err := row.check(v); err != nil {
				problems = append(problems, fmt.Sprintf("--%s: %v", row.name, err))
			}
		}
	}
	if problems != nil {
		return values, &flagError{problems}
	}
	return values, nil
}

// guessFlag finds the flag that was meant: the one that the word begins, or the nearest.
func guessFlag(word string, names []string) string {
	for _, name := range names {
		if strings.HasPrefix(name, word) {
			return name
		}
	}
	return audit.Nearest(word, names)
}

// environment is the settings.Source of the variables that a flag stands for. The others are the Lambda function's own,
// and one of them, MODE, is a name that shells use for other things.
func environment(environ []string, changes bool) settings.Source {
	variables := settings.Environment(environ)
	return func(s settings.Setting) (string, string, bool) {
		value, name, ok := variables(s)
		return value, name, ok && s.Flag != "" && (changes || !s.Changes)
	}
}

// flagSource is the settings.Source of the given flags.
func flagSource(values flagValues) settings.Source {
	return func(s settings.Setting) (string, string, bool) {
		v, ok := values[s.Flag]
		return v, "--" + s.Flag, ok && s.Flag != ""
	}
}

func oneOf(allowed ...string) func(string) error {
	return func(v string) error {
		for _, a := range allowed {
			if a == v {
				return nil
			}
		}
		return fmt.Errorf("want %s or %s, got %q", strings.Join(allowed[:len(allowed)-1], ", "), allowed[len(allowed)-1], v)
	}
}

func usage() string {
	var b strings.Builder
	b.WriteString("eventbridge-auditor asks of every AWS region: is an EventBridge rule active in it? (CWE-001)\n\n" +
		"Usage:\n  eventbridge-auditor COMMAND [FLAGS]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-10s %s\n", c.name, c.summary)
	}
	b.WriteString("\nNo account at hand? Start with 'eventbridge-auditor demo'.\n" +
		"'eventbridge-auditor COMMAND --help' shows a command's flags.\n\n" +
		"Exit status: 0 no region fails, 1 could not run, or a step of undo failed,\n" +
		"2 bad usage or settings, 3 a region fails (after remediate: still does),\n" +
		"4 none fails but not every region could be judged.\n")
	return b.String()
}

func (p *program) help(args []string) int {
	if len(args) == 0 {
		fmt.Fprint(p.stdout, usage())
		return exitClean
	}
	c, ok := p.find(args[0])
	if !ok {
		return exitUsage
	}
	fmt.Fprint(p.stdout, c.help())
	return exitClean
}

// find returns the command of a name, and complains where there is none.
func (p *program) find(name string) (command, bool) {
	names := []string{}
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
		names = append(names, c.name)
	}
	problem := fmt.Sprintf("unknown command %q", name)
	if guess := audit.Nearest(name, names); guess != "" {
		problem += fmt.Sprintf("; did you mean %q?", guess)
	}
	p.complain(errors.New(problem))
	fmt.Fprintf(p.stderr, "Commands are %s; run 'eventbridge-auditor help'.\n", strings.Join(names, ", "))
	return command{}, false
}

func (c command) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "eventbridge-auditor %s: %s\n", c.name, c.summary)
	if c.about != "" {
		b.WriteString("\n" + c.about + "\n")
	}
	if len(c.flags) > 0 {
		b.WriteString("\nFlags:\n")
	}
	for _, row := range c.flags {
		line := "  --" + row.name
		if row.value != "" {
			line += " " + row.value
		}
		b.WriteString(line + "\n      " + row.help + "\n")
		var notes []string
		if row.defaultText != "" {
			notes = append(notes, "default: "+row.defaultText)
		}
		if row.variable != "" {
			notes = append(notes, "variable: "+row.variable)
		}
		if len(notes) > 0 {
			b.WriteString("      (" + strings.Join(notes, "; ") + ")\n")
		}
	}
	return b.String()
}
