package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The kinds of fault. What a kind looks like on the wire depends on the
// service's protocol; the codes and texts are those that AWS sends.
const (
	Throttle         = "throttle"          // ThrottlingException, "Rate exceeded"
	Deny             = "deny"              // access denied: no identity-based policy allows it
	SCP              = "scp"               // access denied: explicit deny in a service control policy
	InvalidToken     = "invalid-token"     // UnrecognizedClientException and its like
	ExpiredToken     = "expired-token"     // ExpiredTokenException and its like
	Hang             = "hang"              // no answer until the client gives up
	Slow             = "slow"              // the true answer, after Delay
	Reset            = "reset"             // the connection is reset
	NoDNS            = "no-dns"            // the host has no address; over loopback like reset
	Refuse           = "refuse"            // nobody listens; over loopback like reset
	Garbage          = "garbage"           // 200 with a body that is not the protocol
	HTML             = "html"              // 404 with an HTML page
	ServerError      = "server-error"      // 500 InternalFailure
	Unavailable      = "unavailable"       // 503 ServiceUnavailable
	UnknownCode      = "unknown-code"      // 400 with an error code nobody has heard of
	UnknownOperation = "unknown-operation" // the service does not know the operation
	EndlessPages     = "endless-pages"     // lists: no items and ever another NextToken
	SameToken        = "same-token"        // lists: the first page and the same NextToken for ever
	FailedEntries    = "failed-entries"    // PutTargets, RemoveTargets: 200, every entry failed
	Late             = "late"              // reads answer as things were Delay ago
)

var faultKinds = []string{
	Throttle, Deny, SCP, InvalidToken, ExpiredToken, Hang, Slow, Reset, NoDNS, Refuse, Garbage, HTML,
	ServerError, Unavailable, UnknownCode, UnknownOperation, EndlessPages, SameToken, FailedEntries, Late,
}

// Fault is something that goes wrong. Empty or "*" for Account, Region, Service
// or Operation matches any. Kinds about lists or entries match only operations
// that have them.
type Fault struct {
	Account   string `json:"account,omitempty"`
	Region    string `json:"region,omitempty"`
	Service   string `json:"service,omitempty"`   // as in signatures: account, ec2, events, lambda, s3, sns, sts
	Operation string `json:"operation,omitempty"` // as in the API: ListRules
	Kind      string `json:"kind"`
	// Times is how many calls of each region the fault hits; 0 is all of them.
	Times int `json:"times,omitempty"`
	// After is how many matching calls of each region pass before the first hit.
	After int `json:"after,omitempty"`
	// Delay is how long every hit waits before it happens; slow requires it. For
	// late, which requires it too, it is how long a change takes to be seen.
	Delay Duration `json:"delay,omitempty"`
}

func (f Fault) validate() error {
	switch {
	case !slices.Contains(faultKinds, f.Kind):
		return fmt.Errorf("unknown kind %q; known are %s", f.Kind, strings.Join(faultKinds, ", "))
	case (f.Kind == Slow || f.Kind == Late) && f.Delay == 0:
		return fmt.Errorf("kind %s needs a delay", f.Kind)
	case f.Times < 0:
		return fmt.Errorf("times %d is negative", f.Times)
	case f.After < 0:
		return fmt.Errorf("after %d is negative", f.After)
	case f.Delay < 0:
		return fmt.Errorf("delay %s is negative", time.Duration(f.Delay))
	case !isAny(f.Service) && services[f.Service].operations == nil:
		return fmt.Errorf("unknown service %q; known are %s", f.Service, serviceNames())
	}
	return nil
}

// activeFault is a fault with its count of matching calls by account and region.
type activeFault struct {
	Fault
	seen map[scope]int
}

func (f *activeFault) hits(c *call) bool {
	if !fits(f.Account, c.account) || !fits(f.Region, c.region) || !fits(f.Service, c.service) || !fits(f.Operation, c.operation) {
		return false
	}
	switch f.Kind {
	case EndlessPages, SameToken:
		if !strings.HasPrefix(c.operation, "List") {
			return false
		}
	case Late:
		if !isRead(c.operation) {
			return false
		}
	case FailedEntries:
		if c.operation != "PutTargets" && c.operation != "RemoveTargets" {
			return false
		}
	}
	f.seen[c.scope]++
	n := f.seen[c.scope] - f.After
	return n > 0 && (f.Times == 0 || n <= f.Times)
}

func isAny(pattern string) bool { return pattern == "" || pattern == "*" }

func fits(pattern, value string) bool { return isAny(pattern) || pattern == value }

// wait lets d pass, or less if ctx ends first.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// failure is the fault's AWS error, in the words of the call's service; nil for
// the kinds that are no AWS error.
func (f Fault) failure(c *call) *apiError {
	json := services[c.service].protocol == awsJSON || services[c.service].protocol == restJSON
	pick := func(jsonError, queryError, ec2Error *apiError) *apiError {
		switch {
		case json:
			return jsonError
		case c.service == "ec2":
			return ec2Error
		}
		return queryError
	}
	switch f.Kind {
	case Throttle:
		if c.service == "account" || c.service == "lambda" {
			return &apiError{429, "TooManyRequestsException", "Rate exceeded"}
		}
		return pick(&apiError{400, "ThrottlingException", "Rate exceeded"},
			&apiError{400, "Throttling", "Rate exceeded"},
			&apiError{503, "RequestLimitExceeded", "Request limit exceeded."})
	case Deny:
		return c.denied("because no identity-based policy allows the " + c.action() + " action")
	case SCP:
		return c.denied("with an explicit deny in a service control policy: " + c.world.policyARN())
	case InvalidToken:
		return c.badToken()
	case ExpiredToken:
		const text = "The security token included in the request is expired"
		status := 400
		if c.service == "account" || c.service == "lambda" {
			status = 403
		}
		return pick(&apiError{status, "ExpiredTokenException", text},
			&apiError{403, "ExpiredToken", text},
			&apiError{400, "RequestExpired", "Request has expired."})
	case ServerError:
		return pick(&apiError{500, "InternalFailure", "The request processing has failed because of an unknown error, exception or failure."},
			&apiError{500, "InternalFailure", "The request processing has failed because of an unknown error, exception or failure."},
			&apiError{500, "InternalError", "An internal error has occurred"})
	case Unavailable:
		return pick(&apiError{503, "ServiceUnavailableException", "Service Unavailable"},
			&apiError{503, "ServiceUnavailable", "Service Unavailable"},
			&apiError{503, "Unavailable", "The service is unavailable. Please try again shortly."})
	case UnknownCode:
		return &apiError{400, "QuantumDecoherenceException", "The state of the request collapsed."}
	case UnknownOperation:
		return c.unknownOperation()
	}
	return nil
}
