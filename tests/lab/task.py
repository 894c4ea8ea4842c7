# SPDX-License-Identifier: BSD-2-Clause
"""A task: a container under crun in a network namespace of its own, joined to its host by a veth."""
import dataclasses
import os
import pathlib
import signal
import subprocess

from . import bundle, stats
from .machine import wait_for

NETWORK = """set -e
ip netns add {name}
ip -batch - <<END
link add {interface} mtu {mtu} type veth peer name eth0 mtu {mtu} address {mac} netns {name}
link set {interface} up
route add {address}/32 dev {interface}
END
ip -n {name} -batch - <<END
link set lo up
link set eth0 up
address add {address}/24 dev eth0
route add default via {gateway}
END
nsenter --net=/run/netns/{name} sh -e <<END
ethtool -K eth0 {features}
cd /proc/sys/net
echo 65535 > core/somaxconn
echo 65535 > ipv4/tcp_max_syn_backlog
END
"""
# With gateway="host" only: the kernel answers ARP for the gateway, and the task works without a mesh.
# As in production ("mesh") the host side has no address, and the mesh answers.
HOST_GATEWAY = "ip address add {gateway}/32 dev {interface}\n"


@dataclasses.dataclass
class Request:
    """One line of nginx's access log."""
    address: str
    port: int
    method: str
    path: str
    status: int
    bytes_sent: int


class Task:
    """
    image     "nginx" (answers / with its name; /whoami with name, client and own address; files made
              by Lab.blob; PUT to /upload/NAME, stored in .uploads), "udpecho", or a list of words,
              run in a root file system with busybox, nginx and udpecho
    port(s)   where it listens; waited for before the constructor returns (a list of words: none)
    gateway   "mesh": nobody but the mesh answers ARP for the gateway;  "host": the kernel does
    """

    def __init__(self, host, name, address, image="nginx", port=None, ports=None, memory_mib=256,
                 gateway="mesh", access_log=True):
        self.host, self.name, self.address = host, name, address
        self.mac = "02:42:" + ":".join(f"{int(byte):02x}" for byte in address.split("."))
        self.interface, self.gateway = f"veth-{name}", host.gateway
        if len(self.interface) > 15:
            raise ValueError(f"task name {name!r}: longer than 10 characters")
        make, default_ports = bundle.IMAGES.get(image, (None, ())) if isinstance(image, str) \
            else (lambda _: list(image), ())
        if make is None:
            raise ValueError(f"unknown image {image!r}")
        self.ports = tuple(ports or ((port,) if port else default_ports))
        self.udp, self.access_log, self.memory_bytes = image == "udpecho", access_log, memory_mib << 20
        self.netns, self.id = f"/run/netns/{name}", f"{host.lab.name}-{name}"
        self.folder = host.folder / name
        (self.folder / "data").mkdir(parents=True)
        self._make_network(gateway)
        bundle.write(self, make(self))
        self.process = None
        self.start()

    def _make_network(self, gateway):
        lab = self.host.lab
        script = NETWORK + (HOST_GATEWAY if gateway == "host" else "")
        self.host.run(script.format(
            name=self.name, interface=self.interface, mac=self.mac, address=self.address,
            gateway=self.gateway, mtu=lab.mtu - 50,
            # What XDP redirects from a task must carry its whole checksum.
            features="gro on" if lab.offloads else "tx off gro on"))

    # -- life ----------------------------------------------------------------------------------
    def start(self, timeout=10):
        """Starts the process (again, after stop or kill) and waits until it runs and listens."""
        with open(self.folder / "output.log", "ab") as log:
            self.process = self.host.popen(["crun", "run", "--bundle", self.folder, self.id],
                                           stdout=log, stderr=log)
        wait_for(self._started, timeout, f"task {self.name} on {self.host.name}")

    def _started(self):
        if self.process.poll() is not None:
            if not self.ports:
                return True  # a command may well be done by now
            raise RuntimeError(f"task {self.name} ended with {self.process.returncode}: {self.output()}")
        return self._executed() and self._listens()

    def _executed(self):
        """True once the container's init is no more crun itself; crun's state is written by then."""
        try:
            return os.readlink(f"/proc/{self.pid}/exe") != os.readlink(f"/proc/{self.process.pid}/exe")
        except OSError:
            return False

    def _listens(self):
        table = "udp" if self.udp else "tcp"
        try:
            lines = pathlib.Path(f"/proc/{self.pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            return False
        rows = [line.split() for line in lines]
        bound = {int(row[1].rsplit(":", 1)[1], 16) for row in rows if self.udp or row[3] == "0A"}
        return bound.issuperset(self.ports)

    @property
    def pid(self):
        """PID of the container's init as the lab sees it, None where there is none."""
        crun = self.process.pid
        try:
            children = pathlib.Path(f"/proc/{crun}/task/{crun}/children").read_text().split()
        except OSError:
            return None
        return int(children[0]) if children else None

    @property
    def running(self):
        return self.process.poll() is None

    def stop(self, number=signal.SIGTERM, timeout=10):
        """Signals the process, as a runtime stops a task; SIGKILL after the timeout. Exit status."""
        if self.running:
            self.host.run(["crun", "kill", self.id, str(int(number))], check=False)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def kill(self):
        """A crash: SIGKILL at once. Exit status."""
        if self.running:
            os.kill(self.pid or self.process.pid, signal.SIGKILL)
        return self.process.wait(10)

    def remove(self):
        """Stops it and takes its network away."""
        self.kill()
        self.host.run(f"ip link delete {self.interface}; ip netns delete {self.name}")
        self.host.tasks.pop(self.name, None)

    # -- looking inside --------------------------------------------------------------------------
    def namespace_run(self, command, **options):
        """Runs a program of the machine in the task's network namespace."""
        return self.host.run(command, net=self.netns, **options)

    def namespace_popen(self, command, **options):
        return self.host.popen(command, net=self.netns, **options)

    def capture(self, expression="", interface="eth0", **options):
        return self.host.capture(expression, interface, netns=self.netns, **options)

    def snmp(self, name=None):
        return stats.snmp(self.namespace_run("cat /proc/net/snmp /proc/net/netstat").stdout, name)

    def exec(self, command, **options):
        """Runs a program of the container in the container."""
        return self.host.run(["crun", "exec", self.id, *command], **options)

    def output(self):
        return (self.folder / "output.log").read_text(errors="replace")

    def logs(self):
        """nginx's access log: a list of Request. A line comes after its answer, so tests wait for it."""
        path = self.folder / "data/access.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [Request(address, int(port), method, uri, int(status), int(size))
                for address, port, method, uri, status, size in map(str.split, lines)]

    @property
    def uploads(self):
        return self.folder / "data/upload"

    def cgroup(self, file, controller="memory"):
        """A file of the task's cgroup, stripped ("memory.limit_in_bytes"; "memory.max" on cgroup2)."""
        path = f"{self.host.lab.name}/{self.host.name}/{self.name}/{file}"
        return self.host.output(f"cd /sys/fs/cgroup; cat {controller}/{path} 2>/dev/null || cat {path}")

    # -- mesh ------------------------------------------------------------------------------------
    def backend(self, weight=1, state="active"):
        """The task as a backend in mesh.json."""
        return {"node": self.host.name, "address": self.address, "mac": self.mac,
                "interface": self.interface, "gateway": self.gateway, "weight": weight, "state": state}
