"""A daemon under load, and the comparison of what it shows with what it acknowledged."""

import contextlib
import hashlib
import http.server
import json
import pathlib
import subprocess
import sys
import threading
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from botocore.exceptions import ClientError

import workers
from account import ABSENT, Account
from daemon import BINARY, wait_for


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


@contextlib.contextmanager
def sink():
    """The port of a subscriber that runs as long as the block."""
    server = Server(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()


class World:
    KINDS = ("s3", "resource", "blob", "tag", "event")
    LOAD = ((workers.objects, 2), (workers.resources, 2), (workers.images, 1), (workers.events, 2))

    def __init__(self, hearth):
        self.hearth = hearth
        self.account = Account()
        self.refusals = []
        self.running = []
        self.pause = threading.Event()
        self.axe = threading.Event()
        self.unanswered = []  # of workers that ended before the axe fell
        self.problems = []

    def prepare(self, sink_port):
        self.token = (self.hearth.folder / "state" / "token").read_text().strip()
        workers.s3_client(self.ready).create_bucket(Bucket="crash")
        delivery = {"retry": 3, "backoffPolicy": "linear", "backoffDelay": "PT0.05S"}
        self.hearth.apply(
            {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
             "metadata": {"name": "crash", "namespace": "default"}},
            {"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
             "metadata": {"name": "crash", "namespace": "default"},
             "spec": {"broker": "crash", "delivery": delivery,
                      "subscriber": {"uri": "http://127.0.0.1:%d/" % sink_port}}})
        self.hearth.kubectl("wait", "trigger/crash", "--for=condition=Ready", "--timeout=60s")

    @property
    def ready(self):
        return self.hearth.ready

    def wants_more(self):
        return not self.pause.is_set()

    def rest(self):
        self.pause.wait(0.05)

    def refused(self, what, status):
        self.refusals.append((what, status))

    def begin_load(self):
        self.pause.clear()
        self.axe.clear()
        for work, count in self.LOAD:
            for _ in range(count):
                self.running.append(threading.Thread(
                    target=self.work, args=(work, len(self.running))))
        for thread in self.running:
            thread.start()

    def work(self, work, number):
        try:
            work(self, number)
        except workers.Gone as gone:
            if not self.axe.is_set():
                self.unanswered.append("%s: %s" % (work.__name__, gone))
        except BaseException:
            # The world's own fault: a worker less is a load less, which nobody would notice.
            self.problems.append("%s: %s" % (work.__name__, traceback.format_exc()))

    def kill(self):
        self.axe.set()
        self.hearth.kill()

    def end_load(self):
        """Workers end between two requests, or because the daemon is gone."""
        self.pause.set()
        for thread in self.running:
            thread.join(60)
            assert not thread.is_alive(), "a worker hangs"
        self.running = []
        if self.unanswered and not self.died():
            self.problems += ["the daemon lived, but " + what for what in self.unanswered]
        self.unanswered = []

    def died(self):
        """By itself: its connections may end a moment before it does."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.hearth.process.wait(10)
        return self.hearth.process.poll() is not None and not self.axe.is_set()

    def wrong(self):
        """Everything that is not as it was acknowledged, and what went wrong with the load."""
        seen = {**self.stored_objects(), **self.stored_resources(), **self.stored_images()}
        problems, self.problems = self.problems, []
        problems += [self.account.settle(key, seen.pop(key, ABSENT))
                     for key in list(self.account.keys)]
        problems += ["%s exists, but was never asked for" % key for key in seen]
        return [problem for problem in problems if problem]

    def stored_objects(self):
        client = workers.s3_client(self.ready)
        found = {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket="crash"):
            for entry in page.get("Contents", []):
                try:
                    body = client.get_object(Bucket="crash", Key=entry["Key"])["Body"].read()
                except ClientError as error:
                    raise AssertionError("%s (%d bytes) is listed, but: %s\n%s" % (
                        entry["Key"], entry["Size"], error,
                        self.hearth.output()[-1500:])) from error
                found["s3 " + entry["Key"]] = hashlib.sha256(body).hexdigest()
        return found

    def stored_resources(self):
        listed = json.loads(self.hearth.kubectl("get", "configmaps", "-o", "json"))["items"]
        return {"resource " + item["metadata"]["name"]: item["data"]["text"] for item in listed
                if item["metadata"]["name"].startswith("w")}

    def stored_images(self):
        """An answer that is neither the thing nor 404 takes its place: nobody asked for that."""
        call = workers.Http("http://" + self.ready["registry"], {})
        found = {}
        for key in self.account.keys:
            kind, *rest = key.split()
            if kind == "blob":
                status, _, body = call("GET", "/v2/crash/w%s/blobs/%s" % tuple(rest))
                if status != 404:
                    found[key] = ("sha256:" + hashlib.sha256(body).hexdigest() if status == 200
                                  else "status %d" % status)
            elif kind == "tag":
                status, _, body = call("GET", "/v2/crash/w%s/manifests/%s" % tuple(rest))
                if status != 404:
                    found[key] = (hashlib.sha256(body).hexdigest() if status == 200
                                  else "status %d" % status)
        return found

    def without_answer(self):
        """The kinds of which nothing was acknowledged: of them the rounds show nothing."""
        return [kind for kind in self.KINDS if not self.account.acknowledged[kind]]

    def lost_events(self):
        """Accepted, and after a while neither delivered nor a dead letter: what became of them."""
        def open_events():
            missing = self.account.events - Sink.delivered
            return missing - set(self.dead_letters()) if missing else set()
        with contextlib.suppress(AssertionError):  # the fates below say more
            wait_for(lambda: not open_events(), 120, "the events' ends")
        return [self.fate(event) for event in sorted(open_events())[:5]]

    def fate(self, identifier):
        done = subprocess.run([BINARY, "event", "show", identifier, "-o", "json"], text=True,
                              capture_output=True, env=self.hearth.environment(), timeout=60)
        return identifier, done.stdout + done.stderr

    def wrong_dead_letters(self):
        """The sink takes all others in the end."""
        return [event for event in self.dead_letters() if not event.startswith("never")]

    def dead_letters(self):
        """The ids of the events that were given up."""
        call = workers.Http(self.ready["gateway"], {"Host": "localhost",
                                                    "Authorization": "Bearer " + self.token})
        found, after = [], 0
        while True:
            status, _, body = call("GET", "/hearth/v1/deadletters?limit=1000&after=%d" % after)
            assert status == 200, body
            letters = json.loads(body)["items"]
            found += [letter["event"]["id"] for letter in letters]
            if len(letters) < 1000:
                return found
            after = letters[-1]["id"]
