"""The main job by somebody who is not root: the daemon runs as an ordinary user, and whatever it
does it does with that user's rights. Run by root, these tests start it as `nobody`."""

import json
import os
import pathlib
import pwd
import shutil
import stat
import tempfile
import unittest

import daemon
from daemon import Daemon, wait_for
from events_test import Sink

HELLO = "def handler(event):\n    return 'Hello, ' + event.get('name', 'nobody')\n"


def ordinary_user():
    """Who the daemon runs as: ourselves, or `nobody` when we are root."""
    return pwd.getpwuid(os.geteuid()) if os.geteuid() else pwd.getpwnam("nobody")


# With variables that node reads only when it starts, it is not one that was started ahead.
WHO = {"NODE_OPTIONS": "--trace-warnings"}
WHO_CODE = """
exports.handler = async () => ({user: process.getuid(), group: process.getgid(), pid: process.pid,
  status: require('fs').readFileSync('/proc/self/status', 'utf8')});
"""


class UserDaemon(Daemon):
    """A daemon of an ordinary user, which owns nothing but its own folder."""

    def __init__(self, *flags):
        super().__init__(*flags)
        self.user = ordinary_user()
        self.variables = {"HOME": str(self.folder), "XDG_RUNTIME_DIR": "",
                          "HEARTH_CACHE": str(self.folder / "cache")}
        if os.geteuid() == 0:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
            self.command = ["setpriv", "--reuid", str(self.user.pw_uid), "--regid",
                            str(self.user.pw_gid), "--clear-groups", "--inh-caps=-all",
                            self.readable_binary()]

    def readable_binary(self):
        """The program where that user may read it: a checkout in a home folder is closed to it."""
        self.programs = pathlib.Path(tempfile.mkdtemp(prefix="hearth-program-"))
        self.programs.chmod(0o755)
        return shutil.copy(daemon.BINARY, self.programs / "hearth")

    def __exit__(self, *details):
        try:
            super().__exit__(*details)
        finally:
            if os.geteuid() == 0:
                shutil.rmtree(self.programs)


class NonrootTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = cls.enterClassContext(UserDaemon())
        cls.hearth.apply(cls.hearth.function("greeter", HELLO))
        cls.hearth.wait_ready("greeter")

    def test_the_daemon_and_its_instances_belong_to_the_user(self):
        self.answer()
        family = self.family()
        self.assertEqual(int(family[self.hearth.process.pid]["CapPrm"], 16), 0, "no capabilities")
        self.assertGreater(len(family), 2, "the daemon, the fork server, an instance")
        for process in family.values():
            with self.subTest(process=process["Name"]):
                self.assertEqual(set(process["Uid"].split()), {str(self.hearth.user.pw_uid)})

    def family(self):
        """The daemon and all processes that come from it: what /proc/PID/status says of them."""
        processes = {}
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                lines = status.read_text().splitlines()
            except OSError:
                continue  # it has ended
            processes[int(status.parent.name)] = dict(line.split(":\t", 1) for line in lines
                                                      if ":\t" in line)
        found, todo = {}, [self.hearth.process.pid]
        while todo:
            parent = todo.pop()
            found[parent] = processes[parent]
            todo += [pid for pid, fields in processes.items() if int(fields["PPid"]) == parent]
        return found

    def test_the_state_belongs_to_the_user_and_is_closed_to_others(self):
        state = self.hearth.folder / "state"
        for path in (state, *state.rglob("*")):
            with self.subTest(path=path.relative_to(self.hearth.folder)):
                self.assertEqual(path.lstat().st_uid, self.hearth.user.pw_uid)
        self.assertEqual(stat.S_IMODE(state.stat().st_mode) & 0o077, 0)

    def answer(self, name="Ada"):
        return self.hearth.call("greeter.default.localhost", json.dumps({"name": name}))[2]

    def test_a_program_that_the_fork_server_executes_has_the_functions_user(self):
        self.answer()  # the fork server is up
        self.hearth.apply(self.hearth.function(
            "who", WHO_CODE, "nodejs", "20",
            env=[{"name": name, "value": value} for name, value in WHO.items()]))
        self.hearth.wait_ready("who")
        body = json.loads(self.hearth.call("who.default.localhost", "{}")[2])
        self.assertEqual((body["user"], body["group"], body["pid"]), (65532, 65532, 1))
        for line in ("CapEff:\t0000000000000000", "CapPrm:\t0000000000000000",
                     "NoNewPrivs:\t1", "Seccomp:\t2"):
            self.assertIn(line, body["status"])
        family = self.family()
        [fork_server] = [pid for pid, fields in family.items()
                         if fields["PPid"] == str(self.hearth.process.pid)]
        self.assertIn(str(fork_server), [fields["PPid"] for fields in family.values()
                                         if fields["Name"].startswith("node")])

    def test_functions_have_the_same_user_as_under_a_daemon_of_root(self):
        self.hearth.apply(
            self.hearth.function("snake", "import os\ndef handler(event):\n    return os.getuid()\n"),
            self.hearth.function("node", WHO_CODE, "nodejs", "20"))
        self.hearth.wait_ready("snake")
        self.hearth.wait_ready("node")
        self.assertEqual(self.hearth.call("snake.default.localhost", "{}")[2], "65532")
        body = json.loads(self.hearth.call("node.default.localhost", "{}")[2])
        self.assertEqual((body["user"], body["group"]), (65532, 65532))

    def test_a_request_is_answered(self):
        self.assertEqual(self.answer(), "Hello, Ada")

    def test_an_event_is_delivered(self):
        sink = Sink()
        self.addCleanup(sink.close)
        self.hearth.apply(
            {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
             "metadata": {"name": "main", "namespace": "default"}},
            *({"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
               "metadata": {"name": name, "namespace": "default"},
               "spec": {"broker": "main", "filter": {"attributes": {"type": kind}},
                        "subscriber": subscriber}}
              for name, kind, subscriber in (
                  ("to-function", "asked", {"ref": {"apiVersion": "serving.knative.dev/v1",
                                                    "kind": "Service", "name": "greeter"}}),
                  ("to-sink", "io.knative.lambda.response.success", {"uri": sink.url}))))
        for trigger in ("to-function", "to-sink"):
            self.hearth.kubectl("wait", "trigger/" + trigger, "--for=condition=Ready",
                                "--timeout=30s")
        status, _, body = self.hearth.call(
            "localhost", '{"name": "Bo"}', path="/default/main",
            headers={"ce-id": "1", "ce-source": "/test", "ce-type": "asked",
                     "ce-specversion": "1.0", "content-type": "application/json"})
        self.assertEqual(status, 202, body)
        [(headers, reply)] = sink.wait(1)
        self.assertEqual(headers["ce-type"], "io.knative.lambda.response.success")
        self.assertEqual(json.loads(reply)["result"]["body"], "Hello, Bo")

    def test_what_was_there_is_there_after_kill_9(self):
        self.hearth.kubectl("create", "configmap", "kept", "--from-literal=a=b")
        self.hearth.kill()
        self.hearth.start()
        self.assertEqual(self.hearth.get("configmap", "kept")["data"], {"a": "b"})
        wait_for(lambda: self.answer("again") == "Hello, again", 30, "the function")


class EphemeralTest(unittest.TestCase):
    def test_nothing_is_left_behind(self):
        hearth = UserDaemon("--ephemeral")
        temporary = hearth.folder / "tmp"
        temporary.mkdir()
        os.chown(temporary, hearth.user.pw_uid, hearth.user.pw_gid)
        hearth.variables["TMPDIR"] = str(temporary)
        with hearth:
            hearth.apply(hearth.function("greeter", HELLO))
            hearth.wait_ready("greeter")
            self.assertEqual(hearth.stop(), 0)
            self.assertEqual(list(temporary.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
