# SPDX-License-Identifier: BSD-2-Clause
"""
A cluster of raft-kv in a lab, one member on each host, and its clients.

    client1 (raft-kv-load, and what this process asks)
       |
    ---+------+--------------+--------------+------ ...
              |              |              |
            host1          host2          host3         7000: members, 7001: clients
"""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from lab import Lab, wait_for  # noqa: E402
from lab.namespace import setns  # noqa: E402
from lab.tools import BUILD  # noqa: E402

PROGRAMS = pathlib.Path(BUILD) / "tests"
PORT, CLIENT_PORT = 7000, 7001
PATIENCE_S = 60  # much longer than anything should take; only a failure waits for it
ANSWER_S = 5
IDS_MAX = 200    # certificates are made for


def inside(machine, action):
    """Runs action() in a thread inside a machine's network; returns what it returns."""
    result = {}

    def run():
        try:
            with open(f"/proc/{machine.spaces.pid}/ns/net", "rb") as network:
                setns(network.fileno())
            result["value"] = action()
        except OSError as error:
            result["error"] = error
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in result:
        raise result["error"]
    return result["value"]


class Member:
    """One process of raft-kv, which may be killed and started again from its folder."""

    def __init__(self, cluster, host, number, join=False, tmpfs_mib=None):
        self.cluster, self.host, self.number, self.join = cluster, host, number, join
        self.id, self.address = f"{number:x}", f"{host.ip}:{PORT}"
        self.client_address = f"{host.ip}:{CLIENT_PORT}"
        self.folder = host.folder / f"member{number}"
        self.folder.mkdir()
        self.log_path = host.folder / f"member{number}.log"
        self.process = None
        if tmpfs_mib:
            host.run(["mount", "-t", "tmpfs", "-o", f"size={tmpfs_mib}m", "tmpfs", self.folder])

    def start(self):
        command = [PROGRAMS / "raft-kv", "--id", self.id, "--dir", self.folder / "state", "--pki",
                   self.cluster.pki, "--listen", self.address, "--members", self.cluster.first_members,
                   *self.cluster.args, *(["--join"] if self.join else [])]
        with open(self.log_path, "a") as log:
            self.process = self.host.popen(command, stdout=log, stderr=log)

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def ask(self, *words, timeout=ANSWER_S):
        """The answer to one request, without its tag; None if there is none."""
        def talk():
            with socket.create_connection((self.host.ip, CLIENT_PORT), timeout) as connection:
                connection.settimeout(timeout)
                connection.sendall(("1 " + " ".join(map(str, words)) + "\n").encode())
                answer = b""
                while not answer.endswith(b"\n"):
                    more = connection.recv(4096)
                    if not more:
                        return None
                    answer += more
                return answer.decode().split(" ", 1)[1].rstrip("\n")
        try:
            return inside(self.cluster.client, talk)
        except OSError:
            return None

    def status(self):
        """Its view as a dict, or None."""
        answer = self.ask("status", timeout=1)
        return dict(word.split("=", 1) for word in answer.split()) if answer else None

    def cut(self):
        """From the other members alone: clients still reach it."""
        others = [host.ip for host in self.cluster.lab.hosts if host is not self.host]
        self.host.run(["nft", "-f", "-"], input=f"""
            table ip cut {{
                set others {{ type ipv4_addr; elements = {{ {", ".join(others)} }} }}
                chain in {{ type filter hook input priority 0; ip saddr @others drop; }}
                chain out {{ type filter hook output priority 0; ip daddr @others drop; }}
            }}""")

    def heal(self):
        self.host.run(["nft", "delete", "table", "ip", "cut"], check=False)

    def fill_disk(self):
        self.host.run(f"dd if=/dev/zero of={self.folder}/filler bs=64k 2>/dev/null; "
                      f"dd if=/dev/zero of={self.folder}/filler2 bs=512 2>/dev/null; true")

    def free_disk(self):
        self.host.run(f"rm -f {self.folder}/filler {self.folder}/filler2")


