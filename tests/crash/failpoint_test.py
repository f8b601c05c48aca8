#!/usr/bin/env python3
"""The process dies, or an operation fails, at each point that platform/base/failpoint.h lists.

    HEARTH_FAILPOINT_ROUNDS=5 tests/crash/failpoint_test.py

Needs a binary with failpoints (cmake --preset debug). A point that is never hit is a failure too.
"""

import contextlib
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import workers
import world as crash_world
from daemon import BINARY, Daemon

ROUNDS = int(os.environ.get("HEARTH_FAILPOINT_ROUNDS", "1"))
BURST_S = 0.5
PATIENCE_S = 40
# To meet a request with one of three errors in a row.
ATTEMPTS = 5
# Written at the start only; the load does not come by.
AT_START = "file."
# What no client waits for: a checkpoint, the outcome of a delivery.
UNSEEN = ("sqlite.database_write", "sqlite.database_flush", "journal.record")
# After this one there is nothing left to fail.
NO_ERROR = ("sqlite.committed",)
# Once in a checkpoint, of which there is one a rest.
RARE = ("sqlite.database_flush",)


def points():
    listed = subprocess.run([BINARY, "doctor", "--failpoints"], capture_output=True, text=True,
                            timeout=60)
    found = listed.stdout.split()
    if listed.returncode != 0 or len(found) <= 15:
        raise AssertionError("%s has no failpoints, or few; cmake --preset debug brings them\n%s" %
                             (BINARY, listed.stdout + listed.stderr))
    return found


class World(crash_world.World):
    LOAD = (*crash_world.World.LOAD, (workers.replays, 1))


class FailingDaemon(Daemon):
    """A daemon whose next run follows a plan of failures."""

    def run(self, plan):
        """True when it came up; it may die of the plan before."""
        self.variables = {"HEARTH_FAILPOINTS": plan}
        self.may_break = bool(plan)
        self.said_before = len(self.output()) if self.process else 0
        try:
            self.start()
            return True
        except AssertionError:
            if self.process.poll() is None:
                raise
            return False
        finally:
            self.variables = {}

    def said(self):
        return self.output()[self.said_before:]

    def hits(self):
        """Of each point, from what a run says when it ends regularly."""
        found = re.findall(r"^failpoint (\S+) hits (\d+)$", self.said(), re.MULTILINE)
        return {name: int(count) for name, count in found}

    def hits_of_idle_run(self):
        assert self.run(""), self.said()
        assert self.stop() == 0, self.said()
        return self.hits()

    def failed_at(self, name):
        return len(re.findall("^failpoint %s$" % re.escape(name), self.said(), re.MULTILINE))


def actions(name):
    return ["kill", "torn"] if name.endswith("write") and name != "store.write" else ["kill"]


class FailpointTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.points = points()

    def setUp(self):
        self.figures = {}

    def tearDown(self):
        for name, figure in self.figures.items():
            print("%-24s %s" % (name, figure))

    @contextlib.contextmanager
    def prepared(self):
        """A world at rest, and how often a start and an end alone hit each point. In the end every
        event must have come to its own."""
        with crash_world.sink() as port, FailingDaemon() as hearth:
            world = World(hearth)
            world.prepare(port)
            hearth.stop()
            yield world, hearth.hits_of_idle_run()
            hearth.start()
            self.assertEqual(world.lost_events(), [])
            self.assertEqual(world.wrong_dead_letters(), [])
        self.assertEqual(world.without_answer(), [])

    def test_a_kill_at_any_point_loses_nothing(self):
        with self.prepared() as (world, idle):
            for name in self.points:
                if name.startswith(AT_START):
                    continue
                for action in actions(name) * ROUNDS:
                    hit = idle[name] + random.randint(1, 2 if name in RARE else 12)
                    with self.subTest(point=name, action=action, hit=hit):
                        self.kill_at(world, name, "%s@%d" % (action, hit))
        self.figures["acknowledged"] = "%d keys, %d events" % (
            len(world.account.keys), len(world.account.events))

    def kill_at(self, world, name, action):
        hearth = world.hearth
        if hearth.run("%s=%s" % (name, action)):
            self.load_until(world, lambda: hearth.process.poll() is not None)
        hearth.stop()
        said, code = hearth.said(), hearth.process.returncode
        hearth.start()
        wrong = world.wrong()
        hearth.stop()
        self.assertEqual(code, -signal.SIGKILL, "%s was not hit:\n%s" % (name, said[-2000:]))
        self.assertEqual(wrong, [])
        self.assertEqual(world.refusals, [])
        self.figures[name] = self.figures.get(name, "killed at hit") + " " + action.split("@")[1]

    def load_until(self, world, done):
        """Bursts with rests: a checkpoint waits for one."""
        deadline = time.monotonic() + PATIENCE_S
        while not done() and time.monotonic() < deadline:
            world.begin_load()
            time.sleep(BURST_S)
            world.end_load()
            rest_ends = time.monotonic() + 0.5
            while not done() and time.monotonic() < rest_ends:
                time.sleep(0.01)

    def test_an_error_at_any_point_is_answered_and_passes(self):
        with self.prepared() as (world, idle):
            for name in self.points:
                if name.startswith(AT_START) or name in NO_ERROR:
                    continue
                first = idle[name] + idle[name] // 2 + 2
                with self.subTest(point=name, first=first):
                    self.fail_until_seen(world, name, first)

    def fail_until_seen(self, world, name, first):
        """Some points are passed for requests and for outcomes of deliveries, which nobody waits
        for: three errors in a row may meet only those. Then again, some hits later."""
        for late in range(ATTEMPTS):
            refusals = self.fail_at(world, name, first + late * 10)
            if refusals or name in UNSEEN:
                break
        self.assertEqual(bool(refusals), name not in UNSEEN, refusals)

    def fail_at(self, world, name, first):
        hearth = world.hearth
        self.assertTrue(hearth.run("%s=error@%d-%d" % (name, first, first + 2)), hearth.said())
        world.refusals.clear()
        self.load_until(world, lambda: hearth.failed_at(name) == 3)
        refusals = list(world.refusals)
        world.refusals.clear()
        acknowledged = len(world.account.events)
        if hearth.process.poll() is None:
            self.load_until(world, lambda: len(world.account.events) > acknowledged)
        wrong = world.wrong() if hearth.process.poll() is None else []
        code = hearth.stop()
        said, hits = hearth.said(), hearth.hits()
        hearth.start()
        wrong_after = world.wrong()
        hearth.stop()
        self.assertEqual(code, 0, "the daemon lives:\n" + said[-2000:])
        self.assertEqual(said.count("failpoint %s\n" % name), 3, "hits %s" % hits.get(name))
        self.assertEqual((wrong, wrong_after), ([], []))
        self.assertLessEqual({status for _, status in refusals}, {500, 503, 507}, refusals)
        self.assertEqual(world.refusals, [], "it works again")
        self.figures[name] = "%d hits, 3 errors, %d requests refused" % (
            hits[name], len(refusals))
        return refusals

    def test_a_first_start_that_is_cut_off_can_be_repeated(self):
        first = FailingDaemon()
        try:
            hits = first.hits_of_idle_run()
        finally:
            first.__exit__()
        for name in self.points:
            last = hits.get(name, 0)
            # The same files each time; of transactions sometimes more, sometimes less.
            exact = name.startswith(AT_START)
            chosen = {1, random.randint(1, max(1, last * 3 // 4)), last if exact else 1}
            if exact:
                self.assertTrue(last, name + " is never hit")
            for hit in sorted(chosen) if last else ():
                for action in [*actions(name), "error"]:
                    with self.subTest(point=name, action=action, hit=hit):
                        self.cut_first_start("%s=%s@%d" % (name, action, hit))
            self.figures[name] = "%d hits, cut off at %s" % (
                last, sorted(chosen) if last else "none")

    def cut_first_start(self, plan):
        hearth = FailingDaemon()
        try:
            up = hearth.run(plan)
            if up:
                # The last file is the one that says that it is up: the error may come behind it.
                self.assertIn(hearth.stop(), (0, 1, -signal.SIGKILL), plan)
            self.assertIn("failpoint " + plan.split("=")[0] + "\n", hearth.said())
            if "error" in plan and not up:
                self.assertGreater(hearth.process.returncode, 0, "it ends with a message")
            hearth.start()
            hearth.kubectl("get", "namespaces")
            workers.s3_client(hearth.ready).create_bucket(Bucket="works")
        finally:
            hearth.__exit__()


if __name__ == "__main__":
    unittest.main()
