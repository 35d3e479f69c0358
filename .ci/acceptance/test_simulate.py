"""The audit against the simulated AWS: every form of the report, every scenario, and what the alert's advice is worth."""

import concurrent.futures
import csv
import io
import json
import re
import shlex
import unittest

from awscase import AWSCase
from harness import ACCOUNT, CLEAN, COULD_NOT_RUN, FAILING, INCOMPLETE, TOPIC, USAGE, Case, environment

NOT_ENABLED = {
    "ap-east-2", "ap-south-2", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "eu-south-2",
    "il-central-1", "me-central-1", "mx-central-1",
}
# The demo has a region that hangs, and one that is throttled for longer than this.
QUICK = ["--region-timeout", "1s", "--exclude-regions", "eu-central-1"]

# What the demo shows with these flags; what is not named here is ACTIVE_RULES.
DEMO = {
    **{region: "REGION_NOT_ENABLED" for region in NOT_ENABLED},
    "ap-northeast-2": "ONLY_MANAGED_RULES",
    "ap-northeast-3": "NO_ACTIVE_RULES",
    "eu-central-1": "EXCLUDED",
    "eu-west-3": "NO_ACTIVE_RULES",
    "sa-east-1": "NO_RULES",
    "us-west-1": "NO_RULES",
    "ap-southeast-3": "TIMEOUT",
    "ca-west-1": "REGION_TRANSITIONAL",
    "me-south-1": "DENIED_BY_SCP",
}


def reasons(result):
    return {region: row["reason"] for region, row in result.rows.items()}


class Demo(Case):
    """The demo's account: most of what can happen to a region."""

    def test_rows_calls_and_the_record(self):
        sim = self.simulation()
        result = self.audit(sim.url, *QUICK, want=FAILING)
        got = reasons(result)
        self.assertEqual(len(got), 34)
        self.assertEqual({r: reason for r, reason in got.items() if reason != "ACTIVE_RULES"}, DEMO)
        record = result.record
        coverage = {"scopes": 34, "judged": 31, "complete": False, "regionSource": "account:ListRegions"}
        summary = {"COMPLIANT": 16, "NON_COMPLIANT": 4, "INSUFFICIENT_DATA": 3, "NOT_APPLICABLE": 11}
        self.assertEqual((record["coverage"], record["summary"]), (coverage, summary))
        self.assertEqual(record["warnings"], [])
        calls = sim.calls()
        self.assertEqual(record["apiCalls"], len(calls))
        asked = {c["region"] for c in calls if c["service"] == "events"}
        self.assertFalse(asked & (NOT_ENABLED | {"ca-west-1", "eu-central-1"}), "what is settled already")
        self.assertEqual({c["operation"] for c in calls}, {"GetCallerIdentity", "ListRegions", "ListRules", "ListEventBuses"})
        for region, row in result.rows.items():
            self.assertEqual(row["apiCalls"], sum(c["service"] == "events" and c["region"] == region for c in calls), region)
        self.assertIn("events:ListRules", result.rows["me-south-1"]["detail"])

    def test_a_throttled_region_is_asked_again(self):
        result = self.audit(self.simulation().url, "--regions", "eu-central-1", want=CLEAN)
        row = result.rows["eu-central-1"]
        self.assertEqual((row["reason"], row["apiCalls"]), ("ACTIVE_RULES", 3))

    def test_strict(self):
        result = self.audit(self.simulation().url, *QUICK, "--policy", "strict", want=FAILING)
        self.assertEqual({r: reason for r, reason in reasons(result).items() if reason != "ACTIVE_RULES"}, DEMO)
        self.assertEqual(result.rows["ap-northeast-2"]["status"], "NON_COMPLIANT")

    def test_an_excluded_region_keeps_its_row_and_is_not_asked(self):
        sim = self.simulation()
        result = self.audit(sim.url, "--regions", "eu-west-1,eu-west-3", "--exclude-regions", "eu-west-3", want=CLEAN)
        self.assertEqual(reasons(result), {"eu-west-1": "ACTIVE_RULES", "eu-west-3": "EXCLUDED"})
        self.assertEqual({c["region"] for c in sim.calls() if c["service"] == "events"}, {"eu-west-1"})

    def test_every_form_of_the_report(self):
        sim = self.simulation()
        some = ["--regions", "eu-west-1,eu-west-3,me-south-1,ap-southeast-7"]
        want = {
            "eu-west-1": "ACTIVE_RULES", "eu-west-3": "NO_ACTIVE_RULES",
            "me-south-1": "DENIED_BY_SCP", "ap-southeast-7": "REGION_NOT_ENABLED",
        }
        for form in ("table", "json", "csv", "markdown"):
            with self.subTest(form=form):
                result = self.run_auditor("audit", "--output", form, *some, endpoint=sim.url)
                self.assertEqual(result.status, FAILING, str(result))
                self.assertEqual(result.stderr, "")
                self.assertTrue(result.stdout.endswith("\n"))
                self.assertNotIn("\x1b", result.stdout)
                self.assertEqual(getattr(self, f"read_{form}")(result.stdout), want)

    def read_json(self, text):
        return {e["region"]: e["reason"] for e in json.loads(text)["evaluations"]}

    def read_csv(self, text):
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual([r["region"] for r in rows], sorted(r["region"] for r in rows))
        self.assertEqual({r["account"] for r in rows}, {ACCOUNT})
        return {r["region"]: r["reason"] for r in rows}

    def read_table(self, text):
        lines = [line.split() for line in text.splitlines()]
        return {line[0]: line[2] for line in lines if len(line) > 2 and re.fullmatch(r"[a-z]{2}-[a-z]+-\d", line[0])}

    def read_markdown(self, text):
        cells = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if line.startswith(f"| {ACCOUNT}")]
        return {c[1]: c[3] for c in cells}

    def test_two_audits_at_once_do_not_disturb_each_other(self):
        sim = self.simulation()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            policies = ["conformity", "strict"] * 2
            runs = list(pool.map(lambda p: self.audit(sim.url, *QUICK, "--policy", p), policies))
        self.assertEqual(len({run.record["runId"] for run in runs}), 4)
        for policy, run in zip(policies, runs):
            self.assertEqual(run.status, FAILING, str(run))
            self.assertEqual(run.record["policy"], policy)
            self.assertEqual({r: reason for r, reason in reasons(run).items() if reason != "ACTIVE_RULES"}, DEMO)


