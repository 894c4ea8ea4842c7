#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
An entry node on DPDK (net_af_xdp on its veth) among nodes on xdp. What published_port_test asks of any
mesh, and besides: who forwards, what is left to the kernel, and what survives whose death.

       client1        host3            host1            host2
          |             | DPDK           | web1 echo1     | web2 echo2
    ------+-------------+----------------+----------------+---
"""
import json
import os
import signal
import socket
import time
import unittest

from downloads import Downloads
from keepalive import KeepAlive
from published_port_test import PublishedPort
from support import (BUILD, ECHO, WEB, Http, ask_udp, checksum_errors, connect, file_digest, http_to, make_socket, reasons,
                     send_until_answered, services, start_lab, wait_for)

# An lcore that never sleeps would have one of the few CPUs of a test machine to itself.
IDLE = "--idle 20 --memory 256"
DPDK = ["--dataplane", "dpdk", "--dpdk", IDLE]
CPUS = sorted(os.sched_getaffinity(0))
MIB = 1 << 20
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2  # Python 3.11 does not name them

needs_dpdk = unittest.skipUnless((BUILD / "dataplane/dpdk/fairlead-dpdk").exists(), "built without DPDK")


def dataplane(host):
    """What `fairlead dataplane show` says."""
    return json.loads(host.fairlead("dataplane", "show", "--json"))


def forwarder(host):
    return dataplane(host)["dpdk"]


class DpdkEntry(PublishedPort):
    daemon_arguments = {3: DPDK}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.entry = cls.lab.host(3)

    def test_dpdk_takes_what_is_published(self):
        before, kernel = forwarder(self.entry), self.kernel_runs()
        found = self.client.flows(f"{self.entry.ip}:{WEB}", 200)
        self.assertEqual(found.errors, {})
        after = forwarder(self.entry)
        self.assertEqual(after["pid"], before["pid"])
        self.assertGreater(after["received"] - before["received"], 200 * 4)
        self.assertEqual(after["lost"], before["lost"])
        self.assertEqual(self.kernel_runs(), kernel, "the kernel's program decided on none of them")

    def kernel_runs(self):
        """Packets that the node's XDP program encapsulated or returned itself."""
        per_cpu = json.loads(self.entry.output(
            "bpftool -j map lookup pinned /sys/fs/bpf/fairlead/maps/fl_reasons key 0 0 0 0"))
        names = list(reasons(self.entry))
        words = [0] * len(names)
        for cpu in per_cpu["values"]:
            raw = bytes(int(byte, 16) for byte in cpu["value"])
            for i in range(len(names)):
                words[i] += int.from_bytes(raw[8 * i:8 * i + 8], "little")
        return {name: words[i] for i, name in enumerate(names) if name in ("entry_remote", "tunnel_return")}

    def test_the_rest_is_the_kernels(self):
        """Ping, and a TCP service of the node itself, as SSH would be."""
        received = forwarder(self.entry)["received"]
        self.assertTrue(self.client.ping(self.entry.ip, count=3))
        listening = make_socket(self.entry, port=2222)
        listening.listen()
        for _ in range(20):
            with connect(self.client, self.entry.ip, 2222) as asking:
                answering, peer = listening.accept()
                with answering:
                    self.assertEqual(peer, asking.getsockname())
                    asking.sendall(b"x" * 20000)
                    asking.shutdown(1)
                    got = b""
                    while piece := answering.recv(65536):
                        got += piece
                    self.assertEqual(len(got), 20000)
        listening.close()
        self.assertEqual(forwarder(self.entry)["received"], received)


@needs_dpdk
class DpdkSymmetricTest(DpdkEntry, unittest.TestCase):
    pass


@needs_dpdk
class DpdkDsrTest(DpdkEntry, unittest.TestCase):
    ret = "dsr"


def lcores(host, before=None):
    """[(received, handed over)] of each lcore, since an earlier call if that is given."""
    now = [(lcore["received"], lcore["handed_over"]) for lcore in forwarder(host)["lcores"]]
    return [tuple(a - b for a, b in zip(*pair)) for pair in zip(now, before)] if before else now


