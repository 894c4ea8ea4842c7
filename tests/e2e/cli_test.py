# SPDX-License-Identifier: BSD-2-Clause
"""
What `fairlead` says of a node, with the daemon alive and dead.

    client1 ---+--- host1 (web1)
               `--- host2 (web2)
"""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lab import Lab, wait_for  # noqa: E402

RESERVED = "/proc/sys/net/ipv4/ip_local_reserved_ports"


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = cls.enterClassContext(Lab(hosts=2))
        cls.host = cls.lab.host(1)
        cls.web = [cls.lab.host(1).task("web1"), cls.lab.host(2).task("web2")]
        cls.host.run(f"echo 5000-5002 > {RESERVED}")
        cls.mesh = cls.lab.mesh([cls.lab.service("web", 8000, 80, [cls.web[0], cls.web[1].backend(weight=3)])],
                                ret="symmetric")
        cls.lab.start_daemons(cls.mesh)
        for _ in range(40):
            cls.lab.client.curl("http://10.99.0.1:8000/whoami")

    def json(self, *words):
        return json.loads(self.host.fairlead(*words, "--json"))

    def test_services(self):
        [web] = self.json("services")
        self.assertEqual((web["name"], web["published"], web["target"], web["protocol"], web["return"]),
                         ("web", 8000, 80, "tcp", "symmetric"))
        self.assertEqual(web["backends"], 2)

    def test_checksums_agree_between_nodes(self):
        other = json.loads(self.lab.host(2).fairlead("services", "--json"))
        self.assertEqual(self.json("services")[0]["checksum"], other[0]["checksum"])

    def test_backends_and_their_shares(self):
        rows = {row["address"]: row for row in self.json("backends")}
        self.assertAlmostEqual(rows[self.web[0].address]["share"], 25, delta=0.2)
        self.assertEqual(rows[self.web[0].address]["kind"], "local")
        self.assertEqual(rows[self.web[1].address]["kind"], "remote")
        self.assertEqual(sum(row["connections"] for row in rows.values()), 40)

    def test_counters_add_up(self):
        counters = self.json("counters")
        backends = self.json("backends")
        self.assertEqual(counters["entry_local"] + counters["entry_remote"],
                         sum(row["packets"] for row in backends))
        self.assertEqual([name for name, n in counters.items() if n and name.startswith("drop_")], [])

    def test_flows_name_the_client(self):
        flows = self.json("flows")
        self.assertTrue(flows)
        for flow in flows:
            self.assertTrue(flow["client"].startswith("10.99.0.101:"), flow)
            self.assertEqual(flow["published"], "10.99.0.1:8000")
            self.assertEqual(flow["task"], self.web[0].address)

    def test_trace_tells_what_happens(self):
        """The trace's task is the one that answers a client with that very address and port."""
        for port in range(30000, 30012):
            said = self.host.fairlead("trace", "--src", f"10.99.0.101:{port}", "--dst", "host1:8000")
            answer = self.lab.client.curl("http://10.99.0.1:8000/whoami", "--local-port", str(port))
            web = self.web[0] if answer.startswith("web1") else self.web[1]
            self.assertIn(f"task {web.address} on", said)

    def test_trace_of_others(self):
        said = self.host.fairlead("trace", "--src", "1.2.3.4:5", "--dst", "10.99.0.1:22")
        self.assertIn("not published", said)
        self.assertIn("pass to the kernel", said)
        said = self.host.fairlead("trace", "--src", "1.2.3.4:5", "--dst", "9.9.9.9:8000")
        self.assertIn("not an address of this node", said)

    def test_watch_shows_packets(self):
        watch = self.host.popen([self.binary(), "watch", "--limit", "3"], stdout=-1, text=True)
        wait_for(lambda: self.lab.client.curl("http://10.99.0.1:8000/whoami") and watch.poll() is not None,
                 10, "three sampled packets")
        lines = watch.communicate()[0].splitlines()
        self.assertEqual(len(lines), 3)
        self.assertIn("entry_", "".join(lines))

    @staticmethod
    def binary():
        from lab.tools import BUILD
        return BUILD / "agent/fairlead"

    def test_bad_words_are_refused(self):
        for words in (["nonsense"], ["trace"], ["trace", "--src", "1.2.3.4"], ["flows", "--limit", "x"], []):
            result = self.host.run([self.binary(), *words], check=False)
            self.assertEqual(result.returncode, 2, words)
            self.assertIn("fairlead", result.stderr)

    def test_published_ports_are_reserved(self):
        self.assertEqual(self.host.run(f"cat {RESERVED}").stdout.strip(), "5000-5002,8000")

    def test_works_with_the_daemon_dead(self):
        self.host.kill_daemon(9)
        self.assertEqual(self.json("services")[0]["name"], "web")
        self.assertTrue(self.lab.client.curl("http://10.99.0.1:8000/whoami").startswith("web"))
        self.host.start_daemon(self.mesh)


class Detach(unittest.TestCase):
    def test_nothing_stays(self):
        with Lab(hosts=1) as lab:
            host = lab.host(1)
            host.run(f"echo 5000-5002 > {RESERVED}")
            mesh = lab.mesh([lab.service("web", 8000, 80, [host.task("web1")])])
            host.start_daemon(mesh)
            self.assertTrue(lab.client.curl("http://10.99.0.1:8000/whoami").startswith("web1"))
            host.kill_daemon(15)
            host.fairlead("detach")
            self.assertEqual(host.run("ls /sys/fs/bpf").stdout.split(), ["maps.debug", "progs.debug"])
            self.assertNotIn("xdp", host.run("ip -d link show eth0").stdout)
            for interface in ("eth0", "veth-web1"):
                self.assertNotIn("fl_", host.run(f"tc filter show dev {interface} ingress").stdout)
            self.assertEqual(host.run(f"cat {RESERVED}").stdout.strip(), "5000-5002")
            lab.client.ping("10.99.0.1")


if __name__ == "__main__":
    unittest.main()
