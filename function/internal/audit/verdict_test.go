package audit_test

import (
	"context"
	"testing"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// fixed is an Inspector that shows the same rules everywhere.
type fixed struct {
	rules []audit.Rule
	err   error
}

func (f fixed) Inspect(_ context.Context, _ audit.Candidate, p audit.Policy) (audit.Snapshot, error) {
	s := audit.Snapshot{Buses: 1, Complete: f.err == nil, APICalls: 1}
	for _, r := range f.rules {
		s.Add(r)
		if s.Settled(p) {
			s.Complete = false
			break
		}
	}
	return s, f.err
}

func judge(c audit.Candidate, p audit.Policy, i audit.Inspector) audit.Evaluation {
	c.Scope = audit.Scope{Account: "123456789012", Region: "eu-west-1"}
	return audit.Run(context.Background(), []audit.Candidate{c}, i, audit.Options{
		Policy: p, Concurrency: 1, RegionTimeout: time.Minute, Now: time.Now,
	})[0]
}

func TestDecisionTable(t *testing.T) {
	var (
		active    = audit.Rule{Name: "active", State: audit.StateEnabled}
		targeted  = audit.Rule{Name: "targeted", State: audit.StateEnabled, HasTarget: true}
		trail     = audit.Rule{Name: "trail", State: audit.StateEnabledWithEvents, HasTarget: true}
		disabled  = audit.Rule{Name: "disabled", State: audit.StateDisabled, HasTarget: true}
		odd       = audit.Rule{Name: "odd", State: "PAUSED", HasTarget: true}
		managed   = audit.Rule{Name: "managed", State: audit.StateEnabled, ManagedBy: "autoscaling.amazonaws.com"}
		idle      = audit.Rule{Name: "idle", State: audit.StateDisabled, ManagedBy: "autoscaling.amazonaws.com"}
		mended    = audit.Rule{Name: "mended", State: audit.StateEnabled, HasTarget: true, Description: "made by " + audit.MarkerRemediation}
		halfMade  = audit.Rule{Name: "half", State: audit.StateEnabled, Description: audit.MarkerRemediation}
		plumbing  = audit.Rule{Name: "plumbing", State: audit.StateEnabled, HasTarget: true, Description: audit.MarkerPlumbing}
		newMarker = audit.Rule{Name: "newer", State: audit.StateEnabled, HasTarget: true, Description: audit.Marker + "of-a-later-version]"}
		claimed   = audit.Rule{Name: "claimed", State: audit.StateEnabled, ManagedBy: "x.amazonaws.com", Description: audit.MarkerRemediation}
		onBus     = audit.Rule{Name: "created", Bus: "orders", State: audit.StateEnabled, HasTarget: true}
	)
	const (
		pass    = audit.Compliant
		fail    = audit.NonCompliant
		unknown = audit.Reason("")
	)
	for _, test := range []struct {
		name         string
		rules        []audit.Rule
		reason       audit.Reason
		status       audit.Status
		strictReason audit.Reason
		strictStatus audit.Status
		detail       string
	}{
		{"nothing", nil, audit.NoRules, fail, audit.NoRules, fail, "no rule on the only event bus"},
		{"a targeted rule", []audit.Rule{targeted}, audit.ActiveRules, pass, audit.ActiveRules, pass, "active rule targeted"},
		{"an active rule without a target", []audit.Rule{active}, audit.ActiveRules, pass, audit.OnlyTargetlessRules, fail, "active rule active"},
		{"the CloudTrail state is active", []audit.Rule{trail}, audit.ActiveRules, pass, audit.ActiveRules, pass, "active rule trail"},
		{"a rule on a custom bus counts", []audit.Rule{onBus}, audit.ActiveRules, pass, audit.ActiveRules, pass, "active rule orders/created"},
		{"one disabled", []audit.Rule{disabled}, audit.NoActiveRules, fail, audit.NoActiveRules, fail, "1 rule, disabled"},
		{"all disabled", []audit.Rule{disabled, disabled, idle}, audit.NoActiveRules, fail, audit.NoActiveRules, fail, "3 rules, all disabled"},
		{"an unknown state is not active", []audit.Rule{odd}, audit.NoActiveRules, fail, audit.NoActiveRules, fail,
			"1 rule, none active; a state unknown to this version counts as not active: odd is PAUSED"},
		{"an unknown state beside an active rule", []audit.Rule{odd, targeted}, audit.ActiveRules, pass, audit.ActiveRules, pass,
			"active rule targeted; a state unknown to this version counts as not active: odd is PAUSED"},
		{"managed only", []audit.Rule{managed, disabled}, audit.OnlyManagedRules, pass, audit.OnlyManagedRules, fail, "all active rules belong to AWS services: managed"},
		{"managed before own", []audit.Rule{managed, targeted}, audit.ActiveRules, pass, audit.ActiveRules, pass, "active rule targeted"},
		{"remediation", []audit.Rule{mended, managed, plumbing}, audit.OnlyRemediationRule, pass, audit.OnlyRemediationRule, pass,
			"the only active rule is the one made as remediation: mended"},
		{"a remediation rule half made", []audit.Rule{halfMade, managed}, audit.OnlyRemediationRule, pass, audit.OnlyTargetlessRules, fail,
			"the only active rule is the one made as remediation: half"},
		{"AWS's word goes before the marker", []audit.Rule{claimed}, audit.OnlyManagedRules, pass, audit.OnlyManagedRules, fail, "all active rules belong to AWS services: claimed"},
		{"own plumbing", []audit.Rule{plumbing, disabled}, audit.OnlyAuditorRules, fail, audit.OnlyAuditorRules, fail, "all active rules are this product's own: plumbing"},
		{"a marker of a later version never passes", []audit.Rule{newMarker}, audit.OnlyAuditorRules, fail, audit.OnlyAuditorRules, fail, "all active rules are this product's own: newer"},
		{"managed goes before plumbing", []audit.Rule{plumbing, managed}, audit.OnlyManagedRules, pass, audit.OnlyManagedRules, fail, "all active rules belong to AWS services: managed"},
		{"targetless goes before managed", []audit.Rule{managed, active}, audit.ActiveRules, pass, audit.OnlyTargetlessRules, fail, "active rule active"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := judge(audit.Candidate{}, audit.Conformity, fixed{rules: test.rules})
			if e.Reason != test.reason || e.Status != test.status || e.Detail != test.detail {
				t.Errorf("conformity: got %s %s %q, want %s %s %q", e.Status, e.Reason, e.Detail, test.status, test.reason, test.detail)
			}
			e = judge(audit.Candidate{}, audit.Strict, fixed{rules: test.rules})
			if e.Reason != test.strictReason || e.Status != test.strictStatus {
				t.Errorf("strict: got %s %s, want %s %s", e.Status, e.Reason, test.strictStatus, test.strictReason)
			}
			if e.Detail == "" || e.Reason == unknown {
				t.Errorf("strict: no reason or no detail: %+v", e)
			}
		})
	}
}

