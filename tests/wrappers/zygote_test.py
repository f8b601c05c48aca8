"""The fork server: fork, serve, report, kill, and that nothing outlives it.

Run with `python3 zygote_test.py`. The sandbox cases need root, because they lay out a root file
system of their own in a private mount namespace; without it they are skipped.
"""

import array
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from framing import FramedClient  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ZYGOTE = os.path.join(ROOT, "emulator", "runtime", "zygote.py")
RUNTIME = os.path.join(ROOT, "platform", "lambda", "wrappers", "python", "runtime.py")
WAIT_SECONDS = 5

HANDLER = """
import os, socket, sys
def handler(event):
    if event.get("exit") is not None:
        os._exit(event["exit"])
    if event.get("write"):
        open(event["write"], "w").close()
    return {"pid": os.getpid(), "uid": os.getuid(), "hostname": socket.gethostname(),
            "cwd": os.getcwd(), "environment": dict(os.environ), "path": sys.path[:2],
            "listing": {name: sorted(os.listdir(name)) for name in event.get("list", [])},
            "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))
                           if event.get("descriptors") else [],
            "status": open("/proc/self/status").read() if event.get("status") else ""}
"""

# Lays an overlay of the machine's own file system under a new root, so that /app and /images can
# be made without touching the machine, and runs the fork server in it.
SANDBOX_SCRIPT = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mkdir -p "$1/root/app" "$1/root/images"
mount -t tmpfs tmpfs "$1/root/images"
mkdir -p "$1/root/images/one/app" "$1/root/images/two/app"
cp "$2/main.py" "$1/root/images/one/app/main.py"
cp "$3" "$1/root/zygote.py"
cp "$4" "$1/root/runtime.py"
export HEARTH_RUNTIME_PATH=/runtime.py
mkdir "$1/root/old"
cd "$1/root"
pivot_root . old
umount -l /old
rmdir /old
exec "$5" -I /zygote.py
"""


class Host:
    """The host's end: starts a fork server and speaks to it."""

    def __init__(self, command=None, environment=None):
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(WAIT_SECONDS)
        self.controls = {}
        self.clients = []
        self.process = subprocess.Popen(
            command or [sys.executable, "-I", ZYGOTE], pass_fds=[theirs.fileno()],
            env=dict(os.environ, HEARTH_ZYGOTE_FD=str(theirs.fileno()),
                     HEARTH_RUNTIME_PATH=RUNTIME, **environment or {}))
        theirs.close()

    def receive(self):
        return json.loads(self.socket.recv(1 << 18))

    def send(self, order, descriptors=()):
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        self.socket.sendmsg([json.dumps(order).encode()], ancillary if descriptors else [])

    def fork(self, identity, folder, output=None, **more):
        """(the answer, the path of the instance's socket)"""
        path = os.path.join(folder, identity + ".sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(16)
        ours, control = socket.socketpair()
        ours.settimeout(WAIT_SECONDS)
        self.controls[identity] = ours
        out = output if output is not None else os.open(os.devnull, os.O_WRONLY)
        packet = {"op": "fork", "id": identity, "sandbox": more.pop("sandbox", False),
                  "limits": more.pop("limits", []), "app": more.get("app", folder)}
        order = {"env": {"FUNCTION_DIR": folder}, "cwd": folder, "app": folder, "rlimits": {}}
        order.update(more)
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(order).encode())
            file.flush()
            self.send(packet, [listener.fileno(), control.fileno(), out, out, file.fileno()])
        listener.close()
        control.close()
        if output is None:
            os.close(out)
        return self.receive(), path

    def control(self, identity):
        """The next message on an instance's control socket; None at its end."""
        line = b""
        while not line.endswith(b"\n"):
            part = self.controls[identity].recv(1 << 16)
            if not part:
                return None
            line += part
        return json.loads(line)

    def prepare(self, identity, script, **more):
        """A shell script as the program; (the end of its output, its control socket)."""
        listener, (ours, control), (output, out) = socket.socket(), socket.socketpair(), os.pipe()
        self.controls[identity] = ours
        self.send(dict({"op": "prepare", "id": identity, "argv": ["/bin/sh", "-c", script],
                        "env": {"PATH": os.environ["PATH"]}, "rlimits": {}, "limits": []}, **more),
                  [listener.fileno(), control.fileno(), out])
        listener.close()
        control.close()
        os.close(out)
        return os.fdopen(output, "rb")

    def hand_over(self, prepared, identity, app, order):
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(order).encode())
            file.flush()
            self.send({"op": "hand_over", "id": identity, "prepared": prepared, "app": app,
                       "hostname": "hello-0001", "limits": []}, [file.fileno()])

    def client(self, path):
        client = FramedClient(path)
        self.clients.append(client)
        return client

    def close(self):
        for one in self.clients + list(self.controls.values()) + [self.socket]:
            one.close()
        try:
            self.process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition):
    end = time.monotonic() + WAIT_SECONDS
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


class ZygoteCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hearth-zygote-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)
        with open(os.path.join(self.folder, "main.py"), "w") as file:
            file.write(HANDLER)
        self.start()
        self.addCleanup(self.host.close)
        self.probed = self.host.receive()

    def start(self):
        self.host = Host()

    def ready(self, identity, **more):
        answer, path = self.host.fork(identity, self.folder, **more)
        self.assertEqual("forked", answer["op"], answer)
        self.assertEqual({"type": "ready"}, self.host.control(identity))
        return answer, path

    def ask(self, path, data=None):
        reply = self.host.client(path).post(data or {})
        self.assertEqual(200, reply.status, reply.body)
        return reply.json()


class Forking(ZygoteCase):
    def test_instance_serves_framed_requests(self):
        answer, path = self.ready("a", env={"FUNCTION_DIR": self.folder, "COLOUR": "red",
                                            "PYTHONPATH": "/somewhere"})
        seen = self.ask(path)
        self.assertEqual(answer["pid"], seen["pid"])
        self.assertEqual(self.folder, seen["cwd"])
        self.assertEqual([self.folder, "/somewhere"], seen["path"])
        self.assertEqual("red", seen["environment"]["COLOUR"])
        self.assertNotIn("HEARTH_ZYGOTE_FD", seen["environment"])
        self.assertNotIn("PATH", seen["environment"])

    def test_instances_are_separate(self):
        pids = {self.ask(self.ready(name)[1])["pid"] for name in "abc"}
        self.assertEqual(3, len(pids))

    def test_child_has_no_foreign_descriptors(self):
        self.ready("first")
        _answer, path = self.ready("second")
        # 0-4, the wake-up pipe, the accepted connection and the listing itself
        self.assertLessEqual(len(self.ask(path, {"descriptors": True})["descriptors"]), 9)

    def test_rights_are_given_up(self):
        _answer, path = self.ready("a")
        status = self.ask(path, {"status": True})["status"]
        self.assertIn("NoNewPrivs:\t1", status)
        self.assertIn("CapEff:\t0000000000000000", status)
        self.assertIn("CapPrm:\t0000000000000000", status)

    def test_resource_limits(self):
        _answer, path = self.ready("a", rlimits={"nofile": 64, "core": 0})
        with open("/proc/%d/limits" % self.ask(path)["pid"]) as limits:
            rows = {line[:26].strip(): line[26:].split() for line in limits}
        self.assertEqual(["64", "64"], rows["Max open files"][:2])
        self.assertEqual(["0", "0"], rows["Max core file size"][:2])

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_user_is_changed(self):
        _answer, path = self.ready("a", uid=65532)
        self.assertEqual(65532, self.ask(path)["uid"])

    def test_output_goes_to_the_given_descriptor(self):
        reader, writer = os.pipe()
        self.ready("a", output=writer)
        os.close(writer)
        self.assertIn(b"Lambda runtime started", os.read(reader, 1 << 16))
        os.close(reader)

    def test_failed_import_is_told(self):
        with open(os.path.join(self.folder, "main.py"), "w") as file:
            file.write("import nothing_like_this\n")
        self.assertEqual("forked", self.host.fork("a", self.folder)[0]["op"])
        told = self.host.control("a")
        self.assertEqual(("failed", "ModuleNotFoundError"), (told["type"], told["error"]))
        self.assertIn("nothing_like_this", told["traceback"])
        self.assertEqual(1, self.host.receive()["code"])

    def test_missing_directory_is_told(self):
        self.host.fork("a", self.folder, cwd="/no/such/folder")
        self.assertEqual("FileNotFoundError", self.host.control("a")["error"])
        self.assertEqual(1, self.host.receive()["code"])


