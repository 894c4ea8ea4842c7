#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Runs the tests (tests/all builds first, and then comes here):

    unit    what meson built: tests/unit          asan, tsan  the same under sanitizers
    lint    tests/lint                            clang       everything, built by clang
    lab     the lab's own                         fuzz        tests/fuzz, each for 20 s
    e2e     tests/e2e: a mesh of namespaces       fault   tests/fault: real members, kill -9 and the like

One line per test, the output of those that fail, and last "N passed, N failed, N skipped".
"""
import argparse
import os
import pathlib
import shutil
import signal
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))
from runner import builds, command, fuzz, pytests  # noqa: E402
from runner.report import Report, Result  # noqa: E402

ROOT = TESTS.parent
BUILD = pathlib.Path(os.environ.get("FAIRLEAD_BUILD", ROOT / "build")).resolve()
TOTAL_S_MAX = 24 * 60
SCRIPT_S_MAX = 120
SKIPPED = 77  # exit status of a script that cannot run here, as automake and meson have it

ASAN = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:strict_string_checks=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
TSAN = {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}
SANITIZER_SLOWER = 6


def unit(word):
    yield from builds.run_tests("unit", BUILD, word)


def sanitizer(group, sanitizers, env):
    """The unit tests once more. Where -k leaves none of them, nothing need be built."""
    def run(word):
        names = [f"{group}/{builds.short(name)}" for name in builds.test_names(BUILD)]
        if not any(word in name for name in names):
            return
        folder = ROOT / f"build-{group}"
        failure = builds.setup(folder, [f"-Db_sanitize={sanitizers}", "-Doptimization=1"])
        if failure:
            yield Result(f"{group}/setup", "failed", failure.seconds, failure.output)
            return
        # gcc's TSan does not know the layout that much address randomization gives.
        wrapper = ("setarch", "-R") if group == "tsan" else ()
        yield from builds.run_tests(group, folder, word, env, SANITIZER_SLOWER, wrapper)
    return run


def clang(word):
    if word not in "clang/build":
        return
    compiler = next(filter(shutil.which, ("clang-16", "clang-19", "clang")), None)
    if compiler is None:
        yield Result("clang/build", "skipped", 0, "no clang")
        return
    words = ["ccache", compiler] if shutil.which("ccache") else [compiler]
    yield builds.build("clang/build", ROOT / "build-clang", [], {"CC": " ".join(words)})


def lint(word):
    yield from pytests.run_files("lint", (TESTS / "lint").glob("*_test.py"), word)
    for path in sorted((TESTS / "lint").glob("*.sh")):
        if word in f"lint/{path.stem}":
            outcome = command.run([path], SCRIPT_S_MAX)
            status = {0: "passed", SKIPPED: "skipped"}.get(outcome.code, "failed")
            yield Result(f"lint/{path.stem}", status, outcome.seconds, outcome.output)


def lab(word):
    yield from pytests.run_files("lab", [TESTS / "lab/selftest.py"], word)


def e2e(word):
    yield from pytests.run_files("e2e", (TESTS / "e2e").glob("*_test.py"), word)


def fault(word):
    yield from pytests.run_files("fault", (TESTS / "fault").glob("*_test.py"), word)


def fuzzing(word):
    yield from fuzz.run_targets(word, BUILD)


# What fails soonest and says most comes first.
GROUPS = {
    "unit": unit,
    "lint": lint,
    "lab": lab,
    "e2e": e2e,
    "fault": fault,
    "asan": sanitizer("asan", "address,undefined", ASAN),
    "tsan": sanitizer("tsan", "thread", TSAN),
    "clang": clang,
    "fuzz": fuzzing,
}


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tests/all", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", nargs="*", help="which kinds of tests; default: all")
    parser.add_argument("-k", metavar="NAME", default="", help="only tests with this in their name")
    arguments = parser.parse_args()
    unknown = [group for group in arguments.group if group not in GROUPS]
    if unknown:
        parser.error(f"unknown group {unknown[0]!r}; there are {', '.join(GROUPS)}")
    return arguments


def run_groups(names, word, report):
    start = time.monotonic()
    for name in names:
        for result in GROUPS[name](word):
            report.add(result)
            if time.monotonic() - start > TOTAL_S_MAX:
                report.add(Result("time", "failed", time.monotonic() - start,
                                  f"all tests together: more than {TOTAL_S_MAX} s; stopped in {name}"))
                return


def interrupt(_number, _frame):
    raise KeyboardInterrupt


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, interrupt)  # the tests' labs are then taken away as after Ctrl-C
    report = Report()
    try:
        run_groups(arguments.group or list(GROUPS), arguments.k, report)
    except KeyboardInterrupt:
        print("interrupted")
        report.finish()
        return 130
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
