#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Runs the unittest cases of one file in a process of its own and tells the runner about each, as lines
of JSON on a descriptor: {"start": NAME} and {"name":, "status":, "seconds":, "output":}.

    child.py DESCRIPTOR FILE NAME_PREFIX [WORD]     WORD: only tests with it in their name
"""
import faulthandler
import importlib.util
import json
import os
import pathlib
import signal
import sys
import time
import unittest


class Events(unittest.TestResult):
    def __init__(self, descriptor, prefix):
        super().__init__()
        self._out, self._prefix = os.fdopen(descriptor, "w"), prefix
        self._status, self._output, self._start = "passed", "", time.monotonic()

    def _send(self, event):
        self._out.write(json.dumps(event) + "\n")
        self._out.flush()

    def name(self, test):
        words = test.id().split(".", 1)  # of a test: module.Class.function; of a set-up: its own words
        return self._prefix + (words[1] if isinstance(test, unittest.TestCase) else test.id())

    def startTest(self, test):
        super().startTest(test)
        self._status, self._output, self._start = "passed", "", time.monotonic()
        self._send({"start": self.name(test)})

    def stopTest(self, test):
        super().stopTest(test)
        self._end(test)

    def _end(self, test):
        self._send({"name": self.name(test), "status": self._status, "output": self._output,
                    "seconds": time.monotonic() - self._start})

    def _fail(self, test, text):
        self._status, self._output = "failed", self._output + text
        if not isinstance(test, unittest.TestCase):  # a set-up: it is never started nor stopped
            self._end(test)

    def addError(self, test, err):
        super().addError(test, err)
        self._fail(test, self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test, self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            what = (self.failures if issubclass(err[0], test.failureException) else self.errors)[-1]
            self._status, self._output = "failed", f"{self._output}{subtest}\n{what[1]}"

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._status, self._output = "skipped", reason
        if not isinstance(test, unittest.TestCase):
            self._end(test)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._fail(test, "passed, and should not")


def cases(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from cases(test)
        else:
            yield test


def main():
    descriptor, path, prefix = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    word = sys.argv[4] if len(sys.argv) > 4 else ""
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    events = Events(descriptor, prefix)
    wanted = [test for test in cases(unittest.defaultTestLoader.loadTestsFromModule(module))
              if word in events.name(test)]
    unittest.TestSuite(wanted).run(events)
    sys.exit(0 if events.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
