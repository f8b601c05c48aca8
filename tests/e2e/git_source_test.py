"""Functions from git whose servers never answer, refuse or fail: they hold nothing else up, leave
no process behind, and say why."""

import http.server
import pathlib
import socket
import threading
import time
import unittest

from daemon import Daemon, wait_for
from exhaustion_test import s3_client

HELLO = "def handler(event):\n    return 'hello'\n"
# More than the pool has threads (2), the controller workers (4), and than are cloned at a time (4).
SILENT_SERVERS = 9
CLONES_MAX = 4


class SilentServers:
    """The kernel accepts, nobody ever answers."""

    def __init__(self, count):
        self.sockets = [socket.create_server(("127.0.0.1", 0), backlog=64) for _ in range(count)]
        self.urls = ["http://127.0.0.1:%d/r.git" % one.getsockname()[1] for one in self.sockets]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for one in self.sockets:
            one.close()


class Refusing(http.server.BaseHTTPRequestHandler):
    """Wants credentials and takes none."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *unused):
        pass


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def from_git(hearth, name, url, ref="main", **more):
    manifest = hearth.function(name, HELLO)
    manifest["spec"]["source"] = {"type": "git", "git": {"url": url, "ref": ref, **more}}
    return manifest


def source_message(hearth, name, text=""):
    """The message of its SourceReady, once that is False and the message has the text."""
    def message():
        found = hearth.get("lambdafunction", name) or {}
        for one in found.get("status", {}).get("conditions", []):
            if one["type"] == "SourceReady" and one["status"] == "False":
                return one["message"] if text in one["message"] else None
        return None
    return wait_for(message, 60, "SourceReady of %s to be False: %s" % (name, text))


def clones():
    """The processes of this machine that clone, by number: that of the process they belong to."""
    found = {}
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if (folder / "cmdline").read_bytes().split(b"\0")[1:2] == [b"__clone"]:
                status = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                found[int(folder.name)] = int(status[1])
        except OSError:
            pass  # it has ended
    return found


def clones_of(hearth):
    return {pid for pid, parent in clones().items() if parent == hearth.process.pid}


class SilentServersTest(unittest.TestCase):
    def setUp(self):
        self.hearth = self.enterContext(Daemon())
        self.servers = self.enterContext(SilentServers(SILENT_SERVERS))

    def apply_functions_of_silent_servers(self):
        """The processes that clone, once there are as many as there ever are."""
        self.hearth.kubectl("create", "secret", "generic", "git", "--from-literal=token=s3cr3t-tok")
        self.hearth.apply(*(from_git(self.hearth, "silent-%d" % i, url, secretRef={"name": "git"})
                            for i, url in enumerate(self.servers.urls)))
        wait_for(lambda: len(clones_of(self.hearth)) == CLONES_MAX, 30, "clones to begin")
        return clones_of(self.hearth)

    def messages(self):
        listed = [source_message(self.hearth, "silent-%d" % i) for i in range(SILENT_SERVERS)]
        return {"goes on": sum("cloning goes on" in one for one in listed),
                "waits": sum("waits until one of the 4" in one for one in listed)}

    def test_they_hold_up_nothing_else_and_the_daemon_ends_at_once(self):
        began = self.apply_functions_of_silent_servers()
        self.hearth.apply(self.hearth.function("lively", HELLO))
        self.hearth.wait_ready("lively")
        self.assertEqual(self.hearth.call("lively.default.localhost", "{}")[2], "hello")
        s3 = s3_client(self.hearth)
        s3.create_bucket(Bucket="lively")
        s3.put_object(Bucket="lively", Key="mebibyte", Body=bytes(1 << 20))
        self.assertEqual(s3.head_object(Bucket="lively", Key="mebibyte")["ContentLength"], 1 << 20)
        wait_for(lambda: self.messages() == {"goes on": CLONES_MAX,
                                             "waits": SILENT_SERVERS - CLONES_MAX}, 60,
                 "each function to say what it waits for")
        self.assertEqual(clones_of(self.hearth), began)
        asked = time.monotonic()
        self.assertEqual(self.hearth.stop(), 0)
        self.assertLess(time.monotonic() - asked, 15)
        self.assertFalse(began & set(clones()))
        self.assertEqual(list((self.hearth.folder / "state/scratch").iterdir()), [])

    def test_their_credentials_are_in_no_argument_and_no_environment(self):
        for pid in self.apply_functions_of_silent_servers():
            for name in ("cmdline", "environ"):
                content = pathlib.Path("/proc/%d/%s" % (pid, name)).read_bytes()
                self.assertNotIn(b"s3cr3t-tok", content)

    def test_no_clone_outlives_a_daemon_that_is_killed(self):
        began = self.apply_functions_of_silent_servers()
        self.hearth.kill()
        wait_for(lambda: not began & set(clones()), 10, "the clones to end")


class FailingServersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = cls.enterClassContext(Daemon())

    def test_a_refused_connection_is_named(self):
        url = "http://127.0.0.1:%d/r.git" % free_port()
        self.hearth.apply(from_git(self.hearth, "refused", url))
        self.assertIn("git repository %s: failed to connect to 127.0.0.1" % url,
                      source_message(self.hearth, "refused"))

    def test_a_folder_that_is_no_repository_is_named(self):
        url = "file://%s/no-such-repository" % self.hearth.folder
        self.hearth.apply(from_git(self.hearth, "nowhere", url))
        self.assertIn("git repository %s: failed to resolve path" % url,
                      source_message(self.hearth, "nowhere"))

    def test_missing_and_refused_credentials_are_named(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = "http://127.0.0.1:%d/r.git" % server.server_port
        self.hearth.kubectl("create", "secret", "generic", "wrong", "--from-literal=token=wrong")
        self.hearth.apply(from_git(self.hearth, "none", url),
                          from_git(self.hearth, "wrong", url, secretRef={"name": "wrong"}))
        for name, reason in (("none", "it wants credentials"),
                             ("wrong", "it refuses the credentials of the Secret")):
            self.assertIn("git repository %s: %s" % (url, reason),
                          source_message(self.hearth, name))


if __name__ == "__main__":
    unittest.main()
