package notify

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// Group is the scopes of one reason, with what the reason means and what to do about it.
type Group struct {
	Reason      audit.Reason
	Title       string // what was seen, for a heading
	Evaluations []audit.Evaluation
	Advice      string   // a sentence or two
	Commands    []string // commands for the first scope, as an example; may be empty
}

var remedies = map[audit.Reason]struct{ title, advice string }{
	audit.NoRules: {"No rule on any event bus",
		"If the region is in use, give it a rule that has a target: plan shows how, remediate does it. If it is not, leave it out (ExcludeRegions, --exclude-regions)."},
	audit.NoActiveRules: {"Rules, but none is active",
		"Find out why the rules are off, then enable the one that ought to be on."},
	audit.OnlyTargetlessRules: {"Active rules, but none has a target", "Give a rule a target: without one it sets nothing off."},
	audit.OnlyManagedRules:    {"Only rules that AWS services own", "The strict policy wants a rule of your own: create one and give it a target."},
	audit.OnlyAuditorRules:    {"Only this auditor's own rules", "The auditor's own plumbing proves nothing: create a rule and give it a target."},
	audit.RegionTransitional: {"Being enabled or disabled right now",
		"Wait: AWS takes minutes to hours to enable or disable a region. The next run judges it."},
	audit.DeniedBySCP: {"Denied by a service control policy",
		"Allow the named action to the auditor's role in the policy, or leave the region out (ExcludeRegions, --exclude-regions)."},
	audit.AccessDenied: {"The auditor's role lacks a permission",
		"Allow the named action in the role's policy; look at permissions boundaries too."},
	audit.InvalidCredentials: {"Credentials refused",
		"Check that the credentials are current and good for the region: only tokens of a regional STS endpoint work in opt-in regions."},
	audit.Throttled: {"Throttled by AWS",
		"Something else uses up the request quota. Lower the concurrency (Concurrency, --concurrency), or run at another hour."},
	audit.Timeout: {"No answer in time",
		"Raise the time for a region (RegionTimeout, --region-timeout), or the function's timeout. If it stays: look for a firewall or a VPC without a route to the region."},
	audit.Unreachable: {"Not reachable",
		"Check DNS, proxy, firewall and VPC routes to the region's EventBridge endpoint."},
	audit.ServiceError: {"Unexpected answer from AWS",
		"See AWS Health for the region. The next run asks again; if it stays, please report it with the detail shown."},
}

// Advice says what to do about a reason; "" where nothing is to be done.
func Advice(r audit.Reason) string { return remedies[r].advice }

// Groups sorts the evaluations of a status by reason, in the order of audit.Reasons.
func Groups(evaluations []audit.Evaluation, status audit.Status) []Group {
	var groups []Group
	for _, reason := range audit.Reasons() {
		g := Group{Reason: reason, Title: remedies[reason].title, Advice: remedies[reason].advice}
		for _, e := range evaluations {
			if e.Status == status && e.Reason == reason {
				g.Evaluations = append(g.Evaluations, e)
			}
		}
		if len(g.Evaluations) > 0 {
			g.Commands = commands(g.Evaluations[0])
			groups = append(groups, g)
		}
	}
	return groups
}

// safeName is what AWS allows in the name of a rule; safeBus adds the slashes of partner event buses. Anything else is
// not AWS's and must not get into a command that a person pastes.
var (
	safeName = regexp.MustCompile(`^[.\-_A-Za-z0-9]+$`)
	safeBus  = regexp.MustCompile(`^[/.\-_A-Za-z0-9]+$`)
)

// commands are commands that mend a failing scope. They name a rule only where there is no choice to make: which of
// several disabled rules ought to be on is for a person to say.
func commands(e audit.Evaluation) []string {
	if e.Status != audit.NonCompliant {
		return nil
	}
	rule, onBus := "RULE_NAME", ""
	if x := e.Evidence; len(x.Examples) == 1 && x.Rules <= 1 && x.Managed+x.Own == 0 {
		name, bus := e.Evidence.Examples[0], ""
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			name, bus = name[i+1:], name[:i]
		}
		if safeName.MatchString(name) && (bus == "" || safeBus.MatchString(bus)) {
			rule = name
			if bus != "" {
				onBus = " \\\n  --event-bus-name " + bus
			}
		}
	}
	switch e.Reason {
	case audit.NoActiveRules:
		return []string{fmt.Sprintf("aws events enable-rule --region %s --name %s%s", e.Region, rule, onBus)}
	case audit.OnlyTargetlessRules:
		return []string{fmt.Sprintf("aws events put-targets --region %s --rule %s%s \\\n  --targets Id=1,Arn=TARGET_ARN", e.Region, rule, onBus)}
	}
	return []string{ // one recipe for all: plan prints the AWS CLI commands, checked against what is there
		"eventbridge-auditor plan --regions " + e.Region,
		"eventbridge-auditor remediate --regions " + e.Region,
	}
}

// Describe is an evaluation's detail, with the names of the rules that a person has to choose from.
func Describe(e audit.Evaluation) string {
	if e.Reason != audit.NoActiveRules && e.Reason != audit.OnlyTargetlessRules || len(e.Evidence.Examples) == 0 {
		return e.Detail
	}
	names := strings.Join(e.Evidence.Examples, ", ")
	if e.Evidence.Rules > len(e.Evidence.Examples) {
		names += ", …"
	}
	return e.Detail + ": " + names
}
