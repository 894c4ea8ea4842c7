#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Shares by weight, and that only the flows of a backend that comes or goes move.

       client1 10.99.0.101 and 10.99.0.128/25
          |
    ------+------+--------------+--------------+---
                 |              |              |
               host1          host2          host3
               web1 echo1     web2 echo2     web3 echo3       8000/tcp -> 80, 7007/udp -> 7007
               weight 1       weight 2       weight 5
"""
import socket
import unittest

from support import ECHO, RESET_AT_CLOSE, WEB, Http, make_socket, send_until_answered, start_lab

WEIGHTS = (1, 2, 5)
FLOWS, TOLERANCE = 10000, 0.02
SOURCES, PORTS = ("10.99.0.128", "10.99.0.227"), (40000, 40099)
WATCHED_PORTS = range(20000, 20600)


class WeightsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = start_lab(cls, hosts=3)
        cls.client = cls.lab.client
        cls.client.own("10.99.0.128/25")
        cls.webs = [host.task(f"web{host.number}") for host in cls.lab.hosts]
        cls.echoes = [host.task(f"echo{host.number}", "udpecho", port=ECHO) for host in cls.lab.hosts]
        cls.lab.start_daemons(cls.mesh())

    @classmethod
    def mesh(cls, webs=None, echoes=None, weights=WEIGHTS):
        def weighed(tasks):
            return [task if isinstance(task, dict) else task.backend(weight)
                    for task, weight in zip(tasks, weights)]
        return cls.lab.mesh([
            cls.lab.service("web", WEB, 80, weighed(webs or cls.webs)),
            cls.lab.service("echo", ECHO, ECHO, weighed(echoes or cls.echoes), protocol="udp")])

    def setUp(self):
        self.lab.reload(self.mesh())

    def assert_shares(self, answers, name, weights=WEIGHTS):
        total = sum(answers.values())
        for number, weight in enumerate(weights, 1):
            share = answers.get(f"{name}{number}", 0) / total
            self.assertAlmostEqual(share, weight / sum(weights), delta=TOLERANCE, msg=f"{name}{number}: {answers}")

    def test_shares_of_connections(self):
        for host in self.lab.hosts:
            with self.subTest(entry=host.name):
                found = self.client.flows(f"{host.ip}:{WEB}", FLOWS, sources=SOURCES, ports=PORTS, timeout=60,
                                          wait_ms=30000)
                self.assertEqual((found.errors, sum(found.answers.values())), ({}, FLOWS))
                self.assert_shares(found.answers, "web")

    def test_shares_of_datagrams(self):
        for host in self.lab.hosts:
            with self.subTest(entry=host.name):
                found = self.client.flows(f"{host.ip}:{ECHO}", FLOWS, udp=True, sources=SOURCES, ports=PORTS,
                                          timeout=60, attempts=5, wait_ms=3000)
                self.assertEqual((found.errors, sum(found.answers.values())), ({}, FLOWS))
                self.assert_shares(found.answers, "echo")

    def test_shares_follow_a_change(self):
        self.lab.reload(self.mesh(weights=(5, 2, 1)))
        found = self.client.flows(f"{self.lab.host(1).ip}:{WEB}", FLOWS, sources=SOURCES, ports=PORTS, timeout=60,
                                  wait_ms=30000)
        self.assertEqual(found.errors, {})
        self.assert_shares(found.answers, "web", (5, 2, 1))

    def tcp_owners(self):
        """{source port: task} of new connections; each ends by RST, so that its port is free at once."""
        owners = {}
        for port in WATCHED_PORTS:
            with Http(self.client, self.lab.host(1).ip, source_port=port, options=[RESET_AT_CLOSE]) as http:
                owners[port] = http.whoami()[0]
        return owners

    def udp_owners(self):
        owners = {}
        for port in WATCHED_PORTS:
            with make_socket(self.client, socket.SOCK_DGRAM, port) as asking:
                asking.connect((self.lab.host(1).ip, ECHO))
                owners[port] = send_until_answered(asking, "who").split()[0]
        return owners

    def check_moves(self, owners, name, gone):
        """Takes one away and brings it back: no flow moves but to it and from it."""
        before = owners()
        self.assertEqual(set(before.values()), {f"{name}{number}" for number in (1, 2, 3)})
        self.lab.reload(gone)
        without = owners()
        self.assertEqual(set(without.values()), {f"{name}1", f"{name}2"})
        moved = {port for port in before if before[port] != without[port]}
        self.assertEqual(moved, {port for port in before if before[port] == f"{name}3"})
        self.lab.reload(self.mesh())
        again = owners()
        return {again[port] for port in again if again[port] != without[port]}

    def test_connections_of_others_stay(self):
        self.assertEqual(self.check_moves(self.tcp_owners, "web", self.mesh(webs=self.webs[:2])), {"web3"})

    def test_connections_of_others_stay_when_one_drains(self):
        draining = [*self.webs[:2], self.webs[2].backend(state="drain")]
        self.assertEqual(self.check_moves(self.tcp_owners, "web", self.mesh(webs=draining)), {"web3"})

    def test_datagrams_of_others_stay(self):
        """And those that others got meanwhile stay with them: they are not new."""
        self.assertEqual(self.check_moves(self.udp_owners, "echo", self.mesh(echoes=self.echoes[:2])), set())


if __name__ == "__main__":
    unittest.main()
