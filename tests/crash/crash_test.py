#!/usr/bin/env python3
"""kill -9 at random moments under a mix of S3, resource, registry and event load.

    HEARTH_CRASH_ROUNDS=200 tests/crash/crash_test.py

Nothing that was acknowledged may be missing or torn, and every accepted event ends delivered or
dead-lettered. The account of what was acknowledged is kept here, not in the daemon.
"""

import os
import pathlib
import random
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import world as crash_world
from daemon import Daemon

ROUNDS = int(os.environ.get("HEARTH_CRASH_ROUNDS", "10"))


class CrashTest(unittest.TestCase):
    def test_nothing_acknowledged_is_lost_or_torn(self):
        with crash_world.sink() as port, Daemon() as hearth:
            world = crash_world.World(hearth)
            world.prepare(port)
            rounds = 0
            # A slow machine may need more of them until the axe has left an answer of each kind.
            while rounds < ROUNDS or (world.without_answer() and rounds < ROUNDS + 20):
                self.load_and_kill(world)
                hearth.start()
                self.assertEqual(world.wrong(), [], "round %d" % rounds)
                rounds += 1
            self.assertEqual(world.lost_events(), [])
            self.assertEqual(world.wrong_dead_letters(), [])
            dead = len(world.dead_letters())
        self.assertEqual(world.refusals, [])
        print("%d rounds; acknowledged %s; %d dead letters" %
              (rounds, dict(world.account.acknowledged), dead))
        self.assertEqual(world.without_answer(), [])
        self.assertGreater(len(world.account.events), rounds)

    def load_and_kill(self, world):
        """The moment of the axe is random; it falls while all workers are at something."""
        world.begin_load()
        time.sleep(random.uniform(0.02, 0.6))
        world.kill()
        world.end_load()


if __name__ == "__main__":
    unittest.main()
