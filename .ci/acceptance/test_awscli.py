"""The AWS CLI against the simulated AWS: it reads what is there and is refused what AWS refuses."""

import json
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

from awscase import AWSCase, lambda_arn
from harness import ACCOUNT, TOPIC, moto_environment, tool

INVALID_TOKEN = "The security token included in the request is invalid."


class Reading(AWSCase):
    """Operations that change nothing, on the demo's account."""

    def test_the_aws_executable_itself(self):
        env = moto_environment(AWS_ENDPOINT_URL=self.sim.url)
        query = ["--output", "text", "--query", "Rules[].[Name,State]"]
        argv = [tool("aws"), "events", "list-rules", "--region", "eu-west-3", *query]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        want = [("guardduty-high-severity", "DISABLED"), ("nightly-report", "DISABLED"), ("stop-dev-instances", "DISABLED")]
        self.assertEqual([tuple(line.split("\t")) for line in done.stdout.splitlines()], want)

    def test_list_rules(self):
        rules = self.aws("events", "list-rules", "--region", "ap-northeast-2")["Rules"]
        self.assertEqual({r["Name"]: r.get("ManagedBy") for r in rules}, {
            "AutoScalingManagedRule": "autoscaling.amazonaws.com",
            "DO-NOT-DELETE-S3-Storage-Lens": "s3.amazonaws.com",
        })
        self.assertEqual({r["EventBusName"] for r in rules}, {"default"})

    def test_list_rules_by_bus_prefix_and_state(self):
        orders = self.aws("events", "list-rules", "--event-bus-name", "orders")["Rules"]
        self.assertEqual([r["Arn"] for r in orders], [
            f"arn:aws:events:us-east-1:{ACCOUNT}:rule/orders/order-placed",
            f"arn:aws:events:us-east-1:{ACCOUNT}:rule/orders/order-refunded",
        ])
        cost = self.aws("events", "list-rules", "--name-prefix", "cost-")["Rules"]
        self.assertEqual([r["Name"] for r in cost], ["cost-report-weekly"])
        rule = self.aws("events", "list-rules", "--region", "ap-southeast-2")["Rules"][0]
        self.assertEqual(rule["State"], "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")

    def test_list_event_buses(self):
        buses = self.aws("events", "list-event-buses")["EventBuses"]
        self.assertEqual([b["Name"] for b in buses], ["default", "orders"])
        self.assertEqual(buses[1]["Arn"], f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/orders")

    def test_describe_rule(self):
        rule = self.aws("events", "describe-rule", "--name", "cost-report-weekly")
        self.assertEqual(rule["ScheduleExpression"], "cron(0 6 ? * MON *)")
        self.assertEqual(rule["CreatedBy"], ACCOUNT)
        self.refused("ResourceNotFoundException", "events", "describe-rule", "--name", "no-such-rule",
                     text="Rule no-such-rule does not exist on EventBus default.")
        self.refused("ResourceNotFoundException", "events", "list-rules", "--event-bus-name", "no-such-bus",
                     text="Event bus no-such-bus does not exist.")

    def test_a_region_that_is_not_enabled_refuses_the_token(self):
        where = ["--region", "ap-southeast-7"]
        self.refused("UnrecognizedClientException", "events", "list-rules", *where, text=INVALID_TOKEN)
        self.refused("AuthFailure", "ec2", "describe-regions", *where)
        self.refused("InvalidClientTokenId", "sns", "list-topics", *where, text=INVALID_TOKEN)

    def test_the_region_that_a_service_control_policy_denies(self):
        words = self.refused("AccessDeniedException", "events", "list-rules", "--region", "me-south-1",
                             text="is not authorized to perform: events:ListRules on resource: ")
        self.assertRegex(words, r"with an explicit deny in a service control policy: arn:aws:organizations::\d{12}:policy/")

    def test_describe_regions(self):
        def names(*args):
            return {r["RegionName"]: r["OptInStatus"] for r in self.aws("ec2", "describe-regions", *args)["Regions"]}

        everything = names("--all-regions")
        self.assertEqual(len(everything), 34)
        self.assertEqual({everything[r] for r in ("ca-west-1", "ap-southeast-7")}, {"not-opted-in"})
        ours = {r: s for r, s in everything.items() if s != "not-opted-in"}
        self.assertEqual(names(), ours)
        self.assertEqual(len(ours), 23)
        opted = names("--all-regions", "--filters", "Name=opt-in-status,Values=opted-in")
        self.assertEqual(set(opted), {"af-south-1", "ap-east-1", "ap-southeast-3", "eu-central-2", "eu-south-1", "me-south-1"})
        self.assertEqual(set(names("--filters", "Name=region-name,Values=eu-west-*")), {"eu-west-1", "eu-west-2", "eu-west-3"})
        self.assertEqual(set(names("--region-names", "sa-east-1")), {"sa-east-1"})
        self.refused("InvalidParameterValue", "ec2", "describe-regions", "--region-names", "eu-wset-1", text="eu-wset-1")
        self.refused("InvalidParameterValue", "ec2", "describe-regions", "--filters", "Name=colour,Values=blue", text="colour")

    def test_list_regions_in_pages(self):
        whole = self.aws("account", "list-regions")["Regions"]
        self.assertEqual(len(whole), 34)
        self.assertEqual(self.aws("account", "list-regions", "--page-size", "7")["Regions"], whole)
        first = self.aws("account", "list-regions", "--max-items", "30")
        rest = self.aws("account", "list-regions", "--starting-token", first["NextToken"])
        self.assertEqual(first["Regions"] + rest["Regions"], whole)
        only = self.aws("account", "list-regions", "--region-opt-status-contains", "ENABLING", "DISABLING")["Regions"]
        self.assertEqual(only, [{"RegionName": "ca-west-1", "RegionOptStatus": "ENABLING"}])

    def test_get_caller_identity(self):
        who = self.aws("sts", "get-caller-identity")
        self.assertEqual(who["Account"], ACCOUNT)
        self.assertEqual(who["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/eventbridge-auditor/simulated")

    def test_what_the_simulation_does_not_have(self):
        self.refused("UnknownOperationException", "events", "list-archives")
        self.refused("InvalidAction", "sts", "get-session-token")


class Paging(AWSCase):
    """Long lists."""

    scenario = "paging"

    def test_all_pages_make_the_whole(self):
        where = ["events", "list-rules", "--region", "eu-west-1"]
        whole = [r["Name"] for r in self.aws(*where)["Rules"]]
        self.assertEqual((len(whole), whole[-1]), (250, "zz-active"))
        self.assertEqual([r["Name"] for r in self.aws(*where, "--page-size", "99")["Rules"]], whole)
        first = self.aws(*where, "--max-items", "120", "--page-size", "50")
        rest = self.aws(*where, "--starting-token", first["NextToken"])
        self.assertEqual([r["Name"] for r in first["Rules"] + rest["Rules"]], whole)
        self.refused("ValidationException", *where, "--page-size", "101", text="less than or equal to 100")

    def test_a_token_belongs_to_its_list(self):
        token = self.aws("events", "list-rules", "--region", "eu-west-1", "--no-paginate", "--limit", "10")["NextToken"]
        for elsewhere in (["--region", "eu-west-2"], ["--region", "eu-west-1", "--name-prefix", "n"]):
            done = self.command("events", "list-rules", *elsewhere, "--no-paginate", "--next-token", token)
            self.assertNotEqual(done["status"], 0, done)

    def test_many_buses(self):
        whole = self.aws("events", "list-event-buses", "--region", "eu-west-3")
        self.assertEqual(len(whole["EventBuses"]), 31)
        self.assertNotIn("NextToken", whole)
        first = self.aws("events", "list-event-buses", "--region", "eu-west-3", "--limit", "20")
        self.assertEqual(len(first["EventBuses"]), 20)


class Changing(AWSCase):
    """Operations that change a region, each test in a region of its own."""

    def test_a_rule_from_beginning_to_end(self):
        region = ["--region", "eu-west-2"]
        name = ["--name", "acceptance"]
        first = ["--schedule-expression", "rate(5 minutes)", "--description", "first"]
        made = self.aws("events", "put-rule", *region, *name, *first)
        self.assertEqual(made["RuleArn"], f"arn:aws:events:eu-west-2:{ACCOUNT}:rule/acceptance")
        put = ["events", "put-targets", *region, "--rule", "acceptance", "--targets"]
        self.assertEqual(self.aws(*put, f"Id=5,Arn={lambda_arn('eu-west-2')}")["FailedEntryCount"], 0)
        targets = self.aws("events", "list-targets-by-rule", *region, "--rule", "acceptance")["Targets"]
        self.assertEqual(targets, [{"Id": "5", "Arn": lambda_arn("eu-west-2")}])
        for verb, state in (("disable-rule", "DISABLED"), ("enable-rule", "ENABLED")):
            self.aws("events", verb, *region, *name)
            self.assertEqual(self.aws("events", "describe-rule", *region, *name)["State"], state)
        self.aws("events", "put-rule", *region, *name, "--event-pattern", '{"source":["aws.health"]}')
        replaced = self.aws("events", "describe-rule", *region, *name)
        self.assertNotIn("Description", replaced, "PutRule replaces the whole rule")
        self.assertNotIn("ScheduleExpression", replaced)
        has_targets = "Rule can't be deleted since it has targets."
        self.refused("ValidationException", "events", "delete-rule", *region, *name, text=has_targets)
        removed = self.aws("events", "remove-targets", *region, "--rule", "acceptance", "--ids", "5")
        self.assertEqual(removed["FailedEntryCount"], 0)
        self.aws("events", "delete-rule", *region, *name)
        self.refused("ResourceNotFoundException", "events", "describe-rule", *region, *name)

    def test_rules_that_AWS_refuses(self):
        put = ["events", "put-rule", "--region", "eu-west-1", "--name"]
        good = ["--schedule-expression", "rate(5 minutes)"]
        pattern = r"Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+"
        self.refused("ValidationException", *put, "bad name!", *good, text=pattern)
        for schedule in (
            "rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "every 5 minutes", "cron(0 6 * * MON *)", "cron(0 6 ? * *)",
        ):
            with self.subTest(schedule=schedule):
                bad = [*put, "bad", "--schedule-expression", schedule]
                self.refused("ValidationException", *bad, text="Parameter ScheduleExpression is not valid.")
        self.refused("ValidationException", *put, "bad", text="EventPattern or ScheduleExpression must be specified")
        no_json = [*put, "bad", "--event-pattern", "{not json"]
        self.refused("InvalidEventPatternException", *no_json, text="Event pattern is not valid.")
        self.refused("ValidationException", *put, "bad", *good, "--event-bus-name", "orders", text="only on the default event bus")
        self.refused("ResourceNotFoundException", *put, "bad", *good, "--event-bus-name", "no-such-bus")
        self.refused("ResourceNotFoundException", "events", "describe-rule", "--region", "eu-west-1", "--name", "bad")

    def test_changes_that_AWS_refuses(self):
        for verb in ("enable-rule", "disable-rule"):
            self.refused("ResourceNotFoundException", "events", verb, "--name", "no-such-rule", text="no-such-rule")
        self.refused("ManagedRuleException", "events", "disable-rule", "--region", "us-west-2", "--name", "AutoScalingManagedRule")
        put = ["events", "put-targets", "--region", "us-east-2", "--rule"]
        self.refused("ResourceNotFoundException", *put, "no-such-rule", "--targets", f"Id=1,Arn={lambda_arn('us-east-2')}")
        self.refused("ValidationException", *put, "pipeline-failed", "--targets", f"Id=2,Arn={lambda_arn('eu-west-1')}")
        no_arn = [*put, "pipeline-failed", "--targets", "Id=2,Arn=LogScheduledEvent"]
        self.refused("ValidationException", *no_arn, text="not in correct format")
        many = [f"Id=more-{n},Arn={lambda_arn('us-east-2')}" for n in range(5)]
        self.refused("LimitExceededException", *put, "pipeline-failed", "--targets", *many)
        targets = self.aws("events", "list-targets-by-rule", "--region", "us-east-2", "--rule", "pipeline-failed")["Targets"]
        self.assertEqual(len(targets), 1)

    def test_deleting_what_is_not_there_succeeds(self):
        self.assertIsNone(self.aws("events", "delete-rule", "--name", "no-such-rule"))


class Publishing(AWSCase):
    """SNS, and what the simulation remembers."""

    def test_publish(self):
        attributes = {"kind": {"DataType": "String", "StringValue": "FAILING"}}
        body = json.dumps({"default": "words", "sqs": "{}"})
        sent = self.aws("sns", "publish", "--topic-arn", TOPIC, "--subject", "A subject", "--message", body,
                        "--message-structure", "json", "--message-attributes", json.dumps(attributes))
        kept = [m for m in self.sim.messages() if m["messageId"] == sent["MessageId"]]
        self.assertEqual(len(kept), 1)
        got = {key: kept[0][key] for key in ("topicArn", "subject", "message", "messageStructure", "attributes", "region")}
        self.assertEqual(got, {
            "topicArn": TOPIC, "subject": "A subject", "message": body, "messageStructure": "json", "region": "us-east-1",
            "attributes": {"kind": {"type": "String", "value": "FAILING"}},
        })

    def test_messages_that_SNS_refuses(self):
        def refused(code, *args, topic=TOPIC, text=""):
            with self.subTest(args=args, topic=topic):
                self.refused(code, "sns", "publish", "--topic-arn", topic, *args, text=text)

        before = len(self.sim.messages())
        refused("NotFound", "--message", "x", topic=TOPIC + "-2", text="Topic does not exist")
        refused("InvalidParameter", "--message", "x", topic="no-arn", text="TopicArn")
        refused("InvalidParameter", "--message", "x", topic=TOPIC.replace("us-east-1", "eu-west-1"))
        refused("InvalidParameter", "--message", "x", "--subject", "two\nlines", text="Subject")
        refused("InvalidParameter", "--message", "x", "--subject", "s" * 100, text="Subject")
        refused("InvalidParameter", "--message", "x", "--subject", "größer", text="Subject")
        refused("InvalidParameter", "--message", "x", "--message-structure", "json", text="failed to parse")
        refused("InvalidParameter", "--message", '{"sqs":"x"}', "--message-structure", "json", text="No default entry")
        refused("ParameterValueInvalid", "--message", "x", "--message-attributes", '{"n":{"DataType":"Number","StringValue":"x"}}')
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as long:
            long.write("x" * (256 * 1024 + 1))
            long.flush()
            refused("InvalidParameter", "--message", f"file://{long.name}", text="too long")
        self.assertEqual(len(self.sim.messages()), before)

    def test_the_list_of_calls(self):
        before = len(self.sim.calls())
        self.aws("events", "list-rules", "--region", "eu-west-1")
        self.refused("UnrecognizedClientException", "events", "list-rules", "--region", "ap-east-2")
        calls = self.sim.calls()[before:]
        got = [(c["service"], c["operation"], c["region"], c["account"], c["status"], c["code"]) for c in calls]
        self.assertEqual(got, [
            ("events", "ListRules", "eu-west-1", ACCOUNT, 200, ""),
            ("events", "ListRules", "ap-east-2", ACCOUNT, 400, "UnrecognizedClientException"),
        ])

    def test_a_wrong_address_of_the_simulation_itself_says_the_right_ones(self):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(self.sim.url + "/_sim/nothing", timeout=10)
        with caught.exception as answer:
            text = answer.read().decode()
        self.assertEqual(answer.code, 404)
        self.assertIn("/_sim/calls", text)
        self.assertIn("/_sim/messages", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
