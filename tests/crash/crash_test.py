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
            for round_number in range(ROUNDS):
                self.load_and_kill(world)
                hearth.start()
                self.assertEqual(world.wrong(), [], "round %d" % round_number)
            self.assertEqual(world.lost_events(), [])
            dead = world.dead_letters()
        for identifier in dead:
            self.assertTrue(identifier.startswith("never"), identifier)
        self.assertEqual(world.refusals, [])
        kinds = {}
        for key in world.account.keys:
            kinds[key.split()[0]] = kinds.get(key.split()[0], 0) + 1
        print("%d rounds; keys %s; %d events accepted, %d dead letters" %
              (ROUNDS, kinds, len(world.account.events), len(dead)))
        self.assertGreater(len(world.account.events), ROUNDS)
        self.assertGreater(len(kinds), 3)

    def load_and_kill(self, world):
        """The moment of the axe is random; it falls while all workers are in the middle of something."""
        world.begin_load()
        time.sleep(random.uniform(0.02, 0.6))
        world.hearth.kill()
        world.end_load()


if __name__ == "__main__":
    unittest.main()
