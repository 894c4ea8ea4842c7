# SPDX-License-Identifier: BSD-2-Clause
"""The machine that measures: what it is, how busy it is."""
import os
import pathlib
import platform
import time

CORES = os.cpu_count() or 1
TICKS = os.sysconf("SC_CLK_TCK")
IDLE_FIELDS = (3, 4)  # idle, iowait
LOOK_SECONDS = 0.25


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def kernel():
    return platform.release()


def cpu_seconds():
    """(busy, all) seconds of all cores since boot. Steal counts as busy: somebody else had the core."""
    line = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0]
    fields = [int(word) / TICKS for word in line.split()[1:9]]
    return sum(fields) - sum(fields[i] for i in IDLE_FIELDS), sum(fields)


def foreign_seconds():
    """
    Processor seconds of all processes that are not this one's descendants, with those of the children
    they waited for (compilers come and go). Kernel threads are left out: they work for us.
    """
    parents, seconds = {}, {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has just ended
        pid = int(path.parent.name)
        parents[pid] = int(words[1])
        seconds[pid] = sum(map(int, words[11:15])) / TICKS

    def ours(pid):
        while pid > 2 and pid != os.getpid():
            pid = parents.get(pid, 0)
        return pid in (2, os.getpid())
    return sum(used for pid, used in seconds.items() if not ours(pid))


class CpuMeter:
    """
    Inside the with block: seconds of processor time that we and the kernel for us spent, percent of
    the machine that was busy, and foreign_percent: what processes that are not ours had of it.
    """

    def __enter__(self):
        self._foreign = foreign_seconds()
        self._busy, self._all = cpu_seconds()
        return self

    def __exit__(self, *exception):
        busy, total = cpu_seconds()
        foreign = foreign_seconds()
        every = max(total - self._all, 0.001)
        self.percent = 100 * (busy - self._busy) / every
        used = max(foreign - self._foreign, 0.0)
        self.foreign_percent = 100 * used / every
        self.seconds = max(busy - self._busy - used, 0.0)


def busy_percent(seconds=LOOK_SECONDS):
    with CpuMeter() as meter:
        time.sleep(seconds)
    return meter.percent


def wait_quiet(limit_percent, patience_seconds):
    """Waits until less than limit_percent of the machine is busy; what it was at the last look."""
    end = time.monotonic() + patience_seconds
    while True:
        busy = busy_percent()
        if busy < limit_percent or time.monotonic() > end:
            return busy
