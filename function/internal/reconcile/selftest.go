package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/history"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

// selfTest tries each part that a run stands on, changes nothing but a mark in the store, and sends a marked message. What
// does not work is a trial that says so, never an error.
func selfTest(ctx context.Context, cloud Cloud, o Options, t trigger.Trigger, r record.Record) record.Record {
	publishCtx := ctx
	ctx, cancel := beforeDeadline(ctx)
	defer cancel()
	try := func(name, detail string, err error) bool {
		if err != nil {
			detail = err.Error()
		}
		r.SelfTest = append(r.SelfTest, record.Trial{Name: name, OK: err == nil, Detail: detail})
		return err == nil
	}
	r.Take(audit.NewReport([]audit.Evaluation{}, ""))
	r.Notification.Kind = record.None
	requests := cloud.Requests()
	id, err := cloud.Identify(ctx)
	if err != nil && o.Fallback.Account != "" {
		id = o.Fallback
	}
	if try("identity", "account "+id.Account+", "+id.ARN, err) || id.Account != "" {
		candidates, list, err := candidates(ctx, cloud, o, t, id)
		if err == nil && list.Source == audit.SourceSettings {
			err = fmt.Errorf("AWS tells no region list, so that only the named regions are known: %s. Allow account:ListRegions or ec2:DescribeRegions to the role", strings.Join(list.Warnings, "; "))
		}
		r.Warnings = append(r.Warnings, list.Warnings...)
		if try("regions", fmt.Sprintf("%d regions from %s", len(list.Regions), list.Source), err) {
			detail, err := tryRules(ctx, cloud, o, candidates)
			try("rules", detail, err)
			if o.Exceptions.JSON != nil || o.Exceptions.URL != "" {
				strict := o
				strict.Exceptions.Strict = true
				_, err := except(ctx, cloud, strict, candidates, list, &r)
				try("exceptions", "every entry can be read", err)
			}
		}
	}
	if o.Store != nil {
		try("store", "can be read and written", tryStore(ctx, o))
	}
	r.FinishedAt, r.APICalls = o.Audit.Now().UTC(), cloud.Requests()-requests
	switch {
	case t.Notify != nil && !*t.Notify:
		try("topic", "not tried, since notify is false", nil)
		return r
	case o.Notify.TopicARN == "":
		try("topic", "", errors.New("no topic is set, so that nobody is told of anything: set TOPIC_ARN (--topic-arn)"))
		return r
	}
	message, err := notify.ComposeTest(r)
	if err == nil {
		r.Notification = record.Notification{TopicARN: o.Notify.TopicARN, Kind: record.Test}
		r.Notification.MessageID, err = cloud.Publish(publishCtx, o.Notify.TopicARN, message)
	}
	if err != nil {
		r.Notification = record.Notification{Kind: record.None}
	}
	try("topic", fmt.Sprintf("message %s went out; if it does not arrive, look at the subscriptions of %s, and whether they are confirmed", r.Notification.MessageID, o.Notify.TopicARN), err)
	return r
}

// tryRules asks one region, the first that must be asked.
func tryRules(ctx context.Context, cloud Cloud, o Options, candidates []audit.Candidate) (string, error) {
	for _, c := range candidates {
		if c.OptIn != audit.OptInEnabled && c.OptIn != audit.OptInUnknown || c.Excluded {
			continue
		}
		e := audit.Run(ctx, []audit.Candidate{c}, cloud, audit.Options{Policy: o.Audit.Policy, Concurrency: 1, RegionTimeout: o.Audit.RegionTimeout, Now: o.Audit.Now})[0]
		if e.Status == audit.InsufficientData {
			return "", fmt.Errorf("%s: %s (%s). %s", c.Region, e.Detail, e.Reason, notify.Advice(e.Reason))
		}
		return fmt.Sprintf("%s answers: %s", c.Region, e.Reason), nil
	}
	return "", errors.New("no region is to be asked: see the settings of regions")
}

// tryStore reads the state, which may not be there yet, and writes a mark.
func tryStore(ctx context.Context, o Options) error {
	const mark = "self-test.json"
	if _, _, err := o.Store.Get(ctx, "state.json"); err != nil && !errors.Is(err, history.ErrNone) {
		return err
	}
	_, version, err := o.Store.Get(ctx, mark)
	if err != nil && !errors.Is(err, history.ErrNone) {
		return err
	}
	err = o.Store.Put(ctx, mark, fmt.Appendf(nil, `{"runId": %q, "at": %q}`, o.RunID, o.Audit.Now().UTC().Format(time.RFC3339)), version)
	if errors.Is(err, history.ErrChanged) { // another self-test at once
		return nil
	}
	return err
}
