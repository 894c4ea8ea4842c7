#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Published ports: each node answers for tasks that run here and elsewhere.

       client1 10.99.0.101                          routed: client1 198.51.100.1
          |                                                    |
    ------+------+--------------+--------------+---         router (a hop, and a route)
                 |              |              |               |
               host1          host2          host3       ------+---- ...
               10.99.0.1      10.99.0.2      10.99.0.3
               web1 echo1     web2 echo2     (no task)        8000/tcp -> 80, 7007/udp -> 7007
"""
import unittest

from support import (ECHO, WEB, Http, ask_udp, checksum_errors, file_digest, http_to, reasons,
                     start_lab, wait_for)

SMALL_MIB, BIG_MIB = 4, 100
LOG_PORTS, LOG_COUNT = 1024, 200  # below what other sockets of the tests use


class PublishedPort:
    """The tests; what follows it says how packets return and where the client is."""
    ret, routed = "symmetric", False
    daemon_arguments = {}  # by number of host

    @classmethod
    def setUpClass(cls):
        cls.lab = start_lab(cls, hosts=3, routed=cls.routed)
        cls.client = cls.lab.client
        cls.prepare()
        cls.webs = [cls.lab.host(n).task(f"web{n}") for n in (1, 2)]
        cls.echoes = [cls.lab.host(n).task(f"echo{n}", "udpecho", port=ECHO) for n in (1, 2)]
        cls.mesh = cls.lab.mesh([
            cls.lab.service("web", WEB, 80, cls.webs),
            cls.lab.service("echo", ECHO, ECHO, cls.echoes, protocol="udp")], ret=cls.ret)
        for host in cls.lab.hosts:
            host.start_daemon(cls.mesh, cls.daemon_arguments.get(host.number, ()), timeout=60)
        cls.small = cls.lab.blob("small", SMALL_MIB)
        cls.big = cls.lab.blob("big", BIG_MIB)

    @classmethod
    def prepare(cls):
        """What is special about the machines of a subclass."""

    def tearDown(self):
        self.assertEqual(checksum_errors(self.lab), {})

    def each_way(self):
        """(entry node, task)"""
        return [(host, web) for host in self.lab.hosts for web in self.webs]

    def test_tcp_through_each_host(self):
        for host in self.lab.hosts:
            with self.subTest(entry=host.name):
                found = self.client.flows(f"{host.ip}:{WEB}", 200)
                self.assertEqual(found.errors, {})
                self.assertEqual(set(found.answers), {"web1", "web2"})

    def test_udp_through_each_host(self):
        for host in self.lab.hosts:
            with self.subTest(entry=host.name):
                found = self.client.flows(f"{host.ip}:{ECHO}", 200, udp=True, attempts=5, wait_ms=2000)
                self.assertEqual(found.errors, {})
                self.assertEqual(set(found.answers), {"echo1", "echo2"})

    def test_task_sees_the_client(self):
        for host, web in self.each_way():
            with self.subTest(entry=host.name, task=web.name), http_to(web, self.client, host.ip) as http:
                self.assertEqual(http.whoami(), [web.name, http.own])
                self.assertEqual(http.own.split(":")[0], self.client.ip)

    def test_udp_task_sees_the_client(self):
        for host in self.lab.hosts:
            seen = set()
            while seen != {"echo1", "echo2"}:
                (name, sender, payload), port = ask_udp(self.client, host.ip)
                self.assertEqual((sender, payload), (f"{self.client.ip}:{port}", "hello"))
                seen.add(name)

    def test_log_has_the_client(self):
        """Address and port of each connection, as the client had them."""
        for host in self.lab.hosts:
            first = LOG_PORTS + host.number * LOG_COUNT
            wanted = set(range(first, first + LOG_COUNT))
            found = self.client.flows(f"{host.ip}:{WEB}", LOG_COUNT, ports=(first, first + LOG_COUNT - 1))
            self.assertEqual(found.errors, {})
            lines = wait_for(lambda: self.logged(wanted), 5, "the log has all ports")
            self.assertEqual({line.address for line in lines}, {self.client.ip})

    def logged(self, ports):
        """The log's lines about these ports, once it has all of them."""
        lines = [line for web in self.webs for line in web.logs() if line.port in ports]
        return lines if {line.port for line in lines} == ports else None

    def test_download_is_intact(self):
        for host, web in self.each_way():
            with self.subTest(entry=host.name, task=web.name), http_to(web, self.client, host.ip) as http:
                self.assertEqual(http.digest("/small"), self.small)

    def test_upload_is_intact(self):
        for host, web in self.each_way():
            with self.subTest(entry=host.name, task=web.name), http_to(web, self.client, host.ip) as http:
                http.put("/upload/small", self.lab.static / "small")
                self.assertEqual(file_digest(web.uploads / "small"), self.small)
                (web.uploads / "small").unlink()

    def test_big_download_is_intact(self):
        """Entry node, task's node and client are three machines."""
        with http_to(self.webs[1], self.client, self.lab.host(3).ip) as http:
            self.assertEqual(http.digest("/big"), self.big)

    def test_big_upload_is_intact(self):
        with http_to(self.webs[0], self.client, self.lab.host(3).ip) as http:
            http.put("/upload/big", self.lab.static / "big")
        self.assertEqual(file_digest(self.webs[0].uploads / "big"), self.big)
        (self.webs[0].uploads / "big").unlink()

    def test_replies_go_the_way_that_was_asked_for(self):
        """symmetric: back through the entry node; dsr: straight from the task's node."""
        entry = self.lab.host(3)
        before = reasons(entry)["tunnel_return"]
        with Http(self.client, entry.ip) as http:
            http.whoami()
        returned = reasons(entry)["tunnel_return"] - before
        (self.assertEqual if self.ret == "dsr" else self.assertGreater)(returned, 0)

    def test_full_size_everywhere(self):
        """An MTU of 1500 on all links: TCP still fits, for the task's side says so in its MSS."""
        self.assertIn("mtu 1500", self.client.output("ip link show eth0"))
        self.assertIn("mtu 1500", self.lab.host(1).output("ip link show eth0"))
        with http_to(self.webs[1], self.client, self.lab.host(3).ip) as http, \
                self.lab.capture(self.lab.switch, "udp port 4789 and greater 1500", "host2",
                                 options=("-Q", "out"), snaplen=128) as capture:
            http.put("/upload/full", self.lab.static / "small")
            self.assertGreater(capture.count("greater", "1514"), 0)
            self.assertEqual(capture.count("greater", "1515"), 0)
        before = [reasons(host)["icmp_too_big"] for host in self.lab.hosts]
        self.assertEqual(before, [0, 0, 0])


class SymmetricTest(PublishedPort, unittest.TestCase):
    pass


class DsrTest(PublishedPort, unittest.TestCase):
    ret = "dsr"


class RoutedSymmetricTest(PublishedPort, unittest.TestCase):
    routed = True


class RoutedDsrTest(PublishedPort, unittest.TestCase):
    ret, routed = "dsr", True


if __name__ == "__main__":
    unittest.main()
