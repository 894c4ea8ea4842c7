# SPDX-License-Identifier: BSD-2-Clause
"""Programs that the runner starts: each with a time limit, and none left behind."""
import dataclasses
import os
import signal
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@dataclasses.dataclass
class Outcome:
    code: int
    output: str
    seconds: float

    @property
    def ok(self):
        return self.code == 0


def run(command, limit_s, env=None):
    """Runs a program to its end, at most limit_s seconds; its two outputs come back as one text."""
    start = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), cwd=ROOT, text=True, errors="replace",
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True,
                               env={**os.environ, **(env or {})})
    try:
        output, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        output = _end(process) + f"\nended after its limit of {limit_s} s"
    except BaseException:
        _end(process)
        raise
    return Outcome(process.returncode, output, time.monotonic() - start)


def _end(process):
    """Ends a program and what it started (its session is its own); what it had said comes back."""
    os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[0]
