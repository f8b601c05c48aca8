"""A Kubernetes API server that misbehaves on request: TLS in front, TLS behind, faults in between.

    with FaultProxy(hearth) as proxy:
        proxy.fail(conflict(), method="PUT", path="/status", times=3)
        proxy.cut_watches()

Clients log in with a token of the proxy's own, so that it can expire; behind it the daemon's
administrator acts. What was done to whom is in proxy.done, so that a test can tell that its fault
happened at all; every request with its times is in proxy.requests.
"""

import http.client
import http.server
import json
import pathlib
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse

WATCH = "watch=true"


def status_answer(code, reason, message="injected", headers=None, details=None):
    """An answer in place of the server's; the server never sees the request."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code}
    if details:
        body["details"] = details

    def act(handler, unused_body):
        handler.answer(code, json.dumps(body).encode(), headers)
    return act


def conflict():
    return status_answer(409, "Conflict", "the object has been modified")


def too_many_requests(seconds):
    return status_answer(429, "TooManyRequests", headers={"Retry-After": str(seconds)})


def server_error():
    return status_answer(500, "InternalError")


def done_but_unanswered(handler, body):
    """The server does it, the connection breaks before the answer: nobody knows."""
    handler.forward(body)
    handler.cut()


def done_but_500(handler, body):
    handler.forward(body)
    handler.answer(500, b'{"kind":"Status","message":"late failure","reason":"InternalError"}')


def cut(handler, unused_body):
    handler.cut()


def half_an_answer(handler, body):
    status, content = handler.forward(body)
    handler.head(status, len(content))
    handler.wfile.write(content[:len(content) // 2])
    handler.wfile.flush()
    handler.cut()


def no_json(handler, body):
    status, content = handler.forward(body)
    handler.answer(status, content[:len(content) // 2])


class Held:
    """An answer that doesn't come before release(); the server hears of the request only then."""

    SECONDS_MAX = 60

    def __init__(self):
        self.arrived = threading.Event()
        self.released = threading.Event()

    def __call__(self, handler, body):
        self.arrived.set()
        self.released.wait(self.SECONDS_MAX)
        handler.answer(*handler.forward(body))

    def release(self):
        self.released.set()


def gone_as_event(handler, unused_body):
    """410 as it comes in a watch: 200, one ERROR event, the end."""
    event = {"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure",
                                         "reason": "Expired", "code": 410,
                                         "message": "too old resource version"}}
    handler.answer(200, json.dumps(event).encode() + b"\n")


def gone_as_status():
    return status_answer(410, "Expired", "too old resource version")


class Fault:
    def __init__(self, act, method, path, times, watch, about):
        self.act, self.method, self.path = act, method, path
        self.times, self.watch, self.about = times, watch, about

    def fits(self, method, path, body):
        if self.times == 0 or (self.method and method != self.method):
            return False
        if self.about and self.about not in path and self.about.encode() not in (body or b""):
            return False
        return self.path in path and (WATCH in path) == self.watch


