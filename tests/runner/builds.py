# SPDX-License-Identifier: BSD-2-Clause
"""Meson's build folders, and the unit tests that meson runs."""
import json
import pathlib
import shutil

from . import command
from .report import Result

ROOT = pathlib.Path(command.ROOT)
SETUP_S_MAX, BUILD_S_MAX, TESTS_S_MAX = 120, 600, 600
STATUS = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}  # all else: failed


def setup(folder, options, env=None):
    """Makes a build folder where there is none. None, or the Outcome of a failure."""
    if (folder / "build.ninja").exists():
        return None
    outcome = command.run(["meson", "setup", folder, ROOT, *options], SETUP_S_MAX, env)
    if outcome.ok:
        return None
    shutil.rmtree(folder, ignore_errors=True)  # half a folder would be taken for a whole one
    return outcome


def test_names(folder):
    """Meson's tests, as it lists them: "project:suite / name"."""
    outcome = command.run(["meson", "test", "-C", folder, "--list", "--no-rebuild"], SETUP_S_MAX)
    lines = outcome.output.splitlines() if outcome.ok else []
    return [line for line in lines if line and not line.startswith(("ninja:", "No ", "Entering", "WARN"))]


def short(name):
    return name.rsplit(" / ", 1)[-1]


def run_tests(group, folder, word, env=None, slower=1, wrapper=()):
    """Runs meson's tests (of them those with word in GROUP/NAME) and yields a Result for each."""
    names = [short(name) for name in test_names(folder)]
    names = [name for name in names if word in f"{group}/{name}"]
    if not names:
        return
    for log in (folder / "meson-logs").glob("run*.json"):
        log.unlink()
    outcome = command.run(["meson", "test", "-C", folder, "--print-errorlogs", "--logbase", "run",
                           "--timeout-multiplier", slower,
                           *(["--wrapper", " ".join(wrapper)] if wrapper else []), *names],
                          BUILD_S_MAX + TESTS_S_MAX, env)
    count = 0
    for result in _read_logs(group, folder):
        count += 1
        yield result
    if count < len(names):
        yield Result(f"{group}/meson", "failed", outcome.seconds, outcome.output)


def _read_logs(group, folder):
    for log in (folder / "meson-logs").glob("run*.json"):
        for line in log.read_text().splitlines():
            test = json.loads(line)
            status = STATUS.get(test["result"], "failed")
            yield Result(f"{group}/{short(test['name'])}", status, test["duration"],
                         "" if status == "passed" else _said(test))


def _said(test):
    words = [test["result"], test.get("stdout") or "", test.get("stderr") or ""]
    return "\n".join(words) if STATUS.get(test["result"]) is None else words[1]


def build(name, folder, options, env=None):
    """A build as a test: warnings are errors."""
    failure = setup(folder, options, env)
    outcome = failure or command.run(["ninja", "-C", folder], BUILD_S_MAX, env)
    return Result(name, "passed" if outcome.ok else "failed", outcome.seconds, outcome.output)
