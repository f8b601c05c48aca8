"""One contract, three wrappers, two modes: every case runs for each of the six.

Run with `python3 contract_test.py`. A language whose tools aren't on the machine fails its cases;
HEARTH_SKIP_LANGUAGES=1 allows to go without.
"""

import base64
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import handlers  # noqa: E402
from framing import DATA, END, HEAD, FramedClient, ends_a_reply, frame  # noqa: E402
from instances import FRAMED, GO, HTTP, NODE, NODE_AHEAD, PYTHON, Instance  # noqa: E402

JSON = {"content-type": "application/json"}
EVENT = {"ce-specversion": "1.0", "ce-id": "e-1", "ce-source": "/shop/cart", "ce-type": "t.order"}
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = "00-%s-00f067aa0ba902b7-01" % TRACE_ID
SAMPLES = {"python": handlers.PYTHON, "nodejs": handlers.NODE, "go": handlers.GO}


def tearDownModule():
    GO.clean()


class WrapperCase(unittest.TestCase):
    """Base of all; subclasses set the language and the mode."""

    language = None
    mode = None

    @classmethod
    def files(cls):
        return {cls.language.file: SAMPLES[cls.language.name]}

    def start(self, environment=None, files=None):
        """A running instance; what it says first is in `instance.first`."""
        instance = Instance(self.language, self.mode, files or self.files(), environment)
        self.addCleanup(instance.close)
        instance.first = instance.wait_ready()
        return instance

    def post(self, client, data, headers=None):
        return client.request("POST", "/", dict(JSON, **headers or {}), json.dumps(data).encode())


class SharedInstanceCase(WrapperCase):
    """Cases that leave nothing behind share one instance."""

    @classmethod
    def setUpClass(cls):
        cls.instance = Instance(cls.language, cls.mode, cls.files())
        cls.addClassCleanup(cls.instance.close)
        cls.instance.wait_ready()

    def setUp(self):
        self.client = self.instance.connect()
        self.addCleanup(self.client.close)

    def send(self, data, headers=None):
        return self.post(self.client, data, headers)

    def raw(self, headers, body, method="POST", target="/"):
        return self.client.request(method, target, headers, body)