class Ending(ZygoteCase):
    def test_exit_code_is_reported(self):
        answer, path = self.ready("a")
        self.host.client(path).send_post({"exit": 7})
        self.assertEqual({"op": "exited", "id": "a", "pid": answer["pid"], "code": 7,
                          "signal": None}, self.host.receive())

    def test_kill(self):
        answer, _path = self.ready("a")
        self.host.send({"op": "kill", "id": "a", "signal": signal.SIGKILL})
        self.assertEqual({"op": "exited", "id": "a", "pid": answer["pid"], "code": None,
                          "signal": int(signal.SIGKILL)}, self.host.receive())

    def test_sigterm_right_after_fork_is_not_lost(self):
        for number in range(10):
            identity = "a%d" % number
            self.host.fork(identity, self.folder)
            self.host.send({"op": "kill", "id": identity, "signal": signal.SIGTERM})
            self.assertEqual(0, self.host.receive()["code"])

    def test_identity_can_be_used_again(self):
        self.ready("a")
        self.host.send({"op": "kill", "id": "a", "signal": signal.SIGKILL})
        self.host.receive()
        os.unlink(os.path.join(self.folder, "a.sock"))
        self.ready("a")

    def test_closed_control_socket_ends_the_child(self):
        self.ready("a")
        self.host.controls.pop("a").close()
        self.assertEqual(1, self.host.receive()["code"])

    def test_end_of_file_kills_all_children(self):
        pids = [self.ready(name)[0]["pid"] for name in "abc"]
        self.host.socket.close()
        self.assertEqual(0, self.host.process.wait(WAIT_SECONDS))
        self.assertTrue(wait_until(lambda: not any(is_alive(pid) for pid in pids)))

    def test_killed_fork_server_takes_its_children_along(self):
        pids = [self.ready(name)[0]["pid"] for name in "ab"]
        self.host.process.kill()
        self.assertTrue(wait_until(lambda: not any(is_alive(pid) for pid in pids)))


class WrongOrders(ZygoteCase):
    def test_errors_are_answered_and_survived(self):
        for order in ({"op": "dance", "id": "x"}, {"op": "fork", "id": "x"}, {"id": "x"}, [1]):
            self.host.send(order)
            self.assertEqual("error", self.host.receive()["op"], order)
        self.host.socket.send(b"not json")
        self.assertEqual("error", self.host.receive()["op"])
        self.ready("a")

    def test_used_identity(self):
        self.ready("a")
        os.unlink(os.path.join(self.folder, "a.sock"))
        kept = self.host.controls["a"]
        self.assertEqual("error", self.host.fork("a", self.folder)[0]["op"])
        self.host.controls["a"].close()
        self.host.controls["a"] = kept


def can_make_sandboxes():
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    probe = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
                           capture_output=True)
    return probe.returncode == 0