@needs_dpdk
class DpdkSpreadTest(DpdkEntry, unittest.TestCase):
    """One queue and three lcores: the first receives for the others (RSS in software)."""
    daemon_arguments = {3: ["--dataplane", "dpdk", "--dpdk",
                            f"{IDLE} --cores {CPUS[0]},{CPUS[-1]},{CPUS[-1]}"]}

    def test_all_work(self):
        before = lcores(self.entry)
        self.assertEqual(self.client.flows(f"{self.entry.ip}:{WEB}", 200).errors, {})
        (received, handed), *workers = lcores(self.entry, before)
        self.assertEqual((received, len(workers)), (0, 2))
        self.assertGreater(min(count for count, _ in workers), handed / 4)
        self.assertAlmostEqual(sum(count for count, _ in workers), handed, delta=100)  # some are on their way
        self.assertIn(f"1 queue, CPU {CPUS[0]} receiving for CPU {CPUS[-1]},{CPUS[-1]}",
                      forwarder(self.entry)["description"])


@needs_dpdk
class DpdkVethQueuesTest(unittest.TestCase):
    """A veth with two queues, of which net_af_xdp knows one: it counts combined channels, and a veth has none."""

    def test_the_first_queue_is_taken(self):
        lab = start_lab(self, hosts=2)
        mesh = lab.mesh([lab.service("web", WEB, 80, [lab.host(1).task("web1")])])
        lab.host(2).run("ethtool -L eth0 rx 2 tx 2")
        lab.host(1).start_daemon(mesh)
        lab.host(2).start_daemon(mesh, DPDK, timeout=60)
        self.assertEqual(lab.client.flows(f"{lab.host(2).ip}:{WEB}", 50).answers, {"web1": 50})
        self.assertIn("AF_XDP, 1 queue, CPU", forwarder(lab.host(2))["description"])
        self.assertGreater(forwarder(lab.host(2))["received"], 50)


