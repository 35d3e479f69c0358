"""The store on moto's S3, and what SNS hands to queues of it: told once, resolved, reminded, raced, lost and found again."""

import concurrent.futures
import json
import tempfile
import time
import unittest

import world
from harness import ACCOUNT, CLEAN, COULD_NOT_RUN, FAILING, Case, environment
from motocase import MotoCase

GOOD, BAD = "us-east-1", "us-west-1"
BOTH = ["--regions", f"{GOOD},{BAD}"]


class Memory(MotoCase):
    """Two regions, one of which fails or passes as a test wants; a bucket and a topic for each test."""

    @classmethod
    def content(cls):
        world.seed(cls.client, {GOOD: [world.rule("own", targets=1)], BAD: [world.rule("own", targets=1)]})

    def setUp(self):
        name = self.id().rsplit(".")[-1].replace("_", "-").lower()[:60].strip("-")
        self.s3, self.sns, self.sqs = (self.client(service, GOOD) for service in ("s3", "sns", "sqs"))
        self.bucket = name
        self.s3.create_bucket(Bucket=name)
        self.topic = self.sns.create_topic(Name=name)["TopicArn"]
        self.switch(True)

    def switch(self, on):
        events = self.client("events", BAD)
        (events.enable_rule if on else events.disable_rule)(Name="own")

    def queue(self, policy=None):
        number = len(self.sqs.list_queues().get("QueueUrls", []))
        url = self.sqs.create_queue(QueueName=f"queue-{number}")["QueueUrl"]
        attributes = {"RawMessageDelivery": "true"}
        if policy:
            attributes["FilterPolicy"] = json.dumps(policy)
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{GOOD}:{ACCOUNT}:queue-{number}", Attributes=attributes)
        return url

    def received(self, queue):
        """The records that have come, in the order of their runs; they are taken out."""
        records = []
        while True:
            messages = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            if not messages:
                return sorted(records, key=lambda r: r["finishedAt"])
            for m in messages:
                records.append(json.loads(m["Body"]))
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=m["ReceiptHandle"])

    def run_once(self, *args, want=None, store=None):
        return self.audit(self.moto.url, *BOTH, "--store", store or f"s3://{self.bucket}/eb", "--topic-arn", self.topic, *args, want=want)

    def keys(self):
        return [o["Key"] for o in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    def state(self):
        return json.loads(self.s3.get_object(Bucket=self.bucket, Key="eb/state.json")["Body"].read())

    def test_a_failure_is_told_once_and_resolved_once_to_those_who_asked(self):
        everything, failing, resolved = self.queue(), self.queue({"kind": ["FAILING"], "regions": [BAD]}), self.queue({"kind": ["RESOLVED"], "regions": [BAD]})
        self.run_once(want=CLEAN)
        self.switch(False)
        for _ in range(3):
            self.run_once(want=FAILING)
        self.switch(True)
        for _ in range(2):
            self.run_once(want=CLEAN)
        kinds = [(r["notification"]["kind"], [c["region"] for c in r["changes"]["failing"]], [c["region"] for c in r["changes"]["resolved"]]) for r in self.received(everything)]
        self.assertEqual(kinds, [("FAILING", [BAD], []), ("RESOLVED", [], [BAD])])
        self.assertEqual([r["notification"]["kind"] for r in self.received(failing)], ["FAILING"])
        self.assertEqual([r["notification"]["kind"] for r in self.received(resolved)], ["RESOLVED"])
        self.assertEqual(self.state()["scopes"], [])
        self.assertEqual(len([k for k in self.keys() if k.startswith("eb/records/year=")]), 6)

    def test_records_are_lines_of_json_and_history_reads_them(self):
        self.switch(False)
        for _ in range(2):
            printed = self.run_once(want=FAILING).record
            time.sleep(1.1)  # a record's name has its second
        keys = [k for k in self.keys() if "/records/" in k]
        self.assertRegex(keys[0], r"^eb/records/year=\d{4}/month=\d\d/day=\d\d/\d{6}-[0-9a-f-]{36}\.json$")
        body = self.s3.get_object(Bucket=self.bucket, Key=keys[-1])["Body"].read().decode()
        self.assertEqual(body.count("\n"), 1)
        self.assertEqual(json.loads(body)["runId"], printed["runId"])
        history = self.run_auditor("history", "--store", f"s3://{self.bucket}/eb", "--output", "json", endpoint=self.moto.url)
        self.assertEqual(history.status, CLEAN, str(history))
        self.assertEqual([(f["region"], f["reasons"], "until" in f) for f in history.record["failures"]], [(BAD, ["NO_ACTIVE_RULES"], False)])
        since = {r: e.get("since") for r, e in self.run_once(want=FAILING).rows.items()}
        self.assertEqual(set(since), {GOOD, BAD})
        self.assertEqual(since[GOOD], None)
        self.assertEqual(since[BAD][:19], history.record["failures"][0]["from"][:19])

    def test_a_reminder(self):
        queue = self.queue()
        self.switch(False)
        self.run_once(want=FAILING)
        state = self.state()
        state["scopes"][0]["failing"]["told"] = "2026-01-01T00:00:00Z"
        self.s3.put_object(Bucket=self.bucket, Key="eb/state.json", Body=json.dumps(state))
        self.run_once("--reminder-interval", "0", want=FAILING)
        self.run_once(want=FAILING)
        self.run_once(want=FAILING)
        self.assertEqual([r["notification"]["kind"] for r in self.received(queue)], ["FAILING", "REMINDER"])

    def test_runs_that_race_on_one_state(self):
        self.switch(False)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: self.run_once(want=FAILING), range(8)))
        for result in results:
            self.assertEqual([w for w in result.record["warnings"] if "ListRegions" not in w], [])
        self.assertEqual([(o["region"], o["failing"]["reason"]) for o in self.state()["scopes"]], [(BAD, "NO_ACTIVE_RULES")])
        queue = self.queue()
        self.run_once(want=FAILING)
        self.assertEqual(self.received(queue), [])

    def test_a_store_that_is_gone_costs_no_alert(self):
        queue = self.queue()
        self.switch(False)
        result = self.run_once(want=FAILING, store="s3://no-such-bucket-here/eb")
        self.assertTrue([w for w in result.record["warnings"] if "earlier runs are not known" in w], result.record["warnings"])
        self.assertEqual([r["notification"]["kind"] for r in self.received(queue)], ["FAILING"])

    def test_a_state_full_of_garbage_is_set_aside(self):
        queue = self.queue()
        self.switch(False)
        self.s3.put_object(Bucket=self.bucket, Key="eb/state.json", Body=b"\x00garbage")
        record = self.run_once(want=FAILING).record
        self.assertTrue([w for w in record["warnings"] if f"eb/unreadable/state-{record['runId']}.json"[3:] in w], record["warnings"])
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key=f"eb/unreadable/state-{record['runId']}.json")["Body"].read(), b"\x00garbage")
        self.run_once(want=FAILING)
        self.assertEqual([r["notification"]["kind"] for r in self.received(queue)], ["FAILING"])

    def test_exceptions_in_s3(self):
        self.switch(False)
        entry = {"region": "us-west-*", "reason": "pilot", "owner": "cloud@example.com", "expires": "2099-12-31"}
        self.s3.put_object(Bucket=self.bucket, Key="lists/exceptions.json", Body=json.dumps([entry]))
        url = f"s3://{self.bucket}/lists/exceptions.json"
        row = self.run_once("--exceptions", url, want=CLEAN).rows[BAD]
        self.assertEqual((row["status"], row["reason"], row["detail"]), ("NOT_APPLICABLE", "EXEMPT", "until 2099-12-31: pilot (owner: cloud@example.com)"))
        self.s3.put_object(Bucket=self.bucket, Key="lists/exceptions.json", Body=json.dumps([{**entry, "expires": "2020-01-01"}]))
        record = self.run_once("--exceptions", url, want=FAILING).record
        self.assertTrue([w for w in record["warnings"] if "ended with 2020-01-01 and counts no more" in w], record["warnings"])
        result = self.run_auditor("audit", *BOTH, "--exceptions", f"s3://{self.bucket}/lists/none.json", endpoint=self.moto.url)
        self.assertEqual((result.status, result.stdout), (COULD_NOT_RUN, ""))

    def test_self_test(self):
        queue = self.queue({"kind": ["TEST"]})
        result = self.run_auditor("self-test", "--store", f"s3://{self.bucket}/eb", "--topic-arn", self.topic, *BOTH, "--output", "json", endpoint=self.moto.url)
        self.assertEqual(result.status, CLEAN, str(result))
        self.assertEqual({t["name"]: t["ok"] for t in result.record["selfTest"]}, dict.fromkeys(("identity", "regions", "rules", "store", "topic"), True))
        (record,) = self.received(queue)
        self.assertEqual(record["notification"]["kind"], "TEST")
        self.assertEqual(self.keys(), ["eb/self-test.json"])


class Folder(Case):
    """The store in a folder, and a folder that cannot be written."""

    def test_told_once(self):
        sim = self.simulation(self.scenario_file(otherRegions={"buses": {"default": [{"name": "own"}]}}, regions={"eu-west-1": {}}, topics=["arn:aws:sns:us-east-1:123456789012:t"]))
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(2):
                self.audit(sim.url, "--store", folder, "--topic-arn", "arn:aws:sns:us-east-1:123456789012:t", want=FAILING)
            self.assertEqual(len(sim.messages()), 1)
            shown = self.run_auditor("history", "--store", folder, env=environment())
            self.assertIn("1 failure, 1 open", shown.stdout)

    def test_a_folder_that_cannot_be_written(self):
        sim = self.simulation(self.scenario_file(otherRegions={"buses": {"default": [{"name": "own"}]}}))
        result = self.audit(sim.url, "--store", "/proc/nowhere", want=CLEAN)
        self.assertTrue([w for w in result.record["warnings"] if "not kept for the runs to come" in w], result.record["warnings"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