@unittest.skipUnless(can_make_sandboxes(), "needs root and mount namespaces")
class Sandbox(ZygoteCase):
    def start(self):
        base = os.path.join(self.folder, "base")
        os.mkdir(base)
        python = os.path.realpath(sys.executable)
        self.host = Host(["unshare", "-m", "--propagation", "private", "sh", "-c", SANDBOX_SCRIPT,
                          "sh", base, self.folder, ZYGOTE, RUNTIME, python])

    def sandboxed(self, identity, **more):
        order = dict(sandbox=True, app="/images/one/app", cwd="/app", hostname="hello-0001",
                     env={"FUNCTION_DIR": "/app"})
        order.update(more)
        return self.ready(identity, **order)

    def test_instance_is_alone(self):
        self.assertEqual({"op": "probed", "degraded": [], "programs": True}, self.probed)
        _answer, path = self.sandboxed("a")
        seen = self.ask(path, {"list": ["/app", "/images", "/tmp", "/proc"]})
        self.assertEqual(1, seen["pid"])
        self.assertEqual("hello-0001", seen["hostname"])
        self.assertEqual("/app", seen["cwd"])
        self.assertEqual(["main.py"], seen["listing"]["/app"])
        self.assertEqual([], seen["listing"]["/images"])
        self.assertEqual([], seen["listing"]["/tmp"])
        self.assertEqual(["1"], [one for one in seen["listing"]["/proc"] if one.isdigit()])

    def test_several_instances_each_are_process_one(self):
        self.assertEqual([1, 1, 1], [self.ask(self.sandboxed(one)[1])["pid"] for one in "abc"])

    def test_application_is_read_only(self):
        client = self.host.client(self.sandboxed("a")[1])
        self.assertEqual(500, client.post({"write": "/app/new"}).status)
        self.assertEqual(200, client.post({"write": "/tmp/new"}).status)

    def test_term_reaches_process_one(self):
        answer, _path = self.sandboxed("a")
        self.host.send({"op": "kill", "id": "a", "signal": signal.SIGTERM})
        self.assertEqual({"op": "exited", "id": "a", "pid": answer["pid"], "code": 0,
                          "signal": None}, self.host.receive())

    def test_missing_application_is_fatal(self):
        self.host.fork("a", self.folder, sandbox=True, app="/images/three/app", cwd="/app")
        told = self.host.control("a")
        self.assertEqual(("failed", "SandboxError"), (told["type"], told["error"]))
        self.assertEqual(1, self.host.receive()["code"])

    def test_a_program_is_executed_in_the_sandbox(self):
        script = ("ls /app /images; hostname; pwd; echo $$ $SECRET $HEARTH_SOCKET_FD; "
                  "touch /app/x 2>/dev/null || echo read-only; cat /proc/self/status; "
                  "ls -l /proc/$$/fd | wc -l; exit 7")
        output, out = os.pipe()
        self.host.fork("a", self.folder, output=out, sandbox=True, app="/images/one/app",
                       cwd="/app", hostname="hello-0001", uid=65532,
                       argv=["/bin/sh", "-c", script],
                       env={"PATH": os.environ["PATH"], "SECRET": "x"})
        os.close(out)
        with os.fdopen(output, "rb") as said:
            lines = said.read().decode()
        self.assertEqual(7, self.host.receive()["code"])
        self.assertTrue(lines.startswith("/app:\nmain.py\n\n/images:\nhello-0001\n/app\n1 x 3\n"
                                         "read-only\n"), lines)
        for line in ("CapEff:\t0000000000000000", "Uid:\t65532\t65532\t65532\t65532",
                     "NoNewPrivs:\t1", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"):
            self.assertIn(line, lines)
        # 0 to 2, its two sockets, and the line that ls begins with.
        self.assertEqual("6", lines.split()[-1], lines)

    def test_a_program_that_is_not_there_is_told(self):
        self.host.fork("a", self.folder, sandbox=True, app="/images/one/app", cwd="/app",
                       argv=["/app/nothing"])
        told = self.host.control("a")
        self.assertEqual(("failed", "StartFailed", ""),
                         (told["type"], told["error"], told["traceback"]))
        self.assertEqual("starting /app/nothing: executing: No such file or directory",
                         told["message"])
        self.assertEqual(1, self.host.receive()["code"])

    def test_a_program_started_ahead_gets_its_function_later(self):
        output = self.host.prepare("p1", "cat <&$HEARTH_ORDER_FD; ls /app /images; "
                                         "hostname; echo $$ $HEARTH_SOCKET_FD; exit 7", uid=65532)
        with output:
            self.host.hand_over("p1", "a", "/images/one/app", {"env": {"SECRET": "x"}})
            said = output.read().decode()
        self.assertEqual({"op": "exited", "id": "a", "code": 7, "signal": None},
                         {name: value for name, value in self.host.receive().items()
                          if name != "pid"})
        self.assertEqual('{"env": {"SECRET": "x"}}/app:\nmain.py\n\n/images:\nhello-0001\n1 3\n',
                         said)
        self.sandboxed("b")  # the fork server is back in its own namespaces
        self.assertEqual("hello-0001", self.ask(self.sandboxed("c")[1])["hostname"])

    def test_a_program_started_ahead_has_no_rights(self):
        with self.host.prepare("p1", "cat /proc/self/status; touch /app/x; echo end", uid=65532) as out:
            status = out.read().decode()
        self.assertIn("CapEff:\t0000000000000000", status)
        self.assertIn("Uid:\t65532\t65532\t65532\t65532", status)
        self.assertIn("NoNewPrivs:\t1", status)
        self.assertIn("touch: cannot touch '/app/x'", status)
        self.assertTrue(status.endswith("end\n"))
        self.assertEqual("p1", self.host.receive()["id"])

    def test_a_function_whose_files_are_missing_ends_the_program_started_ahead(self):
        with self.host.prepare("p1", "cat <&$HEARTH_ORDER_FD") as output:
            self.host.hand_over("p1", "a", "/images/three/app", {})
            self.assertEqual(b"", output.read())
        told = self.host.receive()
        self.assertEqual(("error", "a"), (told["op"], told["id"]))
        self.assertIn("/images/three/app is not there", told["message"])
        told = self.host.receive()
        self.assertEqual(("exited", "p1", 9), (told["op"], told["id"], told["signal"]))

    def test_a_function_for_a_program_that_has_ended_is_an_error(self):
        with self.host.prepare("p1", "exit 3"):
            self.assertEqual(3, self.host.receive()["code"])
        self.host.hand_over("p1", "a", "/images/one/app", {})
        told = self.host.receive()
        self.assertEqual(("error", "a"), (told["op"], told["id"]))

    def test_timing_for_information(self):
        print("\nfork to ready, sandboxed, median: %.2f ms" % median_ms(self, self.sandboxed),
              file=sys.stderr)


class Timing(ZygoteCase):
    def test_timing_for_information(self):
        print("\nfork to ready, median: %.2f ms" % median_ms(self, self.ready), file=sys.stderr)

    def test_timing_of_a_burst_for_information(self):
        """Without a pause there is no spare child to take."""
        print("\nfork to ready in a burst, median: %.2f ms" % median_ms(self, self.ready, 0),
              file=sys.stderr)


def median_ms(case, fork, pause_seconds=0.05):
    spans = []
    for number in range(30):
        time.sleep(pause_seconds)
        started = time.perf_counter()
        fork("t%d" % number)
        spans.append((time.perf_counter() - started) * 1000)
    return statistics.median(spans)


if __name__ == "__main__":
    unittest.main()
