"""What runs out, or is not as it should be: descriptors, memory, the clock. Each is answered, and
nothing acknowledged is lost."""

import http.client
import http.server
import json
import os
import pathlib
import random
import select
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from daemon import BINARY, Daemon, wait_for

FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
HELLO = "def handler(event):\n    return 'hello'\n"
MIB = 1024 * 1024


class Subscriber:
    """Keeps the ids of the events it took; refuses each one whose id begins with "later" once."""

    def __init__(self):
        taken, refused = self.taken, self.refused = [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                identifier = self.headers["ce-id"]
                refuse = identifier.startswith("later") and identifier not in refused
                (refused if refuse else taken).append(identifier)
                self.send_response(500 if refuse else 202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.uri = "http://127.0.0.1:%d/" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()


def prepare(hearth, subscriber, retry_delay="PT0.1S"):
    """A function, a bucket, and a broker whose events reach the subscriber."""
    s3_client(hearth).create_bucket(Bucket="things")
    hearth.apply(
        hearth.function("hello", HELLO),
        {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
         "metadata": {"name": "main", "namespace": "default"}},
        {"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
         "metadata": {"name": "all", "namespace": "default"},
         "spec": {"broker": "main", "subscriber": {"uri": subscriber.uri},
                  "delivery": {"retry": 8, "backoffPolicy": "linear",
                               "backoffDelay": retry_delay}}})
    hearth.kubectl("wait", "trigger/all", "--for=condition=Ready", "--timeout=60s")
    hearth.wait_ready("hello")
    assert hearth.call("hello.default.localhost")[0] == 200


def s3_client(hearth):
    session = botocore.session.get_session()
    session.set_credentials(hearth.ready["s3AccessKey"], hearth.ready["s3SecretKey"])
    return session.create_client(
        "s3", endpoint_url=hearth.ready["s3"], region_name="us-east-1",
        config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60,
                      s3={"addressing_style": "path"}))


def api_connection(hearth):
    return http.client.HTTPSConnection(hearth.ready["api"].split("//")[1], timeout=60,
                                       context=ssl._create_unverified_context())


def gateway_connection(hearth):
    return http.client.HTTPConnection(hearth.ready["gateway"].split("//")[1], timeout=60)


def ask(connection, method, path, body=None, headers=None):
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    return response.status, response.read()


def create_config_map(hearth, connection, name, text="x"):
    token = (hearth.folder / "state" / "token").read_text().strip()
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": {"text": text}}
    return ask(connection, "POST", "/api/v1/namespaces/default/configmaps", json.dumps(body),
               {"Authorization": "Bearer " + token, "Content-Type": "application/json"})[0]


def post_event(connection, identifier):
    return ask(connection, "POST", "/default/main", "x",
               {"Host": "localhost", "ce-id": identifier, "ce-source": "s", "ce-type": "t",
                "ce-specversion": "1.0", "Content-Type": "text/plain"})[0]


def call_function(connection):
    return ask(connection, "GET", "/", None, {"Host": "hello.default.localhost"})[0]


def processor_seconds(process):
    fields = pathlib.Path("/proc/%d/stat" % process.pid).read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_resident_bytes(process):
    for line in pathlib.Path("/proc/%d/status" % process.pid).read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


class DescriptorsTest(unittest.TestCase):
    LIMIT = 128

    def test_who_is_connected_works_on_while_others_wait_for_descriptors(self):
        hearth = Daemon()
        hearth.command = ["prlimit", "--nofile=%d:%d" % (self.LIMIT, self.LIMIT), BINARY]
        with Subscriber() as subscriber, hearth:
            prepare(hearth, subscriber)
            s3, api, gateway = s3_client(hearth), api_connection(hearth), gateway_connection(hearth)
            s3.put_object(Bucket="things", Key="before", Body=b"x" * MIB)
            self.assertEqual(create_config_map(hearth, api, "before"), 201)
            self.assertEqual(post_event(gateway, "before"), 202)

            crowd = self.crowd(hearth)
            wait_for(lambda: '"connections_wait"' in hearth.output() or
                     "connections_wait" in hearth.output(), 30, "the daemon to say it")
            self.assertLess(self.share_of_a_processor(hearth), 0.2, "it does not spin")
            for number in range(20):
                s3.put_object(Bucket="things", Key="during-%d" % number, Body=b"x" * MIB)
                self.assertEqual(create_config_map(hearth, api, "during-%d" % number), 201)
                self.assertEqual(post_event(gateway, "during-%d" % number), 202)
                self.assertEqual(call_function(gateway), 200)
            late = gateway_connection(hearth)
            late.timeout = 0.5
            with self.assertRaises(TimeoutError):
                call_function(late)
            self.assertLessEqual(hearth.output().count("connections_wait"), 6, "a line a port")

            for connection in crowd:
                connection.close()
            wait_for(lambda: "connections_taken_again" in hearth.output(), 30, "room")
            self.assertEqual(call_function(gateway_connection(hearth)), 200)
            self.assertEqual(post_event(gateway_connection(hearth), "after"), 202)
            s3_client(hearth).put_object(Bucket="things", Key="after", Body=b"x" * MIB)
            hearth.kubectl("create", "configmap", "after")
            names = ["before", *("during-%d" % number for number in range(20)), "after"]
            wait_for(lambda: set(subscriber.taken) == set(names), 30, "all events")
            for name in names:
                self.assertIsNotNone(hearth.get("configmap", name), name)
                self.assertEqual(s3.head_object(Bucket="things", Key=name)["ContentLength"], MIB)

    def crowd(self, hearth):
        """Idle connections, more than there are descriptors, at every port."""
        connections = []
        for number in range(self.LIMIT + 40):
            url = hearth.ready[("gateway", "api", "s3")[number % 3]]
            host, port = url.split("//")[1].split(":")
            connections.append(socket.create_connection((host, int(port)), timeout=10))
        return connections

    def share_of_a_processor(self, hearth):
        before, began = processor_seconds(hearth.process), time.monotonic()
        time.sleep(2)  # the window of the measurement
        return (processor_seconds(hearth.process) - before) / (time.monotonic() - began)


class FakeClockDaemon(Daemon):
    """Its wall clock is ours to set; its monotonic clock is not."""

    def __init__(self):
        super().__init__()
        self.offset_file = pathlib.Path(tempfile.mkdtemp(prefix="hearth-clock-")) / "offset"
        self.variables = {"LD_PRELOAD": str(FAKETIME), "FAKETIME_NO_CACHE": "1",
                          "FAKETIME_TIMESTAMP_FILE": str(self.offset_file),
                          "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.set_clock(0)

    def set_clock(self, seconds):
        new = self.offset_file.with_suffix(".new")
        new.write_text("%+d\n" % seconds)
        new.rename(self.offset_file)

    def clock(self):
        """How far it is from ours, by the Date of an answer."""
        connection = gateway_connection(self)
        connection.request("GET", "/status", headers={"Host": "localhost"})
        response = connection.getresponse()
        response.read()
        date = time.strptime(response.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT")
        return round(time.mktime(date) - time.mktime(time.gmtime()))


@unittest.skipUnless(FAKETIME.exists(), "needs Debian's package faketime")
class ClockTest(unittest.TestCase):
    def test_a_clock_that_is_set_back_or_forward_stops_and_hurries_nothing(self):
        with Subscriber() as subscriber, FakeClockDaemon() as hearth:
            prepare(hearth, subscriber, retry_delay="PT2S")
            hearth.apply({"apiVersion": "sources.knative.dev/v1", "kind": "PingSource",
                          "metadata": {"name": "tick", "namespace": "default"},
                          "spec": {"schedule": "* * * * * *", "contentType": "text/plain",
                                   "data": "tick", "sink": {"uri": subscriber.uri}}})
            self.ticks_come(subscriber)
            gateway, s3 = gateway_connection(hearth), s3_client(hearth)
            for number, offset in enumerate((-3600, 0, 3600, 0)):
                with self.subTest(offset=offset):
                    self.move(hearth, subscriber, gateway, s3, number, offset)
            for name in ("moved-0", "moved-3"):
                self.assertIsNotNone(hearth.get("configmap", name))

    def move(self, hearth, subscriber, gateway, s3, number, offset):
        waits = "later-%d" % number
        self.assertEqual(post_event(gateway, waits), 202)
        wait_for(lambda: waits not in subscriber.taken and self.is_refused(hearth, waits), 10,
                 "the first attempt")
        hearth.set_clock(offset)
        wait_for(lambda: abs(hearth.clock() - offset) < 5, 10, "the clock to be set")
        self.ticks_come(subscriber)
        self.assertEqual(post_event(gateway, "now-%d" % number), 202)
        wait_for(lambda: {waits, "now-%d" % number} <= set(subscriber.taken), 20,
                 "the event and the retry")
        self.assertEqual(call_function(gateway), 200)
        self.assertEqual(create_config_map(hearth, api_connection(hearth), "moved-%d" % number), 201)
        if offset == 0:
            s3.put_object(Bucket="things", Key="moved-%d" % number, Body=b"x")
        else:
            with self.assertRaisesRegex(ClientError, "RequestTimeTooSkewed"):
                s3.put_object(Bucket="things", Key="skewed", Body=b"x")
        self.assertEqual(self.newest_events(gateway)[0], "now-%d" % number)

    def is_refused(self, hearth, identifier):
        status, _, body = hearth.call("localhost", path="/hearth/v1/events/" + identifier,
                                      headers=self.authorization(hearth))
        deliveries = json.loads(body)["deliveries"] if status == 200 else []
        return any(delivery["attempts"] == 1 for delivery in deliveries)

    def authorization(self, hearth):
        self.token = (hearth.folder / "state" / "token").read_text().strip()
        return {"Authorization": "Bearer " + self.token}

    def newest_events(self, gateway):
        """In the order in which they were accepted, whatever the clock said."""
        status, body = ask(gateway, "GET", "/hearth/v1/events?limit=10", None,
                           {"Host": "localhost", "Authorization": "Bearer " + self.token})
        self.assertEqual(status, 200)
        return [event["id"] for event in json.loads(body)["items"]]

    def ticks_come(self, subscriber):
        """Three of a source that ticks every second, and not the 3,600 of an hour."""
        before, began = len(subscriber.taken), time.monotonic()
        wait_for(lambda: len(subscriber.taken) >= before + 3, 15, "ticks")
        seconds = time.monotonic() - began
        self.assertLess(len(subscriber.taken) - before, seconds + 8, "no storm")

    def test_a_certificate_is_valid_before_it_was_made(self):
        """A machine whose clock was an hour ahead at the first start, and is set right."""
        with Daemon() as hearth:
            host, port = hearth.ready["api"].split("//")[1].split(":")
            served = hearth.folder / "served.crt"
            served.write_text(ssl.get_server_certificate((host, int(port))))
            for seconds in (-3600, 3600):
                verified = subprocess.run(
                    ["openssl", "verify", "-attime", str(int(time.time()) + seconds), "-CAfile",
                     str(hearth.folder / "state" / "pki" / "ca.crt"), str(served)],
                    capture_output=True, text=True, timeout=60)
                self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)


class UnfinishedBody:
    """A request whose last byte is kept back, so that the server holds all the others of it."""

    def __init__(self, url, head, body, chunked=False):
        self.began = time.monotonic()
        host, port = url.rsplit("/", 1)[-1].split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        if url.startswith("https"):
            # One thread at a time may use a TLS connection. In 1.2 what can be read is an answer, so
            # that the reader waits without it.
            context = ssl._create_unverified_context()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            self.socket = context.wrap_socket(self.socket)
        self.lock = threading.Lock()
        length = "Transfer-Encoding: chunked" if chunked else "Content-Length: %d" % len(body)
        text = "%s\r\n%s\r\n\r\n" % (head, length)
        if chunked:
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        self.last = body[-1:]
        self.answered = None  # (status, Retry-After, seconds since the request)
        self.socket.sendall(text.encode() + body[:-1])
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        response = http.client.HTTPResponse(self.socket)
        try:
            select.select([self.socket], [], [], 60)
            with self.lock:
                response.begin()
                content = response.read()
            self.answered = (response.status, self.retry_after(response, content),
                             time.monotonic() - self.began)
        except (OSError, http.client.HTTPException):
            pass  # without an answer
        finally:
            response.close()
            self.socket.close()

    def retry_after(self, response, content):
        """The header's, or the hint in a Status of the API."""
        if response.status == 503 and b'"Status"' in content:
            return json.loads(content).get("details", {}).get("retryAfterSeconds")
        return response.headers["Retry-After"]

    def finish(self):
        with self.lock:
            self.socket.sendall(self.last)

    def answer(self):
        self.reader.join(60)
        return self.answered


class LargeBodies:
    """A port, a request of 1 MiB to it and a small one."""

    def __init__(self, hearth):
        self.hearth = hearth
        token = (hearth.folder / "state" / "token").read_text().strip()
        self.authorization = "Authorization: Bearer " + token

    def open(self, name, number):
        return UnfinishedBody(self.url(), self.head("%s-%d" % (name, number)),
                              self.body("%s-%d" % (name, number), MIB),
                              chunked=self.MAY_BE_CHUNKED and number % 2)

    def send(self, name, size):
        request = UnfinishedBody(self.url(), self.head(name), self.body(name, size))
        request.finish()
        return request.answer()

    def padded(self, document, put, size):
        """The document as JSON of exactly that size."""
        put(document, "")
        put(document, "x" * (size - len(json.dumps(document))))
        return json.dumps(document).encode()


class LargeEvents(LargeBodies):
    FINE, MAY_BE_CHUNKED = 202, True  # one of unknown length counts as the largest: 1 MiB

    def url(self):
        return self.hearth.ready["gateway"]

    def head(self, name):
        return "\r\n".join(("POST /default/main HTTP/1.1", "Host: localhost", "ce-id: " + name,
                            "ce-source: s", "ce-type: t", "ce-specversion: 1.0",
                            "Content-Type: text/plain"))

    def body(self, name, size):
        return b"x" * size


class LargeObjects(LargeBodies):
    FINE, MAY_BE_CHUNKED = 201, False

    def url(self):
        return self.hearth.ready["api"]

    def head(self, name):
        return "\r\n".join(("POST /api/v1/namespaces/default/configmaps HTTP/1.1",
                            "Host: localhost", self.authorization,
                            "Content-Type: application/json"))

    def body(self, name, size):
        def put(document, text):
            document["data"] = {"text": text}
        return self.padded({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}},
                           put, size)


class MemoryTest(unittest.TestCase):
    """Bodies in memory: 64 MiB a port, and what they become while they are worked on."""

    BUDGET_MIB, OFFERED = 64, 200
    PATIENCE_SECONDS = 10
    SLACK_MIB = 64

    @classmethod
    def setUpClass(cls):
        cls.hearth = Daemon()
        cls.hearth.__enter__()
        cls.addClassCleanup(cls.hearth.__exit__)
        cls.subscriber = Subscriber()
        cls.addClassCleanup(cls.subscriber.__exit__)
        prepare(cls.hearth, cls.subscriber)

    def setUp(self):
        # "5": the peak is counted anew from here.
        pathlib.Path("/proc/%d/clear_refs" % self.hearth.process.pid).write_text("5")
        self.before = peak_resident_bytes(self.hearth.process)

    def growth_mib(self):
        return (peak_resident_bytes(self.hearth.process) - self.before) // MIB

    def test_of_many_large_events_64_mib_are_held_and_the_others_refused_in_time(self):
        self.assert_budget(LargeEvents(self.hearth))

    def test_of_many_large_objects_64_mib_are_held_and_the_others_refused_in_time(self):
        self.assert_budget(LargeObjects(self.hearth))

    def assert_budget(self, port):
        offered = [port.open("large", number) for number in range(self.OFFERED)]
        status, _, seconds = port.send("small", 64 * 1024)  # the largest that counts as small
        self.assertEqual((status, seconds < 5), (port.FINE, True), "small ones always have room")

        refused = self.wait_for_answers(offered, self.OFFERED - self.BUDGET_MIB)
        for status, retry_after, seconds in (request.answer() for request in refused):
            self.assertEqual(status, 503)
            self.assertGreaterEqual(int(retry_after), 1)
            self.assertGreaterEqual(seconds, self.PATIENCE_SECONDS - 0.5)
            self.assertLess(seconds, self.PATIENCE_SECONDS + 5)
        self.assertLess(self.growth_mib(), self.BUDGET_MIB + self.SLACK_MIB, "what was promised")

        held = [request for request in offered if request not in refused]
        for request in held:
            request.finish()
        self.assertEqual([request.answer()[0] for request in held],
                         [port.FINE] * self.BUDGET_MIB)
        self.assert_who_waits_gets_room(port)

    def wait_for_answers(self, requests, count):
        """The first that have one; nobody else gets one."""
        def answered():
            return [request for request in requests if request.answered]
        wait_for(lambda: len(answered()) >= count, 60, "%d answers" % count)
        self.assertEqual(len(answered()), count, "all others are held")
        return answered()

    def assert_who_waits_gets_room(self, port):
        """Two more than there is room for: they are read when others have their answers."""
        offered = [port.open("patient", number) for number in range(self.BUDGET_MIB + 2)]
        self.assertEqual(port.send("small-again", 1000)[0], port.FINE)
        for request in offered:
            request.finish()
        self.assertEqual({request.answer()[0] for request in offered}, {port.FINE})

    def test_objects_of_s3_stream_through(self):
        body = random.randbytes(16 * MIB)
        answers = []

        def put(number):
            answer = s3_client(self.hearth).put_object(Bucket="things", Key="large-%d" % number,
                                                       Body=body)
            answers.append(answer["ResponseMetadata"]["HTTPStatusCode"])
        threads = [threading.Thread(target=put, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        self.assertEqual(answers, [200] * len(threads))
        self.assertLess(self.growth_mib(), self.SLACK_MIB, "of 512")


if __name__ == "__main__":
    unittest.main()
