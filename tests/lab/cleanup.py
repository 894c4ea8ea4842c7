# SPDX-License-Identifier: BSD-2-Clause
"""What a lab leaves outside its namespaces: cgroups and a folder in /tmp. And labs that were killed."""
import os
import pathlib
import re
import shutil
import signal
import tempfile
import time

PREFIX = "fairlead-lab-"


def cgroup_folders(name):
    """The lab's cgroup in each hierarchy of the machine."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    paths = [pathlib.Path(path) / name for _, path, kind, *_ in mounts if kind in ("cgroup", "cgroup2")]
    return [path for path in paths if path.is_dir()]


def remove_cgroups(name, timeout=2):
    """Removes the lab's cgroups; the kernel may need a moment to take the dead out of them."""
    end = time.monotonic() + timeout
    for top in cgroup_folders(name):
        for folder, _, _ in os.walk(top, topdown=False):
            while True:
                try:
                    os.rmdir(folder)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    if time.monotonic() > end:
                        return False
                    time.sleep(0.005)
    return True


def holders(name):
    """PIDs of the lab's machines: {machine: pid}. Their command line is the lab's name and theirs."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        title = words[0].decode(errors="replace")
        if title.startswith(f"{name}-") and words[1:] == [b""]:
            found[title.removeprefix(f"{name}-")] = int(path.parent.name)
    return found


def remove(folder):
    """Removes a lab that nobody holds any more: its machines, its cgroups, its folder."""
    folder = pathlib.Path(folder)
    for pid in holders(folder.name).values():
        os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 10
    while holders(folder.name) and time.monotonic() < end:
        time.sleep(0.01)
    remove_cgroups(folder.name)
    shutil.rmtree(folder, ignore_errors=True)


def owner_alive(folder):
    """True while the process that made the lab runs; its PID is in the folder's name."""
    match = re.match(PREFIX + r"(\d+)-", folder.name)
    return match is None or pathlib.Path(f"/proc/{match[1]}").exists()


def sweep():
    """Removes what labs left that were killed by SIGKILL. Kept labs have their machines still."""
    for folder in pathlib.Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        if not owner_alive(folder) and not holders(folder.name):
            remove(folder)
