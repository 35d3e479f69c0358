"""The oracle: what check CWE-001 says of a region, worked out from boto3's answers and from the decision table below
alone. It shares nothing with the product.

    reason                  what was seen                                               conformity      strict
    ACTIVE_RULES            an active customer rule (strict: one with a target)         COMPLIANT       COMPLIANT
    ONLY_REMEDIATION_RULE   an active rule made as remediation (strict: with a target)  COMPLIANT       COMPLIANT
    ONLY_TARGETLESS_RULES   strict: active customer rules, none with a target                           NON_COMPLIANT
    ONLY_MANAGED_RULES      active rules that belong to an AWS service                  COMPLIANT       NON_COMPLIANT
    ONLY_AUDITOR_RULES      active rules that are the product's own plumbing            NON_COMPLIANT   NON_COMPLIANT
    NO_ACTIVE_RULES         rules, none active                                          NON_COMPLIANT   NON_COMPLIANT
    NO_RULES                no rule on any event bus                                    NON_COMPLIANT   NON_COMPLIANT

An opt-in region that the account has not enabled is REGION_NOT_ENABLED, NOT_APPLICABLE under both, whatever is in it.
"""

import collections
import dataclasses

ACTIVE_STATES = ("ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
OTHER_PARTITIONS = ("us-gov-", "cn-", "us-iso", "eu-isoe-", "eusc-")


@dataclasses.dataclass(frozen=True)
class Rule:
    bus: str
    name: str
    active: bool
    owner: str  # customer, remediation, managed or plumbing
    targets: int

    @property
    def label(self):
        return self.name if self.bus == "default" else f"{self.bus}/{self.name}"


@dataclasses.dataclass(frozen=True)
class Facts:
    """A region as boto3 shows it."""

    enabled: bool
    buses: tuple
    rules: tuple

    @property
    def active(self):
        return [r for r in self.rules if r.active]

    @property
    def managed(self):
        return [r for r in self.rules if r.owner == "managed"]


def commercial_regions(client):
    """The regions of partition aws, of a list that may hold others; by name, whether the account has enabled them."""
    listed = client("ec2", "us-east-1").describe_regions(AllRegions=True)["Regions"]
    return {
        r["RegionName"]: r["OptInStatus"] != "not-opted-in"
        for r in sorted(listed, key=lambda r: r["RegionName"])
        if not r["RegionName"].startswith(OTHER_PARTITIONS)
    }


def pages(call, key, **arguments):
    items = []
    while True:
        answer = call(**arguments)
        items += answer[key]
        if not answer.get("NextToken"):
            return items
        arguments["NextToken"] = answer["NextToken"]


def owner(rule):
    if rule.get("ManagedBy"):
        return "managed"
    description = rule.get("Description") or ""
    for kind in ("remediation", "plumbing"):
        if f"[eventbridge-auditor:{kind}]" in description:
            return kind
    return "customer"


def observe(events, enabled):
    """Reads all that a region has, through boto3's client of it."""
    buses = [b["Name"] for b in pages(events.list_event_buses, "EventBuses")]
    rules = []
    for bus in buses:
        for rule in pages(events.list_rules, "Rules", EventBusName=bus):
            active = rule["State"] in ACTIVE_STATES
            targets = pages(events.list_targets_by_rule, "Targets", Rule=rule["Name"], EventBusName=bus) if active else []
            rules.append(Rule(bus, rule["Name"], active, owner(rule), len(targets)))
    return Facts(enabled, tuple(buses), tuple(rules))


def verdict(facts, policy):
    """The status and reason of a region."""
    if not facts.enabled:
        return "NOT_APPLICABLE", "REGION_NOT_ENABLED"
    strict = policy == "strict"
    own = collections.defaultdict(list)
    for rule in facts.active:
        own[rule.owner].append(rule)

    def passes(kind):
        return any(not strict or rule.targets for rule in own[kind])

    if passes("customer"):
        return "COMPLIANT", "ACTIVE_RULES"
    if passes("remediation"):
        return "COMPLIANT", "ONLY_REMEDIATION_RULE"
    if own["customer"] or own["remediation"]:  # under strict only: conformity has passed above
        return "NON_COMPLIANT", "ONLY_TARGETLESS_RULES"
    if own["managed"]:
        return "NON_COMPLIANT" if strict else "COMPLIANT", "ONLY_MANAGED_RULES"
    if own["plumbing"]:
        return "NON_COMPLIANT", "ONLY_AUDITOR_RULES"
    return "NON_COMPLIANT", "NO_ACTIVE_RULES" if facts.rules else "NO_RULES"


def exit_status(statuses):
    """The exit status that rows of these statuses call for."""
    if "NON_COMPLIANT" in statuses:
        return 3
    return 4 if "INSUFFICIENT_DATA" in statuses else 0
