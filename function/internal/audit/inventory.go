package audit

import "strings"

// DefaultBus is the event bus that every region has. The rules on it are read first.
const DefaultBus = "default"

// Marker in a rule's description says that this product made the rule. ListRules returns descriptions but no tags, so
// that the description is the one place where a listing can tell.
const Marker = "[eventbridge-auditor:"

// The two kinds of rule that this product makes; a description holds one of them whole.
const (
	MarkerRemediation = Marker + "remediation]" // made to mend a region
	MarkerPlumbing    = Marker + "plumbing]"    // a schedule or a forwarder of the product's own
)

// State is a rule's state as EventBridge names it.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Rule.html
type State string

const (
	StateEnabled           State = "ENABLED"
	StateDisabled          State = "DISABLED"
	StateEnabledWithEvents State = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
)

// Active reports whether a rule in this state matches events. A state that the program does not know is not active.
func (s State) Active() bool { return s == StateEnabled || s == StateEnabledWithEvents }

// Known reports whether the program knows the state.
func (s State) Known() bool { return s.Active() || s == StateDisabled }

// Rule is an EventBridge rule, as far as the verdict needs it.
type Rule struct {
	Name        string
	Bus         string // event bus name
	State       State
	Description string
	ManagedBy   string // the AWS service that owns the rule; "" for the customer's own
	HasTarget   bool   // only asked under a policy that needs it, and only of rules that could pass; else false
}

// Origin says whose rule it is.
type Origin int

const (
	OriginCustomer    Origin = iota
	OriginRemediation        // made by this product to mend the region
	OriginManaged            // owned by an AWS service
	OriginAuditor            // this product's own plumbing
	origins
)

// Origin tells whose rule it is. AWS's own word goes before the marker, and a marker of a kind that this version does
// not know counts as plumbing: it can fail a region, never pass it.
func (r Rule) Origin() Origin {
	switch {
	case r.ManagedBy != "":
		return OriginManaged
	case strings.Contains(r.Description, MarkerRemediation):
		return OriginRemediation
	case strings.Contains(r.Description, Marker):
		return OriginAuditor
	default:
		return OriginCustomer
	}
}

// NeedsTarget reports whether the policy's verdict may turn on this rule having a target.
func (p Policy) NeedsTarget(r Rule) bool {
	return p.NeedsTargets() && r.State.Active() && (r.Origin() == OriginCustomer || r.Origin() == OriginRemediation)
}

const examplesKept = 3

// Snapshot is what was seen in a scope: counts and a few names, never the rules themselves, so that a large Organization
// fits a small function. The zero value has seen nothing.
type Snapshot struct {
	Buses    int  // event buses of which a page of rules was read
	Complete bool // every page of every bus was read
	APICalls int  // requests sent, retries included

	rules, active, managed int
	own                    int
	activeBy               [origins]int
	targetedBy             [origins]int // active and with a target
	examplesBy             [origins][]string
	inactive               []string // the customer's, or made as remediation
	inactiveOthers         []string
	unknownStates          []string
}

// Add counts a rule.
func (s *Snapshot) Add(r Rule) {
	name := r.Name
	if r.Bus != "" && r.Bus != DefaultBus {
		name = r.Bus + "/" + r.Name
	}
	origin := r.Origin()
	s.rules++
	switch origin {
	case OriginManaged:
		s.managed++
	case OriginAuditor:
		s.own++
	}
	if !r.State.Known() && len(s.unknownStates) < examplesKept {
		s.unknownStates = append(s.unknownStates, name+" is "+string(r.State))
	}
	if !r.State.Active() {
		// Rules of AWS services and the product's own are not for a person to enable: the others are named first.
		if mine := origin == OriginCustomer || origin == OriginRemediation; mine && len(s.inactive) < examplesKept {
			s.inactive = append(s.inactive, name)
		} else if !mine && len(s.inactiveOthers) < examplesKept {
			s.inactiveOthers = append(s.inactiveOthers, name)
		}
		return
	}
	s.active++
	s.activeBy[origin]++
	examples := s.examplesBy[origin]
	if r.HasTarget {
		s.targetedBy[origin]++
		examples = append([]string{name}, examples...) // the rule that settles the verdict is named first
	} else {
		examples = append(examples, name)
	}
	s.examplesBy[origin] = examples[:min(len(examples), examplesKept)]
}

// Settled reports whether nothing that could still be read would change the verdict under the policy.
func (s *Snapshot) Settled(p Policy) bool { return s.has(p, OriginCustomer) }

// has reports whether an active rule of the origin was seen that the policy accepts.
func (s *Snapshot) has(p Policy, o Origin) bool {
	if p.NeedsTargets() {
		return s.targetedBy[o] > 0
	}
	return s.activeBy[o] > 0
}
