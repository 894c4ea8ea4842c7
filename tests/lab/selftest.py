#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Tests the lab without the mesh: three hosts and a client; tasks by plain routing inside the hosts
(gateway="host"); and that nothing is left of a lab, however it ends.
"""
import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from lab import Lab, cleanup, wait_for  # noqa: E402

CHILD = f"""
import os, sys, time
sys.path.insert(0, {str(pathlib.Path(__file__).resolve().parent.parent)!r})
from lab import Lab
with Lab(hosts=1) as lab:
    lab.host(1).task("web", gateway="host")
    print(lab.dir, flush=True)
    time.sleep(60)
"""


def spaces_of(pid):
    return {os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("net", "mnt", "uts", "pid")}


def spaces_in_use():
    found = set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            found |= spaces_of(process.name)
        except OSError:
            pass
    return found


def leftovers(name):
    """All that still bears a lab's name."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    found = [line for line in lines if name in line] + cleanup.cgroup_folders(name)
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if name in words:
            found.append(f"process {path.parent.name}: {words}")
    folder = pathlib.Path("/tmp") / name
    return found + ([folder] if folder.exists() else [])


class LabTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(hosts=3, clients=1)
        cls.addClassCleanup(cls.lab.close)
        cls.web1 = cls.lab.host(1).task("web1", gateway="host")
        cls.web2 = cls.lab.host(2).task("web2", gateway="host")
        cls.echo = cls.lab.host(2).task("echo", "udpecho", port=53, gateway="host")

    def test_machines_reach_each_other(self):
        for machine in [*self.lab.hosts, self.lab.client]:
            for host in self.lab.hosts:
                self.assertTrue(machine.ping(host.ip), f"{machine.name} to {host.name}")
        self.assertTrue(self.lab.client.ping("host2"), "by name, from /etc/hosts")

    def test_machines_are_their_own(self):
        host = self.lab.host(3)
        self.assertEqual(host.output("hostname; cat /etc/hostname"), "host3\nhost3")
        self.assertEqual(host.output("ls /sys/class/net"), "eth0\nlo")
        self.assertEqual(host.output("cat /etc/resolv.conf"), "")
        self.assertEqual(host.output("stat -f -c %T /sys/fs/bpf"), "bpf_fs")
        self.assertEqual(host.output("stat -f -c %T /run/fairlead-cgroup2"), "cgroup2fs")
        host.run("touch /var/lib/fairlead/x /etc/x /run/x /var/lib/x")
        self.assertTrue((host.folder / "state/x").exists())
        for path in ("/etc/x", "/run/x", "/var/lib/x", "/var/lib/fairlead/x"):
            self.assertFalse(os.path.exists(path), path)

    def test_nginx_answers_and_logs(self):
        for host, task in ((self.lab.host(1), self.web1), (self.lab.host(2), self.web2)):
            self.assertEqual(host.curl(f"http://{task.address}/"), task.name + "\n")
            expected = ("GET", "/", 200)
            wait_for(lambda: expected in {(r.method, r.path, r.status) for r in task.logs()
                                          if r.address == host.gateway}, 2, "the log")

    def test_memory_limit_is_enforced(self):
        files = (("memory.limit_in_bytes", "memory.usage_in_bytes")
                 if os.path.isdir("/sys/fs/cgroup/memory") else ("memory.max", "memory.current"))
        limit, used = (int(self.web1.cgroup(file)) for file in files)
        self.assertEqual(limit, 256 << 20)
        self.assertGreater(used, 0)

    def test_udp_and_fragments(self):
        ask = ("exec 3<>/dev/udp/{}/53; printf '{}' >&3; timeout 2 dd bs=65536 count=1 <&3 2>/dev/null")
        host = self.lab.host(2)
        answer = host.output(["bash", "-c", ask.format(self.echo.address, "hello")])
        self.assertRegex(answer, r"^echo 10\.2\.0\.1:\d+ hello$")
        answer = host.output(["bash", "-c", ask.format(self.echo.address, "size 4000")])
        self.assertEqual(len(answer), 4000)

    def test_flows(self):
        host = self.lab.host(1)
        host.own("10.77.0.0/24")
        flows = host.flows(f"{self.web1.address}:80", 2000, sources=("10.77.0.1", "10.77.0.200"))
        self.assertEqual((flows.answers, flows.errors), ({"web1": 2000}, {}))
        wait_for(lambda: {"10.77.0.1", "10.77.0.200"} <= {request.address for request in self.web1.logs()},
                 2, "the log has both ends of the range")
        flows = host.flows("10.99.0.2:9", 10, parallel=10)
        self.assertEqual(flows.errors, {"refused": 10})
        udp = self.lab.host(2).flows(f"{self.echo.address}:53", 500, udp=True, attempts=3, wait_ms=300)
        self.assertEqual(udp.answers, {"echo": 500})

    def test_files_both_ways(self):
        digest = self.lab.blob("4m", 4)
        host = self.lab.host(1)
        path = host.folder / "download"
        host.run(["curl", "-sS", "-o", path, f"http://{self.web1.address}/4m"])
        self.assertEqual(hashlib.sha256(path.read_bytes()).hexdigest(), digest)
        host.run(["curl", "-sSf", "-T", path, f"http://{self.web1.address}/upload/deep/4m"])
        stored = self.web1.uploads / "deep/4m"
        self.assertEqual(hashlib.sha256(stored.read_bytes()).hexdigest(), digest)

    def test_links_are_like_wires(self):
        client, host, switch = self.lab.client, self.lab.host(1), self.lab.switch
        client.run(f"ip route add 10.1.0.0/24 via {host.ip}; truncate -s 4M {client.folder}/zeros")
        # What leaves an interface is seen as it goes onto the wire; what enters, after GRO's merging.
        captures = [machine.capture("tcp port 80 and greater 1000", interface, options=("-Q", "out"))
                    for machine, interface in ((client, "eth0"), (switch, "host1"))]
        client.run(["curl", "-sSf", "-T", client.folder / "zeros",
                    f"http://{self.web1.address}/upload/zeros"])
        wait_for(lambda: client.ip in {request.address for request in self.web1.logs()}, 2, "the log")
        for capture in captures:
            self.assertGreaterEqual(capture.count("tcp"), (4 << 20) // 1448)
            self.assertEqual(capture.count("greater", "1515"), 0)
            self.assertFalse([line for line in capture.lines("-v") if "incorrect" in line][:3])
        self.assertEqual(self.web1.snmp("TcpInCsumErrors"), 0)

    def test_cable_can_be_pulled(self):
        host = self.lab.host(3)
        host.link(up=False)
        self.assertFalse(self.lab.client.ping(host.ip, timeout=0.1))
        self.assertIn("NO-CARRIER", host.output("ip link show eth0"))
        host.link(up=True)
        wait_for(lambda: self.lab.client.ping(host.ip, timeout=0.2), 3, "the cable is back")

    def test_task_life(self):
        host = self.lab.host(3)
        task = host.task("job", ["sh", "-c", "echo $TASK; sleep 60"], memory_mib=16)
        wait_for(lambda: task.output() == "job\n", 2, "the task's output")
        self.assertTrue(task.running)
        self.assertIn("default via 10.3.0.1", task.namespace_run("ip route").stdout)
        self.assertIn("mtu 1450", task.namespace_run("ip link show eth0").stdout)
        task.kill()
        self.assertFalse(task.running)
        task.start()
        self.assertTrue(task.running)
        task.remove()
        self.assertNotIn("veth-job", host.output("ip -br link"))
        web = host.task("web", gateway="host")
        self.assertEqual(web.stop(signal.SIGQUIT), 0, "nginx ends in order")
        web.start()
        self.assertEqual(host.curl(f"http://{web.address}/"), "web\n")


class RoutedTest(unittest.TestCase):
    def test_router_hops_and_mtu(self):
        with Lab(hosts=1, clients=1, routed=True, client_mtu=1400) as lab:
            host, client = lab.host(1), lab.client
            self.assertTrue(client.ping(host.ip))
            self.assertIn("ttl=63", client.output(["ping", "-c", "1", host.ip]))
            self.assertFalse(host.ping(client.ip, size=1400, dont_fragment=True, timeout=1))
            self.assertIn("mtu 1400", host.output(["ip", "route", "get", client.ip]))


class EndTest(unittest.TestCase):
    def test_nothing_is_left(self):
        lab = Lab(hosts=2)
        spaces = set().union(*(spaces_of(machine.spaces.pid) for machine in lab.machines))
        spaces -= spaces_of("self")
        task = lab.host(1).task("web", gateway="host")
        spaces |= spaces_of(task.pid) - spaces_of("self")
        # Held open, for else another lab's namespaces might get the same numbers meanwhile.
        held = [open(f"/proc/{pid}/ns/{kind}", "rb") for kind in ("net", "mnt", "uts", "pid")
                for pid in (task.pid, *(machine.spaces.pid for machine in lab.machines))]
        lab.host(2).popen("sleep 100")
        self.assertTrue(leftovers(lab.name))
        lab.close()
        self.assertEqual(leftovers(lab.name), [])
        self.assertFalse(spaces & spaces_in_use())
        for file in held:
            file.close()

    def test_exception(self):
        with self.assertRaises(ZeroDivisionError):
            with Lab(hosts=1) as lab:
                1 / 0
        self.assertEqual(leftovers(lab.name), [])

    def test_signals_and_two_at_once(self):
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
        # Children of a background shell ignore SIGINT; a lab at a terminal does not.
        children = [subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True,
                                     stderr=subprocess.DEVNULL,
                                     preexec_fn=lambda: signal.signal(signal.SIGINT,
                                                                      signal.default_int_handler))
                    for _ in numbers]
        folders = [pathlib.Path(child.stdout.readline().strip()) for child in children]
        for number, child in zip(numbers, children):
            child.send_signal(number)
            child.wait(10)
            child.stdout.close()
        for folder in folders:
            # The sweep is what the next lab does for one that could not help itself.
            wait_for(lambda: cleanup.sweep() or not leftovers(folder.name), 5, f"{folder} is gone")

    def test_keep(self):
        lab = Lab(hosts=1, clients=0, keep=True)
        lab.host(1).popen("sleep 100")
        lab.close()
        self.assertEqual(set(cleanup.holders(lab.name)), {"switch", "host1"})
        cleanup.remove(lab.dir)
        self.assertEqual(leftovers(lab.name), [])


if __name__ == "__main__":
    unittest.main(verbosity=1)
