#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Faults of real members under load; what clients saw must be linearizable, with all that was
acknowledged still there at the end.

    raft_faults.py [--kills 100] [--partitions 50] [--full-disks 30] [--pauses 30] [--changes 20]
                   [--operations 1000000] [--seed N]

Prints its seed, and of each kind how many rounds there were, and how long after a fault (or its
end) a write was acknowledged. Exit status 1 with the reason if anything did not hold.
"""
import argparse
import random
import signal
import statistics
import sys
import time

from kv_cluster import Cluster, Load, Member, check_linear, wait_for

FULL_MIB = 24
FULL_S = 5  # a member may find room in its segment for so long
SMALL_LOG = ["--snapshot-bytes", 512 << 10, "--kept-entries", 200, "--segment-bytes", 256 << 10]
KEYS = 50


def summary(name, seconds):
    """One line of figures in milliseconds."""
    ordered = sorted(1000 * value for value in seconds)
    if not ordered:
        return f"{name}: no round"
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return (f"{name}: {len(ordered)} rounds, write acknowledged after min {ordered[0]:.0f} median "
            f"{statistics.median(ordered):.0f} p99 {p99:.0f} max {ordered[-1]:.0f} ms")


class Run:
    """A cluster under load from its beginning to finish()."""

    def __init__(self, seed, operations=0, tmpfs_mib=None, spare=0):
        self.random = random.Random(seed)
        self.cluster = Cluster(spare=spare, args=SMALL_LOG, tmpfs_mib=tmpfs_mib)
        self.recovered = []  # seconds
        try:
            self.operations = operations
            self.load = Load(self.cluster, "load", "--anywhere", keys=KEYS)
        except BaseException:
            self.cluster.close()
            raise

    def breathe(self, most=0.3):
        """Some load between two faults."""
        time.sleep(self.random.uniform(0.05, most))

    def victim(self):
        """The leader mostly, as it hurts most."""
        leader = self.cluster.wait_for_leader()
        return leader if self.random.random() < 0.7 else self.random.choice(self.cluster.members)

    # -- rounds: a fault, and that it is survived ------------------------------------------------
    def kill(self):
        leader = self.cluster.wait_for_leader()
        leader.kill()
        self.recovered.append(self.cluster.write())
        self.breathe()
        leader.start()
        self.cluster.wait_for_member(leader)

    def partition(self):
        """From the other members, by a filter that leaves it its clients, or with its cable pulled."""
        member, cable = self.victim(), self.random.random() < 0.5
        if cable:
            member.host.link(False)
        else:
            member.cut()
        self.recovered.append(self.cluster.write())
        self.breathe(1.5)
        if cable:
            member.host.link(True)
        else:
            member.heal()
        self.cluster.wait_for_member(member)

    def full_disk(self):
        """One member's, or the majority's: then nothing can be written until there is room again."""
        members = self.random.sample(self.cluster.members, self.random.choice((1, 1, 2)))
        for member in members:
            member.fill_disk()
        end = time.monotonic() + FULL_S
        while time.monotonic() < end and not self.stalled(members):
            time.sleep(0.02)
        self.full_seen += len(self.stalled(members))
        self.breathe()
        for member in members:
            member.free_disk()
        self.recovered.append(self.cluster.write())
        for member in members:
            self.cluster.wait_for_member(member)

    full_seen = 0  # members that said that their disk is full

    @staticmethod
    def stalled(members):
        found = [member.status() for member in members]
        return [status for status in found if status and status["stalled"] == "1"]

    def pause(self):
        member = self.victim()
        member.signal(signal.SIGSTOP)
        self.recovered.append(self.cluster.write())
        self.breathe(2)
        member.signal(signal.SIGCONT)
        self.cluster.wait_for_member(member)

    def change(self):
        """A new member joins on the free host; an old one, the leader maybe, goes for good."""
        cluster = self.cluster
        used = {member.host for member in cluster.members}
        host = next(host for host in cluster.lab.hosts if host not in used)
        new = Member(cluster, host, cluster.next_number, join=True)
        cluster.next_number += 1
        new.start()
        begun = time.monotonic()
        cluster.change("learner", new.id, new.address)
        cluster.members.append(new)
        cluster.change("promote", new.id)
        old = self.random.choice([member for member in cluster.members if member is not new])
        cluster.change("remove", old.id)
        old.kill()
        cluster.members.remove(old)
        self.recovered.append(time.monotonic() - begun)

    # -- the end ---------------------------------------------------------------------------------
    def finish(self):
        """Everything is healed: the load ends, all keys are read, and what clients saw is judged."""
        wait_for(lambda: self.load.recorded() >= self.operations, 3600, "enough operations", every=1)
        figures = self.load.stop()
        last = Load(self.cluster, "last", "--get", 100, "--cas", 0, "--operations", 40 * KEYS, keys=KEYS,
                    first_value=1 << 40)
        last.finish()
        self.cluster.wait_for_equal()
        return figures, check_linear(self.load.history, last.history)


KINDS = {  # name: the round, and how the cluster is made
    "kills": (Run.kill, {}),
    "partitions": (Run.partition, {}),
    "full_disks": (Run.full_disk, {"tmpfs_mib": FULL_MIB}),
    "pauses": (Run.pause, {}),
    "changes": (Run.change, {"spare": 1}),
}


def run_rounds(kind, rounds, seed, operations=0, say=lambda text: None):
    """So many rounds of one kind, then the judgement. RuntimeError or TimeoutError: it did not hold."""
    action, options = KINDS[kind]
    run = Run(seed, operations, **options)
    try:
        for done in range(rounds):
            action(run)
            say(f"{kind}: {done + 1} of {rounds}")
        figures, judged = run.finish()
    except BaseException:
        print(f"{kind}, seed {seed}\n{run.cluster.logs()}", file=sys.stderr)
        raise
    finally:
        run.cluster.close()
    return run, figures, judged


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind, rounds in (("kills", 100), ("partitions", 50), ("full-disks", 30), ("pauses", 30), ("changes", 20)):
        parser.add_argument(f"--{kind}", type=int, default=rounds)
    parser.add_argument("--operations", type=int, default=1000000, help="at least so many in all, faults or not")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    total = unknown = 0
    kinds = [kind for kind in KINDS if getattr(arguments, kind)]
    for kind in kinds:
        progress = (lambda text: print(f"\r{text}", end="", file=sys.stderr)) if sys.stderr.isatty() else (
            lambda text: None)
        run, figures, judged = run_rounds(kind, getattr(arguments, kind), arguments.seed,
                                          arguments.operations // len(kinds), progress)
        total += int(figures["operations"])
        unknown += int(figures["unknown"])
        print(summary(kind, run.recovered))
        if kind == "full_disks":
            print(f"  members that said their disk is full: {run.full_seen}")
        print(f"  {judged}; {figures['unknown']:.0f} of unknown outcome", flush=True)
    print(f"{total} operations finished, {unknown} of unknown outcome, all histories linearizable, with "
          "the last reads of every key")
    return 0


if __name__ == "__main__":
    sys.exit(main())