class PlainCases(SharedInstanceCase):
    def test_json_in_json_out(self):
        reply = self.send({"name": "world"})
        self.assertEqual(200, reply.status)
        self.assertEqual("application/json", reply.headers["content-type"])
        self.assertEqual({"seen": {"name": "world"}, "kind": "dict"}, reply.json())

    def test_results_of_other_kinds(self):
        for do, content_type, body in (
                ("text", "text/plain; charset=utf-8", "h\u00e9llo".encode()),
                ("bytes", "application/octet-stream", b"\x00\xff"),
                ("none", "application/json", b"null"),
                ("list", "application/json", b"[1,2.5,null,true]")):
            with self.subTest(do):
                reply = self.send({"do": do})
                self.assertEqual((200, content_type, body),
                                 (reply.status, reply.headers["content-type"], reply.body))

    def test_proxy_result(self):
        reply = self.send({"do": "proxy"})
        self.assertEqual((418, "pot", {"a": 1}),
                         (reply.status, reply.headers["x-tea"], reply.json()))
        self.assertNotEqual("close", reply.headers.get("connection"))
        reply = self.send({"do": "proxy64"})
        self.assertEqual((200, "image/png", b"\x00\x01\xff"),
                         (reply.status, reply.headers["content-type"], reply.body))

    def test_header_injection_is_an_error(self):
        reply = self.send({"do": "inject"})
        self.assertEqual(500, reply.status)
        self.assertNotIn("x-c", reply.headers)

    def test_request_data(self):
        encoded = "AP8=" if self.language is GO else "\x00\xff"
        for headers, body, seen, kind in (
                ({}, b"", {}, "dict"),
                ({}, b'{"a":1}', {"a": 1}, "dict"),
                ({}, b"no json", "no json", "str"),
                ({"content-type": "application/vnd.x+json; charset=utf-8"}, b"[1]", [1], "list"),
                ({"content-type": "text/plain"}, b"hello", "hello", "str"),
                ({"content-type": "application/x-www-form-urlencoded"}, b"a=1", "a=1", "str"),
                ({"content-type": "application/x-www-form-urlencoded"}, b'{"a":1}', {"a": 1},
                 "dict"),
                ({"content-type": "application/json"}, b"null", {}, "dict"),
                ({"content-type": "application/octet-stream"}, b"\x00\xff", encoded, "bytes")):
            with self.subTest(headers=headers, body=body):
                reply = self.raw(headers, body)
                self.assertEqual({"seen": seen, "kind": kind}, reply.json())

    def test_invalid_json(self):
        reply = self.raw(JSON, b"{nope")
        self.assertEqual((400, "invalid_json"), (reply.status, reply.json()["error"]))

    def test_get_invokes_with_empty_data(self):
        self.assertEqual({"seen": {}, "kind": "dict"}, self.raw({}, b"", "GET", "/").json())
        self.assertEqual({"seen": {}, "kind": "dict"},
                         self.raw({}, b"", "DELETE", "/any/path").json())

    def test_context(self):
        reply = self.raw(dict(JSON, **{"x-a": "b", "traceparent": TRACEPARENT,
                                       "x-correlation-id": "c-1"}),
                         b'{"do":"context"}', "PUT", "/p/q?x=1&y=a%20b")
        seen = reply.json()
        self.assertEqual(36, len(seen.pop("invocationId")))
        self.assertEqual({"functionName": "hello", "namespace": "shop", "correlationId": "c-1",
                          "event": None, "method": "PUT", "path": "/p/q",
                          "query": {"x": "1", "y": "a b"}, "header": "b",
                          "traceparent": TRACEPARENT, "remains": True,
                          "deadlineIsAhead": True}, seen)

    def test_error_hides_the_stack(self):
        reply = self.send({"do": "fail"}, {"x-correlation-id": "c-2"})
        code = "HandlerError" if self.language is GO else "Custom"
        self.assertEqual(500, reply.status)
        self.assertEqual({"error": {"code": code, "message": "broken on purpose",
                                    "retryable": True}, "correlationId": "c-2"}, reply.json())
        self.assertEqual("c-2", reply.headers["x-correlation-id"])

    def test_retryable(self):
        reply = self.send({"do": "fail-type"})
        self.assertEqual(self.language is GO, reply.json()["error"]["retryable"])

    def test_result_that_json_cannot_say(self):
        reply = self.send({"do": "unsayable"})
        self.assertEqual(500, reply.status)
        self.assertIn("code", reply.json()["error"])

    def test_correlation_id(self):
        echoed = self.send({}, {"x-correlation-id": "c-3"}).headers["x-correlation-id"]
        self.assertEqual("c-3", echoed)
        made = {self.send({}).headers["x-correlation-id"] for _ in range(3)}
        self.assertEqual({36}, {len(one) for one in made})
        self.assertEqual(3, len(made))
        for target in ("/health", "/readyz", "/metrics"):
            reply = self.raw({"x-correlation-id": "c-4"}, b"", "GET", target)
            self.assertEqual("c-4", reply.headers["x-correlation-id"])

    def test_big_bodies(self):
        reply = self.send({"do": "length", "text": "x" * 3_000_000})
        self.assertEqual(b"3000000", reply.body)
        reply = self.send({"do": "big", "bytes": 3_000_000})
        self.assertEqual(b"x" * 3_000_000, reply.body)

    def test_head_has_no_body(self):
        reply = self.raw({}, b"", "HEAD", "/health")
        self.assertEqual((200, b""), (reply.status, reply.body))

    def test_concurrency(self):
        clients = [self.instance.connect() for _ in range(8)]
        started = time.monotonic()
        for client in clients:
            client.send("POST", "/", JSON, b'{"do":"sleep","seconds":0.3}')
        self.assertEqual([True] * 8, [client.receive().json()["slept"] for client in clients])
        self.assertLess(time.monotonic() - started, 1.5)

    def test_user_output_passes_through(self):
        self.send({"do": "print"})
        end = time.monotonic() + 5
        while "user output" not in self.instance.lines and time.monotonic() < end:
            time.sleep(0.005)
        self.assertIn("user output", self.instance.lines)


