#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Consensus measured: three members on one machine, over loopback, on one disk, every commit synced.
Beside it etcd (Debian's etcd-server, defaults), in turn, round by round.

    raft_bench.py [--dir FOLDER] [--rounds 3] [--seconds 5] [--failovers 30] [--etcd-failovers 10]

Clients are fair to both: one C program each that keeps its connections. Ours talks lines to raft-kv;
etcd is asked by h2load over HTTP/2, which is gRPC with a ready-made body: no JSON, no gateway. 200
bytes a put. Our members talk TLS to each other, etcd's here do not.
"""
import argparse
import statistics
import sys
import tempfile
import time

import raft_clusters
from raft_clusters import MEMBERS, Etcd, Ours, memory_kib, rss_kib

OUTSTANDING = (1, 16, 256)
ENTRIES = 100000


def say(text):
    print(text, flush=True)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def idle_memory(folder):
    for kind in (Ours, Etcd):
        with kind(folder) as cluster:
            cluster.wait_for_all()
            time.sleep(5)
            pids = [cluster.pid(number) for number in MEMBERS]
            rows = ", ".join(f"{rss_kib(pid) / 1024:.1f} ({memory_kib(pid, 'Private_Dirty') / 1024:.1f})" for pid in pids)
            say(f"idle member, MiB RSS (of that private): {kind.name} {rows}")


def throughput(folder, rounds, seconds):
    found = {}
    with Ours(folder) as ours, Etcd(folder) as etcd:
        for _ in range(rounds):
            for outstanding in OUTSTANDING:
                for cluster in (ours, etcd):
                    found.setdefault((outstanding, cluster.name), []).append(cluster.puts(outstanding, seconds))
    for outstanding in OUTSTANDING:
        for kind in (Ours, Etcd):
            rows = found[outstanding, kind.name]
            rates = sorted(row[0] for row in rows)
            say(f"puts of {raft_clusters.VALUE_BYTES} bytes, {outstanding} outstanding: {kind.name} "
                f"{statistics.median(rates):.0f}/s (min {rates[0]:.0f}, max {rates[-1]:.0f}; {rounds} rounds of "
                f"{seconds} s), {'median' if kind is Ours else 'mean'} {statistics.median(row[1] for row in rows):.2f} ms"
                + (f", p99 {statistics.median(row[2] for row in rows):.2f} ms" if rows[0][2] else ""))


def failovers(folder, kind, rounds):
    with kind(folder) as cluster:
        found = [1000 * cluster.failover(number + 1) for number in range(rounds)]
    say(f"kill -9 of the leader to the next acknowledged write: {kind.name} min {min(found):.0f} median "
        f"{statistics.median(found):.0f} p99 {percentile(found, 0.99):.0f} max {max(found):.0f} ms, {rounds} rounds")


def recovery(folder):
    with Ours(folder, ["--snapshot-bytes", 1 << 40]) as cluster:
        cluster.figures(cluster.load("--outstanding", 256, "--get", 0, "--cas", 0, "--bytes",
                                     raft_clusters.VALUE_BYTES, "--operations", ENTRIES))
        found = []
        for _ in range(5):
            for number in list(cluster.processes):
                cluster.kill(number)
            begun = time.monotonic()
            cluster.start(1)
            raft_clusters.wait_for(lambda: cluster.status(1), "the member", every=0.002)
            found.append(time.monotonic() - begun)
        status = cluster.status(1)
        for number in MEMBERS[1:]:
            cluster.start(number)
        say(f"recovery of {int(status['last']) - int(status['first']) + 1} entries of {raft_clusters.VALUE_BYTES} "
            f"bytes, from exec to an answer: median {1000 * statistics.median(found):.0f} ms "
            f"(min {1000 * min(found):.0f}, max {1000 * max(found):.0f}; applied {status['applied']})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default=tempfile.gettempdir(), help="on the disk to be measured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--failovers", type=int, default=30)
    parser.add_argument("--etcd-failovers", type=int, default=10)
    arguments = parser.parse_args()
    idle_memory(arguments.dir)
    recovery(arguments.dir)
    throughput(arguments.dir, arguments.rounds, arguments.seconds)
    failovers(arguments.dir, Ours, arguments.failovers)
    failovers(arguments.dir, Etcd, arguments.etcd_failovers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
