"""What the tests of the sandbox share: a daemon, functions that run what a request says, and the
machine's processes."""

import json
import os
import pathlib
import signal
import subprocess
import unittest

from daemon import BINARY, Daemon, wait_for

# What a request says is run in the function; the answer is what it evaluates to or the error.
PYTHON = """
import ctypes, errno, os, resource, signal, socket, subprocess, sys, time
SECRET = os.environ.get('SECRET')
def call(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) == -1:
        return errno.errorcode[ctypes.get_errno()]
    return 'done'
def attempt(text):
    try:
        return eval(text)
    except BaseException as error:
        return type(error).__name__
def handler(event):
    if 'run' in event:
        exec(event['run'], globals())
    return {name: attempt(text) for name, text in event.get('try', {}).items()}
"""


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def titles_of(pid):
    """Those of its threads; none when it has ended."""
    try:
        return {path.read_text().strip() for path in
                pathlib.Path("/proc/%d/task" % pid).glob("*/comm")}
    except OSError:
        return set()


def parents_of(pid):
    """From the nearest on."""
    out = []
    while pid > 1:
        text = pathlib.Path("/proc/%d/stat" % pid).read_text()
        pid = int(text.rsplit(")", 1)[1].split()[1])
        out.append(pid)
    return out


class LaunchedDaemon(unittest.TestCase):
    """Tests with a daemon that is started in their own way."""

    flags = ()
    launcher = ()  # what the daemon is started by

    @classmethod
    def setUpClass(cls):
        cls.hearth = Daemon(*cls.flags)
        cls.hearth.command = [*cls.launcher, BINARY]
        cls.addClassCleanup(cls.hearth.__exit__)
        cls.prepare()
        cls.hearth.start()

    @classmethod
    def prepare(cls):
        """Before the daemon starts."""


class SandboxTest(LaunchedDaemon):
    def deploy(self, name, code=PYTHON, language="python", version="3.11", **spec):
        self.hearth.apply(self.hearth.function(name, code, language, version, **spec))
        # The first Go build on a machine compiles the standard library.
        wait_for(lambda: "True" in self.hearth.kubectl(
            "get", "lambdafunction", name,
            "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}"), 400,
                 name + " to be ready")

    def ask(self, name, timeout=60, **event):
        return self.hearth.call(name + ".default.localhost", json.dumps(event), timeout=timeout)

    def attempts(self, name, **attempts):
        status, _, body = self.ask(name, **{"try": attempts})
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def recovers(self, name, seconds=60):
        wait_for(lambda: self.ask(name, **{"try": {"x": "1"}})[0] == 200, seconds,
                 name + " to answer again")

    def pod_of(self, name):
        pods = json.loads(self.hearth.kubectl("get", "pods", "-o", "json"))["items"]
        return [pod for pod in pods
                if pod["metadata"].get("labels", {}).get("lambda.knative.io/name") == name]

    def state(self):
        return self.hearth.ready["state"]

    def rights(self, name):
        """User, capabilities, filter of the function's process, as its kernel shows them."""
        text = self.attempts(name, status="open('/proc/self/status').read()")["status"]
        return {line.split(":")[0]: line.split(":")[1].split() for line in text.splitlines()}

    def process_of(self, name, title):
        """The function's process as the machine numbers it; `title` becomes its name."""
        seen = self.attempts(name, x="ctypes.CDLL(None).prctl(15, %r, 0, 0, 0)" % title.encode())
        self.assertEqual(seen["x"], 0)
        found = [pid for pid in processes() if title in titles_of(pid)]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def fork_servers(self):
        found = subprocess.run(["pgrep", "-P", str(self.hearth.process.pid), "-f", "zygote.py"],
                               capture_output=True, text=True, timeout=60).stdout
        return [int(pid) for pid in found.split()]

    def fork_server(self):
        found = self.fork_servers()
        self.assertEqual(len(found), 1, found)
        return found[0]

    def to_zero(self, name):
        token = pathlib.Path(self.state(), "token").read_text().strip()
        status, _, body = self.hearth.call(
            "localhost", path="/hearth/v1/functions/default/%s/scale-to-zero" % name, method="POST",
            headers={"Authorization": "Bearer " + token})
        self.assertEqual(status, 200, body)

    def assert_a_memory_hog_is_ended_and_told_apart(self):
        self.deploy("hog", resources={"limits": {"memory": "64Mi"}})
        status, _, body = self.ask("hog", run="hoard = [b'x' * (1 << 20) for i in range(4096)]")
        self.assertIn(status, (502, 503), body)
        self.assertIn("instance", body)
        self.assertIsNone(self.hearth.process.poll())
        wait_for(lambda: "OOMKilled" in self.hearth.kubectl("get", "events"), 20, "the event")
        self.recovers("hog")

    def assert_a_fork_bomb_is_bounded(self):
        self.deploy("bomb", resources={"limits": {"memory": "1Gi"}})
        script = ("def bomb():\n    count = 0\n    children = []\n    try:\n"
                  "        ctypes.CDLL(None).prctl(15, b'fork-bomb', 0, 0, 0)\n"
                  "        while True:\n            pid = os.fork()\n"
                  "            if pid == 0:\n                time.sleep(600)\n"
                  "            children.append(pid)\n"
                  "    except OSError as error:\n        pass\n"
                  "    return len(children)\n")
        self.addCleanup(self.end_fork_bombs)
        status, _, body = self.ask("bomb", run=script, **{"try": {"made": "bomb()"}})
        self.assertEqual(status, 200, body)
        self.assertLess(json.loads(body)["made"], 512)
        self.assertGreater(json.loads(body)["made"], 50)
        self.assertGreater(len(self.fork_bombs()), 50)
        # Its neighbours start and answer meanwhile.
        self.deploy("beside")
        self.assertEqual(self.ask("beside")[0], 200)

    def fork_bombs(self):
        return [pid for pid in processes() if "fork-bomb" in titles_of(pid)]

    def end_fork_bombs(self):
        for pid in self.fork_bombs():
            os.kill(pid, signal.SIGKILL)