class Scenarios(Case):
    """Other accounts, one fact each."""

    def test_a_healthy_account_is_clean(self):
        result = self.audit(self.simulation("healthy").url, want=CLEAN)
        self.assertEqual(len(result.rows), 34)
        self.assertEqual(set(reasons(result).values()), {"ACTIVE_RULES", "REGION_NOT_ENABLED"})
        self.assertTrue(result.record["coverage"]["complete"])

    def test_an_empty_account_fails_everywhere_that_is_enabled(self):
        result = self.audit(self.simulation("empty").url, want=FAILING)
        self.assertEqual(set(reasons(result).values()), {"NO_RULES", "REGION_NOT_ENABLED"})

    def test_nothing_may_be_listed(self):
        result = self.audit(self.simulation("denied").url, want=INCOMPLETE)
        self.assertEqual(result.record["coverage"]["regionSource"], "ec2:DescribeRegions")
        self.assertEqual(reasons(result)["eu-north-1"], "DENIED_BY_SCP")
        row = result.rows["eu-west-1"]
        self.assertEqual((row["status"], row["reason"]), ("INSUFFICIENT_DATA", "ACCESS_DENIED"))
        self.assertIn("events:ListRules", row["detail"])

    def test_long_lists(self):
        result = self.audit(self.simulation("paging").url, want=FAILING)
        some = ("eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1")
        want = ["ACTIVE_RULES", "NO_ACTIVE_RULES", "ACTIVE_RULES", "ACTIVE_RULES", "NO_ACTIVE_RULES"]
        self.assertEqual([reasons(result)[r] for r in some], want)

    def test_another_partition(self):
        env = environment(self.simulation("govcloud").url, AWS_REGION="us-gov-west-1")
        result = self.audit(None, env=env)
        self.assertEqual(set(result.rows), {"us-gov-east-1", "us-gov-west-1"}, str(result))
        self.assertEqual(result.record["coverage"]["regionSource"], "ec2:DescribeRegions")
        result = self.audit(None, "--regions", "eu-west-1", env=env, want=USAGE)
        self.assertIn("eu-west-1", result.stderr)

    def test_no_region_list_at_all(self):
        sim = self.simulation(self.scenario_file(faults=[{"service": s, "kind": "deny"} for s in ("account", "ec2")]))
        result = self.audit(sim.url, want=COULD_NOT_RUN)
        self.assertEqual(result.stdout, "")
        for words in ("account:ListRegions", "ec2:DescribeRegions", "--regions"):
            self.assertIn(words, result.stderr)
        named = self.audit(sim.url, "--regions", "eu-west-1", want=FAILING)
        self.assertEqual(reasons(named), {"eu-west-1": "NO_RULES"})

    def test_every_way_in_which_a_region_can_fail_to_answer(self):
        env = environment(self.simulation("faults").url, AWS_MAX_ATTEMPTS="1")
        result = self.audit(None, "--region-timeout", "1s", env=env, want=INCOMPLETE)
        got = {r: row for r, row in result.rows.items() if row["reason"] not in ("ACTIVE_RULES", "REGION_NOT_ENABLED")}
        self.assertEqual({row["status"] for row in got.values()}, {"INSUFFICIENT_DATA"})
        self.assertEqual({r: row["reason"] for r, row in got.items()}, {
            "ap-northeast-1": "INVALID_CREDENTIALS", "ap-northeast-2": "TIMEOUT", "ap-south-1": "INVALID_CREDENTIALS",
            "ap-southeast-1": "UNREACHABLE", "ap-southeast-2": "UNREACHABLE", "ca-central-1": "UNREACHABLE",
            "eu-central-1": "SERVICE_ERROR", "eu-north-1": "SERVICE_ERROR", "eu-west-1": "SERVICE_ERROR",
            "eu-west-2": "SERVICE_ERROR", "eu-west-3": "SERVICE_ERROR", "sa-east-1": "SERVICE_ERROR",
            "us-east-2": "THROTTLED", "us-west-1": "ACCESS_DENIED", "us-west-2": "DENIED_BY_SCP",
        })
        self.assertEqual([r for r, row in got.items() if not row["detail"] or "\n" in row["detail"]], [])
        self.assertEqual(result.record["coverage"]["judged"], 34 - len(got))


