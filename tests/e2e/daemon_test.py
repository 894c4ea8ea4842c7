#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The daemon's life and death, and that the mesh outlives it.

       client1
          |
    ------+------+--------------+--------------+---
                 |              |              |
               host1          host2          host3
               web1           web2           (no task)        8000/tcp -> 80
"""
import copy
import json
import signal
import unittest

from downloads import Downloads
from lab.tools import BUILD
from support import WEB, Http, flows, services, start_lab, wait_for

MIB = 1 << 20
DOWNLOADS = 200
PINS = "/sys/fs/bpf/fairlead"


class DaemonCase(unittest.TestCase):
    """The lab of the picture. A test leaves all daemons running with cls.mesh."""

    @classmethod
    def setUpClass(cls):
        cls.lab = start_lab(cls, hosts=3)
        cls.client, cls.addresses = cls.lab.client, [host.ip for host in cls.lab.hosts]
        cls.webs = [cls.lab.host(n).task(f"web{n}") for n in (1, 2)]
        cls.digest = cls.lab.blob("file", 1)
        cls.mesh = cls.lab.mesh([cls.lab.service("web", WEB, 80, cls.webs)])
        cls.lab.start_daemons(cls.mesh)

    def all_answer(self):
        for host in self.lab.hosts:
            found = self.client.flows(f"{host.ip}:{WEB}", 30)
            self.assertEqual((found.errors, set(found.answers)), ({}, {"web1", "web2"}))


class DeathTest(DaemonCase):
    def die_and_come_back(self, number):
        """In the middle of downloads through all hosts: none breaks, new ones begin all the time."""
        downloads = Downloads(self.client, self.addresses, "file", MIB, self.digest, DOWNLOADS)
        for host in self.lab.hosts:
            host.kill_daemon(number)
            self.assertFalse(host.daemon.running)
            self.assertEqual(self.client.flows(f"{host.ip}:{WEB}", 20).errors, {})
            host.start_daemon(self.mesh)
            downloads.moved()
        self.assertEqual(downloads.open, DOWNLOADS, "they were in their middle all the time")
        self.assertEqual(downloads.finish(), [])
        self.all_answer()

    def test_kill_9_breaks_no_download(self):
        self.die_and_come_back(signal.SIGKILL)

    def test_sigterm_breaks_no_download(self):
        self.die_and_come_back(signal.SIGTERM)
        self.assertEqual(self.lab.host(1).kill_daemon(signal.SIGTERM), 0, "an orderly end")
        self.lab.host(1).start_daemon(self.mesh)

    def test_downloads_end_without_any_daemon(self):
        downloads = Downloads(self.client, self.addresses, "file", MIB, self.digest, 60)
        for host in self.lab.hosts:
            host.kill_daemon()
        self.assertEqual(downloads.finish(), [])
        self.all_answer()
        self.lab.start_daemons(self.mesh)


class AdoptionTest(DaemonCase):
    """A daemon that starts over a running data plane takes it as it is."""

    def setUp(self):
        self.connections = [Http(self.client, address) for address in self.addresses * 10]
        for http in self.connections:
            http.task = http.whoami()[0]
            self.addCleanup(http.close)

    def state(self, host):
        known = [{key: value for key, value in flow.items() if key != "idle_seconds"}
                 for flow in flows(host) if flow["state"] == "established"]
        rings = host.output(f"bpftool -j map lookup pinned {PINS}/maps/fl_rings key 1 0 0 0")
        return services(host), sorted(known, key=lambda flow: flow["client"]), json.loads(rings)["value"]

    def talk(self):
        for http in self.connections:
            self.assertEqual(http.whoami()[0], http.task)

    def test_restart_changes_nothing(self):
        for number in (signal.SIGKILL, signal.SIGTERM):
            for host in self.lab.hosts:
                before = self.state(host)
                host.kill_daemon(number)
                self.assertEqual(self.state(host), before, "while no daemon runs")
                host.start_daemon(self.mesh)
                self.assertEqual(self.state(host), before, "with a new daemon")
            self.talk()
        known = sum(len(self.state(host)[1]) for host in self.lab.hosts)
        self.assertGreaterEqual(known, len(self.connections))

    def test_restart_with_another_mesh_is_a_change(self):
        """What the file says anew is applied to what runs; connections stay."""
        web3 = self.lab.host(3).task("web3")
        mesh = self.lab.mesh([self.lab.service("web", WEB, 80, [*self.webs, web3])])
        before = services(self.lab.host(1))["web"]["generation"]
        for host in reversed(self.lab.hosts):  # who runs a new task is told of it first
            host.kill_daemon()
            host.start_daemon(mesh)
            self.talk()
        found = [services(host)["web"] for host in self.lab.hosts]
        self.assertEqual({service["generation"] for service in found}, {before + 1})
        self.assertEqual(len({service["checksum"] for service in found}), 1)
        self.assertIn("web3", self.client.flows(f"{self.addresses[0]}:{WEB}", 60).answers)
        for host in self.lab.hosts:
            host.kill_daemon()
            host.start_daemon(self.mesh)
            self.talk()


def backend(mesh):
    return mesh["services"][0]["backends"][0]


def second_service(mesh, **port):
    mesh["services"].append(copy.deepcopy(mesh["services"][0]))
    mesh["services"][1]["name"] = "other"
    mesh["services"][1]["ports"][0].update(port)


# What is wrong with a file: (what it does to a good one, or the file's text; the place that the message names)
BAD_FILES = {
    "unknown key": (lambda mesh: backend(mesh).update(colour="red"), "services[0].backends[0].colour: "),
    "duplicate port": (second_service, "services[1].ports[0]: "),
    "port 0": (lambda mesh: mesh["services"][0]["ports"][0].update(published=0),
               "services[0].ports[0].published: "),
    "weight 65536": (lambda mesh: backend(mesh).update(weight=65536), "services[0].backends[0].weight: "),
    "unknown node": (lambda mesh: backend(mesh).update(node="host9"), "services[0].backends[0].node: "),
    "invalid JSON": ('{"key": "00",\n "nodes": [}', "line 2, column 12: "),
    "64 MiB of [": ("[" * (64 << 20), "holds more than"),
    "empty": ("", "is empty"),
    "no nodes": (lambda mesh: mesh.pop("nodes"), "nodes: missing"),
    "bad address": (lambda mesh: backend(mesh).update(address="10.1.0.999"), "services[0].backends[0].address: "),
    "bad key": (lambda mesh: mesh.update(key="xyz"), "key: "),
    "other uplink": (lambda mesh: mesh.update(uplink="eth7"), None),  # --uplink comes first: a good file
}


def bad_text(mesh, spoil):
    if isinstance(spoil, str):
        return spoil
    spoilt = copy.deepcopy(mesh)
    spoil(spoilt)
    return json.dumps(spoilt)


class BadFileTest(DaemonCase):
    def put(self, host, text):
        new = host.daemon.mesh_path.with_suffix(".bad")
        new.write_text(text)
        new.rename(host.daemon.mesh_path)

    def test_reload_of_a_bad_file_changes_nothing(self):
        """The message names the file and the place; the mesh that runs, and its traffic, go on."""
        host = self.lab.host(1)
        connections = [Http(self.client, host.ip) for _ in range(10)]
        tasks = [http.whoami()[0] for http in connections]
        before = services(host)
        for name, (spoil, place) in BAD_FILES.items():
            if place is None:
                continue
            with self.subTest(name):
                since = host.daemon.log_path.stat().st_size
                self.put(host, bad_text(self.mesh, spoil))
                host.daemon.process.send_signal(signal.SIGHUP)
                host.daemon.wait_line("stays as it is", since, 30)
                self.assertIn(f"{host.daemon.mesh_path}: {place}", host.daemon.log(since))
                self.assertEqual(services(host), before)
                self.assertEqual([http.whoami()[0] for http in connections], tasks)
        for http in connections:
            http.close()
        host.reload(self.mesh)
        self.all_answer()

    def test_file_that_is_gone(self):
        host = self.lab.host(1)
        since = host.daemon.log_path.stat().st_size
        host.daemon.mesh_path.unlink()
        host.daemon.process.send_signal(signal.SIGHUP)
        host.daemon.wait_line("stays as it is", since, 10)
        self.assertIn(f"{host.daemon.mesh_path}: ", host.daemon.log(since))
        host.reload(self.mesh)

    def test_uplink_cannot_change_under_way(self):
        """Started without --uplink, for that comes before what the file says."""
        host = self.lab.host(3)
        host.kill_daemon()
        path = host.folder / "own.json"
        path.write_text(json.dumps({**self.mesh, "uplink": "eth0"}))
        log = host.folder / "own.log"
        with open(log, "w") as file:
            process = host.popen([BUILD / "agent/fairleadd", "--static", path, "--node", host.name],
                                 stdout=file, stderr=file)
        wait_for(lambda: "ready\n" in log.read_text(), 10, "the daemon is ready")
        path.write_text(json.dumps({**self.mesh, "uplink": "lo"}))
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "stays as it is" in log.read_text(), 10, "the daemon refuses")
        self.assertIn("the uplink cannot change from eth0 to lo", log.read_text())
        self.all_answer()
        process.terminate()
        process.wait(10)
        host.start_daemon(self.mesh)

    def test_start_with_a_bad_file(self):
        """Exit status 1, a message, and nothing is made."""
        bare = self.lab.host(3)
        bare.kill_daemon()
        bare.fairlead("detach")
        for name, (spoil, place) in BAD_FILES.items():
            with self.subTest(name):
                path = bare.folder / "bad.json"
                path.write_text(bad_text(self.mesh, spoil))
                uplink = [] if place is None else ["--uplink", "eth0"]
                done = bare.run([BUILD / "agent/fairleadd", "--static", path, "--node", bare.name, *uplink],
                                check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn("eth7" if place is None else f"{path}: {place}", done.stderr)
        self.assertNotIn("xdp", bare.output("ip link show eth0"))
        bare.start_daemon(self.mesh)
        self.all_answer()

    def test_words_that_it_does_not_know(self):
        host = self.lab.host(1)
        for words in ([], ["--static"], ["--colour"], ["--static", "x", "y"]):
            done = host.run([BUILD / "agent/fairleadd", *words], check=False)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("--help", done.stderr)


class DetachTest(DaemonCase):
    def traces(self, host):
        """What a data plane leaves on a machine."""
        return host.output(f"""
            ip -o link show | grep -o 'prog/xdp.*'
            for interface in $(ls /sys/class/net); do
                tc filter show dev $interface ingress; tc filter show dev $interface egress
            done
            ls -A {PINS} 2>/dev/null""", check=False)

    def test_detach_leaves_nothing(self):
        host = self.lab.host(2)
        web = self.webs[1]
        self.assertTrue(self.traces(host))
        host.kill_daemon(signal.SIGTERM)
        self.assertTrue(self.traces(host), "the data plane outlives its daemon")
        host.fairlead("detach")
        self.assertEqual(self.traces(host), "")
        # Traffic to the node itself, of every kind, and from it.
        self.assertTrue(self.client.ping(host.ip, count=5))
        self.assertTrue(self.client.ping(host.ip, size=1472, dont_fragment=True))
        self.assertTrue(host.ping(self.client.ip))
        found = self.client.flows(f"{host.ip}:{WEB}", 5)
        self.assertEqual(found.errors, {"refused": 5}, "nobody listens on the node")
        host.run("ip address add 10.2.0.1/32 dev veth-web2")  # the mesh answered for the gateway
        self.assertEqual(host.curl(f"http://{web.address}/"), "web2\n")
        host.run("ip address delete 10.2.0.1/32 dev veth-web2")
        host.fairlead("detach")  # once more: nothing to do is no error
        host.start_daemon(self.mesh)
        self.all_answer()

    def test_detach_under_a_running_daemon(self):
        """An operator may be quicker than the service manager: the node's own traffic works."""
        host = self.lab.host(3)
        host.fairlead("detach")
        self.assertEqual(self.traces(host), "")
        self.assertTrue(self.client.ping(host.ip))
        host.kill_daemon()
        host.start_daemon(self.mesh)
        self.all_answer()


if __name__ == "__main__":
    unittest.main()
