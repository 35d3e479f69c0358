"""What every acceptance test stands on: the built command, a clean environment, and servers on loopback.

Importing this module empties the test process's own environment of everything that concerns AWS and proxies, and sends
whatever is not loopback to a proxy that nobody runs. The commands under test get an environment built from nothing.
"""

import atexit
import ctypes
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"  # the keys of AWS's own documentation
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ACCOUNT = "123456789012"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:eventbridge-auditor"

CLEAN, COULD_NOT_RUN, USAGE, FAILING, INCOMPLETE = 0, 1, 2, 3, 4  # exit statuses

# Port 1 on loopback: nobody listens there, so that a request to anywhere else ends at once and on this machine.
GUARD = {
    **{name: "http://127.0.0.1:1" for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")},
    **{name: "127.0.0.1,localhost" for name in ("NO_PROXY", "no_proxy")},
}
NO_AWS_FILES = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}

for _name in [n for n in os.environ if n.startswith("AWS_") or n.upper().endswith("_PROXY")]:
    del os.environ[_name]
os.environ.update(GUARD | NO_AWS_FILES)

TOOLS = pathlib.Path(sys.executable).parent  # aws and moto_server live beside the interpreter


def auditor():
    """The path of the built command; a clear end where there is none."""
    path = os.environ.get("AUDITOR", "")
    if not path:
        raise SystemExit(
            "acceptance: set AUDITOR to the built command, for instance\n"
            "  go build -o /tmp/auditor ./function/cmd/eventbridge-auditor\n"
            "  AUDITOR=/tmp/auditor python .ci/acceptance/run.py"
        )
    if not os.access(path, os.X_OK):
        raise SystemExit(f"acceptance: AUDITOR is {path}, which is no executable file")
    return os.path.abspath(path)


def tool(name):
    path = TOOLS / name
    if not os.access(path, os.X_OK):
        raise SystemExit(f"acceptance: {path} is missing; install .ci/requirements.txt into {TOOLS.parent}")
    return str(path)


def environment(endpoint=None, **extra):
    """An environment for a command under test: nothing of ours, keys that are no secret, one endpoint. A value of None
    takes a variable out."""
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **GUARD, **NO_AWS_FILES, **KEYS}
    if endpoint:
        env["AWS_ENDPOINT_URL"] = endpoint
    env.update(extra)
    return {name: value for name, value in env.items() if value is not None}


def moto_environment(**extra):
    """What moto_server and the AWS CLI need beside: their own interpreter on the path."""
    return environment(**{"PATH": f"{TOOLS}:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", **extra})


class Result:
    """What a run of the command left behind."""

    def __init__(self, status, stdout, stderr, seconds):
        self.status, self.stdout, self.stderr, self.seconds = status, stdout, stderr, seconds

    @property
    def record(self):
        return json.loads(self.stdout)

    @property
    def rows(self):
        return {e["region"]: e for e in self.record["evaluations"]}

    def __str__(self):
        return f"exit status {self.status}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


def _die_with_parent():
    """Linux: the server gets SIGTERM when the tests die, however they die."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Server:
    """A server of ours or of moto's on loopback. stop() always ends it; so does the end of the tests."""

    def __init__(self, argv, env):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            argv, env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        self.url = None
        atexit.register(self.stop)

    def output(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self, wanted=signal.SIGTERM, seconds=5):
        """Ends the server and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(wanted)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def wait_until(self, ready, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            found = ready()
            if found:
                return found
            time.sleep(0.02)
        self.stop()
        raise AssertionError(f"the server did not start:\n{self.output()}")

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)


def start_moto():
    """moto's server on a free port, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server([tool("moto_server"), "-H", "127.0.0.1", "-p", str(port)], moto_environment())
    server.url = f"http://127.0.0.1:{port}"

    def answers():
        try:
            return server.get("/moto-api/data.json") is not None
        except OSError:
            return False

    server.wait_until(answers)
    return server


class Simulation(Server):
    """The simulated AWS of the command itself; its address is read from what it tells the user."""

    def __init__(self, scenario="demo", *flags):
        super().__init__([auditor(), "simulate", "--listen", "127.0.0.1:0", "--scenario", scenario, *flags], environment())
        self.url = self.wait_until(lambda: re.search(r"http://127\.0\.0\.1:[0-9]+", self.output())).group()

    def calls(self):
        return self.get("/_sim/calls")["calls"]

    def messages(self):
        return self.get("/_sim/messages")["messages"]


class Case(unittest.TestCase):
    """A test that runs the command. Whatever the command prints, it never prints a stack trace."""

    maxDiff = 4000

    def check_output(self, text):
        self.assertNotRegex(text, r"(?i)goroutine|panic", "a stack trace")

    def run_auditor(self, *args, env=None, endpoint=None, stdin=subprocess.DEVNULL, timeout=60, **streams):
        """Runs the command to its end. The environment is clean unless env says otherwise."""
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
        start = time.monotonic()
        done = subprocess.run(
            [auditor(), *args], env=environment(endpoint) if env is None else env,
            stdin=stdin, timeout=timeout, check=False, **streams,
        )
        result = Result(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode(), time.monotonic() - start)
        self.check_output(result.stdout + result.stderr)
        return result

    def audit(self, endpoint, *args, want=None, env=None):
        """Runs `audit --output json`; want is the exit status."""
        result = self.run_auditor("audit", "--output", "json", *args, env=env, endpoint=endpoint)
        if want is not None:
            self.assertEqual(result.status, want, str(result))
        return result

    def simulation(self, scenario="demo", *flags):
        """A simulation that ends with the test."""
        server = Simulation(scenario, *flags)
        self.addCleanup(server.log.close)
        self.addCleanup(lambda: self.check_output(server.output()))
        self.addCleanup(server.stop)
        return server

    def scenario_file(self, **scenario):
        """A file with a scenario, for simulation()."""
        file = tempfile.NamedTemporaryFile("w", suffix=".json")
        self.addCleanup(file.close)
        json.dump(scenario, file)
        file.flush()
        return file.name