class Request:
    """As the proxy saw it: when it came, when it had its answer, and what was done to it."""

    def __init__(self, method, path):
        self.method, self.path = method, path
        self.arrived, self.answered = time.monotonic(), None
        self.fault = None

    def __repr__(self):
        return "%.3f %s %s%s" % (self.arrived, self.method, self.path,
                                 " (fault)" if self.fault else "")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        # A test may cut a watch while its thread writes.
        self.guard = threading.Lock()
        super().setup()

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (OSError, ssl.SSLError, http.client.HTTPException):
            self.close_connection = True

    def dispatch(self):
        proxy = self.server.proxy
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token != proxy.token:
            with proxy.lock:
                proxy.refused += 1
            self.answer(401, b'{"kind":"Status","message":"Unauthorized","reason":"Unauthorized"}')
            return
        request = Request(self.command, self.path)
        request.fault = proxy.take(self.command, self.path, body)
        with proxy.lock:
            proxy.requests.append(request)
        try:
            if request.fault:
                request.fault.act(self, body)
            elif WATCH in self.path:
                self.stream()
            else:
                self.answer(*self.forward(body))
        finally:
            request.answered = time.monotonic()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = dispatch

    def forward(self, body):
        headers = {"Authorization": "Bearer " + self.server.proxy.upstream_token}
        for name in ("Content-Type", "Accept"):
            if self.headers.get(name):
                headers[name] = self.headers[name]
        connection = self.server.proxy.connect()
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def head(self, status, length, headers=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def answer(self, status, content, headers=None):
        self.head(status, len(content), headers)
        self.wfile.write(content)
        self.wfile.flush()

    def cut(self):
        """No orderly end: the peer gets a reset."""
        self.close_connection = True
        with self.guard:
            try:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           struct.pack("ii", 1, 0))
                # close() would wait for the reader's file object, and say goodbye in TLS.
                self.connection._real_close()
            except OSError:
                pass

    def write_chunk(self, data):
        with self.guard:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

    def stream(self):
        proxy = self.server.proxy
        upstream = proxy.connect()
        with proxy.lock:
            proxy.watches[self] = upstream
        try:
            upstream.request("GET", self.path, headers={
                "Authorization": "Bearer " + proxy.upstream_token, "Accept": "application/json"})
            answer = upstream.getresponse()
            if answer.status != 200:
                self.answer(answer.status, answer.read())
                return
            self.head(200, None)
            while line := answer.readline():
                if proxy.take_half_line(self.path):
                    self.write_chunk(line[:len(line) // 2])
                    self.cut()
                    return
                self.write_chunk(line)
            self.write_chunk(b"")
        finally:
            with proxy.lock:
                proxy.watches.pop(self, None)
            upstream.close()

    def log_message(self, *unused):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *unused):
        pass  # a client that went away is what this proxy is for


class FaultProxy:
    def __init__(self, hearth):
        self.folder = hearth.folder / "proxy"
        self.folder.mkdir()
        self.api = urllib.parse.urlsplit(hearth.ready["api"])
        state = pathlib.Path(hearth.ready["state"])
        self.upstream_token = (state / "token").read_text().strip()
        self.lock = threading.Lock()
        self.faults = []
        self.done = []
        self.requests = []
        self.refused = 0
        self.watches = {}
        self.half_lines = []
        self.token_file = self.folder / "token"
        self.rotate_token("first")
        self.token_file.write_text(self.token)

    def __enter__(self):
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=fault-proxy", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", str(key), "-out", str(certificate)],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.proxy = self
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.kubeconfig = self.folder / "kubeconfig"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "faulty",
            "contexts": [{"name": "faulty", "context": {"cluster": "faulty", "user": "faulty"}}],
            "clusters": [{"name": "faulty", "cluster": {
                "server": "https://127.0.0.1:%d" % self.server.server_address[1],
                "certificate-authority": "certificate.pem"}}],
            "users": [{"name": "faulty", "user": {"tokenFile": "token"}}]}))
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()
        self.cut_watches()

    def connect(self):
        # The daemon's certificate is the daemon's own affair: here only faults are tested.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(self.api.hostname, self.api.port, timeout=120,
                                           context=context)

    # What tests do with it.

    def fail(self, act, method=None, path="", times=1, watch=False, about=""):
        """`about`: a text in the path or in the body."""
        with self.lock:
            self.faults.append(Fault(act, method, path, times, watch, about))

    def pending(self):
        """What has not happened yet."""
        with self.lock:
            return ([(fault.method, fault.path) for fault in self.faults if fault.times > 0] +
                    [("HALF", path) for path in self.half_lines])

    def pauses_after(self, act):
        """Seconds from each answer by this fault to the next request of that method and path."""
        with self.lock:
            pauses = []
            for number, request in enumerate(self.requests):
                if not request.fault or request.fault.act is not act:
                    continue
                following = [other for other in self.requests[number + 1:]
                             if (other.method, other.path) == (request.method, request.path)]
                pauses.append(following[0].arrived - request.answered if following else None)
            return pauses

    def cut_watches(self, path=""):
        """Breaks the watches that run now; how many they were."""
        with self.lock:
            running = [watch for watch in self.watches if path in watch.path]
        for watch in running:
            watch.cut()
        return len(running)

    def cut_within_next_event(self, path):
        with self.lock:
            self.half_lines.append(path)

    def rotate_token(self, token):
        """The old token is refused from now on; the file is the caller's to write."""
        self.token = token

    # What the handlers ask.

    def take(self, method, path, body):
        with self.lock:
            for fault in self.faults:
                if fault.fits(method, path, body):
                    fault.times -= 1
                    self.done.append((method, path))
                    return fault
        return None

    def take_half_line(self, path):
        with self.lock:
            for wanted in self.half_lines:
                if wanted in path:
                    self.half_lines.remove(wanted)
                    self.done.append(("HALF", path))
                    return True
        return False