@needs_dpdk
class DpdkLifeTest(unittest.TestCase):
    """Deaths, restarts, a change of driver, with connections open."""

    @classmethod
    def setUpClass(cls):
        cls.lab = start_lab(cls, hosts=3)
        cls.client, cls.entry = cls.lab.client, cls.lab.host(3)
        cls.webs = [cls.lab.host(n).task(f"web{n}") for n in (1, 2)]
        cls.web3 = cls.entry.task("web3")
        cls.mesh = cls.lab.mesh([cls.lab.service("web", WEB, 80, cls.webs)])
        cls.digest = cls.lab.blob("file", 1)
        for host in cls.lab.hosts[:2]:
            host.start_daemon(cls.mesh)
        cls.entry.start_daemon(cls.mesh, DPDK, timeout=60)

    def setUp(self):
        if not self.entry.daemon.running:
            self.entry.start_daemon(self.mesh, DPDK, timeout=60)
        wait_for(lambda: forwarder(self.entry), 20, "the forwarder runs")

    def through_it(self, change):
        """Connections of each kind are open while something happens; none breaks."""
        idle = [Http(self.client, self.entry.ip) for _ in range(10)]
        for http in idle:
            http.task = http.whoami()[0]
        downloads = Downloads(self.client, [self.entry.ip], "file", MIB, self.digest, 60)
        with KeepAlive(self.client, [self.entry.ip], 20) as asking:
            change()
            asking.wait_asked()
            asking.wait_answered()
            self.assertEqual([str(client) for client in asking.clients if client.broken], [])
        self.assertEqual(downloads.finish(), [])
        for http in idle:
            self.assertEqual(http.whoami()[0], http.task)
            http.close()

    def kill_forwarder(self, number=signal.SIGKILL):
        """By its name among the host's own processes: pids are the host's, not ours."""
        self.entry.run(f"kill -{int(number)} {forwarder(self.entry)['pid']}")

    def test_daemon_killed(self):
        pid = forwarder(self.entry)["pid"]

        def change():
            self.entry.kill_daemon()
            self.assertEqual(forwarder(self.entry)["pid"], pid)
            self.entry.start_daemon(self.mesh, DPDK, timeout=60)
        self.through_it(change)
        self.assertEqual(forwarder(self.entry)["pid"], pid, "adopted, not started anew")

    def test_forwarder_killed(self):
        pid = forwarder(self.entry)["pid"]
        entered = reasons(self.entry)["entry_remote"]
        self.through_it(self.kill_forwarder)
        self.assertGreater(reasons(self.entry)["entry_remote"], entered)
        wait_for(lambda: (forwarder(self.entry) or {"pid": pid})["pid"] != pid, 20, "another one runs")
        self.assertGreater(reasons(self.entry)["entry_remote"], entered, "counters outlive it")

    def test_forwarder_killed_without_a_daemon(self):
        """Nobody starts it again: the kernel goes on."""
        def change():
            self.entry.kill_daemon()
            self.kill_forwarder()
            wait_for(lambda: forwarder(self.entry) is None, 5, "it is gone")
        self.through_it(change)
        self.assertEqual(dataplane(self.entry)["driver"], "xdp")

    def test_forwarder_ends_in_order(self):
        self.through_it(lambda: self.kill_forwarder(signal.SIGTERM))

    def test_forwarder_stands_still(self):
        """Stopped, it takes frames and sends none: the daemon kills it, and the kernel goes on."""
        pid = forwarder(self.entry)["pid"]
        self.through_it(lambda: self.kill_forwarder(signal.SIGSTOP))
        wait_for(lambda: (forwarder(self.entry) or {"pid": pid})["pid"] != pid, 20, "another one runs")
        self.assertIn("has stood still", self.entry.daemon.log())

    def test_change_while_it_stands_still(self):
        """A change of the mesh does not wait for it for ever."""
        self.kill_forwarder(signal.SIGSTOP)
        for tasks in ([self.webs[0]], self.webs) * 3:
            self.entry.reload(self.lab.mesh([self.lab.service("web", WEB, 80, list(tasks))]), timeout=20)
        wait_for(lambda: forwarder(self.entry), 20, "another one runs")
        self.assertEqual(self.client.flows(f"{self.entry.ip}:{WEB}", 50).errors, {})

    def test_takeover_is_at_once(self):
        """A connection asks every millisecond or so while the forwarder dies; the longest wait counts."""
        with Http(self.client, self.entry.ip) as http:
            http.whoami()
            waits, end = [], time.monotonic() + 1.5
            killed = False
            while time.monotonic() < end:
                if not killed and time.monotonic() > end - 1.2:
                    self.kill_forwarder()
                    killed = True
                start = time.monotonic()
                http.whoami()
                waits.append(time.monotonic() - start)
        print(f"longest answer across the forwarder's death: {max(waits) * 1000:.0f} ms", flush=True)

    def test_change_of_driver(self):
        """From dpdk to xdp and back, as a restart with another option."""
        def change():
            self.entry.kill_daemon(signal.SIGTERM)
            self.entry.start_daemon(self.mesh, timeout=60)
        self.through_it(change)
        self.assertEqual(dataplane(self.entry)["driver"], "xdp")
        def back():
            self.entry.kill_daemon(signal.SIGTERM)
            self.entry.start_daemon(self.mesh, DPDK, timeout=60)
        self.through_it(back)
        self.assertEqual(dataplane(self.entry)["driver"], "dpdk")

    def test_a_task_of_its_own(self):
        """The entry node gets a task of the service: the kernel takes over, connections stay."""
        mesh = self.lab.mesh([self.lab.service("web", WEB, 80, [*self.webs, self.web3])])
        self.through_it(lambda: [host.reload(mesh) for host in reversed(self.lab.hosts)])
        found = self.client.flows(f"{self.entry.ip}:{WEB}", 200)
        self.assertEqual((found.errors, set(found.answers)), ({}, {"web1", "web2", "web3"}))
        drained = self.lab.mesh([self.lab.service("web", WEB, 80,
                                                  [*self.webs, self.web3.backend(state="drain")])])
        self.through_it(lambda: [host.reload(drained) for host in self.lab.hosts])
        for host in self.lab.hosts:
            host.reload(self.mesh)

    def test_backends_change(self):
        one = self.lab.mesh([self.lab.service("web", WEB, 80,
                                              [self.webs[0], self.webs[1].backend(state="drain")])])
        for mesh in (one, self.mesh, one, self.mesh):
            self.through_it(lambda: [host.reload(mesh) for host in self.lab.hosts])
        found = [services(host)["web"] for host in self.lab.hosts]
        self.assertEqual(len({service["checksum"] for service in found}), 1)

    def test_detach_leaves_nothing(self):
        pid = forwarder(self.entry)["pid"]
        self.entry.kill_daemon(signal.SIGTERM)
        self.entry.fairlead("detach")
        self.assertNotIn("xdp", self.entry.output("ip link show eth0"))
        self.assertEqual(self.entry.run("ls /sys/fs/bpf/fairlead", check=False).stdout, "")
        self.assertEqual(self.entry.run(f"kill -0 {pid}", check=False).returncode, 1)
        self.entry.fairlead("detach")  # once more: nothing to do is no error


