// Package reconcile is the story of a run, top to bottom: who are we, which regions are there, what does each show, what
// do we change, what do we say. It holds no rule of its own and talks to AWS only through the interfaces below.
package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/history"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

// Directory knows the account. It retries what is worth retrying.
type Directory interface {
	Identify(ctx context.Context) (audit.Identity, error)
	// Regions lists the account's regions; named is what to fall back on. The list is never empty without an error.
	Regions(ctx context.Context, id audit.Identity, named []string) (audit.RegionList, error)
	// Requests counts all requests so far, retries included, of whatever part of Cloud.
	Requests() int
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
	remediation.Executor
	Objects
}

// Objects reads objects of S3, given as s3://BUCKET/KEY.
type Objects interface {
	ReadObject(ctx context.Context, url string) ([]byte, error)
}

// Options say how to run.
type Options struct {
	RunID       string
	Action      trigger.Action // what a trigger that names no action does; "" is trigger.Audit
	MayChange   bool           // whether remediate and undo are allowed
	DryRun      bool           // whether they stop after the plan
	Selection   audit.Selection
	Audit       audit.Options
	Remediation remediation.Options
	Notify      notify.Options
	Store       history.Blobs // what earlier runs found and told; nil where nothing is kept
	Exceptions  Exceptions
	Fallback    audit.Identity // who we are where STS does not answer; the zero value means that nobody knows
	Log         *slog.Logger

	// Confirm is shown what would be changed before anything is, and ends the run with its error. It is not called where
	// nothing would be changed. nil agrees.
	Confirm func(record.Record) error
}

// RefusedError says that a run was asked for something that it may not do.
type RefusedError struct{ Problem string }

func (e *RefusedError) Error() string { return e.Problem }

// reserve is kept back from the run's deadline, so that a partial report still gets out.
func reserve(left time.Duration) time.Duration { return min(5*time.Second, left/4) }