class Cluster:
    """count members of a new cluster; `spare` more hosts have none yet."""

    def __init__(self, count=3, spare=0, args=(), tmpfs_mib=None):
        self.lab = Lab(hosts=count + spare, clients=1)
        self.client, self.args, self.tmpfs_mib = self.lab.client, [str(arg) for arg in args], tmpfs_mib
        self.pki = pathlib.Path(self.lab.dir) / "pki"
        self.pki.mkdir()
        subprocess.run([PROGRAMS / "raft-pki", self.pki, "lab", *(f"{n:x}" for n in range(1, IDS_MAX))],
                       check=True)
        self.first_members = ",".join(f"{n:x}={self.lab.host(n).ip}:{PORT}" for n in range(1, count + 1))
        self.members = [Member(self, self.lab.host(n), n, tmpfs_mib=tmpfs_mib)
                        for n in range(1, count + 1)]
        self.next_number = count + 1
        for member in self.members:
            member.start()
        self.wait_for_leader()

    def close(self):
        self.lab.close()

    def find_leader(self, among=None):
        """The leader of the highest term that says so, or None."""
        leaders = []
        for member in among or self.members:
            status = member.status() if member.running else None
            if status and status["state"] == "leader":
                leaders.append((int(status["term"]), member))
        return max(leaders, key=lambda pair: pair[0])[1] if leaders else None

    def wait_for_leader(self, among=None):
        return wait_for(lambda: self.find_leader(among), PATIENCE_S, "a leader", every=0.02)

    def write(self, key=10 ** 6, value=1):
        """One acknowledged write; how long it took from now, in seconds."""
        begun = time.monotonic()

        def attempt():
            return any(member.running and member.ask("put", key, value, timeout=0.25) == "ok"
                       for member in self.members)
        wait_for(attempt, PATIENCE_S, "an acknowledged write")
        return time.monotonic() - begun

    def wait_for_member(self, member):
        """It has applied all that the leader has by now."""
        target = int(self.wait_for_leader([other for other in self.members if other.running])
                     .status()["applied"])

        def caught_up():
            status = member.status()
            return status and int(status["applied"]) >= target
        wait_for(caught_up, PATIENCE_S, f"member {member.id} with what it missed", every=0.02)

    def change(self, *words):
        """A change of members, asked of the leader until it is done."""
        def attempt():
            leader = self.find_leader()
            return leader and leader.ask(*words, timeout=PATIENCE_S) == "ok"
        return wait_for(attempt, PATIENCE_S, " ".join(words), every=0.05)

    def wait_for_equal(self):
        """All members that run have applied the same."""
        def equal():
            states = [member.status() for member in self.members if member.running]
            return all(states) and len({status["applied"] for status in states}) == 1
        wait_for(equal, PATIENCE_S, "members with the same state", every=0.05)

    def logs(self):
        return "\n".join(f"--- {member.log_path.name}\n" + "\n".join(
            member.log_path.read_text().splitlines()[-15:]) for member in self.members)


class Load:
    """raft-kv-load on the client, and its history."""

    def __init__(self, cluster, name, *args, outstanding=32, keys=50, first_value=0):
        self.counted = "--operations" in args
        self.history = pathlib.Path(cluster.lab.dir) / f"{name}.history"
        addresses = ",".join(f"{host.ip}:{CLIENT_PORT}" for host in cluster.lab.hosts)
        command = [PROGRAMS / "raft-kv-load", "--members", addresses, "--outstanding", outstanding, "--keys",
                   keys, "--first-value", first_value, "--history", self.history, *args]
        self.process = cluster.client.popen(command, stdout=subprocess.PIPE, text=True)

    def recorded(self):
        """Operations in the history so far."""
        with open(self.history, "rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))

    def stop(self):
        """Ends it in order, unless it ends by itself; its figures as a dict."""
        if not self.counted and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.finish()

    def finish(self):
        output, _ = self.process.communicate(timeout=None)
        if self.process.returncode:
            raise RuntimeError(f"raft-kv-load: exit {self.process.returncode}")
        return {name: float(value) for name, value in (word.split("=") for word in output.split())}


def check_linear(*histories):
    """What linear-check says of all histories together; RuntimeError if they are not linearizable."""
    together = histories[0].with_suffix(".all")
    with open(together, "wb") as out:
        for path in histories:
            out.write(path.read_bytes())
    found = subprocess.run([PROGRAMS / "linear-check", together], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, check=False)
    if found.returncode:
        kept = pathlib.Path("/tmp") / f"fairlead-{os.getpid()}.history"
        kept.write_bytes(together.read_bytes())
        raise RuntimeError(f"{found.stdout}\nthe history is in {kept}")
    return found.stdout.strip()