TELEMETRY = """
import json, socket, sys
asking = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
asking.connect("/var/run/dpdk/fairlead/dpdk_telemetry.v2")
asking.recv(65536)
asking.send(sys.argv[1].encode())
print(asking.recv(65536).decode())
"""


@needs_dpdk
@unittest.skipUnless(os.path.exists("/dev/net/tun"), "no tap devices here")
class OwnDeviceTest(unittest.TestCase):
    """
    A device that is DPDK's alone, as a card bound to VFIO would be: all else goes to the kernel through
    a tap, which has the node's addresses, and comes from it.

        wire -- eth0 -- net_af_xdp0 [fairlead-dpdk] net_tap0 -- fl0 10.99.0.3 -- kernel, XDP, web3
    """
    device, more, mtu = "net_af_xdp0,iface=eth0", "", 1500

    @classmethod
    def connect_wire(cls):
        """What the device needs besides eth0."""

    @classmethod
    def setUpClass(cls):
        cls.lab = start_lab(cls, hosts=3, mtu=cls.mtu, client_mtu=cls.mtu)
        cls.client, cls.entry = cls.lab.client, cls.lab.host(3)
        cls.tasks = [cls.lab.host(n).task(f"web{n}") for n in (1, 2, 3)]
        cls.echoes = [cls.lab.host(n).task(f"echo{n}", "udpecho", port=ECHO) for n in (1, 2)]
        cls.mesh = cls.lab.mesh([cls.lab.service("web", WEB, 80, cls.tasks),
                                 cls.lab.service("far", WEB + 1, 80, cls.tasks[:2]),
                                 cls.lab.service("echo", ECHO, ECHO, cls.echoes, protocol="udp")])
        cls.digest = cls.lab.blob("file", 16)
        for host in cls.lab.hosts[:2]:
            host.start_daemon(cls.mesh)
        mac = cls.entry.output("cat /sys/class/net/eth0/address").strip()
        cls.entry.run(f"ip tuntap add dev fl0 mode tap multi_queue && "
                      f"ip link set fl0 address {mac} mtu {cls.mtu} up && "
                      f"ip address del {cls.entry.ip}/24 dev eth0 && "
                      f"ip address add {cls.entry.ip}/24 dev fl0")
        cls.connect_wire()
        cls.entry.start_daemon(cls.mesh, [
            "--uplink", "fl0", "--dataplane", "dpdk", "--dpdk",
            f"--device {cls.device} --kernel net_tap0,iface=fl0,mac={mac} {IDLE} {cls.more}"],
            timeout=60)

    def test_both_worlds(self):
        self.assertTrue(self.client.ping(self.entry.ip, count=3))
        before = forwarder(self.entry)
        far = self.client.flows(f"{self.entry.ip}:{WEB + 1}", 200)
        self.assertEqual((far.errors, set(far.answers)), ({}, {"web1", "web2"}))
        between = forwarder(self.entry)
        self.assertLess(between["to_kernel"] - before["to_kernel"], 50, "all of it was for other nodes, but ARP")
        own = self.client.flows(f"{self.entry.ip}:{WEB}", 200)
        self.assertEqual((own.errors, set(own.answers)), ({}, {"web1", "web2", "web3"}))
        self.assertGreater(forwarder(self.entry)["to_kernel"], between["to_kernel"])

    def test_data_is_intact(self):
        for task in self.tasks:
            with self.subTest(task=task.name), http_to(task, self.client, self.entry.ip) as http:
                self.assertEqual(http.whoami()[1], http.own)
                self.assertEqual(http.digest("/file"), self.digest)
                http.put("/upload/file", self.lab.static / "file")
                self.assertEqual(file_digest(task.uploads / "file"), self.digest)
        self.assertEqual(checksum_errors(self.lab), {})

    def test_fragments(self):
        """The forwarder does them itself here, and later ones follow their first."""
        before = reasons(self.entry)["entry_remote"]
        for text in ("fragment" * (self.mtu * 3 // 8), "fragment" * (self.mtu * 5 // 8)):
            for _ in range(10):
                answer = ask_udp(self.client, self.entry.ip, text)[0]
                self.assertEqual(answer[2], text)
        self.assertGreaterEqual(reasons(self.entry)["entry_remote"] - before, 10 * (4 + 6))

    def test_telemetry(self):
        self.client.flows(f"{self.entry.ip}:{WEB + 1}", 20)

        def ask(command):
            return json.loads(self.entry.output(["python3", "-c", TELEMETRY, command]))[command]
        frames, shown = ask("/fairlead/frames"), forwarder(self.entry)
        self.assertGreaterEqual(shown["received"], frames["received"])
        self.assertGreater(frames["received"], 0)
        self.assertGreater(ask("/fairlead/reasons")["entry_remote"], 0)


@needs_dpdk
@unittest.skipUnless(os.path.exists("/dev/net/tun"), "no tap devices here")
class OwnDeviceSpreadTest(OwnDeviceTest):
    """The same device with one queue, and three lcores."""
    more = f"--cores {CPUS[0]},{CPUS[-1]},{CPUS[-1]}"

    def test_all_work(self):
        before = lcores(self.entry)
        self.assertEqual(self.client.flows(f"{self.entry.ip}:{WEB + 1}", 200).errors, {})
        (received, handed), *workers = lcores(self.entry, before)
        self.assertEqual(received, 0)
        self.assertAlmostEqual(sum(count for count, _ in workers), handed, delta=100)  # some are on their way
        self.assertGreater(min(count for count, _ in workers), handed / 4)


@needs_dpdk
@unittest.skipUnless(os.path.exists("/dev/net/tun"), "no tap devices here")
class OwnDeviceQueuesTest(OwnDeviceTest):
    """
    A device with a queue for each lcore, which the kernel's tap fills by flows.

        wire -- eth0 -- bridge -- wire0 -- net_tap1 [fairlead-dpdk] net_tap0 -- fl0
    """
    device, more = "net_tap1,iface=wire0", f"--cores {CPUS[0]},{CPUS[-1]}"

    @classmethod
    def connect_wire(cls):
        """A bridge keeps frames for its ports' own addresses, so eth0 gets another one."""
        cls.entry.run("ip link set eth0 down && ip link set eth0 address 02:00:00:00:00:03 && "
                      "ip tuntap add dev wire0 mode tap multi_queue && "
                      "ip link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0 && "
                      "ip link set eth0 master br0 up && ip link set wire0 master br0 up && ip link set br0 arp off up")

    def test_both_work(self):
        before = lcores(self.entry)
        self.assertEqual(self.client.flows(f"{self.entry.ip}:{WEB + 1}", 200).errors, {})
        work = lcores(self.entry, before)
        total = sum(received for received, _ in work)
        self.assertGreater(min(received for received, _ in work), total / 10)
        self.assertEqual([handed for _, handed in work], [0, 0])
        self.assertIn("2 queues by RSS, CPU", forwarder(self.entry)["description"])


@needs_dpdk
@unittest.skipUnless(os.path.exists("/dev/net/tun"), "no tap devices here")
class OwnDeviceJumboTest(OwnDeviceTest):
    """
    An MTU of 9000, over a packet socket (libpcap's; net_af_packet and net_tap say that they cannot, AF_XDP
    cannot). The kernel gets those frames too; it must not answer them. What is for the node itself goes through
    net_tap, which takes 1500.
    """
    device, mtu = "net_pcap1,rx_iface_in=eth0,tx_iface=eth0", 9000

    @classmethod
    def connect_wire(cls):
        cls.entry.run("ethtool -K eth0 gro off && ip link set eth0 arp off && "
                      "echo 1 > /proc/sys/net/ipv4/conf/eth0/rp_filter")

    def test_data_is_intact(self):
        for task in self.tasks[:2]:
            with self.subTest(task=task.name), http_to(task, self.client, self.entry.ip) as http:
                http.put("/upload/file", self.lab.static / "file")
                self.assertEqual(http.digest("/file"), self.digest)
                self.assertEqual(file_digest(task.uploads / "file"), self.digest)
        self.assertEqual(checksum_errors(self.lab), {})

    def test_the_kernel_is_given_less(self):
        said = self.entry.output("cat /run/fairlead/dpdk.log")
        self.assertIn("bytes at the most: longer packets for this node itself", said)
        self.assertIn("mtu 9000", self.entry.output("ip link show fl0"), "net_tap had set 1500")

    def test_long_datagrams(self):
        """Whole on the way in, through the tunnel and back."""
        whole = (socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        text = "jumbo" * 1600
        lost = forwarder(self.entry)["lost"]
        with self.lab.capture(self.lab.switch, "udp port 4789 and greater 8000", "host3", snaplen=128) as capture, \
                make_socket(self.client, socket.SOCK_DGRAM, options=[whole]) as asking:
            asking.connect((self.entry.ip, ECHO))
            for _ in range(20):
                self.assertEqual(send_until_answered(asking, text).split(" ")[2], text)
            self.assertGreaterEqual(capture.count("greater", "8000"), 40)
        self.assertEqual(forwarder(self.entry)["lost"], lost)
        self.assertIn("MTU 9000", forwarder(self.entry)["description"])

    def test_long_segments(self):
        with self.lab.capture(self.lab.switch, "udp port 4789 and greater 8900", "host3", snaplen=128) as capture, \
                http_to(self.tasks[0], self.client, self.entry.ip, WEB) as http:
            http.put("/upload/file", self.lab.static / "file")
            self.assertEqual(http.digest("/file"), self.digest)
            self.assertGreater(capture.count("greater", "8900"), 1000)
        self.assertEqual(file_digest(self.tasks[0].uploads / "file"), self.digest)

    def test_too_long_for_a_device(self):
        """Refused with a reason, and nothing is changed."""
        for device, reason in (("net_af_xdp1,iface=dummy0", "AF_XDP's buffers are a page, 3506 is the most"),
                               ("net_af_packet1,iface=dummy0", "net_af_packet1,iface=dummy0 takes 1500 at the most")):
            with self.subTest(device=device):
                self.entry.run("ip link add dummy0 type veth peer name dummy1 && ip link set dummy0 up")
                said = self.entry.run([BUILD / "dataplane/dpdk/fairlead-dpdk", "--uplink", "fl0", "--device", device,
                                       "--memory", "128", "--run-dir", "/tmp", "--eal", "--file-prefix=other"],
                                      check=False)
                self.entry.run("ip link del dummy0")
                self.assertEqual(said.returncode, 1)
                self.assertIn(f"MTU 9000: {reason}", said.stderr)


class NoForwarderTest(unittest.TestCase):
    """fairlead-dpdk does not start, or is not there: the log says so, and the kernel forwards alone."""

    def test_the_kernel_forwards_alone(self):
        lab = start_lab(self, hosts=2)
        mesh = lab.mesh([lab.service("web", WEB, 80, [lab.host(1).task("web1")])])
        lab.host(1).start_daemon(mesh)
        lab.host(2).start_daemon(mesh, ["--dataplane", "dpdk", "--dpdk", "--cores 4000"], timeout=60)
        self.assertRegex(lab.host(2).daemon.log(), "fairlead-dpdk does not run .*see /run/fairlead/dpdk.log")
        self.assertEqual(lab.client.flows(f"{lab.host(2).ip}:{WEB}", 50).answers, {"web1": 50})
        self.assertEqual(dataplane(lab.host(2))["driver"], "xdp")


if __name__ == "__main__":
    unittest.main()
