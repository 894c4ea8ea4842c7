#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Faults of real members under load, a few of each kind; raft_faults.py has the picture, and does many.
"""
import os
import random
import unittest

from raft_faults import KINDS, run_rounds

ROUNDS = int(os.environ.get("FL_RAFT_ROUNDS", 3))
SEED = int(os.environ.get("FL_RAFT_SEED", random.SystemRandom().randrange(1 << 32)))


class FaultTest(unittest.TestCase):
    """What clients saw stays linearizable, and what was acknowledged stays."""

    def rounds(self, kind):
        run, figures, judged = run_rounds(kind, ROUNDS, SEED)
        self.assertEqual(len(run.recovered), ROUNDS)
        self.assertGreater(figures["operations"], 100)
        self.assertRegex(judged, "^linearizable: ")
        return run

    def test_kill_9_of_the_leader(self):
        self.rounds("kills")

    def test_partitions(self):
        self.rounds("partitions")

    def test_full_disks(self):
        self.assertGreater(self.rounds("full_disks").full_seen, 0, f"seed {SEED}")

    def test_pauses(self):
        self.rounds("pauses")

    def test_changes_of_members(self):
        self.rounds("changes")

    def test_every_kind_is_here(self):
        self.assertEqual(set(KINDS), {"kills", "partitions", "full_disks", "pauses", "changes"})


if __name__ == "__main__":
    unittest.main()
