# SPDX-License-Identifier: BSD-2-Clause
"""
An orderly end. SIGTERM, SIGHUP and Ctrl-C are only noted, and acted upon between two steps: an
exception in the middle of starting a process would leave one that nobody waits for, and the end of
its PID namespace waits for just that.
"""
import signal

_noted = []


def catch():
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda caught, _frame: _noted.append(caught))


def check():
    """Call it where it is safe to end."""
    if _noted:
        raise SystemExit(128 + _noted[0])
