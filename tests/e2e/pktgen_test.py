#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The packet generator against the mesh, as it would be used against any load balancer.

    client1: fairlead-bench pktgen (net_af_packet, net_af_xdp), clients 10.99.0.192 to .207
       |             host1 (entry)          host2
    ---+-------------+----------------------+---  echo
"""
import json
import re
import subprocess
import unittest

from support import BUILD, ECHO, WEB, checksum_errors, reasons, start_lab, wait_for

EAL = "--no-huge -m 128 --no-pci --no-telemetry --log-level lib.eal:error"


@unittest.skipUnless((BUILD / "perf/fairlead-bench-dpdk").exists(), "built without DPDK")
class PktgenTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = start_lab(cls, hosts=2)
        cls.entry = cls.lab.host(1)
        cls.lab.start_daemons(cls.lab.mesh([
            cls.lab.service("echo", ECHO, ECHO, [cls.lab.host(2).task("echo", "udpecho", port=ECHO)], protocol="udp"),
            cls.lab.service("web", WEB, 80, [cls.lab.host(2).task("web")])]))

    def generate(self, port, *options, device="net_af_packet0,iface=eth0", where=None, seconds=2):
        """{word: number} of the report's lines."""
        mac = self.entry.output("cat /sys/class/net/eth0/address").strip()
        report = (where or self.lab.client).output([
            BUILD / "perf/fairlead-bench", "pktgen", "--device", device, "--mac", mac,
            "--to", f"{self.entry.ip}:{port}", "--from", "10.99.0.192/28", "--seconds", seconds, "--eal", EAL,
            *options])
        return {word: int(count) for word, count in re.findall(r"^(\w+).*?(\d+)", report, re.M)}

    def test_udp_comes_back(self):
        before = reasons(self.entry)["entry_remote"]
        report = self.generate(ECHO, "--flows", "500", "--rate", "2000")
        self.assertGreater(report["sent"], 3000)
        self.assertGreater(report["came"], report["sent"] * 0.9, report)
        self.assertGreaterEqual(reasons(self.entry)["entry_remote"] - before, report["sent"])
        self.assertEqual(checksum_errors(self.lab), {})

    def test_a_flood_of_connections(self):
        """Each SYN is the first of its flow, and nginx's host counts them as such."""
        before = reasons(self.entry)["entry_remote"]
        report = self.generate(WEB, "--kind", "syn", "--flows", "4000", "--rate", "2000", "--size", "100")
        self.assertGreaterEqual(reasons(self.entry)["entry_remote"] - before, report["sent"])
        self.assertEqual(checksum_errors(self.lab), {})

    def test_af_xdp(self):
        """As fast as it goes; then at a rate, where next to nothing may be lost."""
        flood = self.generate(ECHO, device="net_af_xdp0,iface=eth0", seconds=1)
        self.assertGreater(flood["sent"], 20000)
        report = self.generate(ECHO, "--flows", "500", "--rate", "2000", device="net_af_xdp0,iface=eth0")
        self.assertGreater(report["sent"], 3000)
        self.assertGreater(report["came"], report["sent"] * 0.9, report)
        self.assertNotIn("xdp", self.lab.client.output("ip link show eth0"), "it takes its program off")

    def test_memif(self):
        """Two processes on one machine and shared memory between them: what it sends comes back encapsulated."""
        forwarder = self.entry.popen([
            BUILD / "dataplane/dpdk/fairlead-dpdk", "--uplink", "eth0", "--queues", "1", "--idle", "20",
            "--device", "net_memif0,role=server,socket=/run/memif.sock", "--memory", "128"],
            stderr=subprocess.DEVNULL)
        try:
            shown = wait_for(lambda: json.loads(self.entry.fairlead("dataplane", "show", "--json"))["dpdk"], 20,
                             "the forwarder runs")
            self.assertIn("net_memif0", shown["description"])
            report = self.generate(ECHO, "--flows", "500", "--rate", "20000", where=self.entry,
                                   device="net_memif1,role=client,socket=/run/memif.sock")
            self.assertGreater(report["sent"], 30000)
            self.assertGreater(report["came"], report["sent"] * 0.9, report)
            self.assertEqual(report["refused"], 0, "it waited for its peer")
        finally:
            forwarder.terminate()
            forwarder.wait(20)


if __name__ == "__main__":
    unittest.main()