// Run audits, changes what the action says, and publishes. It fails only where nothing was judged or nothing was told: for
// a refused trigger, without an identity, without a region list, when somebody does not confirm, when it is interrupted, and
// when the notification could not be published. In the last case, and when changes had begun, the record is complete all
// the same. A scope that fails is data.
func Run(ctx context.Context, cloud Cloud, o Options, t trigger.Trigger) (record.Record, error) {
	t.Action = cmp.Or(t.Action, o.Action, trigger.Audit)
	if err := permit(o, t); err != nil {
		return record.Record{}, err
	}
	r := record.Record{
		SchemaVersion: record.SchemaVersion, RunID: o.RunID, Trigger: record.Trigger{Kind: string(t.Kind), ID: t.ID},
		Auditor: o.Fallback.ARN, Check: record.CWE001(), Policy: o.Audit.Policy, StartedAt: o.Audit.Now().UTC(), Warnings: []string{},
	}
	if t.Action == trigger.SelfTest {
		r = selfTest(ctx, cloud, o, t, r)
		failed := 0
		for _, trial := range r.SelfTest {
			if !trial.OK {
				failed++
			}
		}
		o.Log.InfoContext(ctx, "self-test", "run_id", r.RunID, "trials", len(r.SelfTest), "failed", failed, "message_id", r.Notification.MessageID)
		return r, unlessInterrupted(ctx, nil)
	}
	requests := cloud.Requests()
	workCtx, cancel := beforeDeadline(ctx)
	defer cancel()

	id, err := identify(workCtx, cloud, o, &r)
	if err != nil {
		return record.Record{}, unlessInterrupted(ctx, err)
	}
	candidates, list, err := candidates(workCtx, cloud, o, t, id)
	if err != nil {
		return record.Record{}, unlessInterrupted(ctx, err)
	}
	r.Warnings = append(r.Warnings, list.Warnings...)
	blocked, err := except(workCtx, cloud, o, candidates, list, &r)
	if err != nil {
		return record.Record{}, unlessInterrupted(ctx, err)
	}

	report := audit.NewReport(audit.Run(workCtx, candidates, cloud, o.Audit), list.Source)
	if err := unlessInterrupted(ctx, nil); err != nil {
		return record.Record{}, err
	}
	if !slices.ContainsFunc(report.Evaluations, func(e audit.Evaluation) bool { return e.Status != audit.NotApplicable }) {
		r.Warnings = append(r.Warnings, "no region was asked: every selected region is left out, exempt or not enabled")
	}
	r.Take(report)

	if mode, ok := modes[t.Action]; ok {
		if err := change(workCtx, cloud, o, mode, candidates, blocked, &r); err != nil {
			return record.Record{}, unlessInterrupted(ctx, err)
		}
	}
	memoryCtx, cancel := forMemory(ctx)
	defer cancel()
	readCtx, cancel := beforeDeadline(memoryCtx) // an audit that has used up its time still knows what was told
	defer cancel()
	memory := remember(readCtx, o, &r)
	r.FinishedAt, r.APICalls = o.Audit.Now().UTC(), cloud.Requests()-requests
	if err = unlessInterrupted(ctx, nil); err == nil {
		err = publish(ctx, cloud, o, t, &r)
	}
	keepCtx, cancel := forMemory(ctx) // the interrupt may have come while publishing
	defer cancel()
	memory.keep(keepCtx, o, &r) // told first, kept after: a run that is cut off in between tells again, and loses nothing
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
	if !o.MayChange && (t.Action == trigger.Remediate || t.Action == trigger.Undo) {
		return &RefusedError{fmt.Sprintf("action %q is refused: remediation is not enabled here, so that nothing may be changed; "+
			"deploy with Mode=remediate (MODE), or send {\"action\": \"plan\"} to see what it would do", t.Action)}
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

func identify(ctx context.Context, d Directory, o Options, r *record.Record) (audit.Identity, error) {
	id, err := d.Identify(ctx)
	if err != nil && o.Fallback.Account != "" {
		r.Warnings = append(r.Warnings, fmt.Sprintf("account taken from %s, since %v", o.Fallback.ARN, err))
		return o.Fallback, nil
	}
	return id, err
}

func candidates(ctx context.Context, d Directory, o Options, t trigger.Trigger, id audit.Identity) ([]audit.Candidate, audit.RegionList, error) {
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
		return nil, audit.RegionList{}, &audit.SelectionError{Problems: problems}
	}
	selection := o.Selection
	if len(t.Regions) > 0 {
		selection.Only = slices.Clone(t.Regions)
	}
	list, err := d.Regions(ctx, id, selection.Only)
	if err != nil {
		return nil, list, err
	}
	candidates, err := audit.Select(id, list, selection)
	return candidates, list, err
}

func publish(ctx context.Context, p Publisher, o Options, t trigger.Trigger, r *record.Record) error {
	r.Notification = record.Notification{Kind: record.None}
	kind := notify.Kind(*r)
	if !o.Notify.Due(kind, t.Notify) {
		return nil
	}
	if kind == record.None { // published all the same: how do things stand?
		kind = notify.Standing(*r)
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
	changed, failed := 0, 0
	if r.Remediation != nil {
		for _, region := range r.Remediation.Regions {
			if !region.Touched() {
				continue
			}
			changed++
			if region.Result == remediation.Failed {
				failed++
			}
			// What is changed in an account is worth a line at any level that logs at all.
			log.InfoContext(ctx, "changed", "run_id", r.RunID, "account", region.Account, "region", region.Region,
				"action", r.Remediation.Mode, "result", region.Result, "detail", region.Detail)
		}
	}
	log.InfoContext(ctx, "run", "run_id", r.RunID, "trigger", r.Trigger.Kind, "scopes", r.Coverage.Scopes, "judged", r.Coverage.Judged,
		"non_compliant", r.Summary[audit.NonCompliant], "changed", changed, "changes_failed", failed,
		"api_calls", r.APICalls, "ms", r.FinishedAt.Sub(r.StartedAt).Milliseconds(),
		"notification", r.Notification.Kind, "message_id", r.Notification.MessageID, "warnings", len(r.Warnings))
}
