# SPDX-License-Identifier: BSD-2-Clause
"""
Containers of one node, by the library in agent/container (fairlead-run drives it) and the real crun.

    host1: fairlead-run, its state in /var/lib/fairlead
"""
import json
import pathlib
import subprocess
import sys
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[level]) for level in (0, 1)]
from lab import wait_for  # noqa: E402
from node import Node  # noqa: E402

MIB = 1 << 20


class Containers(Node):
    def test_exit_codes(self):
        for code in (0, 3, 255):
            self.assertEqual(self.run_it("sh", "-c", f"exit {code}")["exit_code"], code)
        self.assertEqual(self.run_it("sh", "-c", "kill -9 $$", init=True)["exit_code"], 137)

    def test_found_by_the_beginning_of_an_id(self):
        for name in ("same12", "same1", "same13", "other"):
            self.run_it("true", id=name)
        for asked, found in (("same1", "same1"), ("same12", "same12"), ("oth", "other")):
            self.assertEqual(self.fl("wait", asked)[0]["id"], found)
        for asked in ("same", "absent"):
            self.assertIn(f"No such container: {asked}", self.fails("wait", asked))

    def test_many_at_once(self):
        options = {"id": next(self.ids), "image": "web:1", "args": ["sleep", "1000"]}
        names = [f"{options['id']}x{number}" for number in range(20)]
        for name in names:
            self.addCleanup(self.remove, name)
        self.fl("burst", json.dumps(options), "20")
        found = {other["id"]: other for other in self.fl("ps")}
        self.assertEqual({found[name]["state"] for name in names}, {"running"})
        self.assertEqual(len({found[name]["pid"] for name in names}), 20)

    def test_programs_that_are_none(self):
        for program, code in (("/bin/absent", 127), ("/etc/passwd", 126)):
            options = {"id": next(self.ids), "image": "web:1", "args": [program]}
            self.addCleanup(self.remove, options["id"])
            self.assertIn("starting container failed", self.fails("run", json.dumps(options)))
            # Also who comes later knows that it is over, and how.
            found = self.describe(options)
            self.assertEqual((found["state"], found["exit_code"]), ("exited", code))
            self.assertIn("starting container failed", found["error"])

    def test_logs(self):
        container = self.run_it("sh", "-c", "echo out; echo err >&2; printf last")
        self.assertEqual(self.says(container, "stdout"), "out\nlast")
        self.assertEqual(self.says(container, "stderr"), "err\n")
        text = (self.state / "tasks" / container["id"] / f"{container['id']}-json.log").read_text()
        for line in text.splitlines():
            self.assertEqual(list(json.loads(line)), ["log", "stream", "time"])

    def test_logs_rotate_and_lose_nothing_that_is_kept(self):
        container = self.run_it("sh", "-c", "for i in $(seq 2000); do echo line $i; done",
                                log_size_bytes_max=50000, log_files_max=3)
        files = list((self.state / "tasks" / container["id"]).glob("*-json.log*"))
        self.assertEqual(len(files), 3)
        self.assertLessEqual(max(path.stat().st_size for path in files), 50000)
        numbers = [int(entry["log"].split()[1]) for entry in self.fl("logs", container["id"])]
        self.assertEqual(numbers, list(range(numbers[0], 2001)))
        self.assertEqual([entry["log"] for entry in self.fl("logs", container["id"], "2")],
                         ["line 1999\n", "line 2000\n"])

    def test_logs_followed(self):
        container = self.run_it("sh", "-c", "while :; do echo tick; sleep 0.02; done", detach=True)
        with self.host.popen([*self.program, "logs", container["id"], "0", "follow"],
                             stdout=subprocess.PIPE, text=True) as follower:
            for _ in range(20):
                self.assertEqual(json.loads(follower.stdout.readline())["log"], "tick\n")
            follower.kill()

    def test_user_groups_home_and_environment(self):
        script = "id -u; id -g; id -G; echo $HOME; pwd; echo $A; hostname; cat /etc/hostname"
        self.assertEqual(self.output("sh", "-c", script, user="web", workdir="/new/place", env=["A=1 2"],
                                     hostname="me").split("\n"),
                         ["1000", "1001", "1001 1002", "/www", "/new/place", "1 2", "me", "me"])
        self.assertIn("unable to find user nobody: no matching entries in passwd file",
                      self.fails("run", json.dumps({"id": "nouser", "image": "web:1", "user": "nobody"})))
        self.assertFalse((self.state / "tasks/nouser").exists())

    def test_hosts_and_resolver(self):
        text = self.output("cat", "/etc/hosts", "/etc/resolv.conf", hostname="me", address="10.1.0.2",
                           hosts=["10.9.9.9 db"], dns=["127.0.0.11"], dns_search=["lan"],
                           dns_options=["ndots:0"])
        for line in ("10.1.0.2\tme", "10.9.9.9 db", "nameserver 127.0.0.11", "search lan", "options ndots:0"):
            self.assertIn(line, text.split("\n"))

    def test_what_is_hidden_and_forbidden(self):
        status = dict(line.split(":\t") for line in self.output("grep", "-E", "^(Cap|NoNew|Seccomp:)",
                                                                "/proc/self/status").splitlines())
        self.assertEqual(status["CapEff"], "00000000a80425fb")  # docker's default
        self.assertEqual(status["CapInh"], "0000000000000000")
        self.assertEqual(status["Seccomp"], "2")
        for command in ("mount -t tmpfs x /tmp", "unshare -m true", "echo 1 > /proc/sys/kernel/panic",
                        "mknod /tmp/d b 8 0 && cat /tmp/d", "head -c1 /proc/kcore | grep -q .",
                        "hostname x", "chroot / mount -t proc p /tmp"):
            with self.subTest(command=command):
                self.assertNotEqual(self.run_it("sh", "-c", command)["exit_code"], 0)
        self.assertEqual(self.output("ls", "/sys/class/net"), "lo")

    def test_capabilities(self):
        def effective(**options):
            return int(self.output("sh", "-c", "grep CapEff /proc/self/status", **options).split()[1], 16)
        self.assertEqual(effective(capability_drop=["ALL"]), 0)
        self.assertEqual(effective(capability_drop=["ALL"], capability_add=["NET_ADMIN"]), 1 << 12)
        self.assertEqual(effective(user="web"), 0)

    def test_read_only_root_and_mounts(self):
        (self.images / "shared").mkdir(exist_ok=True)
        (self.images / "shared/file").write_text("of the host\n")
        mounts = [{"type": "bind", "source": str(self.images / "shared"), "target": "/b", "read_only": True},
                  {"type": "tmpfs", "target": "/t", "tmpfs_size_bytes": MIB},
                  {"type": "volume", "source": "vol", "target": "/data"}]
        script = """cat /b/file /data/seed; ! touch /x 2>/dev/null; ! touch /b/x 2>/dev/null; touch /t/x /data/new
                    stat -c '%u:%g %a' /data/seed; ! dd if=/dev/zero of=/t/big bs=1M count=2 2>/dev/null"""
        self.assertEqual(self.output("sh", "-c", script, read_only=True, mounts=mounts),
                         "of the host\nfrom the image\n1000:1001 600")
        # The volume outlives its container, and is not filled again.
        self.assertEqual(self.output("sh", "-c", "rm /data/seed; ls /data", mounts=mounts[2:]), "new")
        self.assertEqual(self.output("ls", "/data", mounts=mounts[2:]), "new")
        self.assertIn("bind source path does not exist: /absent", self.fails("run", json.dumps(
            {"id": "nobind", "image": "web:1",
             "mounts": [{"type": "bind", "source": "/absent", "target": "/a"}]})))

    def test_limits_hold(self):
        script = """cat /proc/self/cgroup | head -1 >/dev/null
                    ulimit -n; for i in 1 2 3 4 5 6 7 8 9; do sleep 0.5 & done; wait"""
        container = self.run_it("sh", "-c", script, pids_max=5,
                                ulimits=[{"name": "nofile", "soft": 77, "hard": 88}])
        self.assertIn("77\n", self.says(container))
        self.assertIn("can't fork", self.says(container))
        container = self.run_it("sleep", "100", detach=True, cpu_nano=250_000_000, memory_bytes=32 * MIB)

        def group(*files):
            path = f"{self.lab.name}/host1/{container['id']}"
            return self.host.output(" || ".join(f"cat /sys/fs/cgroup/{file.format(path)} 2>/dev/null"
                                                for file in files))
        self.assertEqual(group("memory/{}/memory.limit_in_bytes", "{}/memory.max"), str(32 * MIB))
        self.assertIn(group("cpu/{}/cpu.cfs_quota_us", "{}/cpu.max"), ("25000", "25000 100000"))

    def test_out_of_memory(self):
        container = self.run_it("sh", "-c", "x=a; while :; do x=$x$x; done", memory_bytes=16 * MIB)
        self.assertEqual((container["exit_code"], container["oom_killed"]), (137, True))
        self.assertFalse(self.run_it("true", memory_bytes=16 * MIB)["oom_killed"])

    def test_stop(self):
        good = "trap 'echo bye; exit 5' TERM USR1; while :; do sleep 0.01; done"
        container = self.run_it("sh", "-c", good, detach=True)
        self.assertEqual(self.fl("stop", container["id"])[0]["exit_code"], 5)
        container = self.run_it("sh", "-c", good, detach=True, stop_signal="SIGUSR1")
        self.assertEqual(self.fl("stop", container["id"])[0]["exit_code"], 5)
        # The first process of a PID namespace gets no signal that it does not ask for: the grace ends.
        container = self.run_it("sleep", "100", detach=True, stop_grace_ns=200_000_000)
        self.assertEqual(self.fl("stop", container["id"])[0]["exit_code"], 137)
        # With an init it is an ordinary process.
        container = self.run_it("sleep", "100", detach=True, init=True)
        self.assertEqual(self.fl("stop", container["id"])[0]["exit_code"], 143)

    def test_terminal(self):
        container = self.run_it("sh", "-c", "test -t 1 && echo tty; echo $TERM", tty=True)
        self.assertEqual(self.says(container), "tty\r\nxterm\r\n")

    def test_network_namespace_of_the_caller(self):
        self.host.run("ip netns add given && ip -n given link add eth7 type veth peer name eth8")
        self.assertEqual(self.output("ls", "/sys/class/net", netns="/run/netns/given").split(), ["eth7", "eth8", "lo"])

    def test_sysctl(self):
        self.assertEqual(self.output("cat", "/proc/sys/net/core/somaxconn",
                                     sysctls=["net.core.somaxconn=100"]), "100")

    def watch(self):
        """An agent, as it were: prints events until it is killed."""
        process = self.host.popen([*self.program, "watch"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close()))
        for line in process.stdout:
            if json.loads(line).get("event") == "ready":
                return process
        raise AssertionError("the watcher ended")

    def event(self, watcher, kind, container):
        for line in watcher.stdout:
            event = json.loads(line)
            if event.get("event") == kind and event["id"] == container["id"]:
                return event
        raise AssertionError(f"no {kind}")

    def test_health(self):
        container = self.run_it("sh", "-c", "sleep 100", detach=True, health={
            "test": ["CMD-SHELL", "test -e /ok && echo fine"], "interval_ns": 50_000_000, "retries": 2})
        watcher = self.watch()
        self.assertEqual(self.event(watcher, "health", container)["health"], "unhealthy")
        self.host.run(["crun", "--root", "/run/fairlead/crun", "exec", container["id"], "touch", "/ok"])
        self.assertEqual(self.event(watcher, "health", container)["health"], "healthy")
        self.host.run(["crun", "--root", "/run/fairlead/crun", "exec", container["id"], "rm", "/ok"])
        found = self.event(watcher, "health", container)
        self.assertEqual((found["health"], found["failing_streak"]), ("unhealthy", 2))

    def test_health_check_that_hangs_is_killed(self):
        container = self.run_it("sleep", "100", detach=True, health={
            "test": ["CMD", "sleep", "77"], "interval_ns": 50_000_000, "timeout_ns": 200_000_000,
            "retries": 1})
        watcher = self.watch()
        self.assertEqual(self.event(watcher, "health", container)["health"], "unhealthy")
        watcher.kill()
        # Of each that was killed nothing stays; one more may be on its way.
        wait_for(lambda: self.host.output("pgrep -fc '^[s]leep 77' || true") in ("0", "1"), 10, "checks to end")

    def test_adopted_after_the_agent_was_killed(self):
        watcher = self.watch()
        starter = self.run_it("sh", "-c", "while [ ! -e /end ]; do echo tick; sleep 0.02; done; exit 9",
                              detach=True)
        before = len(self.fl("logs", starter["id"]))
        watcher.kill()
        watcher.wait()
        # It goes on, and what it says is kept.
        wait_for(lambda: len(self.fl("logs", starter["id"])) > before, 10, "more lines")
        adopter = self.watch()
        self.assertEqual(self.describe(starter)["pid"], starter["pid"])
        self.host.run(["crun", "--root", "/run/fairlead/crun", "exec", starter["id"], "touch", "/end"])
        self.assertEqual(self.event(adopter, "exited", starter)["exit_code"], 9)
        # And an end that nobody saw is known to who comes later.
        self.assertEqual(self.describe(starter)["exit_code"], 9)

    def test_agent_killed_at_any_moment_of_a_start(self):
        """Whatever the moment, the next agent finds a container it can name, and can remove."""
        for delay_ms in range(0, 60, 4):
            name = next(self.ids)
            options = json.dumps({"id": name, "image": "web:1", "args": ["sleep", "100"], "detach": True})
            process = self.host.popen([*self.program, "run", options], stdout=subprocess.DEVNULL)
            try:
                process.wait(delay_ms / 1000)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self.fl("ps")  # adopts, or removes what is half made
            wait_for(lambda: all(other["state"] != "starting" for other in self.fl("ps")
                                 if other["id"] == name), 10, "the start's end")
            self.remove(name)
            self.assertFalse((self.state / "tasks" / name).exists(), delay_ms)
        self.assertNotIn("merged", self.host.output("cat /proc/mounts"))
        self.assertEqual(self.host.output("ls /run/fairlead/crun"), "")

    def test_damaged_record(self):
        """Nobody can say any more how it is to be treated: it is ended, and then removed."""
        container = self.run_it("sleep", "100", detach=True)
        folder = self.state / "tasks" / container["id"]
        (folder / "container.json").write_text("{")
        self.assertEqual([other for other in self.fl("ps") if other["id"] == container["id"]], [])
        wait_for((folder / "exit.json").exists, 10, "the container's end")
        wait_for(lambda: self.fl("ps") == [] and not folder.exists(), 10, "its removal")

    def test_monitor_killed(self):
        container = self.run_it("sleep", "100", detach=True)
        watcher = self.watch()
        running = json.loads((self.state / "tasks" / container["id"] / "running.json").read_text())
        self.host.run(["kill", "-9", running["monitor_pid"]])
        event = self.event(watcher, "exited", container)
        self.assertEqual((event["exit_code"], event["error"]), (137, "its monitor was lost, so it was killed"))
        wait_for(lambda: not self.host.output(f"grep -c sleep /proc/{container['pid']}/cmdline || true").strip("0"),
                 10, "the container's end")

    def test_nothing_is_left(self):
        container = self.run_it("sh", "-c", "sleep 100 & sleep 100", detach=True)
        self.fl("stop", container["id"], "0")
        self.fl("rm", container["id"])
        name = container["id"]
        self.assertFalse((self.state / "tasks" / name).exists())
        self.assertNotIn(f"/{name}/", self.host.output("cat /proc/mounts"))
        self.assertEqual(self.host.output(f"find /sys/fs/cgroup -path '*{self.lab.name}/host1/{name}*'"), "")
        self.assertEqual(self.host.output(f"pgrep -f '[f]airlead-shim.*/{name} ' || true"), "")


if __name__ == "__main__":
    unittest.main()
