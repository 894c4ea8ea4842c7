#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The tunnel on the wire: plain VXLAN (RFC 7348), for tshark and for the kernel's own vxlan device.

      client1          host1                    host2
      10.99.0.101      10.99.0.1                10.99.0.2
         |               |  task here1             |  tasks web2, echo2
     ----+---------------+---- switch -------------+----
                                     captured here: what leaves the switch towards a host

    KernelVxlanTest: no fairleadd on host2

      host1 (fairleadd, task web1)          host2
         | eth0                                | eth0
         +----------- VXLAN -------------------+ vx0 -- br0 -- plain1 (a server, a task's MAC)
                                                           `-- plain2 (a client, a node's MAC)
"""
import contextlib
import shutil
import socket
import struct
import subprocess
import threading
import unittest

from support import ECHO, WEB, Http, inside, make_socket, reasons, start_lab, wait_for

VNI, PORT = 4096, 4789
NOT_ECT, ECT1, ECT0, CE = range(4)
# RFC 6040 figure 4: by inner and outer field what the packet has when it leaves the tunnel.
DROPPED = None
DECAPSULATED = {
    NOT_ECT: {NOT_ECT: NOT_ECT, ECT0: NOT_ECT, ECT1: NOT_ECT, CE: DROPPED},
    ECT0: {NOT_ECT: ECT0, ECT0: ECT0, ECT1: ECT1, CE: CE},
    ECT1: {NOT_ECT: ECT1, ECT0: ECT1, ECT1: ECT1, CE: CE},
    CE: {NOT_ECT: CE, ECT0: CE, ECT1: CE, CE: CE},
}
FIELDS = ("ip.src", "ip.dst", "ip.ttl", "ip.flags.df", "ip.dsfield.ecn", "eth.dst", "udp.srcport",
          "udp.dstport", "udp.checksum", "vxlan.vni", "vxlan.flags")
# The tests' ports may be anybody's: tshark must not take the payload for some protocol. The tunnel's own
# source ports lie above.
DECODE = ["-d", f"udp.port==1-{PORT - 1},data", "-d", f"udp.port=={PORT + 1}-49151,data",
          "-d", "tcp.port==1-65535,data",
          *(word for protocol in ("ip", "tcp", "udp") for word in ("-o", f"{protocol}.check_checksum:TRUE"))]


def tshark(path, *args):
    """tshark's lines about a capture; it is told to verify all checksums."""
    done = subprocess.run(["tshark", "-n", "-r", str(path), *DECODE, *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f"tshark: {done.stderr[:1000]}")
    return done.stdout.splitlines()


def fields(path, display_filter="vxlan"):
    """Per packet {field: [outer, inner]}."""
    words = [word for field in FIELDS for word in ("-e", field)]
    lines = tshark(path, "-Y", display_filter, "-T", "fields", "-E", "occurrence=a", *words)
    if not lines:
        raise AssertionError(f"no {display_filter} among {tshark(path)[:5]}")
    return [dict(zip(FIELDS, (value.split(",") for value in line.split("\t")))) for line in lines]


def tos(value):
    return socket.IPPROTO_IP, socket.IP_TOS, value


@unittest.skipUnless(shutil.which("tshark"), "no tshark")
class DecodeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = start_lab(cls, hosts=2)
        cls.client, (cls.entry, cls.host) = cls.lab.client, cls.lab.hosts
        cls.web = cls.host.task("web2")
        cls.echo = cls.host.task("echo2", ["sleep", "1000"])
        cls.echo_socket = make_socket(cls.echo, socket.SOCK_DGRAM, ECHO)
        cls.addClassCleanup(cls.echo_socket.close)
        cls.digest = cls.lab.blob("file", 1)
        cls.lab.start_daemons(cls.lab.mesh([
            cls.lab.service("web", WEB, 80, [cls.web]),
            cls.lab.service("echo", ECHO, ECHO, [cls.echo], protocol="udp")]))
        with Http(cls.client, cls.entry.ip) as http:  # neighbours are found now
            http.whoami()

    @contextlib.contextmanager
    def captured(self):
        """Captures of what the switch sends to each host, in the order of the hosts, stopped at the end."""
        captures = [self.lab.capture(self.lab.switch, f"udp port {PORT} and dst host {host.ip}", host.name)
                    for host in self.lab.hosts]
        yield captures
        for capture in captures:
            capture.stop()

    def exchange(self, size=20, request_tos=0, reply_tos=0):
        """One datagram to the echo task and one back, both of that size."""
        self.echo_socket.setsockopt(*tos(reply_tos))
        with make_socket(self.client, socket.SOCK_DGRAM, options=[tos(request_tos)]) as asking:
            data, sender = self.deliver(asking, size)
            self.echo_socket.sendto(data, sender)
            self.assertEqual((len(asking.recv(65535)), len(data)), (size, size))

    def deliver(self, asking, size):
        """The first that does not fit into the tunnel is lost: its sender learns the path's MTU by it."""
        self.echo_socket.settimeout(1)
        for _ in range(5):
            asking.sendto(bytes(size), (self.entry.ip, ECHO))
            with contextlib.suppress(TimeoutError):
                return self.echo_socket.recvfrom(65535)
        raise AssertionError(f"a datagram of {size} bytes does not arrive")

    def test_all_traffic_decodes(self):
        with self.captured() as captures:
            with Http(self.client, self.entry.ip) as http:
                self.assertEqual(http.digest("/file"), self.digest)
                http.put("/upload/file", self.lab.static / "file")
            for size in (1, 1000, 1400, 5000):
                self.exchange(size)
        for capture in captures:
            all_packets, decoded = tshark(capture.path), tshark(capture.path, "-Y", "vxlan && eth && ip")
            self.assertGreater(len(all_packets), 100)
            self.assertEqual(len(decoded), len(all_packets))
            wrong = tshark(capture.path, "-Y", "_ws.malformed || _ws.expert.severity == error")
            self.assertEqual(wrong[:5], [])

    def test_outer_header(self):
        with self.captured() as captures:
            with Http(self.client, self.entry.ip) as http:
                http.digest("/file")
        ends = (self.entry.ip, self.host.ip)
        for capture, source, target in zip(captures, reversed(ends), ends):
            packets = fields(capture.path)
            for packet in packets:
                self.assertEqual((packet["ip.src"][0], packet["ip.dst"][0]), (source, target))
                self.assertEqual(packet["ip.ttl"][0], "64")
                self.assertEqual(packet["ip.flags.df"][0], "1")
                self.assertEqual(int(packet["udp.checksum"][0], 16), 0)
                self.assertEqual(packet["udp.dstport"][0], str(PORT))
                self.assertEqual(packet["vxlan.vni"], [str(VNI)])
                self.assertEqual(int(packet["vxlan.flags"][0], 16), 0x0800)
            # RFC 7348 section 5: from the inner headers, so that a flow keeps its path.
            ports = {packet["udp.srcport"][0] for packet in packets}
            self.assertEqual(len(ports), 1)
            self.assertGreaterEqual(int(min(ports)), 49152)

    def test_flows_spread_over_source_ports(self):
        with self.captured() as captures:
            self.client.flows(f"{self.entry.ip}:{WEB}", 50)
        for capture in captures:
            self.assertGreater(len({packet["udp.srcport"][0] for packet in fields(capture.path)}), 30)

    def test_inner_packet_is_the_clients_own(self):
        """Not rewritten on its way: the task's node does that."""
        with self.captured() as (_, towards_task):
            with Http(self.client, self.entry.ip) as http:
                http.whoami()
        for packet in fields(towards_task.path):
            self.assertEqual((packet["ip.src"][1], packet["ip.dst"][1]), (self.client.ip, self.entry.ip))
            self.assertEqual(packet["ip.ttl"][1], "64")
            self.assertEqual(packet["eth.dst"][1], self.web.mac)

    def test_reply_inside_is_what_the_client_gets(self):
        with self.captured() as (towards_entry, _):
            with Http(self.client, self.entry.ip) as http:
                http.whoami()
        for packet in fields(towards_entry.path):
            self.assertEqual((packet["ip.src"][1], packet["ip.dst"][1]), (self.entry.ip, self.client.ip))
            self.assertEqual(packet["ip.ttl"][1], "63")

    def test_ecn_is_copied_outwards(self):
        for ecn in (NOT_ECT, ECT0, ECT1, CE):
            with self.subTest(ecn=ecn), self.captured() as captures:
                self.exchange(request_tos=ecn, reply_tos=ecn)
            for capture in captures:
                seen = [packet["ip.dsfield.ecn"] for packet in fields(capture.path)]
                self.assertEqual(seen, [[str(ecn), str(ecn)]])


def ip_checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip_packet(source, target, tos_value, protocol, payload):
    def header(check):
        return struct.pack("!BBHHHBBH4s4s", 0x45, tos_value, 20 + len(payload), 1, 0, 64, protocol, check,
                           socket.inet_aton(source), socket.inet_aton(target))
    return header(ip_checksum(header(0))) + payload


def udp_datagram(source_port, target_port, payload):
    return struct.pack("!HHHH", source_port, target_port, 8 + len(payload), 0) + payload


def vxlan_frame(target_mac, packet, vni=VNI):
    mac = bytes.fromhex(target_mac.replace(":", ""))
    ethernet = mac + bytes.fromhex("020000000001") + struct.pack("!H", 0x0800)
    return struct.pack("!II", 0x08000000, vni << 8) + ethernet + packet


class HandMadeFrameTest(unittest.TestCase):
    """VXLAN from a plain UDP socket on host2, for a task on host1."""

    @classmethod
    def setUpClass(cls):
        cls.lab = start_lab(cls, hosts=2)
        cls.host, cls.sender = cls.lab.hosts
        cls.task = cls.host.task("here1", ["sleep", "1000"])
        cls.host.start_daemon(cls.lab.mesh([
            cls.lab.service("echo", ECHO, ECHO, [cls.task], protocol="udp")]))
        receive_tos = (socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        cls.receiver = make_socket(cls.task, socket.SOCK_DGRAM, ECHO, options=[receive_tos])
        cls.addClassCleanup(cls.receiver.close)

    def send(self, payload, inner_tos=0, outer_tos=0, vni=VNI, mac=None):
        packet = ip_packet("10.99.0.101", self.sender.ip, inner_tos, socket.IPPROTO_UDP,
                           udp_datagram(7777, ECHO, payload))
        with make_socket(self.sender, socket.SOCK_DGRAM, options=[tos(outer_tos)]) as sending:
            sending.sendto(vxlan_frame(mac or self.task.mac, packet, vni), (self.host.ip, PORT))

    def received(self):
        data, extra, _, _ = self.receiver.recvmsg(65535, 256)
        return data, next(value[0] for level, kind, value in extra if kind == socket.IP_TOS)

    def counted(self, reason):
        return reasons(self.host)[reason]

    def test_ecn_at_the_tunnels_end(self):
        dscp = 10 << 2
        for inner, row in DECAPSULATED.items():
            for outer, wanted in row.items():
                with self.subTest(inner=inner, outer=outer):
                    payload = f"{inner} {outer}".encode()
                    before = self.counted("drop_ecn")
                    self.send(payload, dscp | inner, outer)
                    if wanted is DROPPED:
                        wait_for(lambda: self.counted("drop_ecn") == before + 1, 5, "it is dropped")
                    else:
                        self.assertEqual(self.received(), (payload, dscp | wanted))

    def test_other_vni_is_the_kernels(self):
        before = self.counted("tunnel_not_ours")
        self.send(b"other", vni=VNI + 1)
        wait_for(lambda: self.counted("tunnel_not_ours") == before + 1, 5, "it is left to the kernel")
        self.send(b"ours")
        self.assertEqual(self.received()[0], b"ours")

    def test_unknown_task_is_dropped(self):
        before = self.counted("drop_unknown_task")
        self.send(b"nobody", mac="02:42:0a:01:00:63")
        wait_for(lambda: self.counted("drop_unknown_task") == before + 1, 5, "it is dropped")


VXLAN = """set -e
ip link add br0 type bridge
ip link set br0 up
ip link add vx0 mtu 1450 type vxlan id {vni} dstport {port} local {local} nolearning {checksum}
ip link set vx0 master br0 up
bridge fdb append 00:00:00:00:00:00 dev vx0 dst {remote}
"""
PLAIN = """set -e
ip netns add {name}
ip link add {name} mtu 1450 type veth peer name eth0 mtu 1450 address {mac} netns {name}
ip link set {name} master br0 up
nsenter --net=/run/netns/{name} sh -e <<END
ethtool -K eth0 tx off
ip link set lo up
ip link set eth0 up
ip address add {address}/32 dev lo
echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
ip route add 169.254.1.1 dev eth0
ip neigh add 169.254.1.1 lladdr {peer_mac} dev eth0
ip route add default via 169.254.1.1 src {address}
END
"""


def return_mac(vtep):
    """What the mesh puts before a reply on its way back through a node."""
    return "0a:20:" + ":".join(f"{int(byte):02x}" for byte in vtep.split("."))


def echo_server(listening):
    """Answers with what it gets, for each connection until its end."""
    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


class KernelVxlan:
    """The kernel's vxlan device at the other end; what follows says how it is set up."""
    vni, port, checksum = VNI, PORT, "udpcsum"

    @classmethod
    def setUpClass(cls):
        cls.lab = start_lab(cls, hosts=2)
        cls.client, (cls.host, cls.plain) = cls.lab.client, cls.lab.hosts
        cls.web = cls.host.task("web1")
        backend = {"node": cls.plain.name, "address": "10.2.0.2", "mac": "02:42:0a:02:00:02"}
        cls.host.start_daemon(cls.lab.mesh([
            cls.lab.service("plain", 9000, 9000, [backend]),
            cls.lab.service("plain-udp", 9000, 9000, [backend], protocol="udp"),
            cls.lab.service("web", WEB, 80, [cls.web])], vni=cls.vni, vxlan_port=cls.port))
        cls.plain.run(VXLAN.format(vni=cls.vni, port=cls.port, checksum=cls.checksum,
                                   local=cls.plain.ip, remote=cls.host.ip))
        cls.server = cls.add_plain("plain1", backend["mac"], cls.host.ip, return_mac(cls.host.ip))
        cls.visitor = cls.add_plain("plain2", return_mac(cls.plain.ip), "172.16.0.1", cls.web.mac)
        cls.digest = cls.lab.blob("file", 2)

    @classmethod
    def add_plain(cls, name, mac, address, peer_mac):
        """A namespace on the bridge; the path to it as this process sees it."""
        cls.plain.run(PLAIN.format(name=name, mac=mac, address=address, peer_mac=peer_mac))
        return f"/proc/{cls.plain.spaces.pid}/root/run/netns/{name}"

    def test_kernel_takes_what_we_encapsulate(self):
        """client --> host1 --> kernel vxlan --> a server that has the task's MAC, and back."""
        listening = make_socket(self.server, port=9000)
        listening.listen(5)
        thread = echo_server(listening)
        data = (self.lab.static / "file").read_bytes()
        with make_socket(self.client) as talking:
            talking.connect((self.host.ip, 9000))
            sending = threading.Thread(target=talking.sendall, args=(data,))
            sending.start()
            got = bytearray()
            while len(got) < len(data):
                piece = talking.recv(1 << 18)
                self.assertTrue(piece, "closed early")
                got += piece
            sending.join()
        self.assertEqual(bytes(got), data)
        inside(self.server, lambda: listening.shutdown(socket.SHUT_RDWR))
        thread.join()
        listening.close()

    def test_kernel_takes_our_datagrams(self):
        with make_socket(self.server, socket.SOCK_DGRAM, 9000) as serving, \
                make_socket(self.client, socket.SOCK_DGRAM) as asking:
            for size in (1, 1000, 1422):  # the last fills the tunnel's MTU
                asking.sendto(bytes(size), (self.host.ip, 9000))
                data, sender = serving.recvfrom(65535)
                self.assertEqual((len(data), sender), (size, (self.client.ip, asking.getsockname()[1])))
                serving.sendto(data, sender)
                self.assertEqual(len(asking.recv(65535)), size)

    def test_we_take_what_the_kernel_encapsulates(self):
        """A client behind the kernel's vxlan device --> the task on host1, and back."""
        with Http(self.visitor, self.plain.ip) as http:
            own = f"172.16.0.1:{http.socket.getsockname()[1]}"
            self.assertEqual(http.whoami(), ["web1", own])
            self.assertEqual(http.digest("/file"), self.digest)
            http.put("/upload/file", self.lab.static / "file")
        self.assertEqual((self.web.uploads / "file").read_bytes(), (self.lab.static / "file").read_bytes())
        self.assertEqual(self.web.snmp("TcpInCsumErrors"), 0)


class KernelVxlanTest(KernelVxlan, unittest.TestCase):
    pass


class KernelVxlanOtherNumbersTest(KernelVxlan, unittest.TestCase):
    vni, port, checksum = 77, 8472, "noudpcsum"


if __name__ == "__main__":
    unittest.main()
