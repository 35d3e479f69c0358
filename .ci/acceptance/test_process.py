"""The built command as a process: signals, streams, terminals, exit statuses, and an environment with next to nothing."""

import concurrent.futures
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from harness import CLEAN, COULD_NOT_RUN, FAILING, KEYS, TOPIC, USAGE, Case, Result, auditor, environment

SOME = ["--regions", "eu-west-1,eu-west-3,us-west-1"]  # of the demo: none of them hangs
COLOUR = "\x1b["


class Interrupted(Case):
    """An audit that is interrupted while it waits for an answer."""

    def interrupted(self, wanted, scenario, reached, *args):
        """Sends the signal once the simulation has seen the call that nobody answers."""
        sim = self.simulation(scenario)
        argv = [auditor(), "audit", "--output", "json", "--region-timeout", "60s", *args]
        child = subprocess.Popen(
            argv, env=environment(sim.url), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.kill)
        sim.wait_until(lambda: any(reached in (c["region"], c["operation"]) for c in sim.calls()))
        self.assertIsNone(child.poll())
        start = time.monotonic()
        child.send_signal(wanted)
        out, err = child.communicate(timeout=30)
        result = Result(child.returncode, out.decode(), err.decode(), time.monotonic() - start)
        self.check_output(result.stdout + result.stderr)
        self.assertEqual(result.status, COULD_NOT_RUN, str(result))
        self.assertLess(result.seconds, 2)
        self.assertEqual(sim.messages(), [])
        self.assertIn("interrupted", result.stderr)
        return result

    def test_an_interrupt_ends_the_audit_at_once(self):
        self.assertEqual(self.interrupted(signal.SIGINT, "demo", "ap-southeast-3").stdout, "")

    def test_so_does_a_request_to_terminate_and_nothing_is_published(self):
        self.assertEqual(self.interrupted(signal.SIGTERM, "demo", "ap-southeast-3", "--topic-arn", TOPIC).stdout, "")

    def test_an_interrupt_while_asking_who_we_are_does_not_blame_the_credentials(self):
        scenario = self.scenario_file(faults=[{"service": "sts", "kind": "hang"}])
        result = self.interrupted(signal.SIGINT, scenario, "GetCallerIdentity")
        self.assertEqual(result.stdout, "")
        self.assertNotIn("credentials", result.stderr)

    def test_an_interrupt_while_listing_regions_does_not_blame_the_permissions(self):
        scenario = self.scenario_file(faults=[{"service": "account", "kind": "hang"}])
        result = self.interrupted(signal.SIGINT, scenario, "ListRegions")
        self.assertEqual(result.stdout, "")
        self.assertNotIn("Allow ", result.stderr)

    def test_an_interrupt_while_publishing_does_not_blame_the_topic(self):
        scenario = self.scenario_file(topics=[TOPIC], faults=[{"service": "sns", "kind": "hang"}])
        result = self.interrupted(signal.SIGINT, scenario, "Publish", "--topic-arn", TOPIC)
        self.assertNotIn("check that the topic exists", result.stderr)

    def test_the_simulation_ends_when_it_is_asked_to(self):
        for wanted in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=wanted.name):
                sim = self.simulation()
                hanging = subprocess.Popen(
                    [auditor(), "audit", "--regions", "ap-southeast-3"], env=environment(sim.url, AWS_MAX_ATTEMPTS="1"),
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )
                self.addCleanup(hanging.wait)
                self.addCleanup(hanging.kill)
                sim.wait_until(lambda: any(c["region"] == "ap-southeast-3" for c in sim.calls()))
                start = time.monotonic()
                self.assertEqual(sim.stop(wanted), CLEAN, sim.output())
                self.assertLess(time.monotonic() - start, 2)


