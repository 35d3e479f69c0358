package audit

import (
	"fmt"
	"strings"
)

// settledBefore returns the reason that makes asking the region needless, "" when it must be asked.
//
//	excluded  exempt  opt-in         reason
//	yes       any     any            EXCLUDED
//	no        yes     any            EXEMPT
//	no        no      disabled       REGION_NOT_ENABLED
//	no        no      transitional   REGION_TRANSITIONAL
//	no        no      enabled        (ask)
//	no        no      unknown        (ask)
func (c Candidate) settledBefore() (Reason, string) {
	switch {
	case c.Excluded:
		return Excluded, "left out by the settings (ExcludeRegions, --exclude-regions)"
	case c.Exemption != "":
		return Exempt, c.Exemption
	case c.OptIn == OptInDisabled:
		return RegionNotEnabled, "opt-in region that this account has not enabled"
	case c.OptIn == OptInTransitional:
		return RegionTransitional, "the account is enabling or disabling this opt-in region"
	default:
		return "", ""
	}
}

// judge applies the decision table to what was seen in a scope that answered. The first row that fits is the reason.
//
//	active rules seen                             strict also wants   reason
//	one of the customer's own                     a target on it      ACTIVE_RULES
//	one made by this product as remediation       a target on it      ONLY_REMEDIATION_RULE
//	(strict) customer's or remediation, targetless                    ONLY_TARGETLESS_RULES
//	one owned by an AWS service                                       ONLY_MANAGED_RULES
//	one that is this product's own plumbing                           ONLY_AUDITOR_RULES
//	none, but rules exist                                             NO_ACTIVE_RULES
//	none, and no rule exists                                          NO_RULES
func (s *Snapshot) judge(p Policy) (Reason, string) {
	var reason Reason
	var detail string
	switch {
	case s.has(p, OriginCustomer):
		reason, detail = ActiveRules, named("active rule", s.examplesBy[OriginCustomer], s.activeBy[OriginCustomer])
	case s.has(p, OriginRemediation):
		reason, detail = OnlyRemediationRule, "the only active rule is the one made as remediation: "+list(s.examplesBy[OriginRemediation])
	case s.activeBy[OriginCustomer]+s.activeBy[OriginRemediation] > 0:
		reason = OnlyTargetlessRules
		detail = count(s.activeBy[OriginCustomer]+s.activeBy[OriginRemediation], "active rule") + ", none with a target"
	case s.activeBy[OriginManaged] > 0:
		reason, detail = OnlyManagedRules, "all active rules belong to AWS services: "+list(s.examplesBy[OriginManaged])
	case s.activeBy[OriginAuditor] > 0:
		reason, detail = OnlyAuditorRules, "all active rules are this product's own: "+list(s.examplesBy[OriginAuditor])
	case s.rules > 0:
		reason, detail = NoActiveRules, noneActive(s)
	default:
		reason, detail = NoRules, "no rule on "+plural(s.Buses, "the only event bus", "any of the %d event buses")
	}
	if len(s.unknownStates) > 0 {
		detail += "; a state unknown to this version counts as not active: " + list(s.unknownStates)
	}
	return reason, detail
}

func noneActive(s *Snapshot) string {
	switch {
	case len(s.unknownStates) > 0:
		return count(s.rules, "rule") + ", none active"
	case s.rules == 1:
		return "1 rule, disabled"
	default:
		return fmt.Sprintf("%d rules, all disabled", s.rules)
	}
}

// examples returns the names that show the reason best.
func (s *Snapshot) examples(r Reason) []string {
	switch r {
	case ActiveRules:
		return s.examplesBy[OriginCustomer]
	case OnlyRemediationRule:
		return s.examplesBy[OriginRemediation]
	case OnlyTargetlessRules:
		return append(append([]string(nil), s.examplesBy[OriginCustomer]...), s.examplesBy[OriginRemediation]...)
	case OnlyManagedRules:
		return s.examplesBy[OriginManaged]
	case OnlyAuditorRules:
		return s.examplesBy[OriginAuditor]
	default:
		all := append(append([]string(nil), s.inactive...), s.inactiveOthers...)
		return all[:min(len(all), examplesKept)]
	}
}

func named(noun string, examples []string, n int) string {
	if n == 1 {
		return noun + " " + list(examples)
	}
	if more := n - len(examples); more > 0 {
		return fmt.Sprintf("%ss %s and %d more", noun, list(examples), more)
	}
	return noun + "s " + list(examples)
}

func list(names []string) string { return strings.Join(names, ", ") }

func count(n int, noun string) string { return plural(n, "1 "+noun, "%d "+noun+"s") }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, n)
}
