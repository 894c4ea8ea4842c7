# SPDX-License-Identifier: BSD-2-Clause
"""
The lab: machines made of namespaces, and a wire between them.

    flat (default)

      host1          host2     ...  hostN            client1     ...
      10.99.0.1      10.99.0.2      10.99.0.N        10.99.0.101
        | eth0         | eth0         | eth0           | eth0
      --+--------------+--------------+----------------+--------------  switch (a Linux bridge,
                                                                        ports named after machines)
    routed=True

      host1 ... hostN               router                   client1 ...
        | eth0                eth0 /       \\ clients          | eth0 198.51.100.1
      --+-------- switch -- 10.99.0.254   198.51.100.254 -----+------

      default route: router; it decrements the TTL and answers "too big" where the MTUs differ

    inside a host

      task web1 (own network namespace, crun)      task web2
        eth0 10.<host>.0.2/24, MTU - 50              eth0 10.<host>.0.3/24
          |                                            |
        veth-web1 (no address)                       veth-web2       eth0 = the uplink

Links are like wires: what crosses them has its checksum and is no longer than the MTU. Receiving
ends have GRO on, without which XDP_TX and XDP redirect lose packets on veth. The switch merges and
splits TCP segments again on the way; sizes stay.

Everything lives in private namespaces; the machine's own interfaces, routes and mounts are not
touched. Outside there is only a folder in /tmp and cgroups of the same name, removed at the end.
"""
import atexit
import hashlib
import os
import pathlib
import random
import shutil
import signal
import tempfile
import threading

from . import cleanup, tools
from .host import Host
from .machine import CommandError, Machine

# Everything that would let a frame cross that no wire carries.
WIRE = ("tx off tso off gso off tx-udp-segmentation off tx-udp_tnl-segmentation off "
        "tx-udp_tnl-csum-segmentation off tx-gso-list off tx-tcp-accecn-segmentation off gro on")
BENCH = "gro on"
KEY = "000102030405060708090a0b0c0d0e0f"
NO_IPV6 = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6\n" \
          "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6\n"
QUIET_IPV6 = "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad\n" \
             "echo 0 > /proc/sys/net/ipv6/conf/default/router_solicitations\n"
BRIDGE = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
SWITCH = NO_IPV6 + f"ip link add br0 mtu {{mtu}} {BRIDGE}; ip link set br0 up\n"
CLIENT = QUIET_IPV6 + "echo '1024 65535' > /proc/sys/net/ipv4/ip_local_port_range\n"
ROUTER = NO_IPV6 + "echo 1 > /proc/sys/net/ipv4/ip_forward\n" \
                   f"ip link add clients mtu {{mtu}} {BRIDGE}\n" \
                   "ip link set clients up; ip address add 198.51.100.254/24 dev clients\n"