class Streams(Case):
    """Standard output carries the report and nothing else."""

    def setUp(self):
        self.url = self.simulation().url

    def test_json_is_one_document_and_stderr_is_empty(self):
        result = self.audit(self.url, *SOME, want=FAILING)
        document, end = json.JSONDecoder().raw_decode(result.stdout)
        self.assertEqual(result.stdout[end:], "\n")
        self.assertEqual(document["schemaVersion"], "1.0")
        self.assertEqual(result.stderr, "")

    def test_verbose_tells_stderr_alone(self):
        result = self.audit(self.url, *SOME, "--verbose", want=FAILING)
        self.assertEqual(set(result.rows), {"eu-west-1", "eu-west-3", "us-west-1"})
        for region in result.rows:
            self.assertIn(region, result.stderr)
        self.assertNotIn(KEYS["AWS_SECRET_ACCESS_KEY"], result.stderr)

    def test_no_escapes_where_there_is_no_terminal(self):
        audits = [["audit", "--output", form, *SOME] for form in ("table", "markdown", "csv")]
        for args in (*audits, ["demo"], ["help"]):
            with self.subTest(args=args):
                result = self.run_auditor(*args, env=environment(self.url, TERM="xterm-256color", CLICOLOR_FORCE="1"))
                self.assertNotIn("\x1b", result.stdout + result.stderr)
                self.assertNotIn("\r", result.stdout + result.stderr)

    def test_a_full_disk_is_an_error(self):
        audits = [["audit", "--output", form, *SOME] for form in ("table", "json", "csv", "markdown")]
        for args in (*audits, ["demo"], ["version"]):
            with self.subTest(args=args), open("/dev/full", "w") as full:
                result = self.run_auditor(*args, endpoint=self.url, stdout=full)
                self.assertEqual(result.status, COULD_NOT_RUN, str(result))
                self.assertIn("no space left on device", result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_a_reader_that_has_gone(self):
        for args in (["audit", "--output", "json", *SOME], ["demo"]):
            with self.subTest(args=args):
                reader, writer = os.pipe()
                os.close(reader)
                with open(writer, "w") as pipe:
                    result = self.run_auditor(*args, endpoint=self.url, stdout=pipe)
                self.assertIn(result.status, (COULD_NOT_RUN, -signal.SIGPIPE), str(result))


class Terminal(Case):
    """Under a pseudo-terminal."""

    def setUp(self):
        self.url = self.simulation().url

    def on_terminal(self, stream, *args, **variables):
        """Runs the command with one of its streams on a terminal; returns what came through stdout and stderr."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        other = {"stdout": "stderr", "stderr": "stdout"}[stream]
        child = subprocess.Popen(
            [auditor(), *args], env=environment(self.url, **{"TERM": "xterm-256color", **variables}),
            stdin=subprocess.DEVNULL, **{stream: theirs, other: subprocess.PIPE},
        )
        os.close(theirs)
        piped = getattr(child, other)
        seen = {ours: b"", piped.fileno(): b""}
        open_ones = set(seen)
        end = time.monotonic() + 30
        while open_ones and time.monotonic() < end:
            for fd in select.select(open_ones, [], [], 1)[0]:
                try:
                    data = os.read(fd, 65536)
                except OSError:  # a terminal's end
                    data = b""
                seen[fd] += data
                if not data:
                    open_ones.remove(fd)
        terminal, plain = seen[ours].decode(), seen[piped.fileno()].decode()
        os.close(ours)
        piped.close()
        status = child.wait(10)
        self.check_output(terminal + plain)
        texts = {stream: terminal.replace("\r\n", "\n"), other: plain}
        return Result(status, texts["stdout"], texts["stderr"], 0)

    def test_the_report_has_colour(self):
        result = self.on_terminal("stdout", "audit", *SOME)
        self.assertEqual(result.status, FAILING, str(result))
        self.assertRegex(result.stdout, r"\x1b\[[0-9;]+mNON_COMPLIANT\x1b\[0m")
        self.assertEqual(result.stderr, "")

    def test_NO_COLOR_and_a_dumb_terminal_take_it_away(self):
        for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            with self.subTest(variables=variables):
                result = self.on_terminal("stdout", "audit", *SOME, **variables)
                self.assertNotIn("\x1b", result.stdout)
                self.assertIn("NON_COMPLIANT", result.stdout)

    def test_json_has_no_colour_on_a_terminal_either(self):
        result = self.on_terminal("stdout", "audit", "--output", "json", *SOME)
        self.assertEqual(set(result.rows), {"eu-west-1", "eu-west-3", "us-west-1"})

    def test_progress_is_on_stderr_and_goes_away(self):
        result = self.on_terminal("stderr", "audit", "--output", "json", *SOME)
        self.assertIn("3 of 3", result.stderr)
        self.assertTrue(result.stderr.endswith("\r\x1b[K"), repr(result.stderr))
        self.assertEqual(set(result.rows), {"eu-west-1", "eu-west-3", "us-west-1"})
        self.assertNotIn("\x1b", result.stdout)

    def test_the_demo_has_colour_too(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            bright, plain = pool.map(lambda v: self.on_terminal("stdout", "demo", **v), ({}, {"NO_COLOR": "1"}))
        self.assertEqual((bright.status, plain.status), (CLEAN, CLEAN))
        self.assertIn(COLOUR, bright.stdout)
        self.assertNotIn(COLOUR, plain.stdout)


class Usage(Case):
    """Bad usage and settings end with 2, before anything is asked, and all of them are named."""

    def refused(self, *args, **variables):
        sim = self.simulation()
        result = self.run_auditor(*args, env=environment(sim.url, **variables))
        self.assertEqual(result.status, USAGE, str(result))
        self.assertEqual(result.stdout, "")
        self.assertEqual(sim.calls(), [])
        return result.stderr

    def test_every_mistake_is_named_at_once(self):
        words = self.refused(
            "audit", "--polcy", "strict", "--output", "xml", "--concurrency", "0", "--regions", "nowhere", "stray",
            REGION_TIMEOUT="soon", NOTIFY_ON="sometimes", TOPIC_ARN="no-arn", COMPLIANCE_POLICY="lenient",
        )
        for mistake in (
            "--polcy", "--output", "xml", "--concurrency", "--regions", "nowhere", "stray", "REGION_TIMEOUT", "soon",
            "NOTIFY_ON", "sometimes", "TOPIC_ARN", "no-arn", "COMPLIANCE_POLICY", "lenient",
        ):
            self.assertIn(mistake, words)
        self.assertIn("--policy", words, "what was most likely meant")

    def test_a_flag_wins_over_a_bad_variable(self):
        env = environment(self.simulation().url, COMPLIANCE_POLICY="lenient")
        result = self.run_auditor("audit", *SOME, "--policy", "strict", env=env)
        self.assertEqual(result.status, FAILING, str(result))

    def test_a_topic_that_is_none(self):
        for arn in (TOPIC + ".fifo", f"{TOPIC}:extra", TOPIC.replace(":sns:", ":sqs:"), "eventbridge-auditor"):
            with self.subTest(arn=arn):
                self.assertIn(arn, self.refused("audit", "--topic-arn", arn))

    def test_regions_that_the_account_does_not_have(self):
        selection = ["--regions", "eu-wset-1", "--exclude-regions", "us-est-1,eu-west-1"]
        result = self.run_auditor("audit", *selection, endpoint=self.simulation().url)
        self.assertEqual((result.status, result.stdout), (USAGE, ""), str(result))
        for words in ("eu-wset-1", "eu-west-1", "us-est-1", "us-east-1"):
            self.assertIn(words, result.stderr)

    def test_no_command_and_unknown_ones(self):
        self.assertIn("audit", self.refused())
        self.assertIn('"audit"', self.refused("audti"))
        self.assertIn("stray", self.refused("demo", "stray"))
        self.assertIn("nowhere", self.refused("simulate", "--scenario", "nowhere"))
        self.assertIn("no-such.json", self.refused("simulate", "--scenario", "./no-such.json"))
        self.assertIn("--listen", self.refused("simulate", "--listen", "everywhere"))

    def test_a_port_that_is_none(self):
        self.assertIn("--listen", self.refused("simulate", "--listen", "127.0.0.1:99999"))

    def test_help_for_a_command_that_is_none(self):
        self.assertIn("audti", self.refused("help", "audti"))

    def test_an_address_in_use(self):
        address = self.simulation().url.removeprefix("http://")
        result = self.run_auditor("simulate", "--listen", address)
        self.assertEqual(result.status, COULD_NOT_RUN, str(result))
        self.assertIn(address, result.stderr)

    def test_help_and_version_go_to_stdout(self):
        for args in (["help"], ["--help"], ["audit", "--help"], ["help", "audit"], ["demo", "-h"], ["version"], ["--version"]):
            with self.subTest(args=args):
                result = self.run_auditor(*args, env={})
                self.assertEqual((result.status, result.stderr), (CLEAN, ""))
                self.assertTrue(result.stdout)


class Surroundings(Case):
    """Environments that lack something."""

    def test_no_credentials_are_one_clear_message(self):
        sim = self.simulation()
        none = dict.fromkeys(KEYS)
        result = self.run_auditor("audit", env=environment(sim.url, **none))
        self.assertEqual((result.status, result.stdout), (COULD_NOT_RUN, ""), str(result))
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn("credentials", result.stderr)
        self.assertIn("AWS_PROFILE", result.stderr)
        self.assertEqual(sim.calls(), [])

    def test_a_profile_that_is_not_there(self):
        result = self.run_auditor("audit", env=environment(self.simulation().url, AWS_PROFILE="no-such-profile"))
        self.assertEqual((result.status, result.stdout), (COULD_NOT_RUN, ""), str(result))
        self.assertIn("no-such-profile", result.stderr)

    def test_no_home_and_no_files(self):
        away = dict.fromkeys(["HOME", "PATH", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
        result = self.audit(None, *SOME, env=environment(self.simulation().url, **away), want=FAILING)
        self.assertEqual(len(result.rows), 3)

    def test_nobody_listens(self):
        result = self.run_auditor("audit", env=environment("http://127.0.0.1:1", AWS_MAX_ATTEMPTS="1"))
        self.assertEqual((result.status, result.stdout), (COULD_NOT_RUN, ""), str(result))
        self.assertIn("connection refused", result.stderr)
        self.assertLess(result.seconds, 10)

    def test_the_demo_needs_nothing(self):
        result = self.run_auditor("demo", env={}, timeout=20)
        self.assertEqual((result.status, result.stderr), (CLEAN, ""), str(result))
        self.assertLess(result.seconds, 20)  # it promises five; a busy machine may take longer
        for words in ("NON_COMPLIANT", "Subject:", "eu-west-3"):
            self.assertIn(words, result.stdout)

    def test_the_demo_reads_no_setting(self):
        env = {"REGIONS": "nowhere", "TOPIC_ARN": "no-arn", "AWS_REGION": "x", "AWS_PROFILE": "none", "NOTIFY_ON": "change"}
        changing = re.compile(r"[0-9a-f-]{36}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\d+\.\d s")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            outputs = list(pool.map(lambda e: self.run_auditor("demo", env=e), ({}, env)))
        self.assertEqual([o.status for o in outputs], [CLEAN, CLEAN])
        self.assertEqual(*[changing.sub("…", o.stdout) for o in outputs])


if __name__ == "__main__":
    unittest.main(verbosity=2)
