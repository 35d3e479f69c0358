package cloud

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// Inspect is the audit.Inspector on the real API: one ListRules request where the first page settles the verdict, else
// every page of every bus.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRules.html
func (s *Session) Inspect(ctx context.Context, c audit.Candidate, p audit.Policy) (audit.Snapshot, error) {
	ctx, calls := withCounter(ctx)
	r := reader{
		client: s.events(c.Scope),
		policy: p,
	}
	err := r.readAll(ctx)
	r.snapshot.APICalls = int(calls.Load())
	switch {
	case err == nil:
		r.snapshot.Complete = true
		return r.snapshot, nil
	case errors.Is(err, errSettled):
		return r.snapshot, nil
	}
	failure := classify(ctx, err, "events:"+r.operation)
	if failure.Reason == audit.InvalidCredentials && c.OptIn == audit.OptInUnknown {
		failure.Detail += "; the region may not be enabled: its opt-in status could not be read"
	}
	return r.snapshot, failure
}

// errSettled ends the reading early: what is left unread cannot change the verdict.
var errSettled = errors.New("settled")

// reader reads the rules of one region into a snapshot, page by page, and keeps nothing else.
type reader struct {
	client    *eventbridge.Client
	policy    audit.Policy
	operation string // the API operation under way
	snapshot  audit.Snapshot
}

func (r *reader) readAll(ctx context.Context) error {
	if err := r.readBus(ctx, audit.DefaultBus); err != nil {
		return err
	}
	return pages(func(token *string) (*string, error) {
		r.operation = "ListEventBuses"
		out, err := r.client.ListEventBuses(ctx, &eventbridge.ListEventBusesInput{Limit: aws.Int32(100), NextToken: token})
		if err != nil {
			return nil, err
		}
		if out.EventBuses == nil {
			return nil, fmt.Errorf("%w: has no list of event buses", errMalformed)
		}
		for _, bus := range out.EventBuses {
			if name := aws.ToString(bus.Name); name != audit.DefaultBus {
				if err := r.readBus(ctx, name); err != nil {
					return nil, err
				}
			}
		}
		r.operation = "ListEventBuses" // reading the buses has changed it
		return out.NextToken, nil
	})
}

func (r *reader) readBus(ctx context.Context, bus string) error {
	in := &eventbridge.ListRulesInput{Limit: aws.Int32(100)}
	if bus != audit.DefaultBus { // the default bus needs no name, and so no permission on one
		in.EventBusName = aws.String(bus)
	}
	read := false
	err := pages(func(token *string) (*string, error) {
		in.NextToken = token
		r.operation = "ListRules"
		out, err := r.client.ListRules(ctx, in)
		if err != nil {
			return nil, err
		}
		if out.Rules == nil {
			return nil, fmt.Errorf("%w: has no list of rules", errMalformed)
		}
		if !read {
			read = true
			r.snapshot.Buses++
		}
		if err := r.addPage(ctx, in.EventBusName, out.Rules); err != nil {
			return nil, err
		}
		r.operation = "ListRules" // asking for targets has changed it
		return out.NextToken, nil
	})
	if isNotFound(err) && bus != audit.DefaultBus {
		return nil // the bus was deleted since it was listed, and its rules with it
	}
	return err
}

func (r *reader) addPage(ctx context.Context, bus *string, page []types.Rule) error {
	for _, listed := range page {
		rule := audit.Rule{
			Name:        aws.ToString(listed.Name),
			Bus:         aws.ToString(bus),
			State:       audit.State(listed.State),
			Description: aws.ToString(listed.Description),
			ManagedBy:   aws.ToString(listed.ManagedBy),
		}
		if r.policy.NeedsTarget(rule) && !r.snapshot.Settled(r.policy) {
			var err error
			if rule.HasTarget, err = r.hasTarget(ctx, bus, listed.Name); err != nil {
				return err
			}
		}
		r.snapshot.Add(rule)
	}
	if r.snapshot.Settled(r.policy) {
		return errSettled
	}
	return nil
}

// hasTarget asks for the rule on the bus that is being read; nil is the default bus.
func (r *reader) hasTarget(ctx context.Context, bus, rule *string) (bool, error) {
	r.operation = "ListTargetsByRule"
	found := false
	err := pages(func(token *string) (*string, error) {
		out, err := r.client.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{
			Rule: rule, EventBusName: bus, Limit: aws.Int32(1), NextToken: token,
		})
		switch {
		case err != nil:
			return nil, err
		case out.Targets == nil:
			return nil, fmt.Errorf("%w: has no list of targets", errMalformed)
		case len(out.Targets) > 0:
			found = true
			return nil, nil
		}
		return out.NextToken, nil
	})
	if isNotFound(err) {
		return false, nil // deleted since it was listed
	}
	return found, err
}

func isNotFound(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}
