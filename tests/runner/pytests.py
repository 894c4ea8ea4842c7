# SPDX-License-Identifier: BSD-2-Clause
"""Files of unittest cases: each file is a child process, so that one that hangs can be ended."""
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import time

from .command import ROOT
from .report import Result

CHILD = pathlib.Path(__file__).with_name("child.py")
SILENCE_S_MAX = 180  # a test, or the set-up of a class: much longer than any should take
GOODBYE_S = 30       # for what it made, after SIGTERM


def run_files(group, paths, word):
    for path in sorted(paths):
        yield from run_file(group, path, word)


def run_file(group, path, word):
    """Runs one file's tests and yields a Result as each ends."""
    prefix = f"{group}/{path.stem}."
    read_end, write_end = os.pipe()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            [sys.executable, str(CHILD), str(write_end), str(path), prefix, word], cwd=ROOT,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=(write_end,))
        os.close(write_end)
        try:
            yield from _results(child, read_end, prefix, output)
        finally:
            os.close(read_end)
            _end(child)


def _results(child, read_end, prefix, output):
    """Until the child closes its end of the pipe; a last Result where it ended as it should not."""
    current, since, failed = prefix + "*", time.monotonic(), False
    for event in _events(read_end):
        if event is None:
            child.send_signal(signal.SIGUSR1)  # where it hangs, for the report
            time.sleep(0.2)
            _end(child)
            yield Result(current, "failed", time.monotonic() - since,
                         f"no end after {SILENCE_S_MAX} s; the rest of the file was not run\n" + _text(output))
            return
        if "start" in event:
            current = event["start"]
        else:
            failed |= event["status"] == "failed"
            yield Result(**event)
            current = prefix + "*"
        since = time.monotonic()
    code = child.wait()
    if code and not failed:
        yield Result(current, "failed", time.monotonic() - since, f"exit {code}\n" + _text(output))


def _events(read_end):
    """The child's events; None when nothing came for too long."""
    rest = b""
    while True:
        if not select.select([read_end], [], [], SILENCE_S_MAX)[0]:
            yield None
            return
        data = os.read(read_end, 65536)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from map(json.loads, lines)


def _text(output):
    output.seek(0)
    return output.read().decode(errors="replace")


def _end(child):
    """SIGTERM first: a lab then takes away what it made."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GOODBYE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