func TestNeedNotBeAsked(t *testing.T) {
	asked := fixed{err: &audit.Failure{Reason: audit.ServiceError, Detail: "asked"}}
	for _, test := range []struct {
		name      string
		candidate audit.Candidate
		reason    audit.Reason
		status    audit.Status
	}{
		{"excluded", audit.Candidate{Excluded: true}, audit.Excluded, audit.NotApplicable},
		{"excluded and exempt", audit.Candidate{Excluded: true, Exemption: "x"}, audit.Excluded, audit.NotApplicable},
		{"exempt", audit.Candidate{Exemption: "closed in May"}, audit.Exempt, audit.NotApplicable},
		{"exempt and not enabled", audit.Candidate{Exemption: "x", OptIn: audit.OptInDisabled}, audit.Exempt, audit.NotApplicable},
		{"not enabled", audit.Candidate{OptIn: audit.OptInDisabled}, audit.RegionNotEnabled, audit.NotApplicable},
		{"in transition", audit.Candidate{OptIn: audit.OptInTransitional}, audit.RegionTransitional, audit.InsufficientData},
		{"enabled: asked", audit.Candidate{OptIn: audit.OptInEnabled}, audit.ServiceError, audit.InsufficientData},
		{"unknown: asked", audit.Candidate{}, audit.ServiceError, audit.InsufficientData},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, policy := range audit.Policies() {
				e := judge(test.candidate, policy, asked)
				if e.Reason != test.reason || e.Status != test.status {
					t.Errorf("%s: got %s %s, want %s %s", policy, e.Status, e.Reason, test.status, test.reason)
				}
				if test.reason != audit.ServiceError && e.APICalls != 0 {
					t.Errorf("%s: %d requests for a region that need not be asked", policy, e.APICalls)
				}
			}
		})
	}
}

// No reason but the known passing ones may ever pass, whatever is added later.
func TestOnlyThreeReasonsPass(t *testing.T) {
	passes := map[audit.Policy]map[audit.Reason]bool{
		audit.Conformity: {audit.ActiveRules: true, audit.OnlyRemediationRule: true, audit.OnlyManagedRules: true},
		audit.Strict:     {audit.ActiveRules: true, audit.OnlyRemediationRule: true},
	}
	reasons := append(audit.Reasons(), "A_REASON_OF_A_LATER_VERSION", "")
	if len(reasons) != 18+2 {
		t.Errorf("%d reasons, README.md has 18", len(reasons)-2)
	}
	for policy, want := range passes {
		for _, r := range reasons {
			if got := policy.Status(r) == audit.Compliant; got != want[r] {
				t.Errorf("%s: %q passes: %t", policy, r, got)
			}
		}
	}
}

func TestEvidence(t *testing.T) {
	rules := []audit.Rule{
		{Name: "own", State: audit.StateDisabled, Description: audit.MarkerPlumbing}, {Name: "b", State: audit.StateDisabled, ManagedBy: "s"},
		{Name: "a", State: audit.StateDisabled},
		{Name: "c", State: audit.StateDisabled}, {Name: "d", State: audit.StateDisabled}, {Name: "e", State: "NEW"},
	}
	e := judge(audit.Candidate{}, audit.Conformity, fixed{rules: rules})
	got := e.Evidence
	if got.Buses != 1 || got.Rules != 6 || got.Active != 0 || got.Managed != 1 || got.Own != 1 || !got.Complete || len(got.Examples) != 3 || got.Examples[0] != "a" {
		t.Errorf("evidence %+v", got)
	}
	e = judge(audit.Candidate{}, audit.Strict, fixed{rules: []audit.Rule{
		{Name: "w", State: audit.StateEnabled}, {Name: "x", State: audit.StateEnabled}, {Name: "y", State: audit.StateEnabled},
		{Name: "z", State: audit.StateEnabled, HasTarget: true}, {Name: "unread", State: audit.StateEnabled},
	}})
	if got := e.Evidence; got.Complete || got.Rules != 4 || got.Examples[0] != "z" || e.Detail != "active rules z, w, x and 1 more" {
		t.Errorf("the rule that settles the verdict is not named first: %+v %q", got, e.Detail)
	}
	if e := judge(audit.Candidate{Excluded: true}, audit.Strict, fixed{}); e.Evidence.Examples == nil {
		t.Error("examples would be null in JSON")
	}
}
