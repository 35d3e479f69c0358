"""The notification, from the audit through moto's SNS to the queues that subscribe to the topic."""

import json
import unittest

import world
from harness import ACCOUNT, CLEAN, COULD_NOT_RUN, FAILING, USAGE, environment
from motocase import MotoCase

HEALTHY, BAD, WORSE = "us-east-1", "us-west-1", "us-west-2"
ALL_THREE = ["--regions", f"{HEALTHY},{BAD},{WORSE}"]
ATTRIBUTES = {
    "check": ("String", "CWE-001"),
    "kind": ("String", "FAILING"),
    "riskLevel": ("String", "MEDIUM"),
    "account": ("String", ACCOUNT),
    "nonCompliantCount": ("Number", "2"),
    "regions": ("String.Array", json.dumps([BAD, WORSE])),
}


class Notification(MotoCase):
    """Three regions: one healthy, one with disabled rules, one with none."""

    @classmethod
    def content(cls):
        world.seed(cls.client, {HEALTHY: [world.rule("own", targets=1)], BAD: [world.off("old", count=3)]})

    def setUp(self):
        self.sns, self.sqs = self.client("sns", HEALTHY), self.client("sqs", HEALTHY)
        self.topic = self.sns.create_topic(Name=self.id().rsplit(".")[-1])["TopicArn"]

    def subscribe(self, raw=False, policy=None):
        """A new queue that subscribes to the test's topic."""
        number = len(self.sqs.list_queues().get("QueueUrls", []))
        queue = self.sqs.create_queue(QueueName=f"queue-{number}")["QueueUrl"]
        attributes = {"RawMessageDelivery": str(raw).lower()}
        if policy:
            attributes["FilterPolicy"] = json.dumps(policy)
        arn = f"arn:aws:sqs:{HEALTHY}:{ACCOUNT}:queue-{number}"
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
        return queue

    def received(self, queue):
        return self.sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", [])

    def one(self, queue):
        messages = self.received(queue)
        self.assertEqual(len(messages), 1)
        return messages[0]

    def published(self, *args, want, env=None):
        return self.audit(self.moto.url, *args, "--topic-arn", self.topic, want=want, env=env)

    def check_record(self, text, printed):
        """The Record of the message is the one printed, but for the id that a message has only once it is sent."""
        message_id = printed["notification"].pop("messageId")
        self.assertTrue(message_id)
        sent = json.loads(text)
        sent["notification"].pop("messageId", None)
        self.assertEqual(sent, printed)
        return message_id

    def test_a_queue_gets_the_record_once(self):
        queue = self.subscribe()
        printed = self.published(*ALL_THREE, want=FAILING).record
        self.assertEqual(printed["notification"]["kind"], "FAILING")
        self.assertEqual(printed["notification"]["topicArn"], self.topic)
        envelope = json.loads(self.one(queue)["Body"])
        message_id = self.check_record(envelope["Message"], printed)
        self.assertEqual(envelope["MessageId"], message_id)
        self.assertEqual(envelope["TopicArn"], self.topic)
        got = {name: (a["Type"], a["Value"]) for name, a in envelope["MessageAttributes"].items()}
        self.check_attributes(got)

    def test_raw_delivery_is_the_record_alone_with_its_attributes(self):
        queue = self.subscribe(raw=True)
        printed = self.published(*ALL_THREE, want=FAILING).record
        message = self.one(queue)
        self.check_record(message["Body"], printed)
        self.check_attributes({n: (a["DataType"], a["StringValue"]) for n, a in message["MessageAttributes"].items()})

    def check_attributes(self, got):
        regions = got.pop("regions")
        want = dict(ATTRIBUTES)
        self.assertEqual((regions[0], json.loads(regions[1])), (want["regions"][0], json.loads(want.pop("regions")[1])))
        self.assertEqual(got, want)

    def test_the_subject_is_one_line_of_ascii(self):
        queue = self.subscribe()
        self.published(*ALL_THREE, want=FAILING)
        subject = json.loads(self.one(queue)["Body"])["Subject"]
        self.assertRegex(subject, r"^[ -~]{1,99}$")
        self.assertIn(ACCOUNT, subject)

    def test_filter_policies_let_the_right_ones_through(self):
        policies = {
            "kind": ({"kind": ["FAILING"]}, {"kind": ["INCOMPLETE", "NONE"]}),
            "regions": ({"regions": [BAD, "eu-west-1"]}, {"regions": [HEALTHY]}),
            "nonCompliantCount": ({"nonCompliantCount": [{"numeric": [">", 1]}]}, {"nonCompliantCount": [{"numeric": [">", 2]}]}),
            "account": ({"account": [ACCOUNT]}, {"account": ["111122223333"]}),
        }
        queues = {name: [self.subscribe(policy=p) for p in pair] for name, pair in policies.items()}
        self.published(*ALL_THREE, want=FAILING)
        got = {name: [len(self.received(q)) for q in pair] for name, pair in queues.items()}
        self.assertEqual(got, {name: [1, 0] for name in policies})

    def test_the_default_keeps_quiet_while_all_is_well(self):
        queue = self.subscribe()
        printed = self.published("--regions", HEALTHY, want=CLEAN).record
        self.assertEqual(self.received(queue), [])
        self.assertEqual(printed["notification"]["kind"], "NONE")
        self.assertEqual(printed["notification"]["messageId"], "")

    def test_always_speaks_and_never_does_not(self):
        queue = self.subscribe(raw=True)
        env = environment(self.moto.url, NOTIFY_ON="never")
        printed = self.published(*ALL_THREE, want=FAILING, env=env).record
        self.assertEqual((self.received(queue), printed["notification"]["kind"]), ([], "NONE"))
        env = environment(self.moto.url, NOTIFY_ON="always", TOPIC_ARN=self.topic)
        printed = self.audit(None, "--regions", HEALTHY, env=env, want=CLEAN).record
        self.check_record(self.one(queue)["Body"], printed)

    def test_strict_and_conformity_tell_their_own_count(self):
        queue = self.subscribe(raw=True)
        self.published("--regions", HEALTHY, "--policy", "strict", "--notify-on", "always", want=CLEAN)
        attributes = self.one(queue)["MessageAttributes"]
        self.assertEqual(attributes["nonCompliantCount"]["StringValue"], "0")
        self.assertEqual(json.loads(attributes["regions"]["StringValue"]), [])

    def test_a_topic_that_does_not_exist_fails_the_run_and_keeps_the_report(self):
        missing = f"arn:aws:sns:{HEALTHY}:{ACCOUNT}:no-such-topic"
        result = self.audit(self.moto.url, *ALL_THREE, "--topic-arn", missing, want=COULD_NOT_RUN)
        self.assertIn(missing, result.stderr)
        self.assertEqual({r: e["status"] for r, e in result.rows.items()},
                         {HEALTHY: "COMPLIANT", BAD: "NON_COMPLIANT", WORSE: "NON_COMPLIANT"})
        self.assertEqual(result.record["notification"]["messageId"], "")

    def test_a_topic_of_another_region_is_published_to_there(self):
        sns, sqs = self.client("sns", "eu-west-1"), self.client("sqs", "eu-west-1")
        topic = sns.create_topic(Name="elsewhere")["TopicArn"]
        queue = sqs.create_queue(QueueName="elsewhere")["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:eu-west-1:{ACCOUNT}:elsewhere")
        env = environment(self.moto.url, AWS_REGION=HEALTHY)
        self.audit(None, "--regions", BAD, "--topic-arn", topic, env=env, want=FAILING)
        self.assertEqual(len(sqs.receive_message(QueueUrl=queue).get("Messages", [])), 1)

    def test_a_misspelt_region_is_named_with_the_likely_one_and_nothing_is_published(self):
        queue = self.subscribe()
        result = self.published("--regions", "eu-wset-1,us-west-1", want=USAGE)
        self.assertIn('"eu-wset-1"', result.stderr)
        self.assertIn('"eu-west-1"', result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(self.received(queue), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