class Lab:
    """
    with Lab(hosts=3, clients=1) as lab: lab.host(1).task("web1"); lab.client.curl(...)

    mtu, client_mtu  of the underlay and of the clients' links (the latter matters when routed)
    offloads         leave the kernel's offloads on (benchmarks); GRO is on anyway
    keep             everything stays after the end, until cleanup.remove(lab.dir)
    """

    def __init__(self, hosts=3, clients=1, mtu=1500, client_mtu=1500, routed=False, offloads=False,
                 keep=False):
        self.mtu, self.client_mtu, self.routed = mtu, client_mtu, routed
        self.offloads, self.keep = offloads, keep
        self._owner, self._old_handlers, self._closed = os.getpid(), {}, False
        self.machines = []
        cleanup.sweep()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"{cleanup.PREFIX}{os.getpid()}-"))
        os.chmod(self.dir, 0o755)
        self.name = self.dir.name
        atexit.register(self.close)
        self._catch_signals()
        try:
            self._build(hosts, clients)
        except BaseException:
            self.keep = False
            self.close()
            raise

    def _catch_signals(self):
        """SIGTERM and SIGHUP become an exception, as Ctrl-C is, so that the end is an orderly one."""
        def end(number, _frame):
            raise SystemExit(128 + number)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):
                self._old_handlers[number] = signal.signal(number, end)

    # -- construction ----------------------------------------------------------------------------
    def _build(self, hosts, clients):
        self.tools = tools.prepare(self.dir)
        self.static = self.dir / "static"
        self.static.mkdir()
        subnet = "198.51.100." if self.routed else "10.99.0.10"
        self._names = {f"host{n}": f"10.99.0.{n}" for n in range(1, hosts + 1)}
        self._names |= {f"client{n}": f"{subnet}{n}" for n in range(1, clients + 1)}
        self.switch = self._add(Machine(self, "switch"), SWITCH.format(mtu=self.mtu))
        self.router = self._add(Machine(self, "router", "10.99.0.254"),
                                ROUTER.format(mtu=self.client_mtu)) if self.routed else None
        self.hosts = [self._add(Host(self, n, self._names[f"host{n}"]), QUIET_IPV6)
                      for n in range(1, hosts + 1)]
        self.clients = [self._add(Machine(self, name, self._names[name]), CLIENT)
                        for name in self._names if name.startswith("client")]
        for machine in self.machines:
            self._finish(machine, machine.setup_process)
        self._wire()

    def _add(self, machine, script):
        self.machines.append(machine)
        machine.setup_process = machine.setup(script)
        return machine

    @staticmethod
    def _finish(machine, process):
        _, errors = process.communicate(timeout=30)
        if process.returncode:
            raise CommandError(machine.name, "setup", process.returncode, "", errors)

    def hosts_file(self):
        return "\n".join(["127.0.0.1 localhost", *(f"{ip} {name}" for name, ip in self._names.items())])

    def port_of(self, machine):
        """The machine at the other end of a machine's eth0."""
        return self.router if self.routed and machine in self.clients else self.switch

    def _wire(self):
        for machine in self.machines:
            if machine is not self.switch:
                self._plug(machine)

    def _plug(self, machine):
        """A veth pair: eth0 in the machine, and a bridge port named after it at the other end."""
        port = self.port_of(machine)
        bridge, mtu = ("br0", self.mtu) if port is self.switch else ("clients", self.client_mtu)
        features = BENCH if self.offloads else WIRE
        mac = "02:00:" + ":".join(f"{int(byte):02x}" for byte in machine.ip.split("."))
        port.run(f"set -e; ip link add {machine.name} mtu {mtu} type veth"
                 f" peer name eth0 mtu {mtu} address {mac} netns /proc/{machine.spaces.pid}/ns/net\n"
                 f"ip link set {machine.name} master {bridge} up\n"
                 f"ethtool -K {machine.name} {features}", only_net=True)
        machine.run(f"set -e; ethtool -K eth0 {features}; ip link set eth0 up\n"
                    f"ip address add {machine.ip}/24 brd + dev eth0\n" + self._default_route(machine))

    def _default_route(self, machine):
        if not self.routed or machine is self.router:
            return ""
        gateway = "198.51.100.254" if machine in self.clients else self.router.ip
        return f"ip route add default via {gateway}"

    # -- use -------------------------------------------------------------------------------------
    @property
    def client(self):
        return self.clients[0]

    def host(self, number):
        return self.hosts[number - 1]

    def capture(self, machine, expression="", interface="eth0", **options):
        """tcpdump in a machine; on the switch the interfaces are the machines' names."""
        return machine.capture(expression, interface, **options)

    def blob(self, name, mib):
        """A file of pseudo-random bytes that each nginx task serves as /NAME; returns its SHA-256."""
        path, digest = self.static / name, hashlib.sha256()
        generator = random.Random(name)
        with open(path.with_suffix(".new"), "wb") as file:
            for _ in range(mib):
                block = generator.randbytes(1 << 20)
                digest.update(block)
                file.write(block)
        path.with_suffix(".new").rename(path)
        return digest.hexdigest()

    @staticmethod
    def service(name, published, target, tasks, protocol="tcp", **extra):
        """A service of mesh.json. tasks: tasks, or what Task.backend(weight, state) returned."""
        backends = [task if isinstance(task, dict) else task.backend() for task in tasks]
        return {"name": name, "backends": backends, **extra,
                "ports": [{"published": published, "target": target, "protocol": protocol}]}

    def mesh(self, services=(), ret="symmetric", **extra):
        """mesh.json of the lab's hosts; ret is for services that do not say how they return."""
        return {"key": KEY, **extra,
                "nodes": [{"name": host.name, "vtep": host.ip} for host in self.hosts],
                "services": [{"return": ret, **service} for service in services]}

    def start_daemons(self, mesh, args=()):
        for host in self.hosts:
            host.start_daemon(mesh, args)

    def reload(self, mesh):
        for host in self.hosts:
            if host.daemon.running:
                host.reload(mesh)

    # -- the end ---------------------------------------------------------------------------------
    def close(self):
        """Removes everything; a second signal meanwhile does not stop it."""
        if self._closed or os.getpid() != self._owner:
            return
        self._closed = True
        atexit.unregister(self.close)
        main = threading.current_thread() is threading.main_thread()
        ctrl_c = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
        try:
            for machine in reversed(self.machines):
                (machine.release if self.keep else machine.close)()
            if not self.keep:
                cleanup.remove_cgroups(self.name)
                shutil.rmtree(self.dir, ignore_errors=True)
        finally:
            if main:
                signal.signal(signal.SIGINT, ctrl_c)
                for number, handler in self._old_handlers.items():
                    signal.signal(number, handler)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
