"""Starts a wrapper with a sample handler, in either of its two modes, for tests."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from framing import FramedClient, Reply

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WRAPPERS = os.path.join(ROOT, "platform", "lambda", "wrappers")
WAIT_SECONDS = 10
# Where scripts/install-dependencies takes Go for installed though PATH doesn't lead there.
GO_PATH = os.pathsep.join((os.environ["PATH"], "/usr/local/go/bin"))
FRAMED, HTTP = "framed", "http"


class HttpClient:
    """One keep-alive connection, with the same face as FramedClient."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)

    def close(self):
        self.connection.close()

    def request(self, method, target, headers, body=b""):
        self.send(method, target, headers, body)
        return self.receive()

    def send(self, method, target, headers, body=b""):
        self.connection.request(method, target, body or None, headers)

    def receive(self):
        answer = self.connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, headers, answer.read())

    @property
    def socket(self):
        if self.connection.sock is None:
            self.connection.connect()
        return self.connection.sock


class Language:
    """How to lay out and start a function of one language. `ahead`: its process is started before
    it is known what function it will serve."""

    def __init__(self, name, tool, file, command, wrapper, ahead=False):
        self.name, self.tool, self.file = name, tool, file
        self.command, self.wrapper, self.ahead = command, wrapper, ahead

    def version(self):
        """(18, 20) of "v18.20.4"."""
        told = subprocess.run([self.tool, "--version"], check=True, capture_output=True, text=True)
        return tuple(int(part) for part in re.findall(r"\d+", told.stdout)[:2])

    def missing(self):
        return None if shutil.which(self.tool) else "no %s on this machine" % self.name

    def lay_out(self, folder, files):
        shutil.copy(os.path.join(WRAPPERS, *self.wrapper), folder)
        for name, text in files.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)


class GoLanguage(Language):
    """Compiled once per source text: the compiler takes longer than all other steps."""

    def __init__(self):
        super().__init__("go", shutil.which("go", path=GO_PATH) or "go", "main.go", ["./function"],
                         None)
        self.built = {}
        self.folder = None

    def lay_out(self, folder, files):
        key = json.dumps(files, sort_keys=True)
        if key not in self.built:
            self.built[key] = self.build(files)
        shutil.copy(self.built[key], os.path.join(folder, "function"))

    def build(self, files):
        self.folder = self.folder or tempfile.mkdtemp(prefix="hearth-go-")
        folder = tempfile.mkdtemp(dir=self.folder)
        for name in ("hearth_runtime.go", "hearth_handler.go"):
            shutil.copy(os.path.join(WRAPPERS, "go", name), folder)
        # With the language of Go 1.19, Debian 12's, also where the compiler is newer.
        for name, text in dict(files, **{"go.mod": "module function\n\ngo 1.19\n"}).items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        subprocess.run([self.tool, "build", "-o", "function", "."], cwd=folder, check=True,
                       env=dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS=""))
        return os.path.join(folder, "function")

    def clean(self):
        if self.folder:
            shutil.rmtree(self.folder)


PYTHON = Language("python", "python3", "main.py", [sys.executable, "runtime.py"],
                  ("python", "runtime.py"))
NODE = Language("nodejs", "node", "index.js", ["node", "runtime.js"], ("node", "runtime.js"))
NODE_AHEAD = Language(NODE.name, NODE.tool, NODE.file, NODE.command, NODE.wrapper, ahead=True)
GO = GoLanguage()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Instance:
    """One running wrapper. Always close it."""

    def __init__(self, language, mode, files, environment=None):
        self.mode, self.ahead = mode, language.ahead
        self.folder = tempfile.mkdtemp(prefix="hearth-wrapper-")
        self.clients = []
        self.control = None
        self.port = None
        language.lay_out(self.folder, files)
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.folder,
                            "FUNCTION_NAME": "hello", "FUNCTION_NAMESPACE": "shop",
                            "PYTHONDONTWRITEBYTECODE": "1"}
        self.environment.update(environment or {})
        self.lines = []
        self.command = language.command
        (self.start_framed if mode == FRAMED else self.start_http)()
        self.reader = threading.Thread(target=self.read_output, daemon=True)
        self.reader.start()

    def start_framed(self):
        self.path = os.path.join(self.folder, "s")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen(64)
        self.control, theirs = socket.socketpair()
        self.control.settimeout(WAIT_SECONDS)
        # Any numbers will do: the wrappers are told them.
        self.environment.update(HEARTH_SOCKET_FD=str(listener.fileno()),
                                HEARTH_CONTROL_FD=str(theirs.fileno()))
        (self.spawn_ahead if self.ahead else self.spawn)([listener.fileno(), theirs.fileno()])
        listener.close()
        theirs.close()

    def start_http(self):
        self.port = free_port()
        self.environment["PORT"] = str(self.port)
        self.spawn([])

    def spawn(self, descriptors):
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, env=self.environment, pass_fds=descriptors,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def spawn_ahead(self, descriptors):
        """Elsewhere and without its function's environment, which comes as an order."""
        orders, sender = os.pipe()
        with tempfile.NamedTemporaryFile(suffix=".js", delete=False) as copy:
            with open(os.path.join(self.folder, self.command[1]), "rb") as wrapper:
                copy.write(wrapper.read())
        self.wrapper_copy = copy.name
        self.process = subprocess.Popen(
            [self.command[0], copy.name], cwd="/", pass_fds=[*descriptors, orders],
            env={"PATH": os.environ["PATH"], "LEFT_OVER": "1", "HEARTH_ORDER_FD": str(orders),
                 **{name: value for name, value in self.environment.items()
                    if name.startswith("HEARTH_")}},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.close(orders)
        os.write(sender, json.dumps({"env": self.environment, "cwd": self.folder}).encode())
        os.close(sender)

    def read_output(self):
        for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))

    def wait_ready(self):
        """The first control message, or None over HTTP, where readiness is a probe."""
        if self.mode == FRAMED:
            return self.message()
        end = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return None
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
                time.sleep(0.005)

    def message(self):
        line = b""
        while not line.endswith(b"\n"):
            part = self.control.recv(1 << 16)
            if not part:
                return None
            line += part
        return json.loads(line)

    def connect(self):
        client = FramedClient(self.path) if self.mode == FRAMED else HttpClient(self.port)
        self.clients.append(client)
        return client

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def logged(self, message):
        """The log entry with this message, waited for: output comes by another way."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            for line in list(self.lines):
                if line.startswith("{") and json.loads(line).get("msg") == message:
                    return json.loads(line)
            time.sleep(0.005)
        raise AssertionError("%r isn't in %r" % (message, self.lines))

    def wait(self):
        return self.process.wait(WAIT_SECONDS)

    def close(self):
        for client in self.clients:
            client.close()
        if self.control:
            self.control.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        if self.ahead:
            os.unlink(self.wrapper_copy)
        shutil.rmtree(self.folder)