class EventCases(SharedInstanceCase):
    def envelope(self, reply, status, kind):
        self.assertEqual(status, reply.status, reply.body)
        headers = reply.headers
        self.assertEqual(
            ("1.0", "io.knative.lambda.response." + kind, "io.knative.lambda/hello", "hello",
             "application/json"),
            (headers["ce-specversion"], headers["ce-type"], headers["ce-source"],
             headers["ce-subject"], headers["content-type"]))
        self.assertEqual(36, len(headers["ce-id"]))
        self.assertRegex(headers["ce-time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        envelope = reply.json()
        self.assertEqual(("hello", "shop"), (envelope["functionName"], envelope["namespace"]))
        self.assertEqual({"durationMs", "coldStart", "memoryUsedMb"}, set(envelope["metrics"]))
        return envelope

    def test_binary_event(self):
        reply = self.send({"a": 1}, EVENT)
        envelope = self.envelope(reply, 200, "success")
        self.assertEqual(("e-1", "e-1"), (envelope["invocationId"], envelope["correlationId"]))
        self.assertEqual({"statusCode": 200, "body": {"seen": {"a": 1}, "kind": "dict"}},
                         envelope["result"])
        self.assertEqual(("e-1", "e-1", "e-1"),
                         tuple(reply.headers[name] for name in (
                             "ce-causationid", "ce-correlationid", "x-correlation-id")))

    def test_structured_event(self):
        event = {"specversion": "1.0", "id": "e-2", "source": "/s", "type": "t", "data": {"b": 2},
                 "flag": True}
        reply = self.raw({"content-type": "application/cloudevents+json; charset=utf-8"},
                         json.dumps(event).encode())
        envelope = self.envelope(reply, 200, "success")
        self.assertEqual("e-2", envelope["invocationId"])
        self.assertEqual({"b": 2}, envelope["result"]["body"]["seen"])

    def test_structured_event_with_encoded_data(self):
        for content_type, seen in (("application/json", {"c": 3}), ("text/plain", '{"c":3}')):
            event = {"specversion": "1.0", "id": "e", "source": "/s", "type": "t",
                     "datacontenttype": content_type,
                     "data_base64": base64.b64encode(b'{"c":3}').decode()}
            reply = self.raw({"content-type": "application/cloudevents+json"},
                             json.dumps(event).encode())
            self.assertEqual(seen, reply.json()["result"]["body"]["seen"])

    def test_event_without_data(self):
        reply = self.raw(EVENT, b"")
        self.assertEqual({}, reply.json()["result"]["body"]["seen"])

    def test_context_has_the_attributes(self):
        reply = self.send({"do": "context"}, dict(EVENT, **{"ce-subject": "a%20b", "ce-ext": "1"}))
        self.assertEqual({"specversion": "1.0", "id": "e-1", "source": "/shop/cart",
                          "type": "t.order", "subject": "a b", "ext": "1",
                          "datacontenttype": "application/json"},
                         reply.json()["result"]["body"]["event"])

    def test_malformed_binary_event_names_the_attribute(self):
        for name in ("id", "source", "type"):
            for change in ({}, {"ce-" + name: ""}):
                headers = {key: value for key, value in EVENT.items() if key != "ce-" + name}
                reply = self.send({}, dict(headers, **change))
                self.assertEqual((400, "invalid_cloudevent"),
                                 (reply.status, reply.json()["error"]))
                self.assertIn("'%s'" % name, reply.json()["message"])
        reply = self.send({}, dict(EVENT, **{"ce-specversion": "0.3"}))
        self.assertEqual(400, reply.status)
        self.assertIn("specversion", reply.json()["message"])

    def test_malformed_structured_event(self):
        kind = {"content-type": "application/cloudevents+json"}
        good = {"specversion": "1.0", "id": "e", "source": "/s", "type": "t"}
        for name in good:
            event = {key: value for key, value in good.items() if key != name}
            reply = self.raw(kind, json.dumps(event).encode())
            self.assertEqual(400, reply.status)
            self.assertIn("'%s'" % name, reply.json()["message"])
        for body in (b"", b"{", b"[]", b"null", json.dumps(dict(good, data_base64="!")).encode(),
                     json.dumps(dict(good, data_base64="AA==", data=1)).encode()):
            reply = self.raw(kind, body)
            self.assertEqual((400, "invalid_cloudevent"), (reply.status, reply.json()["error"]))

    def test_batch_is_refused(self):
        reply = self.raw({"content-type": "application/cloudevents-batch+json"}, b"[]")
        self.assertEqual((400, "invalid_cloudevent"), (reply.status, reply.json()["error"]))

    def test_invalid_data(self):
        self.assertEqual(400, self.raw(dict(JSON, **EVENT), b"{nope").status)

    def test_error_reply(self):
        reply = self.send({"do": "fail"}, EVENT)
        envelope = self.envelope(reply, 500, "error")
        self.assertEqual({"code", "message", "retryable"}, set(envelope["error"]))
        self.assertNotIn("result", envelope)

    def test_none_is_a_null_body(self):
        result = self.send({"do": "none"}, EVENT).json()["result"]
        self.assertEqual({"statusCode": 200, "body": None}, result)

    def test_bytes_are_encoded(self):
        self.assertEqual("AP8=", self.send({"do": "bytes"}, EVENT).json()["result"]["body"])

    def test_returned_event(self):
        reply = self.send({"do": "event"}, EVENT)
        self.assertEqual((200, "t.reply", "/me", "a%20b", {"n": 1}),
                         (reply.status, reply.headers["ce-type"], reply.headers["ce-source"],
                          reply.headers["ce-colour"], reply.json()))
        self.assertEqual(36, len(reply.headers["ce-id"]))
        self.assertEqual("application/json", reply.headers["content-type"])

    def test_hostile_event_id_stays_one_header(self):
        event = {"specversion": "1.0", "id": "a\r\nx-evil: 1", "source": "/s", "type": "t"}
        reply = self.raw({"content-type": "application/cloudevents+json"},
                         json.dumps(event).encode())
        self.assertEqual(200, reply.status)
        self.assertNotIn("x-evil", reply.headers)
        self.assertEqual("a%0D%0Ax-evil:%201", reply.headers["x-correlation-id"])

    def test_traceparent(self):
        reply = self.send({}, dict(EVENT, traceparent=TRACEPARENT))
        for name in ("traceparent", "ce-traceparent"):
            self.assertRegex(reply.headers[name], "^00-%s-[0-9a-f]{16}-01$" % TRACE_ID)
            self.assertNotEqual(TRACEPARENT, reply.headers[name])
        for invalid in ("nonsense", "00-%s-00f067aa0ba902b7-01" % ("0" * 32)):
            reply = self.send({}, dict(EVENT, traceparent=invalid))
            self.assertEqual(200, reply.status)
            self.assertNotIn("traceparent", reply.headers)


class RouteCases(WrapperCase):
    def test_health_metrics_and_cold_start(self):
        instance = self.start()
        client = instance.connect()
        for target in ("/health", "/healthz", "/readyz"):
            reply = client.request("GET", target, {})
            self.assertEqual(200, reply.status)
            self.assertEqual({"status": "healthy", "function": "hello", "namespace": "shop",
                              "invocations": 0, "errors": 0}, reply.json())
        self.assertEqual("true", self.post(client, {}).headers["x-hearth-cold"])
        self.assertNotIn("x-hearth-cold", self.post(client, {}).headers)
        self.post(client, {"do": "fail"})
        health = client.request("GET", "/health", {}).json()
        self.assertEqual((3, 1), (health["invocations"], health["errors"]))
        self.check_metrics(client.request("GET", "/metrics", {}))

    def check_metrics(self, reply):
        self.assertTrue(reply.headers["content-type"].startswith("text/plain; version=0.0.4"))
        lines = reply.body.decode().splitlines()
        labels = 'function="hello",namespace="shop"'
        code = "HandlerError" if self.language is GO else "Custom"
        for line in ('invocations_total{%s,status="success"} 2' % labels,
                     'invocations_total{%s,status="error"} 1' % labels,
                     'errors_total{%s,error_type="%s"} 1' % (labels, code),
                     'duration_seconds_bucket{%s,le="+Inf"} 3' % labels,
                     "duration_seconds_count{%s} 3" % labels,
                     "cold_starts_total{%s} 1" % labels):
            self.assertIn("knative_lambda_function_" + line, lines)
        bounds = [line.split('le="')[1].split('"')[0] for line in lines if 'le="' in line]
        self.assertEqual(["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5",
                          "10", "+Inf"], bounds)

    def test_cold_start_in_the_envelope(self):
        client = self.start().connect()
        self.assertTrue(self.post(client, {}, EVENT).json()["metrics"]["coldStart"])
        self.assertFalse(self.post(client, {}, EVENT).json()["metrics"]["coldStart"])

    def test_logs(self):
        instance = self.start({"LOG_LEVEL": "debug"})
        self.post(instance.connect(), {"do": "fail"},
                  dict(EVENT, traceparent=TRACEPARENT, **{"x-correlation-id": "c-9"}))
        for message in ("Lambda runtime started", "Handler loaded successfully",
                        "Invocation started", "Invocation completed"):
            entry = instance.logged(message)
            self.assertEqual(("hello", "shop"), (entry["function"], entry["namespace"]))
            self.assertIn("ts", entry)
        entry = instance.logged("Invocation failed")
        self.assertEqual(("error", "broken on purpose", "c-9", TRACE_ID),
                         (entry["level"], entry["error_message"], entry["correlation_id"],
                          entry["trace_id"]))
        self.assertIn("error_type", entry)
        self.assertIn("broken on purpose", entry["stack"])

    def test_hot_path_is_quiet(self):
        instance = self.start()
        client = instance.connect()
        self.post(client, {"do": "print"})
        self.post(client, {"do": "fail"})
        instance.logged("Invocation failed")
        self.assertNotIn("Invocation started", " ".join(instance.lines))

    def test_development_shows_the_stack(self):
        client = self.start({"HEARTH_DEV": "1"}).connect()
        self.assertIn("broken on purpose",
                      self.post(client, {"do": "fail"}).json()["error"]["stack"])
        self.assertIn("stack", self.post(client, {"do": "fail"}, EVENT).json()["error"])

    def test_bare_event_replies(self):
        client = self.start({"HEARTH_REPLY": "bare"}).connect()
        reply = self.post(client, {"a": 1}, EVENT)
        self.assertEqual({"seen": {"a": 1}, "kind": "dict"}, reply.json())
        self.assertNotIn("ce-type", reply.headers)
        self.assertEqual(204, self.post(client, {"do": "none"}, EVENT).status)
        self.assertEqual(418, self.post(client, {"do": "proxy"}, EVENT).status)
        self.assertEqual("t.reply", self.post(client, {"do": "event"}, EVENT).headers["ce-type"])

    def test_body_limit(self):
        instance = self.start({"MAX_BODY_BYTES": "1000"})
        self.assertEqual(200, self.post(instance.connect(), {"a": "x" * 900}).status)
        reply = self.post(instance.connect(), {"a": "x" * 1100})
        self.assertEqual((413, "body_too_large"), (reply.status, reply.json()["error"]))
        self.assertEqual(200, self.post(instance.connect(), {}).status)

    def test_short_handler(self):
        files = {self.language.file: handlers.SHORT[self.language.name]}
        reply = self.post(self.start(files=files).connect(), {"a": 1})
        self.assertEqual({"short": {"a": 1}}, reply.json())


class TimeoutCases(WrapperCase):
    def test_timeout(self):
        instance = self.start({"TIMEOUT_SECONDS": "0.3"})
        client, other = instance.connect(), instance.connect()
        started = time.monotonic()
        other.send("POST", "/", JSON, b'{"do":"sleep","seconds":0.1}')
        reply = self.post(client, {"do": "sleep", "seconds": 3})
        self.assertLess(time.monotonic() - started, 1.5)
        self.assertEqual((504, "TimeoutError", True),
                         (reply.status, reply.json()["error"]["code"],
                          reply.json()["error"]["retryable"]))
        self.assertEqual(200, other.receive().status)
        if self.mode == FRAMED:
            self.assertEqual({"type": "timeout"}, instance.message())
        metrics = instance.connect().request("GET", "/metrics", {}).body.decode()
        self.assertIn('status="timeout"} 1', metrics)
        self.assertIn('error_type="TimeoutError"} 1', metrics)

    def test_timeout_of_an_event(self):
        client = self.start({"TIMEOUT_SECONDS": "0.2"}).connect()
        reply = self.post(client, {"do": "sleep", "seconds": 3}, EVENT)
        self.assertEqual((504, "io.knative.lambda.response.timeout", "TimeoutError"),
                         (reply.status, reply.headers["ce-type"], reply.json()["error"]["code"]))


class StopCases(WrapperCase):
    def test_running_requests_finish(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            instance = self.start()
            busy, idle = instance.connect(), instance.connect()
            self.post(busy, {})
            self.post(idle, {})
            busy.send("POST", "/", JSON, b'{"do":"sleep","seconds":0.4}')
            time.sleep(0.1)
            instance.signal(number)
            self.assertEqual({"slept": True}, busy.receive().json())
            self.assertEqual(0, instance.wait())

    def test_idle_instance_stops_at_once(self):
        instance = self.start()
        self.post(instance.connect(), {})
        started = time.monotonic()
        instance.signal()
        self.assertEqual(0, instance.wait())
        self.assertLess(time.monotonic() - started, 1)

    def test_grace_is_limited(self):
        instance = self.start({"SHUTDOWN_GRACE_SECONDS": "0.2"})
        instance.connect().send("POST", "/", JSON, b'{"do":"sleep","seconds":9}')
        time.sleep(0.1)
        started = time.monotonic()
        instance.signal()
        self.assertEqual(0, instance.wait())
        self.assertLess(time.monotonic() - started, 2)


class BrokenHandlerCases(WrapperCase):
    """Handlers that can't be loaded. Never HTTP 200, never without a reason."""

    def broken(self):
        """(name, files, environment, error, text in the traceback or message)."""
        if self.language is GO:
            return [("signature", {"main.go": "package main\n\nfunc Handler(n int) int {\n"
                                              "\treturn n\n}\n"}, {}, "ImportError", "func(int)")]
        file = self.language.file
        bad_syntax = {"python": "def handler(:\n", "nodejs": "exports.handler = ( => ;\n"}
        raising = {"python": "raise OSError('at import')\n",
                   "nodejs": "throw new RangeError('at import');\n"}
        other = {"python": "def other(e):\n    pass\n", "nodejs": "exports.other = () => 1;\n"}
        name = self.language.name
        raised = {"python": "OSError", "nodejs": "RangeError"}[name]
        return [("syntax", {file: bad_syntax[name]}, {}, "SyntaxError", file),
                ("raises", {file: raising[name]}, {}, raised, "at import"),
                ("missing function", {file: other[name]}, {}, "ImportError", "other"),
                ("missing module", {file: other[name]}, {"HANDLER": "nowhere.handler"}, None,
                 "nowhere")]

    def test_broken_handlers(self):
        for name, files, environment, error, text in self.broken():
            with self.subTest(name):
                instance = self.start(environment, files)
                told = self.check_framed if self.mode == FRAMED else self.check_http
                failure = told(instance)
                if error:
                    self.assertEqual(error, failure["error"])
                self.assertIn(text, failure["message"] + failure["traceback"])
                if self.language is not GO:
                    self.assertIn(failure["message"].splitlines()[0][:14], failure["traceback"])
                instance.logged("Handler failed to load")

    def check_framed(self, instance):
        self.assertEqual("failed", instance.first["type"])
        self.assertEqual(1, instance.wait())
        return instance.first

    def check_http(self, instance):
        client = instance.connect()
        self.assertEqual(200, client.request("GET", "/healthz", {}).status)
        self.assertEqual(503, self.post(client, {}).status)
        self.assertEqual(503, self.post(client, {}, EVENT).status)
        reply = client.request("GET", "/readyz", {})
        self.assertEqual((503, "not ready"), (reply.status, reply.json()["status"]))
        return reply.json()


class FramedCases(WrapperCase):
    """What only the host's protocol has."""

    def setUp(self):
        if self.mode != FRAMED:
            self.skipTest("framed protocol only")
        self.instance = self.start()

    def test_ready_is_told(self):
        self.assertEqual({"type": "ready"}, self.instance.first)

    def test_end_of_the_control_socket_ends_the_process(self):
        self.instance.control.close()
        self.assertEqual(1, self.instance.wait())

    def test_many_requests_on_one_connection(self):
        client = self.instance.connect()
        for number in range(100):
            self.assertEqual({"n": number}, client.post({"n": number}).json()["seen"])

    def test_pieces_arrive_slowly(self):
        client = self.instance.connect()
        head = frame(HEAD, 0, b"POST /\ncontent-type: application/json\n")
        data = head + frame(DATA, 0, b'{"a"') + frame(DATA, 0, b"") + frame(DATA, END, b":1}")
        for position in range(0, len(data), 7):
            client.socket.sendall(data[position:position + 7])
            time.sleep(0.001)
        self.assertEqual({"a": 1}, client.receive().json()["seen"])

    def test_next_request_may_wait_behind(self):
        client = self.instance.connect()
        client.send_post({"n": 1})
        client.send_post({"n": 2})
        self.assertEqual([1, 2], [client.receive().json()["seen"]["n"] for _ in range(2)])

    def test_malformed_frames_close_the_connection(self):
        for data in (struct.pack("<IBBH", 2 << 20, HEAD, 0, 0), frame(DATA, END, b"x"),
                     frame(9, END, b"x"), frame(HEAD, END, b"nonsense"),
                     frame(HEAD, END, b"GET /\nno colon\n"),
                     struct.pack("<IBBH", 0, HEAD, END, 7)):
            client = FramedClient(self.instance.path)
            client.socket.sendall(data)
            self.assertEqual(b"", client.socket.recv(1), data)
            client.close()
        self.assertEqual(200, self.instance.connect().post({}).status)

    def test_host_that_leaves_in_the_middle(self):
        client = FramedClient(self.instance.path)
        client.send_post({"do": "sleep", "seconds": 0.1})
        client.close()
        time.sleep(0.2)
        self.assertEqual(200, self.instance.connect().post({}).status)

    def test_small_reply_is_one_write(self):
        # What is written at once arrives at once. Of two writes a reader that doesn't sleep sees
        # the first alone: not in each round, but in some of so many.
        client = self.instance.connect()
        for number in range(1000):
            client.send_post({})
            piece = self.first_piece(client.socket)
            self.assertTrue(ends_a_reply(piece), "reply %d began with %r" % (number, piece))

    def first_piece(self, sock):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                return sock.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass
        self.fail("no reply")


class HttpCases(WrapperCase):
    """What only HTTP has."""

    def setUp(self):
        if self.mode != HTTP:
            self.skipTest("HTTP only")
        self.instance = self.start({"MAX_BODY_BYTES": "100000"})

    def exchange(self, data):
        """Everything that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.instance.port), 5) as raw:
            raw.sendall(data)
            answer = b""
            while True:
                part = raw.recv(1 << 16)
                if not part:
                    return answer
                answer += part

    def test_keep_alive(self):
        client = self.instance.connect()
        self.post(client, {})
        before = client.socket.getsockname()
        self.post(client, {})
        self.assertEqual(before, client.socket.getsockname())

    def test_chunked_body(self):
        answer = self.exchange(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            b"4\r\n{\"a\"\r\n3;x=y\r\n:1}\r\n0\r\n\r\n")
        self.assertIn(b'"seen":{"a":1}', answer)

    def test_chunked_body_over_the_limit(self):
        chunk = b"c350\r\n" + b"x" * 50000 + b"\r\n"
        answer = self.exchange(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                               b"Connection: close\r\n\r\n" + chunk * 3 + b"0\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 413"), answer[:100])

    def test_who_still_sends_a_refused_body_gets_the_reply(self):
        if self.language.name == GO.name:
            self.skipTest("net/http ends its own side and waits before it closes")
        content = b"x" * (16 << 20)
        for body in (b"Content-Length: %d\r\n\r\n%s" % (len(content), content),
                     b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" %
                     (len(content), content)):
            answer = self.exchange(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + body)
            self.assertTrue(answer.startswith(b"HTTP/1.1 413"), answer[:100])

    def test_expect_continue(self):
        answer = self.exchange(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                               b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
        self.assertTrue(answer.startswith(b"HTTP/1.1 100"), answer[:100])
        self.assertIn(b"HTTP/1.1 200", answer)

    def test_large_head_is_refused(self):
        answer = self.exchange(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 80000)
        self.assertTrue(answer.startswith(b"HTTP/1.1 431"), answer[:100])

    def test_malformed_requests_are_refused(self):
        for data in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
                     b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"):
            self.assertTrue(self.exchange(data).startswith(b"HTTP/1.1 400"), data)


class LanguageCases(WrapperCase):
    """What only one language can show."""

    def seen(self, files, handler=None, data=None):
        environment = {"HANDLER": handler} if handler else {}
        return self.post(self.start(environment, files).connect(), data or {"a": 1}).json()

    def only(self, language):
        if self.language.name != language.name:
            self.skipTest("shown by %s only" % language.name)

    def test_python_async_handler(self):
        self.only(PYTHON)
        code = "import asyncio\nasync def handler(event):\n    await asyncio.sleep(0.01)\n" \
               "    return 'waited'\n"
        reply = self.post(self.start(files={"main.py": code}).connect(), {})
        self.assertEqual(b"waited", reply.body)

    def test_python_async_timeout_cancels(self):
        self.only(PYTHON)
        code = "import asyncio\nasync def handler(event):\n    try:\n" \
               "        await asyncio.sleep(5)\n    except asyncio.CancelledError:\n" \
               "        print('cancelled')\n        raise\n"
        instance = self.start({"TIMEOUT_SECONDS": "0.1"}, {"main.py": code})
        self.assertEqual(504, self.post(instance.connect(), {}).status)
        end = time.monotonic() + 5
        while "cancelled" not in instance.lines and time.monotonic() < end:
            time.sleep(0.005)
        self.assertIn("cancelled", instance.lines)

    def test_python_handler_forms(self):
        self.only(PYTHON)
        for code in ("def handler(event, context=None):\n    return [event, context.namespace]\n",
                     "def handler(*both):\n    return [both[0], both[1].namespace]\n",
                     "class H:\n    def __call__(self, event, context):\n"
                     "        return [event, context.namespace]\nhandler = H()\n",
                     "class H:\n    def run(self, event, ctx):\n"
                     "        return [event, ctx.namespace]\nhandler = H().run\n",
                     "import functools\ndef wrap(f):\n    @functools.wraps(f)\n"
                     "    def inner(*a):\n        return f(*a)\n    return inner\n"
                     "@wrap\ndef handler(event, context):\n"
                     "    return [event, context.namespace]\n"):
            self.assertEqual([{"a": 1}, "shop"], self.seen({"main.py": code}), code)
        code = "def handler(event, retries=3):\n    return [event, retries]\n"
        self.assertEqual([{"a": 1}, 3], self.seen({"main.py": code}))

    def test_python_exit_in_a_handler_is_an_error(self):
        self.only(PYTHON)
        instance = self.start(files={"main.py": "import sys\ndef handler(e):\n    sys.exit(3)\n"})
        client = instance.connect()
        self.assertEqual("SystemExit", self.post(client, {}).json()["error"]["code"])
        self.assertEqual(200, client.request("GET", "/health", {}).status)

    def test_python_named_handler(self):
        self.only(PYTHON)
        code = {"app.py": "import main\ndef go(event):\n    return main.x\n",
                "main.py": "x = [7]\n"}
        self.assertEqual([7], self.seen(code, "app.go"))

    def test_node_module_forms(self):
        self.only(NODE)
        for file, code in (
                ("index.js", "module.exports = (event) => ({ got: event });"),
                ("index.js", "import path from 'node:path';\n"
                             "export const handler = async (event) => ({ got: event });"),
                ("index.js", "export default async (event) => ({ got: event });"),
                ("index.mjs", "export const handler = (event) => ({ got: event });"),
                ("index.mjs", "export default { handler: (event) => ({ got: event }) };"),
                ("index.cjs", "exports.handler = (event) => ({ got: event });"),
                ("index.js", "exports.handler = (event, context, callback) => "
                             "{ setTimeout(() => callback(null, { got: event }), 5); };")):
            self.assertEqual({"got": {"a": 1}}, self.seen({file: code}), code)

    def test_node_package_of_modules(self):
        self.only(NODE)
        if NODE.version() < (20, 16):
            self.skipTest("needs Node.js 20.16")
        files = {"package.json": '{"type":"module"}', "lib.js": "export const seven = 7;",
                 "index.js": "import { seven } from './lib.js';\n"
                             "export const handler = () => ({ seven });"}
        self.assertEqual({"seven": 7}, self.seen(files))
        del files["package.json"]
        self.assertEqual({"seven": 7}, self.seen(files))

    def test_node_named_handler(self):
        self.only(NODE)
        self.assertEqual([7], self.seen({"app.js": "exports.go = () => [7];"}, "app.go"))

    def test_node_environment_is_the_functions_own(self):
        self.only(NODE)
        code = "exports.handler = () => ({ env: process.env, cwd: process.cwd(), argv: process.argv[1] });"
        instance = self.start({"GREETING": "hello"}, {"index.js": code})
        seen = self.post(instance.connect(), {}).json()
        self.assertEqual(instance.environment, seen["env"])
        self.assertEqual(instance.folder, seen["cwd"])
        self.assertEqual(os.path.join(instance.folder, "runtime.js"), seen["argv"])

    def test_node_stray_rejection_is_survived(self):
        self.only(NODE)
        code = "exports.handler = () => { Promise.reject(new Error('stray')); return [1]; };"
        instance = self.start(files={"index.js": code})
        client = instance.connect()
        self.assertEqual([1], self.post(client, {}).json())
        instance.logged("Uncaught error outside of an invocation")
        self.assertEqual([1], self.post(client, {}).json())

    def test_go_handler_without_error(self):
        self.only(GO)
        code = "package main\n\nfunc Handler(event map[string]any) any { return event }\n"
        self.assertEqual({"a": 1}, self.seen({"main.go": code}))


BASES = (PlainCases, EventCases, RouteCases, TimeoutCases, StopCases, BrokenHandlerCases,
         FramedCases, HttpCases, LanguageCases)


def make_case(base, language, mode):
    how = mode + "_ahead" if language.ahead else mode
    name = "%s_%s_%s" % (base.__name__, language.name, how)
    case = type(name, (base,), {"language": language, "mode": mode})
    reason = language.missing()
    if reason and os.environ.get("HEARTH_SKIP_LANGUAGES") == "1":
        return unittest.skip(reason)(case)
    if reason:
        case.setUpClass = failing(reason + "; HEARTH_SKIP_LANGUAGES=1 goes on without it")
    return case


def failing(reason):
    def fail(_case):
        raise AssertionError(reason)
    return classmethod(fail)


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    kinds = [(language, mode) for language in (PYTHON, NODE, GO) for mode in (FRAMED, HTTP)]
    for language, mode in kinds + [(NODE_AHEAD, FRAMED)]:
        for base in BASES:
            suite.addTests(loader.loadTestsFromTestCase(make_case(base, language, mode)))
    return suite


if __name__ == "__main__":
    unittest.main()
