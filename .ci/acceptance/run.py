"""Runs the acceptance tests: AUDITOR=/path/of/the/built/command python .ci/acceptance/run.py [NAME …]

A NAME is a test's, class's or module's, such as test_moto or test_moto.ByHand; without one every module runs, as many at
once as there are processors, each in a process of its own. Prints every test with its time, and at the end one line
"N passed, N failed". Exit status 1 when a test failed, or when none ran.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


class Told(unittest.TextTestResult):
    """A line a test, with its time. A test fails once, however many of its parts do."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ran, self.bad = set(), set()

    def startTest(self, test):
        unittest.TestResult.startTest(self, test)
        self.began = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        self.ran.add(test.id())
        word = "FAIL" if test.id() in self.bad else "ok"
        self.stream.writeln(f"{word:4}  {time.monotonic() - self.began:5.1f} s  {test.id()}")
        self.stream.flush()

    def note(self, test):
        self.bad.add(test.id())

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)

    def addFailure(self, test, err):
        unittest.TestResult.addFailure(self, test, err)
        self.note(test)

    def addError(self, test, err):
        unittest.TestResult.addError(self, test, err)
        self.note(test)  # also of what goes before and after a class, which is no test of its own

    def addSkip(self, test, reason):  # nothing here may be skipped
        unittest.TestResult.addSkip(self, test, reason)
        self.failures.append((test, f"skipped: {reason}\n"))
        self.note(test)

    def addSubTest(self, test, subtest, err):
        unittest.TestResult.addSubTest(self, test, subtest, err)
        if err is not None:
            self.note(test)


def run_here(names):
    """Runs the named tests in this process. Returns how many passed and failed."""
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    result = unittest.TextTestRunner(sys.stdout, verbosity=0, resultclass=Told).run(suite)
    return len(result.ran - result.bad), len(result.bad)


def run_modules(modules):
    """Runs each module in a process of its own, and prints what it printed once it is through."""
    waiting, running, passed, failed = list(modules), {}, 0, 0
    try:
        while waiting or running:
            while waiting and len(running) < min(os.cpu_count() or 1, 4):
                name, output = waiting.pop(0), tempfile.TemporaryFile("w+")
                running[name] = subprocess.Popen([sys.executable, __file__, name], stdout=output, stderr=output), output
            time.sleep(0.05)
            for name, (process, output) in list(running.items()):
                if process.poll() is None:
                    continue
                del running[name]
                output.seek(0)
                text = output.read()
                counts = re.search(r"^(\d+) passed, (\d+) failed\n\Z", text, re.MULTILINE)
                print(f"{name}\n{text[:counts.start()] if counts else text}", flush=True)
                passed += int(counts[1]) if counts else 0
                failed += int(counts[2]) if counts else 1  # it did not get to its end
    finally:
        for process, _ in running.values():
            process.terminate()
            process.wait()
    return passed, failed


def main(names):
    import harness

    harness.auditor()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are ended
    began = time.monotonic()
    passed, failed = run_here(names) if names else run_modules(sorted(p.stem for p in HERE.glob("test_*.py")))
    if not passed + failed:
        print("no test ran")
    print(f"{time.monotonic() - began:.1f} s")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
