#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Nothing breaks: backends come, go, drain and change weight, the entry node changes, and nodes hear of
all that at different moments, while connections are open.

       client1   192.0.2.10 (the VIP) by host1, later by host2
          |
    ------+------+--------------+--------------+---
                 |              |              |
               host1          host2          host3
               web1 web4      web2           web3             8000/tcp -> 80
"""
import contextlib
import itertools
import unittest

from downloads import Downloads
from keepalive import KeepAlive
from support import OWN_PORTS, RESET_AT_CLOSE, WEB, Http, reasons, services, start_lab

MIB = 1 << 20
VIP = "192.0.2.10"
CLIENTS, IDLE, DOWNLOADS = 36, 12, 36


class Traffic:
    """Open connections of each kind: such as ask often, such as say nothing, and downloads."""

    def __init__(self, case, addresses):
        self._case, self._client = case, case.client
        self._keepalive = KeepAlive(case.client, addresses, CLIENTS)
        self._idle = [Http(case.client, addresses[i % len(addresses)]) for i in range(IDLE)]
        for http in self._idle:
            http.task = http.whoami()[0]
        self._downloads = Downloads(case.client, addresses, "file", MIB, case.digest, DOWNLOADS)

    def __enter__(self):
        self._keepalive.__enter__()
        return self

    def __exit__(self, *exception):
        self._keepalive.__exit__(*exception)
        self._downloads.finish()
        for http in self._idle:
            http.close()

    @property
    def tasks(self):
        """Those that have connections which ask."""
        return {client.task for client in self._keepalive.clients}

    def under_way(self):
        """Packets of all that ask are sent after what was changed last; answers may have to wait."""
        self._keepalive.wait_asked()

    def goes_on(self, without=()):
        """Each connection works, but those of the tasks named."""
        keep = {client.task for client in self._keepalive.clients} - set(without)
        self._keepalive.wait_answered(keep)
        broken = [client for client in self._keepalive.clients if client.broken and client.task in keep]
        self._case.assertEqual([str(client) for client in broken], [])

    def ends_well(self):
        """The silent ones speak, the downloads end, and nothing broke."""
        self.goes_on()
        for http in self._idle:
            self._case.assertEqual(http.whoami()[0], http.task)
        self._case.assertEqual(self._downloads.finish(), [])


class ChangeCase(unittest.TestCase):
    """Before each test: web1 and web2 on all hosts, and a history that no connection depends on."""
    ret = "symmetric"

    @classmethod
    def setUpClass(cls):
        cls.lab = start_lab(cls, hosts=3)
        cls.client, cls.addresses = cls.lab.client, [host.ip for host in cls.lab.hosts]
        cls.web1, cls.web2 = cls.lab.host(1).task("web1"), cls.lab.host(2).task("web2")
        cls.web3, cls.web4 = cls.lab.host(3).task("web3"), cls.lab.host(1).task("web4")
        cls.digest = cls.lab.blob("file", 1)
        cls.lab.start_daemons(cls.mesh([cls.web1, cls.web2]))

    @classmethod
    def mesh(cls, tasks):
        return cls.lab.mesh([cls.lab.service("web", WEB, 80, tasks)], ret=cls.ret, vips=[VIP])

    def setUp(self):
        self.lab.reload(self.mesh([self.web1, self.web2]))
        self.route(self.lab.host(1))

    def route(self, host):
        """The way to the VIP, as a router's ECMP would change it."""
        self.client.run(f"ip route replace {VIP}/32 via {host.ip}")

    def change(self, traffic, tasks, order=(1, 2, 3)):
        """Host after host hears of it, and each time packets are under way."""
        self.change_all([traffic], tasks, order)

    def change_all(self, open_traffic, tasks, order):
        mesh = self.mesh(tasks)
        for number in order:
            self.lab.host(number).reload(mesh)
            for traffic in open_traffic:
                traffic.under_way()
        found = [services(host)["web"] for host in self.lab.hosts]
        self.assertEqual(len({(service["generation"], service["checksum"]) for service in found}), 1)

    def new_connections(self, wanted):
        """Through each host, they go to these tasks and no other."""
        for host in self.lab.hosts:
            found = self.client.flows(f"{host.ip}:{WEB}", 100)
            self.assertEqual((found.errors, set(found.answers)), ({}, set(wanted)))


