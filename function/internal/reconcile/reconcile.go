// Package reconcile is the story of a run, top to bottom: who are we, which regions are there, what does each show, what
// do we say. It holds no rule of its own and talks to AWS only through the interfaces below.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

// Directory knows the account. Each method counts the requests it sent, and retries what is worth retrying.
type Directory interface {
	Identify(ctx context.Context) (audit.Identity, int, error)
	// Regions lists the account's regions; named is what to fall back on. The list is never empty without an error.
	Regions(ctx context.Context, id audit.Identity, named []string) (audit.RegionList, int, error)
}

// Publisher sends a message to a topic, once, and returns its id. An error is final for this run.
type Publisher interface {
	Publish(ctx context.Context, topicARN string, m notify.Message) (string, error)
}

// Cloud is all that a run asks of AWS.
type Cloud interface {
	Directory
	Publisher
	audit.Inspector
}

// Options say how to run.
type Options struct {
	RunID     string
	Selection audit.Selection
	Audit     audit.Options
	Notify    notify.Options
	Fallback  audit.Identity // who we are where STS does not answer; the zero value means that nobody knows
	Log       *slog.Logger
}

// RefusedError says that a run was asked for something that it may not do.
type RefusedError struct{ Problem string }

func (e *RefusedError) Error() string { return e.Problem }

// reserve is kept back from the run's deadline, so that a partial report still gets out.
func reserve(left time.Duration) time.Duration { return min(5*time.Second, left/4) }

// Run audits and publishes. It fails only where nothing was judged or nothing was told: for a refused trigger, without
// an identity, without a region list, and when the notification could not be published, in which case the record is
// complete all the same. A scope that fails is data.
func Run(ctx context.Context, cloud Cloud, o Options, t trigger.Trigger) (record.Record, error) {
	if err := permit(o, t); err != nil {
		return record.Record{}, err
	}
	r := record.Record{
		SchemaVersion: record.SchemaVersion, RunID: o.RunID, Trigger: record.Trigger{Kind: string(t.Kind), ID: t.ID},
		Auditor: o.Fallback.ARN, Check: record.CWE001(), Policy: o.Audit.Policy, StartedAt: o.Audit.Now().UTC(), Warnings: []string{},
	}
	auditCtx, cancel := beforeDeadline(ctx)
	defer cancel()

	id, idCalls, err := identify(auditCtx, cloud, o, &r)
	if err != nil {
		return record.Record{}, unlessInterrupted(ctx, err)
	}
	candidates, list, listCalls, err := candidates(auditCtx, cloud, o, t, id)
	if err != nil {
		return record.Record{}, unlessInterrupted(ctx, err)
	}
	r.Warnings = append(r.Warnings, list.Warnings...)

	report := audit.NewReport(audit.Run(auditCtx, candidates, cloud, o.Audit), list.Source)
	if err := unlessInterrupted(ctx, nil); err != nil {
		return record.Record{}, err
	}
	if !slices.ContainsFunc(report.Evaluations, func(e audit.Evaluation) bool { return e.Status != audit.NotApplicable }) {
		r.Warnings = append(r.Warnings, "no region was asked: every selected region is left out, exempt or not enabled")
	}
	r.FinishedAt, r.APICalls = o.Audit.Now().UTC(), idCalls+listCalls+report.APICalls
	r.Coverage, r.Summary, r.Evaluations = report.Coverage, report.Summary, report.Evaluations

	err = publish(ctx, cloud, o, t, notify.Kind(report), &r)
	logRun(ctx, o.Log, r)
	return r, err
}

// unlessInterrupted keeps an interrupt by hand from being blamed on credentials or permissions.
func unlessInterrupted(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return errors.New("interrupted: nothing was published")
	}
	return err
}

// permit refuses what a run may not do, before anything is called.
func permit(o Options, t trigger.Trigger) error {
	switch t.Action {
	case trigger.Remediate, trigger.Undo:
		return &RefusedError{fmt.Sprintf("action %q is refused: remediation is not enabled here, so that nothing may be changed; send {\"action\": \"audit\"}", t.Action)}
	case trigger.Plan:
		return &RefusedError{fmt.Sprintf("action %q is refused: this version can only audit; send {\"action\": \"audit\"}", t.Action)}
	}
	if t.Notify != nil && *t.Notify && o.Notify.TopicARN == "" {
		return &RefusedError{notify.ErrNoTopic.Error()}
	}
	return nil
}

func beforeDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-reserve(time.Until(deadline))))
}

func identify(ctx context.Context, d Directory, o Options, r *record.Record) (audit.Identity, int, error) {
	id, calls, err := d.Identify(ctx)
	if err != nil && o.Fallback.Account != "" {
		r.Warnings = append(r.Warnings, fmt.Sprintf("account taken from %s, since %v", o.Fallback.ARN, err))
		return o.Fallback, calls, nil
	}
	return id, calls, err
}

func candidates(ctx context.Context, d Directory, o Options, t trigger.Trigger, id audit.Identity) ([]audit.Candidate, audit.RegionList, int, error) {
	var problems []string
	if topic := strings.Split(o.Notify.TopicARN, ":"); len(topic) > 1 && topic[1] != id.Partition {
		problems = append(problems, fmt.Sprintf("topic-arn: %s is in partition %s, the account is in %s", o.Notify.TopicARN, topic[1], id.Partition))
	}
	for _, account := range t.Accounts {
		if account != id.Account {
			problems = append(problems, fmt.Sprintf("accounts: %s cannot be audited from here, only the own account %s can", account, id.Account))
		}
	}
	if problems != nil {
		return nil, audit.RegionList{}, 0, &audit.SelectionError{Problems: problems}
	}
	selection := o.Selection
	if len(t.Regions) > 0 {
		selection.Only = slices.Clone(t.Regions)
	}
	list, calls, err := d.Regions(ctx, id, selection.Only)
	if err != nil {
		return nil, list, calls, err
	}
	candidates, err := audit.Select(id, list, selection)
	return candidates, list, calls, err
}

func publish(ctx context.Context, p Publisher, o Options, t trigger.Trigger, kind record.Kind, r *record.Record) error {
	r.Notification = record.Notification{Kind: record.None}
	if !o.Notify.Due(kind, t.Notify) {
		return nil
	}
	r.Notification = record.Notification{TopicARN: o.Notify.TopicARN, Kind: kind}
	if deadline, ok := ctx.Deadline(); ok { // an error that is late is no error: Lambda would end the function without a word
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-min(500*time.Millisecond, time.Until(deadline)/10)))
		defer cancel()
	}
	message, err := notify.Compose(*r, kind)
	if err == nil {
		r.Notification.MessageID, err = p.Publish(ctx, o.Notify.TopicARN, message)
	}
	if err != nil {
		r.Notification = record.Notification{Kind: record.None}
		if errors.Is(ctx.Err(), context.Canceled) {
			err = fmt.Errorf("interrupted while publishing to %s: whether the message got out is not known", o.Notify.TopicARN)
		}
		return &PublishError{err}
	}
	return nil
}

// PublishError says that the audit is done but nobody was told.
type PublishError struct{ Err error }

func (e *PublishError) Error() string { return e.Err.Error() }
func (e *PublishError) Unwrap() error { return e.Err }

func logRun(ctx context.Context, log *slog.Logger, r record.Record) {
	for _, e := range r.Evaluations {
		log.DebugContext(ctx, "judged", "run_id", r.RunID, "account", e.Account, "region", e.Region,
			"status", e.Status, "reason", e.Reason, "detail", e.Detail, "api_calls", e.APICalls, "ms", e.DurationMS)
	}
	log.InfoContext(ctx, "run", "run_id", r.RunID, "trigger", r.Trigger.Kind, "scopes", r.Coverage.Scopes, "judged", r.Coverage.Judged,
		"non_compliant", r.Summary[audit.NonCompliant], "api_calls", r.APICalls, "ms", r.FinishedAt.Sub(r.StartedAt).Milliseconds(),
		"notification", r.Notification.Kind, "message_id", r.Notification.MessageID, "warnings", len(r.Warnings))
}