class Advice(AWSCase):
    """The alert tells people what to type. It has to be right."""

    FAILING_ONES = ["ap-northeast-3", "eu-west-3", "sa-east-1", "us-west-1"]

    def commands(self, mail):
        """The commands that the mail shows, word by word."""
        joined = re.sub(r"\\\n\s*", "", mail)
        return [shlex.split(line) for line in joined.splitlines() if line.strip().startswith(("aws ", "eventbridge-auditor "))]

    def test_what_the_mail_says_mends_the_regions_that_it_names(self):
        sim = self.simulation()
        alert = self.audit(sim.url, *QUICK, "--topic-arn", TOPIC, want=FAILING)
        (message,) = sim.messages()
        self.assertEqual(message["messageId"], alert.record["notification"]["messageId"])
        texts = json.loads(message["message"])
        commands = self.commands(texts["email"])
        mended = set()
        for program, *command in commands:
            if program == "aws":
                self.aws(*command, sim=sim)
                mended.add(command[command.index("--region") + 1])
            elif command[0] == "plan":
                self.assertIn("would be changed", self.run_auditor(*command, endpoint=sim.url).stdout)
            else:
                self.assertEqual(self.run_auditor(*command, "--yes", endpoint=sim.url).status, CLEAN)
                mended.add(command[command.index("--regions") + 1])
        self.assertEqual(mended, {"ap-northeast-3", "sa-east-1"}, "the first region of each reason")
        for policy in ("conformity", "strict"):
            after = self.audit(sim.url, "--regions", ",".join(sorted(mended)), "--policy", policy, want=CLEAN)
            self.assertEqual(reasons(after), {"ap-northeast-3": "ACTIVE_RULES", "sa-east-1": "ONLY_REMEDIATION_RULE"})

    def test_the_same_advice_in_the_other_regions(self):
        """As a person would: the command shown, with another region, and with that region's own rule."""
        sim = self.simulation()
        schedule = ["--name", "cc-scheduled-event-rule", "--schedule-expression", "rate(5 minutes)"]
        self.aws("events", "put-rule", "--region", "us-west-1", *schedule, sim=sim)
        self.aws("events", "enable-rule", "--region", "eu-west-3", "--name", "nightly-report", sim=sim)
        after = self.audit(sim.url, "--regions", ",".join(self.FAILING_ONES), want=FAILING)
        self.assertEqual({r: row["status"] for r, row in after.rows.items()}, {
            "ap-northeast-3": "NON_COMPLIANT", "eu-west-3": "COMPLIANT", "sa-east-1": "NON_COMPLIANT", "us-west-1": "COMPLIANT",
        })
        strict = self.audit(sim.url, "--regions", "us-west-1", "--policy", "strict", want=FAILING)
        self.assertEqual(reasons(strict), {"us-west-1": "ONLY_TARGETLESS_RULES"})

    def test_the_table_gives_the_same_advice(self):
        result = self.run_auditor("audit", "--regions", ",".join(self.FAILING_ONES), endpoint=self.sim.url)
        self.assertEqual(result.status, FAILING)
        shown = {tuple(c[:3] if c[0] == "aws" else c[:2]) for c in self.commands(result.stdout)}
        self.assertEqual(shown, {("aws", "events", "enable-rule"), ("eventbridge-auditor", "plan"), ("eventbridge-auditor", "remediate")})

    def test_each_subscriber_gets_its_own_text(self):
        sim = self.simulation()
        record = self.audit(sim.url, *QUICK, "--topic-arn", TOPIC, want=FAILING).record
        (message,) = sim.messages()
        texts = json.loads(message["message"])
        self.assertEqual(set(texts), {"default", "email", "sqs", "lambda", "http", "email-json", "https", "sms"})
        record["notification"]["messageId"] = ""  # a message has no id before it is sent
        for protocol in ("sqs", "lambda", "http", "email-json"):
            self.assertEqual(json.loads(texts[protocol]), record, protocol)
        chat = json.loads(texts["https"])
        self.assertEqual((chat["version"], chat["source"], chat["content"]["textType"]), ("1.0", "custom", "client-markdown"))
        self.assertLessEqual(len(texts["sms"]), 140)
        self.assertRegex(message["subject"], r"^[ -~]{1,99}$")
        for region in self.FAILING_ONES:
            self.assertIn(region, texts["email"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
