// Package cli is the terminal side: commands, flags, renderers, progress and exit statuses. The program is a function of
// its context, arguments, environment and streams, and calls the same rooms as the Lambda function.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/settings"
)

// Exit statuses, which scripts rely on.
const (
	exitClean      = 0 // every region judged, none fails
	exitFailed     = 1 // could not run: credentials, no region list, publishing or a step of undo failed
	exitUsage      = 2 // bad usage or settings
	exitFailing    = 3 // at least one region is NON_COMPLIANT
	exitIncomplete = 4 // none fails, but not every region could be judged
)

// program is one run of the program: what it was called with, and where it writes.
type program struct {
	env            []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

type command struct {
	name, summary, about string
	flags                []flagRow
	settings             bool // reads the table of settings
	changes              bool // and of those, the ones about what is changed
	run                  func(ctx context.Context, p *program, values flagValues) (int, error)
}

func commands() []command {
	return []command{auditCommand(), planCommand(), remediateCommand(), undoCommand(), historyCommand(), selfTestCommand(), demoCommand(), simulateCommand(), versionCommand()}
}

// Run runs one command and returns the exit status. It writes the report, and nothing else, to stdout, and everything
// else to stderr. Cancelling ctx interrupts it.
func Run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{env: env, stdin: stdin, stdout: stdout, stderr: stderr}
	if len(args) == 0 {
		fmt.Fprint(stderr, usage())
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		return p.help(args[1:])
	case "-v", "-version", "--version":
		args[0] = "version"
	}
	c, ok := p.find(args[0])
	if !ok {
		return exitUsage
	}
	values, err := parseFlags(c, args[1:])
	if errors.Is(err, errHelp) {
		fmt.Fprint(stdout, c.help())
		return exitClean
	}
	status := exitUsage
	if err == nil {
		status, err = c.run(ctx, p, values)
	} else if c.settings { // name what is wrong with the settings too, so that one go mends everything
		_, bad := settings.Read(flagSource(values), environment(env, c.changes))
		err = errors.Join(err, bad)
	}
	if err != nil {
		p.complain(err)
		if status = statusOf(err); status == exitUsage {
			fmt.Fprintf(stderr, "Run 'eventbridge-auditor %s --help' for the flags.\n", c.name)
		}
	}
	return status
}

// complain writes an error, one line for each thing that is wrong.
func (p *program) complain(err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(p.stderr, "eventbridge-auditor: %s\n", line)
	}
}

// statusOf tells bad usage from a run that could not run.
func statusOf(err error) int {
	var (
		flags     *flagError
		bad       *settings.Error
		selection *audit.SelectionError
		refused   *reconcile.RefusedError
		excepted  *audit.ExceptionError
	)
	if errors.As(err, &excepted) || errors.As(err, &flags) || errors.As(err, &bad) || errors.As(err, &selection) || errors.As(err, &refused) {
		return exitUsage
	}
	return exitFailed
}

// verdictStatus is the exit status of a run that ran.
func verdictStatus(r record.Record) int {
	switch {
	case r.Summary[audit.NonCompliant] > 0:
		return exitFailing
	case !r.Coverage.Complete:
		return exitIncomplete
	default:
		return exitClean
	}
}

func (p *program) lookup(name string) string {
	for i := len(p.env) - 1; i >= 0; i-- {
		if n, value, ok := strings.Cut(p.env[i], "="); ok && n == name {
			return value
		}
	}
	return ""
}

func (p *program) log(verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level}))
}

// write puts out the report in one piece, so that a full disk or a closed pipe is an error and not half a report.
func (p *program) write(report string) error {
	if _, err := io.WriteString(p.stdout, report); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// Version and Commit are set by the linker; the build information stands in for what is not set.
var Version, Commit string

func versionCommand() command {
	return command{
		name: "version", summary: "print version, commit and Go version",
		run: func(_ context.Context, p *program, _ flagValues) (int, error) {
			version, commit := Version, Commit
			if info, ok := debug.ReadBuildInfo(); ok {
				if version == "" {
					version = info.Main.Version
				}
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" && commit == "" {
						commit = s.Value
					}
				}
			}
			if version == "" {
				version = "(devel)"
			}
			if commit == "" {
				commit = "unknown"
			}
			return exitClean, p.write(fmt.Sprintf("eventbridge-auditor %s\ncommit %s\n%s %s/%s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH))
		},
	}
}
