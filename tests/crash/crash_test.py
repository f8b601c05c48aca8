#!/usr/bin/env python3
"""kill -9 at random moments under a mix of S3, resource, registry and event load.

    HEARTH_CRASH_ROUNDS=200 tests/crash/crash_test.py

Nothing that was acknowledged may be missing or torn, and every accepted event ends delivered or
dead-lettered. The account of what was acknowledged is kept here, not in the daemon.
"""

import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from botocore.exceptions import ClientError

import workers
from account import ABSENT, Account
from daemon import BINARY, Daemon, wait_for

ROUNDS = int(os.environ.get("HEARTH_CRASH_ROUNDS", "10"))


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes "ok" at once, "later" at the second time, "never" not at all."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    delivered = set()
    refused = set()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        identifier = self.headers["ce-id"]
        refuse = identifier.startswith("never") or (
            identifier.startswith("later") and identifier not in self.refused)
        if refuse:
            self.refused.add(identifier)
        else:
            self.delivered.add(identifier)
        self.send_response(500 if refuse else 202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *unused):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *unused):
        pass  # the daemon was killed in the middle of a delivery


class World:
    def __init__(self, hearth, account):
        self.hearth = hearth
        self.ready = hearth.ready
        self.account = account
        self.token = (hearth.folder / "state" / "token").read_text().strip()


class CrashTest(unittest.TestCase):
    def test_nothing_acknowledged_is_lost_or_torn(self):
        server = Server(("127.0.0.1", 0), Sink)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        account = Account()
        with Daemon() as hearth:
            self.prepare(hearth, server.server_port)
            for round_number in range(ROUNDS):
                self.load_and_kill(World(hearth, account))
                hearth.start()
                self.assertEqual(self.wrong(hearth, account), [], "round %d" % round_number)
            self.account_for_events(hearth, account)
            dead = self.dead_letters(hearth)
        server.shutdown()
        kinds = {}
        for key in account.keys:
            kinds[key.split()[0]] = kinds.get(key.split()[0], 0) + 1
        print("%d rounds; keys %s; %d events accepted, %d dead letters" %
              (ROUNDS, kinds, len(account.events), len(dead)))
        self.assertGreater(len(account.events), ROUNDS)
        self.assertGreater(len(kinds), 3)

    def prepare(self, hearth, port):
        workers.s3_client(hearth.ready).create_bucket(Bucket="crash")
        delivery = {"retry": 3, "backoffPolicy": "linear", "backoffDelay": "PT0.05S"}
        hearth.apply(
            {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
             "metadata": {"name": "crash", "namespace": "default"}},
            {"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
             "metadata": {"name": "crash", "namespace": "default"},
             "spec": {"broker": "crash", "delivery": delivery,
                      "subscriber": {"uri": "http://127.0.0.1:%d/" % port}}})
        hearth.kubectl("wait", "trigger/crash", "--for=condition=Ready", "--timeout=60s")

    def load_and_kill(self, world):
        """The moment of the axe is random; it falls while all workers are in the middle of something."""
        running = []
        for work, count in ((workers.objects, 2), (workers.resources, 2), (workers.images, 1),
                            (workers.events, 2)):
            for _ in range(count):
                running.append(threading.Thread(target=work, args=(world, len(running))))
        for thread in running:
            thread.start()
        time.sleep(random.uniform(0.02, 0.6))
        world.hearth.kill()
        for thread in running:
            thread.join(60)
            self.assertFalse(thread.is_alive(), "a worker hangs on a dead daemon")

    def wrong(self, hearth, account):
        """Everything that is not as it was acknowledged."""
        seen = {**self.stored_objects(hearth), **self.stored_resources(hearth),
                **self.stored_images(hearth, account)}
        problems = [account.settle(key, seen.pop(key, ABSENT)) for key in list(account.keys)]
        problems += ["%s exists, but was never asked for" % key for key in seen]
        return [problem for problem in problems if problem]

    def stored_objects(self, hearth):
        client = workers.s3_client(hearth.ready)
        found = {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket="crash"):
            for entry in page.get("Contents", []):
                try:
                    body = client.get_object(Bucket="crash", Key=entry["Key"])["Body"].read()
                except ClientError as error:
                    raise AssertionError("%s (%d bytes) is listed, but: %s\n%s" % (
                        entry["Key"], entry["Size"], error, hearth.output()[-1500:])) from error
                found["s3 " + entry["Key"]] = hashlib.sha256(body).hexdigest()
        return found

    def stored_resources(self, hearth):
        listed = json.loads(hearth.kubectl("get", "configmaps", "-o", "json"))["items"]
        return {"resource " + item["metadata"]["name"]: item["data"]["text"] for item in listed
                if item["metadata"]["name"].startswith("w")}

    def stored_images(self, hearth, account):
        call = workers.Http("http://" + hearth.ready["registry"], {})
        found = {}
        for key in account.keys:
            kind, *rest = key.split()
            if kind == "blob":
                status, _, body = call("GET", "/v2/crash/w%s/blobs/%s" % tuple(rest))
                if status == 200:
                    found[key] = "sha256:" + hashlib.sha256(body).hexdigest()
            elif kind == "tag":
                status, _, body = call("GET", "/v2/crash/w%s/manifests/%s" % tuple(rest))
                if status == 200:
                    found[key] = hashlib.sha256(body).hexdigest()
        return found

    def account_for_events(self, hearth, account):
        """Delivered, or dead-lettered once the attempts are used up."""
        def open_events():
            missing = account.events - Sink.delivered
            return missing - set(self.dead_letters(hearth)) if missing else set()
        with contextlib.suppress(AssertionError):  # the fates below say more
            wait_for(lambda: not open_events(), 120, "the events' ends")
        self.assertEqual([self.fate(hearth, event) for event in sorted(open_events())[:5]], [])
        for identifier in self.dead_letters(hearth):
            self.assertTrue(identifier.startswith("never"), identifier)

    def fate(self, hearth, identifier):
        done = subprocess.run([BINARY, "event", "show", identifier, "-o", "json"], text=True,
                              capture_output=True, env=hearth.environment(), timeout=60)
        return identifier, done.stdout + done.stderr

    def dead_letters(self, hearth):
        done = subprocess.run([BINARY, "dlq", "list", "-A", "--limit", "1000", "-o", "json"], text=True,
                              capture_output=True, env=hearth.environment(), timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        letters = json.loads(done.stdout)
        return [letter["event"]["id"] for letter in letters.get("items", letters)]


if __name__ == "__main__":
    unittest.main()
