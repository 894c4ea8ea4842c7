# SPDX-License-Identifier: BSD-2-Clause
"""A node of the cluster: a machine that can hold tasks and run the daemon."""
import pathlib

from .daemon import Daemon
from .machine import Machine
from .task import Task
from .tools import BUILD

# What a node has and a client does not: cgroups as the machine has them, but without cgroup2 under
# /sys/fs/cgroup where the machine is hybrid (crun 1.8 refuses that), a bpffs, forwarding.
SETUP = """
mount -t bpf bpf /sys/fs/bpf
mkdir -p /run/fairlead-cgroup2 /run/netns /var/lib/fairlead
mount --bind "{state}" /var/lib/fairlead
{cgroups}
for conf in all default; do
    echo 0 > /proc/sys/net/ipv4/conf/$conf/rp_filter
    echo 0 > /proc/sys/net/ipv4/conf/$conf/send_redirects
done
echo 1 > /proc/sys/net/ipv4/ip_forward
"""
UNIFIED = """
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --bind /sys/fs/cgroup /run/fairlead-cgroup2
"""


def _cgroup_mounts():
    """Mount commands for the machine's own kind of cgroups."""
    v1 = []
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, path, kind, options, *_ = line.split()
        if kind == "cgroup":
            controllers = [word for word in options.split(",") if word not in ("rw", "ro", "relatime")
                           and word not in ("nosuid", "nodev", "noexec", "xattr")
                           and not word.startswith("release_agent")]
            v1.append((pathlib.Path(path).name, ",".join(controllers)))
    if not v1:
        return UNIFIED
    lines = ["mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup"]
    for name, controllers in v1:
        lines += [f"mkdir '/sys/fs/cgroup/{name}'",
                  f"mount -t cgroup -o '{controllers}' cgroup '/sys/fs/cgroup/{name}'"]
    return "\n".join([*lines, "mount -t cgroup2 cgroup2 /run/fairlead-cgroup2"])


class Host(Machine):
    """number: 1..N; its tasks live in 10.<number>.0.0/24 behind the gateway 10.<number>.0.1."""

    def __init__(self, lab, number, ip):
        super().__init__(lab, f"host{number}", ip)
        self.number, self.tasks = number, {}
        self.gateway = f"10.{number}.0.1"
        self.daemon = Daemon(self)
        self._next_task = 2

    def setup(self, extra=""):
        state = self.folder / "state"
        state.mkdir()
        return super().setup(SETUP.format(state=state, cgroups=_cgroup_mounts()) + extra)

    # -- tasks ---------------------------------------------------------------------------------
    def task(self, name, image="nginx", **options):
        """Makes and starts a task; see Task for images and options."""
        task = Task(self, name, f"10.{self.number}.0.{self._next_task}", image, **options)
        self._next_task += 1
        self.tasks[name] = task
        return task

    # -- daemon --------------------------------------------------------------------------------
    def start_daemon(self, mesh, args=(), timeout=10):
        """Writes the mesh, starts fairleadd and waits until it is ready."""
        self.daemon.start(mesh, args, timeout)
        return self.daemon

    def reload(self, mesh, timeout=10):
        """Gives the running daemon another mesh and waits until it is applied."""
        self.daemon.reload(mesh, timeout)

    def kill_daemon(self, number=9):
        """Signals the daemon and waits for its end; returns its exit status."""
        return self.daemon.kill(number)

    def fairlead(self, *args, **options):
        """Runs the command line program in the host and returns what it prints."""
        return self.run([BUILD / "agent/fairlead", *args], **options).stdout
