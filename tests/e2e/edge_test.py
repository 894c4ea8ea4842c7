#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What happens rarely, and has to be right all the same: fragments, path MTUs, errors, odd clients.

    flat                                          routed, with a narrow link

       client1                                       client1 (believes in 1500)
          |                                             |
    ------+------+-----------+----------+---            |  1300: the router says so by ICMP
                 |           |          |            router
               host1       host2      host3             |
               web1 echo1  web2 echo2            -------+-- host1, host2, host3
"""
import errno
import itertools
import socket
import struct
import threading
import unittest

from downloads import Downloads
from keepalive import KeepAlive
from support import (ECHO, WEB, Http, connect, http_to, inside, make_socket, send_until_answered,
                     start_lab)

CLOSED, NOBODY, DOWN, UNPUBLISHED, SHELL = 7001, 7002, 7003, 7004, 22
MIB = 1 << 20
INNER_MTU, NARROW_MTU = 1450, 1300
# Linux' numbers that Python's socket module does not name.
IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_RECVERR, IP_MTU = 10, 2, 11, 14
DONT_FRAGMENT = (socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
QUEUE_ERRORS = (socket.IPPROTO_IP, IP_RECVERR, 1)
TIME_EXCEEDED = 11


class EdgeCase(unittest.TestCase):
    """The lab of the picture."""
    ret, options = "symmetric", {}

    @classmethod
    def setUpClass(cls):
        cls.lab = lab = start_lab(cls, hosts=3, **cls.options)
        cls.client = lab.client
        cls.webs = [lab.host(n).task(f"web{n}") for n in (1, 2)]
        cls.echoes = [lab.host(n).task(f"echo{n}", "udpecho", port=ECHO) for n in (1, 2)]
        cls.digest = lab.blob("file", 1)
        (lab.static / "100k").write_bytes(bytes(100 << 10))
        cls.mesh = lab.mesh([
            lab.service("web", WEB, 80, cls.webs),
            lab.service("echo", ECHO, ECHO, cls.echoes, protocol="udp"),
            lab.service("closed", CLOSED, 4444, cls.echoes, protocol="udp"),
            lab.service("nobody", NOBODY, 80, []),
            lab.service("nobody-udp", NOBODY, 80, [], protocol="udp"),
            lab.service("down", DOWN, 80, [task.backend(state="down") for task in cls.webs])], ret=cls.ret)
        lab.start_daemons(cls.mesh)
        for task in cls.echoes:  # the kernel sends a client no more than a few errors a second
            task.namespace_run("echo 0 > /proc/sys/net/ipv4/icmp_ratelimit")

    def udp(self, host, port=ECHO, options=()):
        """A socket that asks one host."""
        made = make_socket(self.client, socket.SOCK_DGRAM, options=options)
        self.addCleanup(made.close)
        made.connect((host.ip, port))
        return made

    def udp_to(self, host, name, options=()):
        """A socket whose flow the mesh gave to this task."""
        for _ in range(100):
            made = self.udp(host, options=options)
            if send_until_answered(made, "who").split()[0] == name:
                return made
        self.fail(f"no flow falls to {name}")

    def each_way(self):
        """(entry node, number of the task's node)"""
        return [(host, number) for host in self.lab.hosts for number in (1, 2)]


class FragmentCases:
    def test_fragments_both_ways(self):
        """Longer than any link: the client's fragments, and the task's."""
        for (host, number), size in itertools.product(self.each_way(), (2000, 9000, 30000)):
            with self.subTest(entry=host.name, task_on=number, size=size):
                asking = self.udp_to(host, f"echo{number}")
                answer = send_until_answered(asking, f"size {size} ".ljust(size // 2, "."))
                self.assertEqual(len(answer), size)
                own = "{}:{}".format(*asking.getsockname())
                self.assertTrue(answer.startswith(f"echo{number} {own} size {size} "), answer[:60])

    def test_fragment_arrives_whole(self):
        """What a task gets is what was sent, byte for byte."""
        question = "".join(f"{i} " for i in range(3000))
        for host, number in self.each_way():
            with self.subTest(entry=host.name, task_on=number):
                answer = send_until_answered(self.udp_to(host, f"echo{number}"), question)
                self.assertTrue(answer.endswith(f" {question}"))

    def test_too_big_is_answered(self):
        """1468 bytes that may not be fragmented do not fit through the tunnel: the client is told."""
        for host in self.lab.hosts:
            with self.subTest(entry=host.name):
                self.client.run("ip route flush cache")
                asking = self.udp(host, options=[DONT_FRAGMENT])
                asking.send(bytes(INNER_MTU - 28 + 18))
                with self.assertRaises(OSError) as told:
                    asking.recv(2000)
                self.assertEqual(told.exception.errno, errno.EMSGSIZE)
                self.assertEqual(asking.getsockopt(socket.IPPROTO_IP, IP_MTU), INNER_MTU)
                with self.assertRaises(OSError) as refused:
                    asking.send(bytes(INNER_MTU - 28 + 1))
                self.assertEqual(refused.exception.errno, errno.EMSGSIZE)
                answer = send_until_answered(asking, "." * (INNER_MTU - 28))
                self.assertTrue(answer.endswith("." * (INNER_MTU - 28)))


class ErrorCases:
    def test_closed_port_of_a_task(self):
        """The task's port unreachable finds its way back to the client's socket."""
        for host in self.lab.hosts:
            with self.subTest(entry=host.name):
                for _ in range(8):  # of either task
                    asking = self.udp(host, CLOSED)
                    with self.assertRaises(ConnectionRefusedError):
                        send_until_answered(asking, "anybody?")

    def test_nobody_there(self):
        """A service without a backend, or with none that is up: refused at once, not timed out."""
        for host in self.lab.hosts:
            for port in (NOBODY, DOWN):
                with self.subTest(entry=host.name, port=port), self.assertRaises(ConnectionRefusedError):
                    connect(self.client, host.ip, port)
            with self.subTest(entry=host.name, protocol="udp"), self.assertRaises(ConnectionRefusedError):
                send_until_answered(self.udp(host, NOBODY), "anybody?")

    def test_unpublished_port_is_the_kernels(self):
        for host in self.lab.hosts:
            with self.subTest(entry=host.name):
                resets = host.snmp("TcpOutRsts")
                with self.assertRaises(ConnectionRefusedError):
                    connect(self.client, host.ip, UNPUBLISHED)
                self.assertGreater(host.snmp("TcpOutRsts"), resets)
                with self.assertRaises(ConnectionRefusedError):
                    send_until_answered(self.udp(host, UNPUBLISHED), "anybody?")

    def test_time_to_live(self):
        """A packet that dies at the entry node is reported by it, as traceroute expects."""
        hops = 2 if self.lab.routed else 1
        for host in self.lab.hosts:
            with self.subTest(entry=host.name):
                asking = self.udp(host, options=[QUEUE_ERRORS, (socket.IPPROTO_IP, socket.IP_TTL, hops)])
                asking.send(b"how far?")
                with self.assertRaises(OSError) as told:
                    asking.recv(2000)
                self.assertEqual(told.exception.errno, errno.EHOSTUNREACH)
                _, extra, _, _ = asking.recvmsg(2000, 512, socket.MSG_ERRQUEUE)
                self.assertEqual(extended_error(extra[0][2]), (TIME_EXCEEDED, 0, host.ip))

    def test_enough_time_to_live(self):
        hops = 3 if self.lab.routed else 2
        for host in self.lab.hosts:
            asking = self.udp(host, options=[(socket.IPPROTO_IP, socket.IP_TTL, hops)])
            self.assertIn("near", send_until_answered(asking, "near"))


class SymmetricTest(FragmentCases, ErrorCases, EdgeCase):
    pass


class DsrTest(FragmentCases, ErrorCases, EdgeCase):
    ret = "dsr"


class RoutedTest(FragmentCases, ErrorCases, EdgeCase):
    options = {"routed": True}


class NarrowCases:
    """The router's link to the client is narrower than the client thinks: its MSS is too large."""
    options = {"routed": True}

    def setUp(self):
        for interface in (self.client.name, "clients"):
            self.lab.router.run(f"ip link set {interface} mtu {NARROW_MTU}")
        self.addCleanup(self.widen)

    def widen(self):
        for interface in ("clients", self.client.name):
            self.lab.router.run(f"ip link set {interface} mtu 1500")
        for task in self.webs:
            task.namespace_run("ip route flush cache")

    def path_mtu(self, task):
        return f"mtu {NARROW_MTU}" in task.namespace_run(f"ip route get {self.client.ip}").stdout

    def test_narrow_path_is_learnt_by_the_task(self):
        for host, number in self.each_way():
            task = self.webs[number - 1]
            task.namespace_run("ip route flush cache")
            with self.subTest(entry=host.name, task_on=number), http_to(task, self.client, host.ip) as http:
                self.assertEqual(http.get("/100k"), bytes(100 << 10))
                self.assertEqual(http.digest("/file"), self.digest)
                self.assertTrue(self.path_mtu(task), "it has dropped")


class NarrowSymmetricTest(NarrowCases, EdgeCase):
    pass


class NarrowDsrTest(NarrowCases, EdgeCase):
    ret = "dsr"


class PortTest(unittest.TestCase):
    """A client that uses one port towards several nodes at once; one task gets all of it."""

    @classmethod
    def setUpClass(cls):
        cls.lab = lab = start_lab(cls, hosts=3)
        cls.client = lab.client
        cls.web = lab.host(1).task("web1")
        cls.echo = lab.host(1).task("echo1", "udpecho", port=ECHO)
        cls.digest = lab.blob("file", 1)
        lab.start_daemons(lab.mesh([
            lab.service("web", WEB, 80, [cls.web]),
            lab.service("echo", ECHO, ECHO, [cls.echo], protocol="udp")]))

    def test_same_port_to_all_hosts(self):
        port = 1999
        connections = [Http(self.client, host.ip, source_port=port) for host in self.lab.hosts]
        for http in connections:
            self.addCleanup(http.close)
        for _ in range(3):
            for http in connections:
                self.assertEqual(http.whoami()[1].split(":")[0], self.client.ip)
        for http in connections:
            self.assertEqual(http.digest("/file"), self.digest)
            http.put("/upload/file", self.lab.static / "file")
        seen = {http.whoami()[1] for http in connections}
        self.assertEqual(len(seen), len(connections), "the task tells them apart")
        self.assertIn(f"{self.client.ip}:{port}", seen)

    def test_same_udp_port_to_all_hosts(self):
        with make_socket(self.client, socket.SOCK_DGRAM, 1998) as asking:
            asking.settimeout(2)
            for question in range(5):
                for host in self.lab.hosts:
                    asking.sendto(f"{host.name} {question}".encode(), (host.ip, ECHO))
                    answer, sender = asking.recvfrom(2000)
                    self.assertEqual(sender, (host.ip, ECHO), "the answer comes from whom was asked")
                    self.assertTrue(answer.decode().endswith(f" {host.name} {question}"))


def serve(listening, data):
    """Sends data to each connection."""
    def run():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.sendall(data)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def receive_all(connection):
    data = bytearray()
    while piece := connection.recv(1 << 18):
        data += piece
    return bytes(data)


class NodeTest(unittest.TestCase):
    """What is not for a published port is the node's own, as if no mesh were there."""

    @classmethod
    def setUpClass(cls):
        cls.lab = lab = start_lab(cls, hosts=3)
        cls.client = lab.client
        cls.webs = [lab.host(n).task(f"web{n}") for n in (1, 2)]
        cls.digest = lab.blob("file", 1)
        cls.mesh = lab.mesh([lab.service("web", WEB, 80, cls.webs)])
        lab.start_daemons(cls.mesh)
        cls.data = (lab.static / "file").read_bytes()

    def listen(self, host, address, port):
        def make():
            listening = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address
                                             else socket.AF_INET)
            listening.settimeout(None)
            return listening
        listening = inside(host, make)
        thread = serve(listening, self.data)

        def end():
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            listening.close()
        self.addCleanup(end)

    def download(self, address, port):
        connection = inside(self.client, lambda: socket.create_connection((address, port), 20))
        with connection:
            return receive_all(connection)

    def test_traffic_like_ssh(self):
        """Port 22 of the node itself, long enough for every size of packet, and both ways."""
        for host in self.lab.hosts:
            self.listen(host, host.ip, SHELL)
            self.assertEqual(self.download(host.ip, SHELL), self.data)
        host = self.lab.host(1)
        host.run(["curl", "-sSf", f"http://{self.lab.host(2).ip}:{WEB}/whoami"])  # a node is a client too
        self.assertTrue(self.client.ping(host.ip, size=1472, dont_fragment=True))
        self.assertTrue(self.client.ping(host.ip, size=4000))

    def test_ipv6(self):
        """Also on the number of a published port, which is published for IPv4."""
        host = self.lab.host(1)
        host.run("ip address add fd00::1/64 dev eth0 nodad")
        self.client.run("ip address add fd00::101/64 dev eth0 nodad")
        for port in (SHELL, WEB):
            self.listen(host, "fd00::1", port)
            self.assertEqual(self.download("fd00::1", port), self.data)
        self.assertTrue(self.client.ping("fd00::1", size=1452))

    def test_neighbours_are_forgotten_under_way(self):
        """Whatever a node has to look up anew, nothing is lost for good."""
        addresses = [host.ip for host in self.lab.hosts]
        downloads = Downloads(self.client, addresses, "file", MIB, self.digest, 30)
        with KeepAlive(self.client, addresses, 18) as clients:
            for _ in range(3):
                for host in self.lab.hosts:
                    self.forget_neighbours(host)
                    clients.wait_answered()
            for host in self.lab.hosts:
                host.kill_daemon()
                self.forget_neighbours(host)
                clients.wait_answered()
                host.start_daemon(self.mesh)
            self.assertEqual(clients.broken(), [])
        self.assertEqual(downloads.finish(), [])

    @staticmethod
    def forget_neighbours(host):
        """ip tries until there is none left, and traffic makes new ones at once."""
        host.run("ip neigh flush dev eth0", check=False)

    def test_neighbour_gets_another_mac(self):
        """A node's network card is replaced: what is sent to it follows."""
        entry, other = self.lab.host(1), self.lab.host(2)
        old = other.output("cat /sys/class/net/eth0/address")
        self.addCleanup(self.set_mac, other, old)
        with KeepAlive(self.client, [entry.ip, self.lab.host(3).ip], 12) as clients:
            self.set_mac(other, "02:00:00:00:00:77")
            clients.wait_answered()
            self.assertEqual(clients.broken(), [])

    def set_mac(self, host, mac):
        """As a driver does, tells the network."""
        host.run(f"echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_notify; ip link set eth0 down; "
                 f"ip link set eth0 address {mac}; ip link set eth0 up")


def extended_error(data):
    """(type, code, offender) of a struct sock_extended_err and the address that follows it."""
    _, _, kind, code, _, _, _ = struct.unpack_from("=IBBBBII", data)
    return kind, code, socket.inet_ntoa(data[20:24])


if __name__ == "__main__":
    unittest.main()
