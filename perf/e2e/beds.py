# SPDX-License-Identifier: BSD-2-Clause
"""
The contenders. Each has a lab of its own, so that nothing of one (a netfilter hook, a socket on the
VXLAN port) is in another's path; all labs are up during the whole run, and idle but one.

    client1            host3 (entry, no tasks)        host1                 host2
    10.99.0.101        10.99.0.3                      10.99.0.1, web1       10.99.0.2, web2
      | eth0             | eth0                         | eth0                | eth0
    --+------------------+------------------------------+---------------------+--  switch

      client --> host3 ==VXLAN==> host1 or host2 --> task (nginx; bulk.py)

    the kernel's tunnel: vx0 on each host, 172.30.0.<host>/24, MTU - 50, VNI of its own, static
    forwarding entries and neighbours, no learning
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests"))
from lab import CommandError, Lab, wait_for  # noqa: E402,F401
from lab import daemon as lab_daemon  # noqa: E402

WEB, BULK = 80, 9000  # inside the tasks
PUBLISHED = 8000
SERVICE = "10.100.0.1"  # lives in both tasks where nothing translates addresses
TUNNEL_OVERHEAD = 50

TUNNEL = """set -e
ip link add vx0 address 02:aa:00:00:00:0{number} mtu {mtu} type vxlan id 4711 local {ip} \\
    dstport 4789 nolearning {checksum}
ip address add 172.30.0.{number}/24 dev vx0
ip link set vx0 up
"""
PEER = """bridge fdb append 02:aa:00:00:00:0{number} dev vx0 dst {ip}
ip neigh replace 172.30.0.{number} lladdr 02:aa:00:00:00:0{number} dev vx0 nud permanent
"""
NFT = """table ip balance {{
    chain in {{
        type nat hook prerouting priority dstnat
        ip daddr {entry} tcp dport {published} dnat to numgen inc mod 2 map {{ 0 : {a}, 1 : {b} }} : {web}
        ip daddr {entry} tcp dport {bulk} dnat to numgen inc mod 2 map {{ 0 : {a}, 1 : {b} }} : {bulk}
    }}
    chain out {{
        type nat hook postrouting priority srcnat
        oifname "vx0" masquerade
    }}
}}
"""
HAPROXY = """global
    nbthread 1
    maxconn 8192
defaults
    mode tcp
    balance roundrobin
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend web
    bind {entry}:{published}
    default_backend web
backend web
    server a {a}:{web}
    server b {b}:{web}
frontend bulk
    bind {entry}:{bulk}
    default_backend bulk
backend bulk
    server a {a}:{bulk}
    server b {b}:{bulk}
"""


class QuietLab(Lab):
    """Signals are this program's: see stop.py."""

    def _catch_signals(self):
        pass


class Bed:
    """
    A contender, built. address, web_port, bulk_port: where the client finds it; backends: how many
    tasks must answer; kinds: what is measured.
    """
    backends = 2
    kinds = ("keepalive", "new", "download", "upload")

    def __init__(self, links="wire"):
        self.links = links
        self.lab = QuietLab(hosts=3, clients=1, offloads=links == "offloads")
        try:
            self.client, self.entry = self.lab.client, self.lab.host(3)
            self._plain_switch()
            self.tasks = [self._task(1), self._task(2)]
            self.address, self.web_port, self.bulk_port = self.entry.ip, PUBLISHED, BULK
            self.build()
        except BaseException:
            self.lab.close()
            raise

    def _task(self, number):
        task = self.lab.host(number).task(f"web{number}", ports=(WEB,), access_log=False,
                                          gateway=self.gateway)
        if self.links == "tasks":
            task.namespace_run("ethtool -K eth0 tx on sg on tso on gso on gro on")
        task.namespace_popen([sys.executable, HERE / "bulk.py", "serve", BULK, task.name])
        wait_for(lambda: f":{BULK:04X} " in task.namespace_run("cat /proc/net/tcp").stdout, 5,
                 "bulk.py listens", every=0.05)
        return task

    def _plain_switch(self):
        """A switch has no packet filter."""
        self.lab.switch.run("for file in /proc/sys/net/bridge/bridge-nf-call-*; do "
                            "[ ! -e $file ] || echo 0 > $file; done", only_net=True)

    gateway = "host"

    def build(self):
        """Makes the path from client to tasks."""

    def close(self):
        self.lab.close()


class Fairlead(Bed):
    gateway = "mesh"
    returns = "symmetric"
    program = None  # build folder; None: the lab's own

    def build(self):
        lab = self.lab
        mesh = lab.mesh([lab.service("web", PUBLISHED, WEB, self.tasks),
                         lab.service("bulk", BULK, BULK, self.tasks)], ret=self.returns)
        before = lab_daemon.BUILD
        lab_daemon.BUILD = pathlib.Path(self.program).resolve() if self.program else before
        try:
            lab.start_daemons(mesh)
        finally:
            lab_daemon.BUILD = before


