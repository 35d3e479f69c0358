"""The audit against moto, an emulator of AWS that is not ours, held to an oracle that is not the product's."""

import os
import random
import time
import unittest

import oracle
import world
from harness import ACCOUNT, environment
from motocase import MotoCase

POLICIES = ("conformity", "strict")


class Audited(MotoCase):
    """A world, and both policies' audits of it. A class that comes after names the world."""

    @classmethod
    def content(cls):
        cls.seed_world()
        cls.facts = {r: oracle.observe(cls.client("events", r), enabled) for r, enabled in cls.regions.items()}

    def setUp(self):
        if not hasattr(type(self), "results"):  # once for the class, but as part of a test, which can fail
            type(self).results = {p: self.audit(self.moto.url, "--policy", p) for p in POLICIES}

    def test_every_row_is_as_the_oracle_says(self):
        for policy, result in self.results.items():
            with self.subTest(policy=policy):
                want = {r: (ACCOUNT, *oracle.verdict(facts, policy)) for r, facts in self.facts.items()}
                got = {r: (e["account"], e["status"], e["reason"]) for r, e in result.rows.items()}
                self.assertEqual(got, want)

    def test_one_row_a_region_sorted_and_of_this_partition_alone(self):
        for policy, result in self.results.items():
            with self.subTest(policy=policy):
                rows = [(e["account"], e["region"]) for e in result.record["evaluations"]]
                self.assertEqual(rows, [(ACCOUNT, r) for r in self.regions])
                self.assertFalse([r for _, r in rows if r.startswith(("us-gov-", "cn-"))])

    def test_evidence_is_what_boto3_counts(self):
        for policy, result in self.results.items():
            with self.subTest(policy=policy):
                for region, row in result.rows.items():
                    with self.subTest(region=region):
                        self.check_evidence(row, self.facts[region])

    def check_evidence(self, row, facts):
        evidence = row["evidence"]
        if not facts.enabled:  # never asked
            nothing = {"buses": 0, "rules": 0, "active": 0, "managed": 0, "own": 0, "complete": False, "examples": []}
            self.assertEqual((evidence, row["apiCalls"]), (nothing, 0))
            return
        for name in ("buses", "rules", "active", "managed"):
            count = len(getattr(facts, name))
            if evidence["complete"]:
                self.assertEqual(evidence[name], count, name)
            else:
                self.assertLessEqual(evidence[name], count, name)
        if not evidence["complete"]:  # only a rule that settles the verdict lets the reading stop
            self.assertEqual(row["reason"], "ACTIVE_RULES")
            self.assertGreaterEqual(evidence["active"], 1)
            self.assertGreaterEqual(evidence["buses"], 1)
        fitting = {r.label for r in facts.rules if r.active == (row["reason"] not in ("NO_ACTIVE_RULES", "NO_RULES"))}
        self.assertLessEqual(set(evidence["examples"]), fitting)
        self.assertEqual(bool(evidence["examples"]), row["reason"] != "NO_RULES")
        self.assertIn(row["region"], row["consoleUrl"])
        self.assertTrue(row["detail"])

    def test_summary_coverage_and_exit_status_add_up(self):
        for policy, result in self.results.items():
            with self.subTest(policy=policy):
                record = result.record
                statuses = [oracle.verdict(facts, policy)[0] for facts in self.facts.values()]
                want = {s: statuses.count(s) for s in ("COMPLIANT", "NON_COMPLIANT", "INSUFFICIENT_DATA", "NOT_APPLICABLE")}
                self.assertEqual(record["summary"], want)
                count = len(self.regions)
                coverage = {"scopes": count, "judged": count, "complete": True, "regionSource": "ec2:DescribeRegions"}
                self.assertEqual(record["coverage"], coverage)
                self.assertEqual(result.status, oracle.exit_status(statuses), str(result))
                self.assertEqual(record["policy"], policy)
                self.assertGreater(record["apiCalls"], sum(e["apiCalls"] for e in record["evaluations"]))
                self.assertEqual([e["apiCalls"] >= 1 for e in record["evaluations"]], list(self.regions.values()))

    def test_the_record_says_what_and_when(self):
        for policy, result in self.results.items():
            with self.subTest(policy=policy):
                record = result.record
                check = {"id": "CWE-001", "title": "AWS CloudWatch Events In Use", "riskLevel": "MEDIUM"}
                self.assertEqual(record["check"], check)
                self.assertEqual(record["schemaVersion"], "1.0")
                self.assertEqual(record["trigger"]["kind"], "cli")
                self.assertRegex(record["startedAt"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
                self.assertLessEqual(record["startedAt"][:19], record["finishedAt"][:19])
                self.assertEqual(record["notification"], {"topicArn": "", "messageId": "", "kind": "NONE"})

    def test_moto_has_no_ListRegions_and_a_warning_says_so(self):
        for policy, result in self.results.items():
            with self.subTest(policy=policy):
                naming = [w for w in result.record["warnings"] if "account:ListRegions" in w]
                self.assertEqual(len(naming), 1, result.record["warnings"])
                self.assertIn("ec2:DescribeRegions", naming[0])


class ByHand(Audited):
    """Regions of every kind, one by one."""

    @classmethod
    def seed_world(cls):
        asked = {r for r, enabled in cls.regions.items() if enabled}
        if asked ^ set(world.BY_HAND) != {"af-south-1", "eu-central-2"}:  # the one without a rule, the one not enabled
            raise AssertionError(f"moto's regions are other ones than this world was made for: {sorted(asked)}")
        world.seed(cls.client, world.BY_HAND)

    def test_the_world_shows_every_reason_that_a_listing_can_have(self):
        shown = {oracle.verdict(facts, policy)[1] for facts in self.facts.values() for policy in POLICIES}
        self.assertEqual(shown, {
            "ACTIVE_RULES", "ONLY_REMEDIATION_RULE", "ONLY_TARGETLESS_RULES", "ONLY_MANAGED_RULES",
            "ONLY_AUDITOR_RULES", "NO_ACTIVE_RULES", "NO_RULES", "REGION_NOT_ENABLED",
        })

    def test_a_rule_behind_two_full_pages_is_found(self):
        row = self.results["conformity"].rows["eu-west-1"]
        self.assertEqual((row["reason"], row["evidence"]["rules"]), ("ACTIVE_RULES", 251))
        self.assertEqual(row["evidence"]["examples"], ["zz-last"])

    def test_250_disabled_rules_are_all_read(self):
        row = self.results["conformity"].rows["eu-west-2"]
        self.assertEqual((row["reason"], row["evidence"]["rules"], row["evidence"]["complete"]), ("NO_ACTIVE_RULES", 250, True))

    def test_a_rule_of_a_custom_bus_is_named_with_its_bus(self):
        row = self.results["strict"].rows["eu-west-3"]
        self.assertEqual(row["evidence"]["examples"], ["orders/order-placed"])

    def test_only_and_exclude_narrow_the_run(self):
        selection = ["--regions", "us-east-1,us-east-2,us-west-1", "--exclude-regions", "us-east-2"]
        result = self.audit(self.moto.url, *selection, want=0)
        got = {r: (e["status"], e["reason"], e["apiCalls"] > 0) for r, e in result.rows.items()}
        self.assertEqual(got, {
            "us-east-1": ("COMPLIANT", "ACTIVE_RULES", True),
            "us-east-2": ("NOT_APPLICABLE", "EXCLUDED", False),
            "us-west-1": ("COMPLIANT", "ACTIVE_RULES", True),
        })

    def test_settings_come_from_variables_and_a_flag_wins(self):
        env = environment(self.moto.url, REGIONS="us-west-1,us-east-2", COMPLIANCE_POLICY="strict")
        result = self.audit(None, "--regions", "us-west-1", env=env, want=3)
        self.assertEqual({r: e["reason"] for r, e in result.rows.items()}, {"us-west-1": "ONLY_TARGETLESS_RULES"})

    def test_an_audit_changes_nothing(self):
        for region in ("us-east-1", "eu-west-3", "ap-northeast-1", "ap-southeast-2", "af-south-1"):
            self.assertEqual(oracle.observe(self.client("events", region), True), self.facts[region])

    def test_one_request_at_a_time_says_the_same(self):
        some = "us-east-1,us-east-2,eu-west-1,eu-central-1,ap-south-1"
        slow = self.audit(self.moto.url, "--regions", some, "--concurrency", "1").rows
        known = self.results["conformity"].rows
        self.assertEqual({r: e["reason"] for r, e in slow.items()}, {r: known[r]["reason"] for r in slow})

    def test_the_guard_keeps_traffic_on_loopback(self):
        env = environment(AWS_MAX_ATTEMPTS="1")  # no endpoint: this would go to AWS
        result = self.audit(None, "--regions", "us-east-1", env=env, want=1)
        self.assertIn("connection refused", result.stderr)
        self.assertEqual(result.stdout, "")


class AtRandom(Audited):
    """A seeded world of all regions. ACCEPTANCE_SEED brings one back."""

    @classmethod
    def seed_world(cls):
        number = int(os.environ.get("ACCEPTANCE_SEED") or time.time_ns() % 1_000_000)
        print(f"random world: ACCEPTANCE_SEED={number}", flush=True)
        world.seed(cls.client, world.at_random(random.Random(number), cls.regions))


del Audited  # a pattern for the two classes above, not a test


if __name__ == "__main__":
    unittest.main(verbosity=2)
