# SPDX-License-Identifier: BSD-2-Clause
"""Clusters of three members on loopback, to be measured: ours (raft-kv) and etcd."""
import base64
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = pathlib.Path(os.environ.get("FAIRLEAD_BUILD", ROOT / "build")) / "tests"
MEMBERS = (1, 2, 3)
PATIENCE_S = 60
VALUE_BYTES = 200


def wait_for(condition, what, every=0.005):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise TimeoutError(f"{what}: not within {PATIENCE_S} s")


def free_ports(count):
    """So many ports in a row that nobody listens on now, below what the kernel gives away."""
    for first in range(20000, 30000, count):
        sockets = []
        try:
            for port in range(first, first + count):
                sockets.append(socket.socket())
                sockets[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise RuntimeError("no free ports")


def rss_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def memory_kib(pid, kind):
    """A line of smaps_rollup: Pss, Private_Dirty, ..."""
    return int(re.search(rf"^{kind}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])


class Cluster:
    """Processes by number; each has a folder. A with statement ends all of them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="raft-bench-", dir=folder))
        self.processes = {}

    def __enter__(self):
        try:
            for number in MEMBERS:
                self.start(number)
            self.wait_for_leader()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for number in list(self.processes):
            self.kill(number)
        shutil.rmtree(self.folder)

    def start(self, number):
        with open(self.folder / f"log{number}", "a") as log:
            self.processes[number] = subprocess.Popen(self.command(number), stdout=log, stderr=log,
                                                      stdin=subprocess.DEVNULL)

    def kill(self, number):
        process = self.processes.pop(number)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def wait_for_leader(self):
        return wait_for(self.leader, "a leader")

    def wait_for_all(self):
        """All members answer and know the same leader."""
        wait_for(lambda: self.leader() and all(self.answers(n) for n in self.processes), "all members")

    def pid(self, number):
        return self.processes[number].pid


class Ours(Cluster):
    name = "raft-kv"

    def __init__(self, folder, args=()):
        super().__init__(folder)
        self.args = [str(arg) for arg in args]
        self.port = free_ports(10 * len(MEMBERS))
        subprocess.run([PROGRAMS / "raft-pki", self.folder, "bench", *map(str, MEMBERS)], check=True)

    def address(self, number, client=0):
        return f"127.0.0.1:{self.port + 10 * (number - 1) + client}"

    def command(self, number):
        return [PROGRAMS / "raft-kv", "--id", str(number), "--dir", self.folder / f"state{number}", "--pki",
                self.folder, "--listen", self.address(number), "--members",
                ",".join(f"{n}={self.address(n)}" for n in MEMBERS), *self.args]

    def status(self, number):
        host, port = self.address(number, 1).split(":")
        try:
            with socket.create_connection((host, int(port)), 1) as connection:
                connection.sendall(b"1 status\n")
                answer = connection.makefile().readline()
        except OSError:
            return None
        return dict(word.split("=", 1) for word in answer.split()[1:])

    def answers(self, number):
        status = self.status(number)
        return status and status["leader"] != "0"

    def leader(self):
        states = {number: self.status(number) for number in self.processes}
        leaders = [(int(status["term"]), number) for number, status in states.items()
                   if status and status["state"] == "leader"]
        return max(leaders)[1] if leaders else None

    def load(self, *args):
        """A running raft-kv-load."""
        members = ",".join(self.address(n, 1) for n in MEMBERS)
        return subprocess.Popen([PROGRAMS / "raft-kv-load", "--members", members, *map(str, args)],
                                stdout=subprocess.PIPE, text=True)

    @staticmethod
    def figures(process):
        output, _ = process.communicate()
        return {name: float(value) for name, value in (word.split("=") for word in output.split())}

    def puts(self, outstanding, seconds):
        """Acknowledged puts per second, and (median, p99) in ms."""
        found = self.figures(self.load("--outstanding", outstanding, "--seconds", seconds, "--get", 0, "--cas", 0,
                                       "--bytes", VALUE_BYTES, "--keys", 1000))
        return found["per_second"], found["p50_us"] / 1000, found["p99_us"] / 1000

    def failover(self, round_number):
        """Kill -9 of the leader to the first write that was begun after it and acknowledged, in s."""
        history = self.folder / "history"
        self.wait_for_all()
        load = self.load("--outstanding", 8, "--get", 0, "--cas", 0, "--history", history, "--first-value",
                         round_number << 32)
        time.sleep(0.3)
        leader = self.wait_for_leader()
        killed_ns = time.monotonic_ns()
        self.kill(leader)
        time.sleep(1.5)
        load.send_signal(signal.SIGTERM)
        self.figures(load)
        after = []
        for line in history.read_text().splitlines():
            words = line.split()
            if words[2] != "-" and int(words[2]) > killed_ns:
                after.append(int(words[2]))
        self.start(leader)
        # A write that was on its way when the leader was killed may come back at once: what counts
        # is a write that the next leader acknowledged, the first one after the gap.
        gap = self.widest_gap(killed_ns, after)
        return gap / 1e9

    @staticmethod
    def widest_gap(killed_ns, returned):
        """The end of the longest silence, from the kill on."""
        moments = [killed_ns, *sorted(returned)]
        widths = [(later - before, later) for before, later in zip(moments, moments[1:])]
        return max(widths)[1] - killed_ns


def grpc_body():
    """A PutRequest of etcd 3 with its gRPC header: a key of 8 bytes, a value of VALUE_BYTES."""
    def field(number, data):
        size = len(data)
        length = bytes([size]) if size < 128 else bytes([size & 0x7f | 0x80, size >> 7])
        return bytes([number << 3 | 2]) + length + data
    message = field(1, b"k" * 8) + field(2, b"v" * VALUE_BYTES)
    return b"\0" + struct.pack(">I", len(message)) + message


class Etcd(Cluster):
    """Plain TCP between members and to clients, defaults otherwise."""
    name = "etcd"

    def __init__(self, folder):
        super().__init__(folder)
        self.port = free_ports(10 * len(MEMBERS))
        (self.folder / "body").write_bytes(grpc_body())

    def url(self, number, peer):
        return f"http://127.0.0.1:{self.port + 10 * (number - 1) + peer}"

    def command(self, number):
        members = ",".join(f"m{n}={self.url(n, 1)}" for n in MEMBERS)
        return ["etcd", "--name", f"m{number}", "--data-dir", str(self.folder / f"state{number}"),
                "--listen-client-urls", self.url(number, 0), "--advertise-client-urls", self.url(number, 0),
                "--listen-peer-urls", self.url(number, 1), "--initial-advertise-peer-urls", self.url(number, 1),
                "--initial-cluster", members, "--initial-cluster-state", "new", "--logger", "zap"]

    def post(self, number, path, body, timeout=2):
        connection = http.client.HTTPConnection(self.url(number, 0).removeprefix("http://"), timeout=timeout)
        try:
            connection.request("POST", path, json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
            return json.loads(text) if answer.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def answers(self, number):
        status = self.post(number, "/v3/maintenance/status", {})
        return status and status.get("leader", "0") != "0"

    def leader(self):
        for number in self.processes:
            status = self.post(number, "/v3/maintenance/status", {})
            if status and status.get("leader") == status["header"]["member_id"]:
                return number
        return None

    def revision(self, number):
        return int(self.post(number, "/v3/maintenance/status", {})["header"]["revision"])

    def puts(self, outstanding, seconds):
        """By h2load, which speaks HTTP/2 and so gRPC: one connection, or 4 for more than 16 requests."""
        connections = 1 if outstanding <= 16 else 4
        leader = self.wait_for_leader()
        before = self.revision(leader)
        output = subprocess.run(
            ["h2load", "-D", str(seconds), "-c", str(connections), "-m", str(outstanding // connections), "-t", "1",
             "-d", self.folder / "body", "-H", "content-type: application/grpc", "-H", "te: trailers",
             self.url(leader, 0) + "/etcdserverpb.KV/Put"], stdout=subprocess.PIPE, text=True, check=True).stdout
        done = int(re.search(r"(\d+) succeeded", output)[1])
        # HTTP says 200 also for a gRPC error: the store has to have counted them.
        if not done or self.revision(leader) - before < done:
            raise RuntimeError(f"etcd did not do what h2load counted:\n{output}")
        found = re.search(r"time for request:\s+(\S+)\s+(\S+)\s+(\S+)", output)
        return done / seconds, self.milliseconds(found[3]), None

    @staticmethod
    def milliseconds(text):
        number, unit = re.match(r"([\d.]+)(us|ms|s)", text).groups()
        return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]

    def put(self, number, timeout):
        body = {"key": base64.b64encode(b"k").decode(), "value": base64.b64encode(b"v").decode()}
        return self.post(number, "/v3/kv/put", body, timeout)

    def put_until_done(self, number):
        wait_for(lambda: self.put(number, 0.05), "a put", every=0.002)
        return time.monotonic()

    def failover(self, _round):
        self.wait_for_all()
        leader = self.wait_for_leader()
        wait_for(lambda: self.put(leader, 1), "a put")
        begun = time.monotonic()
        self.kill(leader)
        # A put sent to a member without a leader may wait 5 s: short ones, to both at once.
        with concurrent.futures.ThreadPoolExecutor(len(self.processes)) as pool:
            done = [pool.submit(self.put_until_done, number) for number in self.processes]
            took = min(one.result() for one in done) - begun
        self.start(leader)
        return took