class FairleadDsr(Fairlead):
    returns = "dsr"


class Tunnel(Bed):
    """Hosts joined by the kernel's vxlan device; routes to the tasks through it."""
    checksum = "udpcsum"

    def build(self):
        for host in self.lab.hosts:
            peers = [PEER.format(number=other.number, ip=other.ip)
                     for other in self.lab.hosts if other is not host]
            host.run(TUNNEL.format(number=host.number, ip=host.ip, checksum=self.checksum,
                                   mtu=self.lab.mtu - TUNNEL_OVERHEAD) + "".join(peers))
        for task in self.tasks:
            self.entry.run(f"ip route add {task.address} via 172.30.0.{task.host.number} dev vx0")
        self.balance()

    def balance(self):
        raise NotImplementedError

    def return_through_entry(self, source):
        """What a host sends from this address goes back to the entry host, as its requests came."""
        for task in self.tasks:
            task.host.run(f"ip rule add from {source} table 100 && "
                          "ip route replace default via 172.30.0.3 dev vx0 table 100")

    def places(self):
        return {"entry": self.entry.ip, "published": PUBLISHED, "web": WEB, "bulk": BULK,
                "a": self.tasks[0].address, "b": self.tasks[1].address}


class Ecmp(Tunnel):
    """No load balancer: a multipath route; the service address lives in both tasks."""
    symmetric = True

    def balance(self):
        self.address, self.web_port = SERVICE, WEB
        self.client.run(f"ip route add {SERVICE} via {self.entry.ip}")
        self.entry.run("echo 1 > /proc/sys/net/ipv4/fib_multipath_hash_policy; "
                       f"ip route add {SERVICE} nexthop via 172.30.0.1 dev vx0 "
                       "nexthop via 172.30.0.2 dev vx0")
        for task in self.tasks:
            task.namespace_run(f"ip address add {SERVICE}/32 dev lo")
            task.host.run(f"ip route add {SERVICE} via {task.address} dev {task.interface} onlink")
        if self.symmetric:
            self.return_through_entry(SERVICE)


class EcmpDirect(Ecmp):
    """The same; replies go straight to the client."""
    symmetric = False


class Nftables(Tunnel):
    def balance(self):
        self.entry.run(["nft", "-f", "-"], input=NFT.format(**self.places()))


class Haproxy(Tunnel):
    def balance(self):
        path = self.entry.folder / "haproxy.cfg"
        path.write_text(HAPROXY.format(**self.places()))
        self.entry.run("echo '1024 65535' > /proc/sys/net/ipv4/ip_local_port_range")
        self.entry.popen(["haproxy", "-db", "-f", path])
        wait_for(lambda: f":{PUBLISHED:04X} " in self.entry.output("cat /proc/net/tcp"), 5,
                 "haproxy listens", every=0.05)


class PlainVxlan(Tunnel):
    """One tunnel, one task, no choice: what the kernel's own vxlan device costs."""
    backends = 1

    def balance(self):
        task = self.tasks[0]
        self.address, self.web_port = task.address, WEB
        self.client.run(f"ip route add {task.address} via {self.entry.ip}")
        self.return_through_entry(task.address)


class PlainVxlanNoChecksum(PlainVxlan):
    """The same with a zero outer UDP checksum, as RFC 7348 recommends."""
    checksum = "noudpcsum"


class Floor(Bed):
    """Client and one task, by routing alone: no tunnel, no entry host."""
    backends = 1

    def build(self):
        task = self.tasks[0]
        self.address, self.web_port = task.address, WEB
        self.client.run(f"ip route add {task.address} via {task.host.ip}")


CONTENDERS = {
    "fairlead": (Fairlead, "fairlead, symmetric"),
    "fairlead-dsr": (FairleadDsr, "fairlead, DSR"),
    "ecmp": (Ecmp, "ECMP route"),
    "ecmp-direct": (EcmpDirect, "ECMP route, direct return"),
    "nftables": (Nftables, "nftables DNAT, masquerade"),
    "haproxy": (Haproxy, "HAProxy, TCP, one thread"),
    "vxlan": (PlainVxlan, "plain vxlan, one task"),
    "vxlan-nocsum": (PlainVxlanNoChecksum, "plain vxlan, no UDP csum"),
    "floor": (Floor, "routed, no tunnel, one task"),
}


def other_build(folder, base):
    """A contender class: fairlead of another build folder, to compare before and after."""
    return type(base.__name__ + "Other", (base,), {"program": folder})
