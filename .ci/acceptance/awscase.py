"""Tests that speak to the simulated AWS through the AWS CLI."""

import json
import pathlib
import subprocess
import sys

from harness import ACCOUNT, Case, Simulation, moto_environment


class AWSCase(Case):
    """One AWS CLI for the class, and one simulation of its scenario, for tests that only read."""

    scenario = "demo"

    @classmethod
    def setUpClass(cls):
        worker = pathlib.Path(__file__).with_name("awscli_worker.py")
        cls.worker = subprocess.Popen(
            [sys.executable, "-B", str(worker)], env=moto_environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        cls.addClassCleanup(cls.end_worker)
        cls.sim = Simulation(cls.scenario)
        cls.addClassCleanup(cls.sim.log.close)
        cls.addClassCleanup(lambda: cls().check_output(cls.sim.output()))
        cls.addClassCleanup(cls.sim.stop)

    @classmethod
    def end_worker(cls):
        cls.worker.stdin.close()  # it ends with its input
        cls.worker.stdout.close()
        cls.worker.wait(10)

    def command(self, *args, sim=None, region="us-east-1"):
        """Runs an AWS CLI command; returns its exit status, output and complaint."""
        env = moto_environment(AWS_ENDPOINT_URL=(sim or self.sim).url, AWS_DEFAULT_REGION=region, AWS_DEFAULT_OUTPUT="json")
        self.worker.stdin.write(json.dumps({"args": args, "env": env}) + "\n")
        self.worker.stdin.flush()
        done = json.loads(self.worker.stdout.readline())
        self.check_output(done["stdout"] + done["stderr"])
        return done

    def aws(self, *args, **where):
        """What a command answers; it must succeed."""
        done = self.command(*args, **where)
        self.assertEqual(done["status"], 0, done)
        return json.loads(done["stdout"]) if done["stdout"].strip() else None

    def refused(self, code, *args, text="", **where):
        """A command that AWS refuses with a code, and with words of which text are some."""
        done = self.command(*args, **where)
        self.assertNotEqual(done["status"], 0, done)
        self.assertIn(f"An error occurred ({code}) when calling", done["stderr"])
        self.assertIn(text, done["stderr"])
        self.assertEqual(done["stdout"].strip(), "")
        return done["stderr"]


def lambda_arn(region, name="LogScheduledEvent"):
    return f"arn:aws:lambda:{region}:{ACCOUNT}:function:{name}"
