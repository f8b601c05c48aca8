"""Clients that are slow, stuck or sly, at every port: who doesn't get on is cut off in the time
that platform/base/limits.h says, nobody else waits for them, and nothing slips in behind a head
that two servers could read in two ways.

The slow ones all begin together when the file begins and are waited for by the tests about them:
all of it takes about as long as the longest limit, a minute.
"""

import hashlib
import http.client
import json
import pathlib
import random
import socket
import ssl
import threading
import time
import unittest
import urllib.parse

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from daemon import Daemon
from exhaustion_test import api_connection, ask, create_config_map, gateway_connection, s3_client

MIB = 1024 * 1024
PORTS = ("gateway", "api", "s3", "registry")
HEAD_SECONDS = 20
BODY_STALL_SECONDS = 60
# The server looks every 250 ms; the rest is for a machine that has other work.
LATE_SECONDS = 4
HALF_A_HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
STALLED_DIGEST = "sha256:" + hashlib.sha256(b"x" * 1_000_000).hexdigest()
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
# A handshake's record of 200 bytes that begins like a ClientHello; what should follow doesn't.
HALF_A_HELLO = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03"


def connect(hearth, port, tls=True):
    url = hearth.ready[port]
    host, number = url.rsplit("/", 1)[-1].split(":")
    connection = socket.create_connection((host, int(number)), timeout=10)
    if tls and url.startswith("https"):
        connection = ssl._create_unverified_context().wrap_socket(connection)
    return connection


def send_all(connection, data):
    """As much as the server takes before it closes."""
    try:
        connection.sendall(data)
    except OSError:
        pass


def read_to_end(connection, seconds=10):
    """What comes until the server closes; it must close within that time."""
    connection.settimeout(seconds)
    content = b""
    try:
        while data := connection.recv(65536):
            content += data
    except ConnectionError:
        pass  # it had not read all of what was sent
    return content


class SlowClient(threading.Thread):
    """Sends something, then a byte a second or nothing, until it is cut off."""

    def __init__(self, connection, sent, drip=b"", answered=False):
        super().__init__(daemon=True)
        self.connection, self.sent, self.drip = connection, sent, drip
        self.answered = answered  # the first request is whole: its answer is not the end
        self.seconds = None  # until it was cut off
        self.got = b""
        self.start()

    def run(self):
        began = time.monotonic()
        self.connection.sendall(self.sent)
        self.connection.settimeout(1)
        while time.monotonic() - began < BODY_STALL_SECONDS + 30:
            try:
                data = self.connection.recv(65536)
                self.got += data
                if not data:
                    break
            except TimeoutError:
                send_all(self.connection, self.drip)
            except OSError:
                break
        else:
            return  # nobody cut it off
        self.seconds = time.monotonic() - began
        self.connection.close()

    def hangs(self):
        return self.is_alive() and not (self.got and not self.answered)


class SlowReader(threading.Thread):
    """Asks, and takes the answer in a hundred pieces, one each 50 ms."""

    PIECES, PAUSE_SECONDS = 100, 0.05

    def __init__(self, hearth, port, request, *fields):
        super().__init__(daemon=True)
        url = urllib.parse.urlsplit(hearth.ready[port])
        self.connection = socket.socket()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.connection.settimeout(30)
        self.connection.connect((url.hostname, url.port))
        if url.scheme == "https":
            self.connection = ssl._create_unverified_context().wrap_socket(self.connection)
        self.request = "\r\n".join((request + " HTTP/1.1", *fields, "Connection: close", "", ""))
        self.status = self.body = self.seconds = None
        self.start()

    def run(self):
        began = time.monotonic()
        self.connection.sendall(self.request.encode())
        with http.client.HTTPResponse(self.connection) as response:
            response.begin()
            piece_bytes = (response.length or 4 * MIB) // self.PIECES
            pieces = []
            while piece := response.read(piece_bytes):
                pieces.append(piece)
                time.sleep(self.PAUSE_SECONDS)
        self.connection.close()
        self.seconds = time.monotonic() - began
        self.status, self.body = response.status, b"".join(pieces)


class SlowClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = cls.enterClassContext(Daemon())
        cls.s3 = s3_client(cls.hearth)
        cls.s3.create_bucket(Bucket="slow")
        cls.hearth.apply(cls.hearth.function(  # one request at a time, in one instance
            "narrow", "def handler(event):\n    return 'free'\n",
            scaling={"containerConcurrency": 1, "targetConcurrency": 1, "maxReplicas": 1}))
        cls.hearth.wait_ready("narrow")
        cls.slow = {}
        for port in PORTS:
            def start(kind, sent, count=5, tls=True, **how):
                cls.slow[port, kind] = [SlowClient(connect(cls.hearth, port, tls), sent, **how)
                                        for _ in range(count)]
            start("incomplete head", HALF_A_HEAD)
            start("dripped head", HALF_A_HEAD, drip=b"x")
            start("second head", WHOLE + HALF_A_HEAD, drip=b"x", answered=True)
        start = lambda kind, sent, **how: cls.slow.__setitem__(
            ("api", kind), [SlowClient(connect(cls.hearth, "api", tls=False), sent, **how)])
        start("silent handshake", b"")
        start("half a handshake", HALF_A_HELLO)
        start("dripped handshake", HALF_A_HELLO, drip=b"\x01")
        for (port, kind), head in cls.heads_of_bodies().items():
            cls.slow[port, kind] = [SlowClient(connect(cls.hearth, port), cls.half_a_body(head))]

    @classmethod
    def heads_of_bodies(cls):
        """Requests whose bodies don't come, by port and what they are for."""
        authorization = "Authorization: Bearer " + cls.token()
        return {
            ("s3", "stalled body"): cls.presigned("PUT", "stalled"),
            ("api", "stalled body"): ("POST /api/v1/namespaces/default/configmaps",
                                      "Host: localhost", authorization,
                                      "Content-Type: application/json"),
            ("gateway", "stalled body"): (
                "POST /knative-lambda/lambda-broker", "Host: localhost", "ce-id: stalled",
                "ce-source: s", "ce-type: t", "ce-specversion: 1.0", "Content-Type: text/plain"),
            ("gateway", "stalled body of a call"): ("POST /", "Host: narrow.default.localhost"),
            ("registry", "stalled body"): ("POST /v2/slow/blobs/uploads/?digest=" + STALLED_DIGEST,
                                           "Host: localhost",
                                           "Content-Type: application/octet-stream")}

    @classmethod
    def presigned(cls, method, key):
        """The head of a request that anybody may make."""
        session = botocore.session.get_session()
        session.set_credentials(cls.hearth.ready["s3AccessKey"], cls.hearth.ready["s3SecretKey"])
        client = session.create_client(
            "s3", endpoint_url=cls.hearth.ready["s3"], region_name="us-east-1",
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
        url = urllib.parse.urlsplit(client.generate_presigned_url(
            method.lower() + "_object", {"Bucket": "slow", "Key": key}))
        return "%s %s?%s" % (method, url.path, url.query), "Host: " + url.netloc

    @staticmethod
    def half_a_body(head):
        request, *fields = head
        return "\r\n".join((request + " HTTP/1.1", *fields, "Content-Length: 1000000", "",
                            "x" * 10)).encode()

    @classmethod
    def token(cls):
        return pathlib.Path(cls.hearth.ready["state"], "token").read_text().strip()

    def authorization(self):
        return self.token(), b"Authorization: Bearer %s\r\n" % self.token().encode()

    def ask(self, port, head, **how):
        """One connection: sends the bytes, returns what comes until its end."""
        connection = connect(self.hearth, port)
        try:
            send_all(connection, head)
            return read_to_end(connection, **how)
        finally:
            connection.close()

    # Those who wait. This one is the first by name: all the slow ones still hang.

    def test_a_normal_client_is_served_at_once_while_slow_ones_hang_on(self):
        for port in PORTS:
            with self.subTest(port=port):
                began = time.monotonic()
                answer = self.ask(port, LAST)
                self.assertTrue(answer.startswith(b"HTTP/1.1 "), answer)
                self.assertLess(time.monotonic() - began, HEAD_SECONDS / 4)
        self.s3.put_object(Bucket="slow", Key="normal", Body=b"x" * 1000)
        for kind, clients in self.slow.items():
            for client in clients:
                self.assertTrue(client.hangs(), (kind, client.got, client.seconds))

    def test_an_incomplete_head_is_cut_off_in_time(self):
        self.assert_cut_off("incomplete head", HEAD_SECONDS)

    def test_who_sends_a_head_a_byte_a_second_is_cut_off_as_if_nothing_came(self):
        self.assert_cut_off("dripped head", HEAD_SECONDS)

    def test_the_second_head_of_a_connection_has_no_more_time_than_the_first(self):
        self.assert_cut_off("second head", HEAD_SECONDS, answers=1)

    def test_a_stalled_handshake_is_cut_off_in_time(self):
        for kind in ("silent handshake", "half a handshake", "dripped handshake"):
            [client] = self.slow["api", kind]
            with self.subTest(kind=kind):
                self.assert_one_cut_off(client, HEAD_SECONDS)

    def test_a_stalled_body_is_cut_off_and_leaves_nothing_behind(self):
        for port, kind in self.heads_of_bodies():
            with self.subTest(port=port, kind=kind):
                [client] = self.slow[port, kind]
                client.join(BODY_STALL_SECONDS + LATE_SECONDS)
                self.assert_one_cut_off(client, BODY_STALL_SECONDS)
                self.assertNotRegex(client.got, rb"\AHTTP/1.1 [23]")
        listed = self.s3.list_objects_v2(Bucket="slow").get("Contents", [])
        self.assertNotIn("stalled", [item["Key"] for item in listed])
        headers = {"Host": "localhost", "Authorization": "Bearer " + self.token()}
        status, body = ask(gateway_connection(self.hearth), "GET", "/hearth/v1/events/stalled",
                           None, headers)
        self.assertEqual(status, 404, body)
        registry = http.client.HTTPConnection(self.hearth.ready["registry"], timeout=60)
        self.assertEqual(ask(registry, "GET", "/v2/slow/blobs/" + STALLED_DIGEST)[0], 404)
        # The one instance has no request any more.
        self.assertEqual(self.hearth.call("narrow.default.localhost", "{}", timeout=10)[2], "free")

    def test_who_reads_slowly_but_goes_on_gets_all_of_it(self):
        """5 s each, through a window that holds a small part."""
        content = random.Random(1).randbytes(8 * MIB)
        self.s3.put_object(Bucket="slow", Key="large", Body=content)
        for number in range(4):
            self.assertEqual(create_config_map(self.hearth, api_connection(self.hearth),
                                               "large-%d" % number, "x" * 900_000), 201)
        requests = {"s3": self.presigned("GET", "large"),
                    "api": ("GET /api/v1/namespaces/default/configmaps", "Host: localhost",
                            "Authorization: Bearer " + self.token())}
        readers = {port: SlowReader(self.hearth, port, *request)
                   for port, request in requests.items()}
        for reader in readers.values():
            reader.join(60)
            self.assertEqual(reader.status, 200, reader.body)
            self.assertGreater(reader.seconds, 3)
        self.assertEqual(hashlib.sha256(readers["s3"].body).digest(),
                         hashlib.sha256(content).digest())
        names = [item["metadata"]["name"] for item in json.loads(readers["api"].body)["items"]]
        self.assertLessEqual({"large-%d" % number for number in range(4)}, set(names))

    def assert_cut_off(self, kind, seconds, answers=0):
        for port in PORTS:
            for client in self.slow[port, kind]:
                with self.subTest(port=port):
                    self.assert_one_cut_off(client, seconds)
                    self.assertEqual(client.got.count(b"HTTP/1.1 "), answers, client.got)

    def assert_one_cut_off(self, client, seconds):
        client.join(seconds + LATE_SECONDS)
        self.assertIsNotNone(client.seconds, "it still hangs")
        self.assertGreaterEqual(client.seconds, seconds - 0.5)
        self.assertLess(client.seconds, seconds + LATE_SECONDS)

    # Those who don't.

    def test_heads_that_are_too_large_are_refused_with_431(self):
        begin = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
        for port in PORTS:
            for head in (begin + b"X: " + b"a" * 70_000,  # and no end of it
                         begin + b"X: y\r\n" * 200 + b"\r\n",
                         b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"):
                with self.subTest(port=port, head=head[:40]):
                    answer = self.ask(port, head + WHOLE)
                    self.assertTrue(answer.startswith(b"HTTP/1.1 431 "), answer[:200])
                    self.assertEqual(answer.count(b"HTTP/1.1 "), 1)

    def test_lines_that_end_with_a_bare_line_feed_are_refused_at_once(self):
        for port in PORTS:
            for head in (b"GET / HTTP/1.1\nHost: localhost\n\n",
                         b"GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n" + WHOLE,
                         b"GET / HTTP/1.1\r\nHost: localhost\r\n\n"):
                with self.subTest(port=port, head=head):
                    answer = self.ask(port, head, seconds=5)
                    self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer[:200])
                    self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer)

    def test_nothing_is_answered_behind_a_head_with_two_meanings(self):
        for fields, status in (
                (b"Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
                (b"Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
                (b"Transfer-Encoding: chunked, chunked", 501),
                (b"Transfer-Encoding: gzip, chunked", 501),
                (b"Transfer-Encoding: xchunked", 501),
                (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 400),
                (b"Transfer-Encoding: \x0bchunked", 400),
                (b"Transfer-Encoding : chunked", 400),
                (b"Content-Length: 5\r\nContent-Length: 6", 400),
                (b"Content-Length: 5, 6", 400),
                (b"Content-Length: +5", 400),
                (b"Content-Length: -1", 400),
                (b"Content-Length: 99999999999999999999", 400),
                (b"Host: elsewhere\r\nContent-Length: 5", 400)):
            for port in PORTS:
                with self.subTest(port=port, fields=fields):
                    answer = self.ask(port, b"POST / HTTP/1.1\r\nHost: localhost\r\n" + fields +
                                      b"\r\n\r\n0\r\n\r\n" + WHOLE)
                    self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), answer[:200])
                    self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer)

    def test_a_second_request_behind_a_plain_head_is_answered(self):
        """Else the test above would prove nothing."""
        for port in PORTS:
            with self.subTest(port=port):
                self.assertEqual(self.ask(port, WHOLE + LAST).count(b"HTTP/1.1 "), 2)

    EVERYWHERE = ("/../../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
                  "/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd", "//etc/passwd", "//", "/..",
                  "/..%5c..%5cetc%5cpasswd", "/\\..\\..\\etc\\passwd", "/%00", "/a%00b", "/\x00",
                  "/etc/passwd%00.html", "/%c0%ae%c0%ae/etc/passwd", "/%zz", "/" + "a" * 60_000,
                  "/" + "../" * 5_000 + "etc/passwd")
    TRICKS = {
        "gateway": ("/hearth/v1/events/../../token", "/hearth/v1/events/%2e%2e%2f%2e%2e%2ftoken",
                    "/hearth/v1/../../token", "/function/default/../../token",
                    "/function/..%2f..%2fetc/passwd", "/function//", "/function/default//",
                    "/metrics/../token", "/default/../token"),
        "api": ("/api/v1/namespaces/default/configmaps/..%2f..%2ftoken",
                "/api/v1/namespaces/..%2f..%2f/secrets/token", "/apis/../token",
                "/api/v1/../../token", "/openapi/v3/../../token", "/openapi/v3/apis/%2e%2e/v1",
                "/api/v1/namespaces/default/pods/..%2f..%2ftoken/log",
                "/api/v1/namespaces/default/pods/..%2f..%2ftoken%00/log",
                "/api/v1/namespaces/default/configmaps/%00",
                "/api/v1/namespaces/default/configmaps/a\\b"),
        "registry": ("/v2/../../token/manifests/latest", "/v2/a/manifests/..%2f..%2ftoken",
                     "/v2/%2e%2e%2f%2e%2e%2fetc/blobs/sha256:" + "a" * 64,
                     "/v2/a/blobs/..%2f..%2f..%2ftoken", "/v2/a/blobs/sha256:..%2f..%2ftoken",
                     "/v2/a/blobs/uploads/..%2f..%2ftoken", "/v2//manifests/x",
                     "/v2/a//b/manifests/x", "/v2/a%00b/manifests/x", "/v2/a\\b/manifests/x",
                     "/v2/_catalog/..", "/v2/a/tags/list/..", "//v2/"),
        "s3": ("/slow/../../token", "/slow/..%2f..%2ftoken", "/slow/%2e%2e/%2e%2e/token",
               "/../token", "/..", "/slow/../../hearth.db", "/%2e%2e/slow", "/slow%2f..%2ftoken",
               "/slow/%00", "/slow//etc/passwd", "/slow?prefix=../../&list-type=2")}

    def test_tricks_in_paths_are_refused_and_show_no_file(self):
        token, authorization = self.authorization()
        for port, own in self.TRICKS.items():
            for path in (*self.EVERYWHERE, *own):
                with self.subTest(port=port, path=path[:60]):
                    answer = self.ask(port, b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s"
                                      b"Connection: close\r\n\r\n" % (path.encode("latin-1"),
                                                                      authorization))
                    # At the S3 port nobody without a signature learns what is there.
                    self.assertRegex(answer[:13], rb"HTTP/1.1 (400|40[345]|414) " if port == "s3"
                                     else rb"HTTP/1.1 (400|404|405|414) ")
                    content = answer.partition(b"\r\n\r\n")[2]
                    self.assertGreater(len(content), 5, "it says why")
                    self.assertNotIn(token.encode(), content)
                    self.assertNotIn(b"root:", content)

    def test_dots_in_the_keys_of_objects_are_letters_of_a_name(self):
        """Signed, they are good keys: they lead to objects only, and never out of the bucket."""
        token = self.token().encode()
        self.s3.create_bucket(Bucket="other")
        self.s3.put_object(Bucket="other", Key="secret", Body=b"of the other bucket")
        before = self.files()
        for key in ("../../token", "../other/secret", "../../../../../../etc/passwd", "/etc/passwd",
                    "a/../../../hearth.db", "..", ".", "..\\..\\token", "%2e%2e/%2e%2e/token"):
            with self.subTest(key=key):
                with self.assertRaisesRegex(ClientError, "NoSuchKey"):
                    self.s3.get_object(Bucket="slow", Key=key)
                self.s3.put_object(Bucket="slow", Key=key, Body=b"mine")
                self.assertEqual(self.s3.get_object(Bucket="slow", Key=key)["Body"].read(), b"mine")
                self.s3.delete_object(Bucket="slow", Key=key)
        self.assertEqual(self.s3.get_object(Bucket="other", Key="secret")["Body"].read(),
                         b"of the other bucket")
        self.assertEqual(self.token().encode(), token)
        self.assertEqual(self.files() - before, set(), "no file of its own")

    def files(self):
        folder = self.hearth.folder
        return {path.relative_to(folder) for path in folder.rglob("*")
                if "instances" not in path.parts and "logs" not in path.parts}


if __name__ == "__main__":
    unittest.main()