class BackendsTest(ChangeCase):
    def test_two_to_four_to_three(self):
        both, four = [self.web1, self.web2], [self.web1, self.web2, self.web3, self.web4]
        with Traffic(self, self.addresses) as old:
            self.change(old, four)
            old.goes_on()
            self.new_connections({"web1", "web2", "web3", "web4"})
            with Traffic(self, self.addresses) as new:
                self.assertEqual(new.tasks, {"web1", "web2", "web3", "web4"})
                self.change(new, [*both, self.web3], (3, 1, 2))
                new.goes_on(without={"web4"})
                self.new_connections({"web1", "web2", "web3"})
                old.goes_on()
            old.ends_well()

    def test_drain(self):
        """A draining task keeps what it has and gets nothing new; it may come back."""
        with Traffic(self, self.addresses) as traffic:
            self.change(traffic, [self.web1, self.web2.backend(state="drain"), self.web3])
            traffic.goes_on()
            self.new_connections({"web1", "web3"})
            self.change(traffic, [self.web1, self.web2, self.web3], (2, 3, 1))
            self.new_connections({"web1", "web2", "web3"})
            traffic.ends_well()

    def test_drained_task_goes(self):
        """Once its connections have ended nobody notices."""
        with Traffic(self, self.addresses) as traffic:
            self.change(traffic, [self.web1, self.web2.backend(state="drain"), self.web3])
            traffic.goes_on()
        with Traffic(self, self.addresses) as traffic:
            self.assertEqual(traffic.tasks, {"web1", "web3"})
            self.change(traffic, [self.web1, self.web3], (3, 2, 1))
            traffic.ends_well()

    def test_weights(self):
        with Traffic(self, self.addresses) as traffic:
            for first, second, order in ((1, 5, (1, 2, 3)), (7, 2, (3, 2, 1)), (1, 1, (2, 1, 3))):
                self.change(traffic, [self.web1.backend(first), self.web2.backend(second)], order)
                traffic.goes_on()
            traffic.ends_well()

    def test_all_orders(self):
        """Whichever node hears of a drain first, and of its end."""
        for order in itertools.permutations((1, 2, 3)):
            with self.subTest(order=order), Traffic(self, self.addresses) as traffic:
                self.change(traffic, [self.web1, self.web2.backend(state="drain"), self.web3], order)
                traffic.ends_well()
            self.lab.reload(self.mesh([self.web1, self.web2, self.web3]))

    def test_from_task_to_task(self):
        """Every slot changes its owner, and then again, whichever node hears of it first."""
        for order in itertools.permutations((1, 2, 3)):
            with self.subTest(order=order), contextlib.ExitStack() as stack:
                opened, tasks = [], [self.web1, self.web2, self.web3]
                for task in tasks:
                    self.change_all(opened, [task if task is other else other.backend(state="drain")
                                             for other in tasks], order)
                    self.new_connections({task.name})
                    opened.append(stack.enter_context(Traffic(self, self.addresses)))
                    self.assertEqual(opened[-1].tasks, {task.name})
                for traffic in opened:
                    traffic.ends_well()

    def test_opened_while_nodes_disagree(self):
        """Some hosts have the new generation, some the old one, when connections are opened."""
        drained = self.mesh([self.web1, self.web2.backend(state="drain"), self.web3])
        with contextlib.ExitStack() as stack:
            opened = []
            for number in (3, 1, 2):
                self.lab.host(number).reload(drained)
                opened.append(stack.enter_context(Traffic(self, self.addresses)))
                for traffic in opened:
                    traffic.under_way()
            for traffic in opened:
                traffic.ends_well()

    def test_port_that_was_used_before(self):
        """A connection of the same name has ended at the task that owns the slot by now: it is not this one."""
        first, second = ([self.web1.backend(a), self.web2.backend(b)] for a, b in ((1, 8), (8, 1)))
        ports = [next(OWN_PORTS) for _ in range(60)]

        def connections():
            return [Http(self.client, self.addresses[2], source_port=port, options=[RESET_AT_CLOSE])
                    for port in ports]
        self.lab.reload(self.mesh(first))
        before = {}
        for http in connections():
            before[http.socket.getsockname()] = http.whoami()[0]
            http.close()
        self.lab.reload(self.mesh(second))
        now = connections()
        tasks = [http.whoami()[0] for http in now]
        self.assertNotEqual(tasks, list(before.values()))
        self.lab.reload(self.mesh(first))
        for http, task in zip(now, tasks):
            self.assertEqual(http.whoami()[0], task)
            http.close()


class DsrBackendsTest(BackendsTest):
    ret = "dsr"


class EntryTest(ChangeCase):
    """The client reaches a virtual IP through another node than before."""

    def test_entry_node_changes(self):
        with Traffic(self, [VIP]) as traffic:
            for host in (self.lab.host(2), self.lab.host(3), self.lab.host(1)):
                entered = reasons(host)["entry_remote"]
                self.route(host)
                traffic.goes_on()
                self.assertGreater(reasons(host)["entry_remote"], entered)
            self.route(self.lab.host(2))
            traffic.ends_well()

    def test_entry_node_and_backends_change_at_once(self):
        """While only some nodes know of the new backends, packets come in through each of them."""
        four = [self.web1, self.web2.backend(5), self.web3, self.web4]
        with Traffic(self, [VIP]) as traffic:
            for tasks, order in ((four, (3, 1, 2)),
                                 ([self.web1, self.web2.backend(state="drain"), self.web3], (2, 3, 1))):
                for number in order:
                    self.lab.host(number).reload(self.mesh(tasks))
                    for entry in self.lab.hosts:
                        self.route(entry)
                        traffic.under_way()
                traffic.goes_on()
            traffic.ends_well()

    def test_entry_node_dies(self):
        """Its cable is pulled in the middle of downloads, and the route follows."""
        with Traffic(self, [VIP]) as traffic:
            self.route(self.lab.host(3))
            traffic.goes_on()
            self.lab.host(3).link(up=False)
            self.addCleanup(self.lab.host(3).link, up=True)
            self.route(self.lab.host(2))
            traffic.ends_well()


class DsrEntryTest(EntryTest):
    ret = "dsr"


if __name__ == "__main__":
    unittest.main()
