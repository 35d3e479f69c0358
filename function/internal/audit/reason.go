package audit

// Status is a verdict in the words of AWS Config.
// https://docs.aws.amazon.com/config/latest/APIReference/API_Evaluation.html
type Status string

const (
	Compliant        Status = "COMPLIANT"
	NonCompliant     Status = "NON_COMPLIANT"
	InsufficientData Status = "INSUFFICIENT_DATA" // could not be judged: never a pass, never the end of an earlier failure
	NotApplicable    Status = "NOT_APPLICABLE"    // need not be judged
)

// Statuses lists every Status, the one that asks for action first.
func Statuses() []Status {
	return []Status{NonCompliant, InsufficientData, Compliant, NotApplicable}
}

// Reason is a fact about a scope. The set is closed; a Policy maps each reason to a Status.
type Reason string

// What the rules of a region show. Of these, the first that fits is the reason.
const (
	ActiveRules         Reason = "ACTIVE_RULES"
	OnlyRemediationRule Reason = "ONLY_REMEDIATION_RULE"
	OnlyTargetlessRules Reason = "ONLY_TARGETLESS_RULES" // strict only
	OnlyManagedRules    Reason = "ONLY_MANAGED_RULES"
	OnlyAuditorRules    Reason = "ONLY_AUDITOR_RULES"
	NoActiveRules       Reason = "NO_ACTIVE_RULES"
	NoRules             Reason = "NO_RULES"
)

// Why a region need not be judged.
const (
	Exempt           Reason = "EXEMPT"
	Excluded         Reason = "EXCLUDED"
	RegionNotEnabled Reason = "REGION_NOT_ENABLED"
)

// Why a region could not be judged.
const (
	RegionTransitional Reason = "REGION_TRANSITIONAL"
	DeniedBySCP        Reason = "DENIED_BY_SCP"
	AccessDenied       Reason = "ACCESS_DENIED"
	InvalidCredentials Reason = "INVALID_CREDENTIALS"
	Throttled          Reason = "THROTTLED"
	Timeout            Reason = "TIMEOUT"
	Unreachable        Reason = "UNREACHABLE"
	ServiceError       Reason = "SERVICE_ERROR"
)

// Reasons lists every Reason in the order of the tables above.
func Reasons() []Reason {
	return []Reason{ActiveRules, OnlyRemediationRule, OnlyTargetlessRules, OnlyManagedRules, OnlyAuditorRules, NoActiveRules,
		NoRules, Exempt, Excluded, RegionNotEnabled, RegionTransitional, DeniedBySCP, AccessDenied, InvalidCredentials,
		Throttled, Timeout, Unreachable, ServiceError}
}

// Policy decides which facts pass. The zero value is not a policy; use Conformity or Strict.
type Policy string

const (
	// Conformity judges as Trend Micro Conformity's CWE-001 does: any active rule will do.
	Conformity Policy = "conformity"
	// Strict wants an active rule of the customer's own that has a target: a rule of an AWS service, and a rule that
	// sets nothing off, prove nothing about what the customer reacts to.
	Strict Policy = "strict"
)

// Policies lists every Policy, the default first.
func Policies() []Policy { return []Policy{Conformity, Strict} }

// NeedsTargets reports whether the policy asks if an active rule has a target, which costs one request a rule.
func (p Policy) NeedsTargets() bool { return p == Strict }

// Status maps a fact to a verdict.
//
//	reason                                   conformity          strict
//	ACTIVE_RULES                             COMPLIANT           COMPLIANT
//	ONLY_REMEDIATION_RULE                    COMPLIANT           COMPLIANT
//	ONLY_TARGETLESS_RULES                    (does not occur)    NON_COMPLIANT
//	ONLY_MANAGED_RULES                       COMPLIANT           NON_COMPLIANT
//	ONLY_AUDITOR_RULES                       NON_COMPLIANT       NON_COMPLIANT
//	NO_ACTIVE_RULES                          NON_COMPLIANT       NON_COMPLIANT
//	NO_RULES                                 NON_COMPLIANT       NON_COMPLIANT
//	EXEMPT EXCLUDED REGION_NOT_ENABLED       NOT_APPLICABLE      NOT_APPLICABLE
//	anything else                            INSUFFICIENT_DATA   INSUFFICIENT_DATA
func (p Policy) Status(r Reason) Status {
	switch r {
	case ActiveRules, OnlyRemediationRule:
		return Compliant
	case OnlyManagedRules:
		if p == Conformity {
			return Compliant
		}
		return NonCompliant
	case OnlyTargetlessRules, OnlyAuditorRules, NoActiveRules, NoRules:
		return NonCompliant
	case Exempt, Excluded, RegionNotEnabled:
		return NotApplicable
	default:
		return InsufficientData
	}
}
