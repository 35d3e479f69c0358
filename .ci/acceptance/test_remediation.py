"""Plan, remediate and undo against moto, looked at through boto3; a process that dies at each single call; the commands of
a plan, pasted into a shell; and the question on a terminal."""

import concurrent.futures
import fcntl
import io
import json
import os
import pathlib
import pty
import re
import select
import struct
import subprocess
import termios
import time
import zipfile

import botocore.exceptions

from awscase import lambda_arn
from cutter import Cutter
from harness import ACCOUNT, CLEAN, COULD_NOT_RUN, FAILING, TOPIC, USAGE, Case, auditor, environment, moto_environment, start_moto, tool
from motocase import MotoCase

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULE, FUNCTION, STATEMENT = "cc-scheduled-event-rule", "LogScheduledEvent", "cc-scheduled-event"
REGIONS = ("eu-west-1", "eu-west-2")
SOME = ("--regions", "eu-west-1,eu-west-2")


class Remediation(MotoCase):
    """Functions in two regions: one from infra/regional-target.yaml, one made by hand."""

    @classmethod
    def content(cls):
        template = (ROOT / "infra" / "regional-target.yaml").read_text()
        cls.client("cloudformation", "eu-west-1").create_stack(
            StackName="eventbridge-auditor-target", TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
        role = cls.client("iam", "us-east-1").create_role(RoleName="by-hand", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("index.py", "def handler(event, context):\n    print(event)\n")
        cls.client("lambda", "eu-west-2").create_function(
            FunctionName=FUNCTION, Runtime="python3.13", Role=role, Handler="index.handler", Code={"ZipFile": code.getvalue()})

    def setUp(self):
        self.cutter = Cutter(self.moto.url)
        self.addCleanup(self.cutter.stop)
        self.addCleanup(self.clean)

    def clean(self):
        for region in ("eu-west-1", "eu-west-2", "eu-west-3"):
            events = self.client("events", region)
            for rule in events.list_rules()["Rules"]:
                targets = [t["Id"] for t in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]]
                if targets:
                    events.remove_targets(Rule=rule["Name"], Ids=targets)
                events.delete_rule(Name=rule["Name"])
            for sid in self.statements(region):
                self.client("lambda", region).remove_permission(FunctionName=FUNCTION, StatementId=sid)

    def statements(self, region):
        try:
            policy = self.client("lambda", region).get_policy(FunctionName=FUNCTION)["Policy"]
        except botocore.exceptions.ClientError:
            return {}
        return {s["Sid"]: s for s in json.loads(policy)["Statement"]}

    def rule(self, region):
        events = self.client("events", region)
        try:
            rule = events.describe_rule(Name=RULE)
        except botocore.exceptions.ClientError:
            return None
        rule["Targets"] = events.list_targets_by_rule(Rule=RULE)["Targets"]
        rule["Tags"] = {t["Key"]: t["Value"] for t in events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]}
        return rule

    def assert_mended(self, region):
        rule = self.rule(region)
        self.assertIsNotNone(rule, region)
        self.assertEqual((rule["State"], rule["ScheduleExpression"]), ("ENABLED", "rate(5 minutes)"))
        self.assertEqual(rule["Tags"], {"eventbridge-auditor": "remediation"})
        self.assertEqual([(t["Id"], t["Arn"]) for t in rule["Targets"]], [("5", lambda_arn(region))])
        statement = self.statements(region)
        self.assertEqual(list(statement), [STATEMENT])
        self.assertEqual(statement[STATEMENT]["Condition"], {
            "ArnLike": {"AWS:SourceArn": f"arn:aws:events:{region}:{ACCOUNT}:rule/{RULE}"},
            "StringEquals": {"AWS:SourceAccount": ACCOUNT}})

    def assert_nothing_left(self, region):
        self.assertIsNone(self.rule(region), region)
        self.assertEqual(self.statements(region), {}, region)

    def assert_not_half_compliant(self, region):
        rule = self.rule(region)
        if rule and rule["State"] != "DISABLED":
            self.assertEqual([(t["Id"], t["Arn"]) for t in rule["Targets"]], [("5", lambda_arn(region))])
            self.assertIn(STATEMENT, self.statements(region))

    def run_it(self, *args, want=None):
        result = self.run_auditor(*args, "--output", "json", endpoint=self.moto.url)
        if want is not None:
            self.assertEqual(result.status, want, str(result))
        return result

    def parts(self, result):
        return {r["region"]: r for r in result.record["remediation"]["regions"]}

    def test_plan_remediate_audit_undo(self):
        some = ("--regions", "eu-west-1,eu-west-2,eu-west-3")
        plan = self.parts(self.run_it("plan", *some, want=FAILING))
        self.assertEqual({r: p["result"] for r, p in plan.items()}, {"eu-west-1": "PLANNED", "eu-west-2": "PLANNED", "eu-west-3": "SKIPPED"})
        self.assertEqual(plan["eu-west-3"]["reason"], "NO_TARGET_FUNCTION")
        for region in REGIONS:
            self.assert_nothing_left(region)
        done = self.parts(self.run_it("remediate", "--yes", *some, want=FAILING))
        for region in REGIONS:
            self.assertEqual((done[region]["result"], done[region]["before"], done[region]["after"]), ("REMEDIATED", "NON_COMPLIANT", "COMPLIANT"))
            self.assertEqual([s["action"] for s in done[region]["steps"]], ["PutRule", "AddPermission", "PutTargets", "EnableRule"])
            self.assert_mended(region)
        self.assertIsNone(self.rule("eu-west-3"))
        for policy in ("conformity", "strict"):
            rows = self.audit(self.moto.url, *SOME, "--policy", policy, want=CLEAN).rows
            self.assertEqual({r: e["reason"] for r, e in rows.items()}, dict.fromkeys(REGIONS, "ONLY_REMEDIATION_RULE"))
        self.assertEqual(self.parts(self.run_it("remediate", "--yes", *SOME, want=CLEAN)), {})
        undone = self.parts(self.run_it("undo", "--yes", *some, want=FAILING))
        self.assertEqual({r: p["result"] for r, p in undone.items()}, dict.fromkeys(REGIONS, "UNDONE"))
        for region in REGIONS:
            self.assert_nothing_left(region)

    def test_a_rule_of_somebody_else_is_left(self):
        self.client("events", "eu-west-1").put_rule(Name=RULE, ScheduleExpression="rate(1 day)", State="DISABLED", Description="mine")
        for command in ("remediate", "undo"):
            part = self.parts(self.run_it(command, "--yes", *SOME, want=FAILING))["eu-west-1"]
            self.assertEqual((part["result"], part["reason"], part["steps"]), ("SKIPPED", "FOREIGN_RULE", []))
            rule = self.rule("eu-west-1")
            self.assertEqual((rule["State"], rule["Description"], rule["Targets"]), ("DISABLED", "mine", []))

    def test_an_event_pattern_instead_of_a_schedule(self):
        self.run_it("remediate", "--yes", *SOME, "--event-pattern", "eventbridge-tampering", want=CLEAN)
        rule = self.rule("eu-west-1")
        self.assertEqual(json.loads(rule["EventPattern"])["detail"]["eventName"], ["DeleteRule", "DisableRule", "RemoveTargets", "DeleteEventBus"])
        self.assertNotIn("ScheduleExpression", rule)
        self.run_it("undo", "--yes", *SOME, want=FAILING)
        self.assert_nothing_left("eu-west-1")

    def killed(self, command, at):
        """Runs a command that is killed once a call is done, before it hears so. Returns whether it was."""
        ready, dead = [], []
        self.cutter.reset(at, lambda: (dead.append(1), ready and ready[0].kill()))
        process = subprocess.Popen(
            [auditor(), command, "--yes", *SOME, "--concurrency", "1"], env=environment(self.cutter.url, AWS_MAX_ATTEMPTS="1"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ready.append(process)
        if dead:
            process.kill()
        process.wait(30)
        return bool(dead)

    def test_a_process_that_dies_at_each_call(self):
        for command in ("remediate", "undo"):
            at, died = 0, True
            while died:
                at += 1
                with self.subTest(command=command, at=at):
                    if command == "undo":
                        self.run_it("remediate", "--yes", *SOME, want=CLEAN)
                    died = self.killed(command, at)
                    for region in REGIONS:
                        self.assert_not_half_compliant(region)
                    if command == "remediate":
                        self.run_it("remediate", "--yes", *SOME, want=CLEAN)
                        for region in REGIONS:
                            self.assert_mended(region)
                    self.run_it("undo", "--yes", *SOME, want=FAILING)
                    for region in REGIONS:
                        self.assert_nothing_left(region)
            self.assertGreater(at, 20, "the process was not cut at each call")

    def test_two_processes_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for _ in range(5):
                results = list(pool.map(lambda _: self.run_it("remediate", "--yes", *SOME), range(2)))
                for result in results:
                    self.assertEqual(result.status, CLEAN, str(result))
                for region in REGIONS:
                    rule = self.rule(region)
                    self.assertEqual((rule["State"], len(rule["Targets"])), ("ENABLED", 1))
                    self.assertEqual(list(self.statements(region)), [STATEMENT])
                self.clean()  # moto takes a statement's id twice where AWS refuses, so undo may find two of one id


class Pasted(Case):
    """The commands that a plan prints, run by a shell with the AWS CLI, do what remediate does."""

    def world(self):
        return self.simulation(self.scenario_file(
            otherRegions={"buses": {"default": [{"name": "nightly"}]}},
            regions={"eu-west-1": {"functions": [{"name": FUNCTION}]}, "eu-west-3": {"functions": [{"name": FUNCTION}]}}))

    def rules(self, sim, region):
        env = moto_environment(AWS_ENDPOINT_URL=sim.url, AWS_DEFAULT_REGION=region)

        def aws(*args):
            done = subprocess.run([tool("aws"), *args, "--output", "json"], env=env, capture_output=True, text=True, timeout=60, check=True)
            return json.loads(done.stdout)

        rule = aws("events", "describe-rule", "--name", RULE)
        return rule, aws("events", "list-targets-by-rule", "--rule", RULE)["Targets"], \
            aws("events", "list-tags-for-resource", "--resource-arn", rule["Arn"])["Tags"], aws("lambda", "get-policy", "--function-name", FUNCTION)["Policy"]

    def test_plan_pasted_into_a_shell(self):
        flags = ("--event-pattern", '{"source":["it\'s $HOME"]}', "--schedule", "rate(1 hour)")
        by_hand, by_command = self.world(), self.world()
        plan = self.run_auditor("plan", *flags, endpoint=by_hand.url)
        self.assertEqual(plan.status, FAILING, str(plan))
        commands = plan.stdout[plan.stdout.index("# "):]
        done = subprocess.run(["bash", "-e"], input=commands, env=moto_environment(AWS_ENDPOINT_URL=by_hand.url), capture_output=True,
                              text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        result = self.run_auditor("remediate", "--yes", *flags, endpoint=by_command.url)
        self.assertEqual(result.status, CLEAN, str(result))
        self.assertEqual(self.rules(by_hand, "eu-west-3"), self.rules(by_command, "eu-west-3"))
        self.assertEqual(self.audit(by_hand.url, "--policy", "strict", "--regions", "eu-west-1,eu-west-3").status, CLEAN)
        undone = self.run_auditor("undo", "--yes", endpoint=by_hand.url)
        self.assertIn("2 regions undone", undone.stdout)

    def test_the_way_to_a_target_function(self):
        plan = self.run_auditor("plan", "--regions", "eu-west-2", endpoint=self.simulation(self.scenario_file(regions={"eu-west-2": {}})).url)
        found = re.search(r"--template-file (\S+)", plan.stdout)
        self.assertTrue((ROOT / found[1]).is_file(), plan.stdout)


class Question(Case):
    """On a terminal, remediate and undo show the plan and ask."""

    def ask(self, sim, answer, *args):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
        child = subprocess.Popen([auditor(), *args], env=environment(sim.url, TERM="xterm-256color"), stdin=theirs, stderr=theirs, stdout=subprocess.PIPE)
        os.close(theirs)
        seen, answered, end = b"", False, time.monotonic() + 30
        while time.monotonic() < end and child.poll() is None:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    seen += os.read(ours, 65536)
                except OSError:
                    break
            if not answered and b"Type yes" in seen:
                answered = True
                if answer is None:
                    child.terminate()
                else:
                    os.write(ours, answer.encode() + b"\n")
        stdout = child.stdout.read().decode()
        child.stdout.close()
        status = child.wait(10)
        while select.select([ours], [], [], 0.2)[0]:
            try:
                seen += os.read(ours, 65536)
            except OSError:
                break
        os.close(ours)
        self.check_output(stdout + seen.decode())
        return status, stdout, seen.decode().replace("\r\n", "\n"), answered

    def world(self):
        return self.simulation(self.scenario_file(
            otherRegions={"buses": {"default": [{"name": "nightly"}]}}, regions={"eu-west-1": {"functions": [{"name": FUNCTION}]}}, topics=[TOPIC]))

    def changes(self, sim):
        return [c["operation"] for c in sim.calls() if not c["operation"].startswith(("List", "Get", "Describe"))]

    def test_yes(self):
        sim = self.world()
        status, stdout, asked, _ = self.ask(sim, "yes", "remediate")
        self.assertEqual(status, CLEAN, asked)
        self.assertIn("1 region remediated", stdout)
        self.assertIn("1 region would be changed", asked)
        self.assertIn(f"1 region of account {ACCOUNT} will be changed as shown. Type yes to go on: ", asked)
        self.assertNotIn("Type yes", stdout)
        self.assertEqual(self.changes(sim), ["PutRule", "AddPermission", "PutTargets", "EnableRule"])
        status, stdout, asked, _ = self.ask(sim, "YES", "undo")
        self.assertEqual(status, FAILING, asked)
        self.assertIn("1 region undone", stdout)

    def test_anything_else_is_no(self):
        for answer in ("no", "", "y"):
            with self.subTest(answer=answer):
                sim = self.world()
                status, stdout, asked, _ = self.ask(sim, answer, "remediate")
                self.assertEqual((status, stdout), (COULD_NOT_RUN, ""), asked)
                self.assertIn("not confirmed: nothing was changed", asked)
                self.assertEqual(self.changes(sim), [])

    def test_an_interrupt_at_the_question(self):
        sim = self.world()
        status, stdout, asked, answered = self.ask(sim, None, "remediate")
        self.assertTrue(answered)
        self.assertEqual((status, stdout), (COULD_NOT_RUN, ""), asked)
        self.assertIn("interrupted", asked)
        self.assertEqual(self.changes(sim), [])

    def test_nothing_to_do_asks_nothing(self):
        sim = self.world()
        status, stdout, _, answered = self.ask(sim, "no", "undo")
        self.assertEqual((status, answered), (FAILING, False))
        self.assertIn("nothing to do", stdout.lower() + "nothing to do" * ("left alone" in stdout))

    def test_yes_is_required_without_a_terminal(self):
        sim = self.world()
        for command in ("remediate", "undo"):
            result = self.run_auditor(command, endpoint=sim.url)
            self.assertEqual((result.status, result.stdout), (USAGE, ""))
            self.assertIn("--yes", result.stderr)
        self.assertEqual(sim.calls(), [])


class Package(Case):
    """What `sam package` uploads, on moto's S3."""

    def test_the_target_template_goes_along(self):
        moto = start_moto()
        self.addCleanup(moto.log.close)
        self.addCleanup(moto.stop)
        env = moto_environment(AWS_ENDPOINT_URL=moto.url, AWS_DEFAULT_REGION="us-east-1", SAM_CLI_TELEMETRY="0", HOME="/tmp")
        subprocess.run([tool("aws"), "s3", "mb", "s3://artifacts"], env=env, check=True, capture_output=True, timeout=60)
        build = self.built()
        packaged = build / "packaged.yaml"
        done = subprocess.run([tool("sam"), "package", "--template-file", str(build / "template.yaml"), "--s3-bucket", "artifacts", "--output-template-file", str(packaged)],
                              env=env, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        url = re.search(r"TemplateURL: (\S+)", packaged.read_text())[1]
        key = url.rsplit("/artifacts/", 1)[1]
        sent = subprocess.run([tool("aws"), "s3", "cp", f"s3://artifacts/{key}", "-"], env=env, check=True, capture_output=True, text=True, timeout=60).stdout
        self.assertIn("LogScheduledEvent", sent)
        self.assertIn("ZipFile", sent)

    def built(self):
        """The folder that `sam build` filled for this machine."""
        templates = sorted((ROOT / ".aws-sam").glob("*/template.yaml"), key=lambda p: p.stat().st_mtime)
        self.assertTrue(templates, "run sam build first, as make test does")
        return templates[-1].parent
