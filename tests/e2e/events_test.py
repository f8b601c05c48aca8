#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Events from a producer to a subscriber, through a running daemon, over HTTP and kubectl alone.

Needs HEARTH_GATEWAY (URL of the gateway) and KUBECONFIG, which run.py sets, and kubectl;
HEARTH_ADMIN when the paths under /hearth/v1/ are served elsewhere.
"""

import base64
import collections
import http.server
import json
import os
import subprocess
import threading
import unittest
import urllib.error
import urllib.request
import uuid

from daemon import wait_for

GATEWAY = os.environ["HEARTH_GATEWAY"].rstrip("/")
ADMIN = os.environ.get("HEARTH_ADMIN", GATEWAY).rstrip("/")
TIMEOUT_S = 20

# Tells the sink of each delivery, then fails.
FAILING = '''
import os
import urllib.request

def handler(event):
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    direct.open(os.environ["SINK"], data=os.environ["FUNCTION_NAME"].encode(), timeout=10).read()
    raise RuntimeError("always")
'''


class Sink:
    """A subscriber: keeps what it gets, answers what it is told to, else 200."""

    def __init__(self):
        self.received = []
        self.answers = []  # (status, headers, body), used up in order
        self.changed = threading.Condition()
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with sink.changed:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    sink.received.append((headers, body))
                    status, extra, answer = sink.answers.pop(0) if sink.answers else (200, {}, b"")
                    sink.changed.notify_all()
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count):
        with self.changed:
            self.changed.wait_for(lambda: len(self.received) >= count, TIMEOUT_S)
            return list(self.received)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def kubectl(*args, manifest=None):
    text = json.dumps(manifest) if manifest is not None else None
    done = subprocess.run(["kubectl", *args], input=text, capture_output=True, text=True,
                          timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"kubectl {' '.join(args)}: {done.stderr}")
    return done.stdout


def call(method, url, headers=None, body=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def admin(method, path):
    token = os.environ.get("HEARTH_TOKEN", "")
    status, _, body = call(method, f"{ADMIN}/hearth/v1/{path}",
                           {"Authorization": f"Bearer {token}"})
    if status != 200:
        raise AssertionError(f"{method} {path}: {status} {body!r}")
    return json.loads(body)


class EventsTest(unittest.TestCase):
    def setUp(self):
        self.ns = f"events-{uuid.uuid4().hex[:8]}"
        kubectl("create", "namespace", self.ns)
        self.addCleanup(kubectl, "delete", "namespace", self.ns, "--wait=false")
        self.sink = Sink()
        self.addCleanup(self.sink.close)

    def apply(self, kind, name, spec):
        kubectl("apply", "-f", "-", manifest={
            "apiVersion": "eventing.knative.dev/v1", "kind": kind,
            "metadata": {"name": name, "namespace": self.ns}, "spec": spec})
        kubectl("wait", f"{kind.lower()}.eventing.knative.dev/{name}", "-n", self.ns,
                "--for=condition=Ready", "--timeout=20s")

    def broker(self, **delivery):
        self.apply("Broker", "main", {"delivery": delivery} if delivery else {})

    def trigger(self, name="all", sink=None, **spec):
        spec.setdefault("subscriber", {"uri": (sink or self.sink).url})
        self.apply("Trigger", name, {"broker": "main", **spec})

    def post(self, type_="com.example.test", id_=None, body=b'{"a": 1}', **extensions):
        headers = {"ce-specversion": "1.0", "ce-id": id_ or uuid.uuid4().hex, "ce-type": type_,
                   "ce-source": "/e2e", "Content-Type": "application/json"}
        headers.update({f"ce-{name}": value for name, value in extensions.items()})
        return call("POST", f"{GATEWAY}/{self.ns}/main", headers, body)

    def test_binary_event_arrives_as_it_was_sent(self):
        self.broker()
        self.trigger()
        status, _, _ = self.post(id_="b-1", subject="Euro%20%E2%82%AC", color="red")
        self.assertEqual(status, 202)
        headers, body = self.sink.wait(1)[0]
        self.assertEqual(body, b'{"a": 1}')
        self.assertEqual(headers["ce-id"], "b-1")
        self.assertEqual(headers["ce-subject"], "Euro%20%E2%82%AC")
        self.assertEqual(headers["ce-color"], "red")
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(headers["prefer"], "reply")
        self.assertEqual(headers["kn-namespace"], self.ns)
        self.assertIn("traceparent", headers)

    def test_structured_event_arrives_in_binary_mode(self):
        self.broker()
        self.trigger()
        event = {"specversion": "1.0", "id": "s-1", "type": "t", "source": "/e2e",
                 "datacontenttype": "application/json", "data": {"b": [1, 2]}}
        status, _, _ = call("POST", f"{GATEWAY}/{self.ns}/main",
                            {"Content-Type": "application/cloudevents+json"},
                            json.dumps(event).encode())
        self.assertEqual(status, 202)
        headers, body = self.sink.wait(1)[0]
        self.assertEqual(headers["ce-id"], "s-1")
        self.assertEqual(json.loads(body), {"b": [1, 2]})

    def test_a_batch_is_taken_whole_or_not_at_all(self):
        self.broker()
        self.trigger()
        batch = [{"specversion": "1.0", "id": "b-%d" % i, "type": "t", "source": "/e2e", "data": i}
                 for i in range(40)]
        url = f"{GATEWAY}/{self.ns}/main"
        headers = {"Content-Type": "application/cloudevents-batch+json"}
        broken = json.dumps(batch[:1] + [{"specversion": "1.0", "id": "x", "type": "t"}]).encode()
        status, _, body = call("POST", url, headers, broken)
        self.assertEqual(status, 400)
        self.assertIn("event 1", json.loads(body)["detail"])
        status, _, _ = call("POST", url, headers, json.dumps(batch).encode())
        self.assertEqual(status, 202)
        seen = sorted((headers["ce-id"], body) for headers, body in self.sink.wait(40))
        self.assertEqual(seen, sorted((event["id"], str(event["data"]).encode()) for event in batch))

    def test_ingress_answers_by_the_contract(self):
        self.broker()
        url = f"{GATEWAY}/{self.ns}/main"
        status, headers, body = call("POST", url, {"ce-specversion": "1.0", "ce-id": "1",
                                                   "ce-type": "t"}, b"")
        self.assertEqual(status, 400)
        self.assertEqual(json.loads(body)["attribute"], "source")
        status, _, _ = call("POST", url, {"ce-specversion": "19.0", "ce-id": "1", "ce-type": "t",
                                          "ce-source": "/s"}, b"")
        self.assertEqual(status, 400)
        self.assertEqual(call("GET", url)[0], 405)
        status, _, body = call("POST", f"{GATEWAY}/{self.ns}/mian",
                               {"ce-specversion": "1.0", "ce-id": "1", "ce-type": "t",
                                "ce-source": "/s"}, b"")
        self.assertEqual(status, 404, body)
        status, headers, _ = call("OPTIONS", url, {"WebHook-Request-Origin": "example.com"})
        self.assertEqual(status, 200)
        self.assertIn("POST", headers["Allow"])

    def test_filters_choose(self):
        other = Sink()
        self.addCleanup(other.close)
        self.broker()
        self.trigger("typed", filter={"attributes": {"type": "wanted"}})
        self.trigger("prefixed", sink=other, filters=[{"prefix": {"type": "wan"}},
                                                      {"not": {"exact": {"type": "wanted"}}}])
        self.post("wanted", "1")
        self.post("wander", "2")
        self.assertEqual(self.sink.wait(1)[0][0]["ce-id"], "1")
        self.assertEqual(other.wait(1)[0][0]["ce-id"], "2")
        shown = admin("GET", f"events?namespace={self.ns}&type=wander")["items"]
        self.assertEqual([d["trigger"] for d in shown[0]["deliveries"]], ["prefixed"])

    def test_retries_until_the_subscriber_takes_it(self):
        self.broker(retry=3, backoffPolicy="exponential", backoffDelay="PT0.05S")
        self.trigger()
        self.sink.answers = [(503, {}, b""), (500, {}, b"")]
        self.post(id_="r-1")
        self.assertEqual([h["ce-id"] for h, _ in self.sink.wait(3)], ["r-1"] * 3)
        wait_for(lambda: admin("GET", "events/r-1")["deliveries"][0]["state"] == "delivered",
                 TIMEOUT_S, "the delivery's end")

    def test_dead_letters_are_kept_told_and_replayed(self):
        sink = Sink()
        self.addCleanup(sink.close)
        self.broker(retry=1, backoffDelay="PT0.05S", deadLetterSink={"uri": sink.url})
        self.trigger()
        self.sink.answers = [(500, {}, b"broken")] * 2
        self.post(id_="d-1")
        headers, _ = sink.wait(1)[0]
        self.assertEqual(headers["ce-knativeerrorcode"], "500")
        self.assertEqual(headers["ce-knativeerrordest"], self.sink.url)
        self.assertEqual(base64.b64decode(headers["ce-knativeerrordata"]), b"broken")
        letters = admin("GET", f"deadletters?namespace={self.ns}")["items"]
        self.assertEqual([(l["event"]["id"], l["attempts"]) for l in letters], [("d-1", 2)])
        self.assertEqual(admin("POST", f"deadletters/{letters[0]['id']}/replay"), {"replayed": 1})
        self.assertEqual(len(self.sink.wait(3)), 3)
        self.assertEqual(admin("GET", f"deadletters?namespace={self.ns}")["items"], [])

    def test_what_no_retry_helps_is_buried_at_once_and_can_be_purged(self):
        self.broker(retry=5, backoffDelay="PT0.05S")
        self.trigger()
        self.sink.answers = [(422, {}, b"")]
        self.post()
        wait_for(lambda: admin("GET", f"deadletters?namespace={self.ns}")["items"], TIMEOUT_S,
                 "the dead letter")
        self.assertEqual(len(self.sink.wait(1)), 1)
        self.assertEqual(admin("DELETE", f"deadletters?namespace={self.ns}"), {"purged": 1})

    def test_replies_go_back_into_the_broker(self):
        second = Sink()
        self.addCleanup(second.close)
        self.broker()
        self.trigger("first", filter={"attributes": {"type": "first"}})
        self.trigger("second", sink=second, filter={"attributes": {"type": "second"}})
        self.sink.answers = [(200, {"ce-specversion": "1.0", "ce-id": "re", "ce-type": "second",
                                    "ce-source": "/sink"}, b"answer")]
        self.post("first")
        headers, body = second.wait(1)[0]
        self.assertEqual((headers["ce-id"], body), ("re", b"answer"))

    def failing_function(self, name, **dlq):
        eventing = {"brokerName": "main", **({"dlq": dlq} if dlq else {})}
        kubectl("apply", "-f", "-", manifest={
            "apiVersion": "lambda.knative.io/v1alpha1", "kind": "LambdaFunction",
            "metadata": {"name": name, "namespace": self.ns},
            "spec": {"source": {"type": "inline", "inline": {"code": FAILING}},
                     "runtime": {"language": "python", "version": "3.11"},
                     "env": [{"name": "SINK", "value": self.sink.url}], "eventing": eventing}})

    def wait_function(self, name):
        wait_for(lambda: kubectl("get", "lambdafunction", name, "-n", self.ns, "-o",
                                 "jsonpath={.status.phase}") == "Ready", 120, f"{name} to be ready")

    def invoke(self, name):
        status, _, _ = self.post("io.knative.lambda.invoke.async", subject=name)
        self.assertEqual(status, 202)

    def change_dlq(self, name, dlq, retry):
        """Returns when the function's Trigger has that retry, and deliveries go by it."""
        kubectl("patch", f"lambdafunction/{name}", "-n", self.ns, "--type=merge", "-p",
                json.dumps({"spec": {"eventing": {"dlq": dlq}}}))

        def follows():
            trigger = json.loads(kubectl("get", "trigger", f"{name}-trigger", "-n", self.ns,
                                         "-o", "json"))
            observed = trigger.get("status", {}).get("observedGeneration")
            return (trigger["spec"].get("delivery", {}).get("retry") == retry
                    and observed == trigger["metadata"]["generation"])

        wait_for(follows, TIMEOUT_S, f"retry {retry} of the Trigger")

    def test_each_function_of_a_namespace_has_its_own_retries(self):
        letters = Sink()
        self.addCleanup(letters.close)
        self.broker(retry=2, backoffDelay="PT0.05S", deadLetterSink={"uri": letters.url})
        self.failing_function("two", retryMaxAttempts=2, retryBackoffDelay="PT0.05S")
        self.failing_function("four", retryMaxAttempts=4, retryBackoffDelay="PT0.05S")
        self.failing_function("brokers")
        for name in ("two", "four", "brokers"):
            self.wait_function(name)
            self.invoke(name)

        def deliveries(dead_letters):
            # The last attempt is over when its event comes to the Broker's sink.
            self.assertEqual(len(letters.wait(dead_letters)), dead_letters)
            return collections.Counter(body.decode() for _, body in self.sink.wait(0))

        self.assertEqual(deliveries(3), {"two": 2, "four": 4, "brokers": 3})
        self.change_dlq("two", {"retryMaxAttempts": 3}, retry=2)
        self.invoke("two")
        self.assertEqual(deliveries(4)["two"], 2 + 3)
        self.change_dlq("two", None, retry=None)
        self.invoke("two")
        self.assertEqual(deliveries(5)["two"], 2 + 3 + 3, "by the Broker's retry")
        kept = admin("GET", f"deadletters?namespace={self.ns}&limit=10")["items"]
        self.assertEqual(sorted(letter["attempts"] for letter in kept), [2, 3, 3, 3, 4])


if __name__ == "__main__":
    unittest.main()
