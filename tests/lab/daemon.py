# SPDX-License-Identifier: BSD-2-Clause
"""fairleadd in a host: its mesh file, its log, its life."""
import json
import os
import re
import signal

from .machine import wait_for
from .tools import BUILD

LOG_TAIL_BYTES = 8000


class Daemon:
    """One host's daemon. It may be started again after kill(); the log goes on in the same file."""

    def __init__(self, host):
        self.host = host
        self.process = None
        self.mesh_path = host.folder / "mesh.json"
        self.log_path = host.folder / "fairleadd.log"
        self.log_path.touch()

    def start(self, mesh, args=(), timeout=10):
        self.write_mesh(mesh)
        since = self.log_path.stat().st_size
        with open(self.log_path, "ab") as log:
            self.process = self.host.popen(
                [BUILD / "agent/fairleadd", "--static", self.mesh_path, "--node", self.host.name,
                 "--uplink", "eth0", *args], stdout=log, stderr=log)
        self.wait_line("ready", since, timeout)

    def write_mesh(self, mesh):
        """Atomically: the daemon reads the old mesh or the new one, never half of one."""
        new = self.mesh_path.with_suffix(".new")
        new.write_text(json.dumps(mesh, indent=1))
        os.replace(new, self.mesh_path)

    def reload(self, mesh, timeout=10):
        since = self.log_path.stat().st_size
        self.write_mesh(mesh)
        self.process.send_signal(signal.SIGHUP)
        self.wait_line("applied", since, timeout)

    def kill(self, number=signal.SIGKILL, timeout=10):
        if self.process is None:
            return None
        self.process.send_signal(number)
        return self.process.wait(timeout)

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def log(self, since=0):
        with open(self.log_path, "rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")

    def wait_line(self, word, since, timeout):
        """
        Waits for a finished line with the word ("already" does not count as "ready"), written after
        offset `since` of the log, by a daemon that still runs.
        """
        def seen():
            ended = self.process.poll() is not None
            text = self.log(since)
            if ended:
                raise RuntimeError(f"{self.host.name}: fairleadd ended with {self.process.returncode}:\n"
                                   f"{text[-LOG_TAIL_BYTES:]}")
            return re.search(rf"\b{word}\b.*\n", text)
        try:
            wait_for(seen, timeout, f'{self.host.name}: fairleadd says "{word}"')
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log(since)[-LOG_TAIL_BYTES:]}") from None
