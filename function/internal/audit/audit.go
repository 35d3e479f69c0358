// Package audit judges scopes, an account's regions, by check CWE-001: does the region have an active EventBridge rule?
//
// It holds the nouns, the decision table and the bounded fan-out. It is pure: it reads no clock, no environment and no
// network of its own, imports nothing but the standard library, and never logs. What it needs to know of AWS comes in
// through an Inspector.
package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// An Inspector reads the rules of one scope.
//
// Inspect feeds every rule that it reads into the snapshot, the default bus first, and stops when the snapshot is
// settled under the policy or everything is read; in that second case it sets Complete. It counts its requests in the
// snapshot and returns the snapshot also with an error, with what was read until then. It retries what is worth
// retrying, obeys the context's deadline, and may be called for many scopes at once. Its error is a *Failure, which
// names the reason; any other error counts as SERVICE_ERROR.
type Inspector interface {
	Inspect(ctx context.Context, c Candidate, p Policy) (Snapshot, error)
}

// Failure is why a scope could not be judged.
type Failure struct {
	Reason Reason // one of the reasons that every policy maps to INSUFFICIENT_DATA
	Detail string // one line for people
	Err    error  // what the program saw
}

func (f *Failure) Error() string { return f.Detail }
func (f *Failure) Unwrap() error { return f.Err }

// Options say how to audit.
type Options struct {
	Policy        Policy
	Concurrency   int                   // scopes asked at once; less than 1 counts as 1
	RegionTimeout time.Duration         // for one scope, all requests and retries included
	Now           func() time.Time      // the clock
	Observe       func(done, total int) // called after each scope, from one goroutine at a time; may be nil
}

// Run evaluates every candidate, exactly one evaluation each, whatever goes wrong: a scope that fails, hangs or panics
// is a row of the result, and no scope cancels or changes another. When ctx ends, what is under way or not begun becomes
// TIMEOUT, and Run returns at once with what it has.
func Run(ctx context.Context, candidates []Candidate, inspector Inspector, o Options) []Evaluation {
	evaluations := make([]Evaluation, len(candidates))
	var observing sync.Mutex
	done := 0
	Each(len(candidates), o.Concurrency, func(i int) {
		evaluations[i] = evaluate(ctx, candidates[i], inspector, o)
		if o.Observe != nil {
			observing.Lock()
			done++
			o.Observe(done, len(candidates))
			observing.Unlock()
		}
	})
	return evaluations
}

// Each calls do with 0 to n-1, at most so many at once (less than 1 counts as 1), and returns when all are done.
func Each(n, atOnce int, do func(i int)) {
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(max(1, atOnce), n) {
		workers.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
}

func evaluate(ctx context.Context, c Candidate, inspector Inspector, o Options) Evaluation {
	if reason, detail := c.settledBefore(); reason != "" {
		return c.evaluation(o.Policy, reason, detail, Snapshot{}, 0)
	}
	if ctx.Err() != nil {
		return c.evaluation(o.Policy, Timeout, "not asked: the run's time ran out before its turn", Snapshot{}, 0)
	}
	scopeCtx, cancel := context.WithTimeout(ctx, o.RegionTimeout)
	defer cancel()
	start := o.Now()
	snapshot, err := inspect(scopeCtx, c, inspector, o.Policy)
	took := o.Now().Sub(start)
	if err == nil {
		reason, detail := snapshot.judge(o.Policy)
		return c.evaluation(o.Policy, reason, detail, snapshot, took)
	}
	failure := &Failure{Reason: ServiceError, Detail: err.Error(), Err: err}
	errors.As(err, &failure)
	switch {
	case failure.Reason != Timeout:
	case ctx.Err() != nil:
		failure = &Failure{Reason: Timeout, Detail: "cut short: the run's time ran out", Err: err}
	case scopeCtx.Err() != nil:
		failure = &Failure{Reason: Timeout, Detail: fmt.Sprintf("no complete answer within %s", o.RegionTimeout), Err: err}
	}
	return c.evaluation(o.Policy, failure.Reason, failure.Detail, snapshot, took)
}

// inspect turns a panic of the inspector into an error: in a Lambda function one goroutine's panic would end the whole
// run, alert included.
func inspect(ctx context.Context, c Candidate, inspector Inspector, p Policy) (s Snapshot, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &Failure{Reason: ServiceError, Detail: fmt.Sprintf("the program failed on this region, please report it: %v", r)}
		}
	}()
	return inspector.Inspect(ctx, c, p)
}
