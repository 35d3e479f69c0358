package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/settings"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

func auditCommand() command {
	return command{
		name: "audit", summary: "audit every region, print the report; publish it with --topic-arn",
		about: "A flag wins over its variable. The AWS SDK's own settings hold: AWS_PROFILE, AWS_REGION,\n" +
			"AWS_ENDPOINT_URL, AWS_MAX_ATTEMPTS and the rest.",
		flags:    append(settingFlags(false), outputFlag(), verboseFlag()),
		settings: true,
		run:      runAudit,
	}
}

func outputFlag() flagRow {
	return flagRow{name: "output", value: "table|json|csv|markdown", help: "the form of the report", defaultText: "table", check: oneOf("table", "json", "csv", "markdown")}
}

func verboseFlag() flagRow {
	return flagRow{name: "verbose", help: "log every region and the run to standard error", boolean: true, check: oneOf("true", "false")}
}

func runAudit(ctx context.Context, p *program, values flagValues) (int, error) {
	session, o, err := p.open(ctx, values, false)
	if err != nil {
		return 0, err
	}
	defer session.Close()
	progress := p.progress()
	o.Audit.Observe = progress.show
	r, err := reconcile.Run(ctx, session, o, trigger.Trigger{Kind: trigger.CLI, ID: o.RunID})
	progress.clear()
	if r.RunID != "" { // an audit that could not be published still has its report
		if err := p.report(r, values["output"], o.Notify.TopicARN != ""); err != nil {
			return 0, err
		}
	}
	return verdictStatus(r), err
}

// open reads the settings and makes the session and the options of a run. The caller closes the session. further are
// mistakes found already, to be named with those of the settings.
func (p *program) open(ctx context.Context, values flagValues, changes bool, further ...error) (*cloud.Session, reconcile.Options, error) {
	s, err := settings.Read(flagSource(values), environment(p.env, changes))
	if err := errors.Join(append([]error{err}, further...)...); err != nil {
		return nil, reconcile.Options{}, err
	}
	session, err := cloud.Open(ctx)
	if err != nil {
		return nil, reconcile.Options{}, err
	}
	o := p.options(s, values["verbose"] == "true")
	if err := sources(&o, session, s); err != nil {
		session.Close()
		return nil, reconcile.Options{}, err
	}
	return session, o, nil
}

func (p *program) options(s settings.Settings, verbose bool) reconcile.Options {
	o := reconcile.Options{RunID: newRunID(), Selection: s.Selection, Audit: s.Audit, Remediation: s.Remediation, Notify: s.Notify, Log: p.log(verbose)}
	o.Audit.Now = time.Now
	return o
}

// sources says where earlier results and exceptions are. A file of exceptions is read here, once.
func sources(o *reconcile.Options, session *cloud.Session, s settings.Settings) error {
	o.Store = session.Store(s.Store)
	o.Exceptions.Strict = true
	switch text := s.Exceptions; {
	case text == "":
	case strings.HasPrefix(text, "s3://"):
		o.Exceptions.URL = text
	case strings.HasPrefix(strings.TrimSpace(text), "["):
		o.Exceptions.JSON = []byte(text)
	default:
		data, err := os.ReadFile(text)
		if err != nil {
			return &settings.Error{Problems: []string{fmt.Sprintf("exceptions: %v; want a file, a JSON list, or s3://BUCKET/KEY", err)}}
		}
		o.Exceptions.JSON = data
	}
	return nil
}

// newRunID returns a random UUID, version 4, the form of a Lambda request's id.
func newRunID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (p *program) report(r record.Record, format string, hasTopic bool) error {
	var text string
	var err error
	switch format {
	case "json":
		text, err = renderJSON(r)
	case "csv":
		if r.Remediation != nil {
			text, err = renderChangeCSV(r)
		} else {
			text, err = renderCSV(r)
		}
		for _, w := range r.Warnings {
			fmt.Fprintf(p.stderr, "warning: %s\n", w)
		}
	case "markdown":
		if r.Remediation != nil {
			text = renderChangeMarkdown(r)
		} else {
			text = renderMarkdown(r)
		}
	default:
		if r.Remediation != nil {
			text = renderChange(r, p.lookOf(p.stdout), hasTopic)
		} else {
			text = renderTable(r, p.lookOf(p.stdout), hasTopic)
		}
	}
	if err != nil {
		return err
	}
	return p.write(text)
}
