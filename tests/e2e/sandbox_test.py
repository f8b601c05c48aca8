"""Functions that try to get out, to see others and to use the machine up: docs/sandbox.md.

Each hostile function gets the documented answer, the daemon and its neighbours go on, and the
function itself answers again without a restart.
"""

import base64
import io
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import tarfile
import time
import unittest
import uuid

import yaml

import sandbox_case
from daemon import BINARY, wait_for
from sandbox_case import PYTHON, parents_of, processes

GRACE_SECONDS = 10  # drain_grace in emulator/serving/scaler.h
DESCRIPTORS_MAX = 4096

# What is tried would do no harm if it succeeded: these tests run as root, and a sandbox that does
# not hold is what they look for.

NODE = """
const fs = require('fs'), child = require('child_process');
exports.handler = async (event) => {
  const out = {};
  for (const [name, text] of Object.entries(event.try || {})) {
    try { out[name] = eval(text); } catch (error) { out[name] = error.code || String(error); }
  }
  return out;
};
"""

# getpid() of 32-bit programs: mov eax, 20; int 0x80; ret. What the kernel answered.
CALL_OF_32_BIT = """
import ctypes, mmap
def call_of_32_bit():
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex('b814000000cd80c3'))
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""

# Runs a program from which the kernel withholds namespaces, as some machines and containers do: it
# is root without the right to make them, and in a chroot there are no user namespaces.
WITHHOLD_NAMESPACES = ("unshare", "--mount", "sh", "-c", "mount --rbind / /mnt && exec "
                       'chroot /mnt setpriv --bounding-set=-sys_admin "$@"', "sh")


def kernel_takes_calls_of_32_bit():
    done = subprocess.run([sys.executable, "-c", CALL_OF_32_BIT + "print(call_of_32_bit() > 0)"],
                          capture_output=True, text=True, timeout=60)
    return done.stdout.strip() == "True"


def group_value(pid, controller, file_1, file_2):
    """A setting of the process's control group, of version 1 or 2."""
    for line in pathlib.Path("/proc/%d/cgroup" % pid).read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return int(pathlib.Path("/sys/fs/cgroup/" + controller + path, file_1).read_text())
        if not names and pathlib.Path("/sys/fs/cgroup" + path, file_2).exists():
            return int(pathlib.Path("/sys/fs/cgroup" + path, file_2).read_text())
    raise AssertionError("no group of " + controller)


class ReachingOut(sandbox_case.SandboxTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        neighbour = cls.hearth.function("neighbour", PYTHON,
                                        env=[{"name": "SECRET", "value": "s3cret-of-neighbour"}])
        cls.hearth.apply(neighbour, cls.hearth.function("hostile", PYTHON))
        cls.hearth.wait_ready("neighbour")
        cls.hearth.wait_ready("hostile")

    def test_the_state_folder_token_and_kubeconfig_are_not_there(self):
        seen = self.attempts("hostile",
                             state="os.listdir(%r)" % self.state(),
                             token="open(%r).read()" % (self.state() + "/token"),
                             config="open(%r).read()" % self.hearth.ready["kubeconfig"],
                             home="os.listdir('/root')", root="sorted(os.listdir('/'))",
                             images="os.listdir('/images')",
                             groups="os.listdir('/cgroup/memory')")
        for name in ("state", "token", "config", "home"):
            self.assertIn(seen[name], ("FileNotFoundError", "PermissionError"), seen)
        self.assertIn(seen["images"], ([], "FileNotFoundError"))
        self.assertIn(seen["groups"], ([], "FileNotFoundError"))
        self.assertNotIn("home", seen["root"])

    def test_the_kubernetes_api_answers_nobody_without_a_token(self):
        url = self.hearth.ready["api"] + "/api/v1/namespaces/default/secrets"
        script = ("import urllib.request, urllib.error, ssl\n"
                  "def api(headers):\n"
                  "    context = ssl._create_unverified_context()\n"
                  "    try:\n"
                  "        request = urllib.request.Request(%r, headers=headers)\n"
                  "        return urllib.request.urlopen(request, context=context).status\n"
                  "    except urllib.error.HTTPError as error:\n"
                  "        return error.code\n" % url)
        wrong = "api({'Authorization': 'Bearer guessed'})"
        status, _, body = self.ask("hostile", run=script,
                                   **{"try": {"nobody": "api({})", "guessed": wrong}})
        # As Kubernetes: who shows nothing is system:anonymous, which may do nothing.
        self.assertEqual((status, json.loads(body)), (200, {"nobody": 403, "guessed": 401}), body)

    def test_other_processes_are_neither_seen_nor_touched(self):
        daemon = self.hearth.process.pid
        seen = self.attempts(
            "hostile",
            pids="[one for one in os.listdir('/proc') if one.isdigit()]",
            kill="os.kill(%d, 9)" % daemon, signal_all="os.kill(-1, 0)",
            memory="open('/proc/%d/mem', 'rb')" % daemon,
            environment="open('/proc/%d/environ').read()" % daemon,
            ptrace="call(101, 16, %d, 0, 0)" % daemon,
            vm_read="call(310, %d, 0, 0, 0, 0, 0)" % daemon,
            pidfd="call(434, %d, 0)" % daemon)
        self.assertEqual(seen["pids"], ["1"])
        self.assertEqual(seen["kill"], "ProcessLookupError")
        self.assertEqual(seen["memory"], "FileNotFoundError")
        self.assertEqual(seen["environment"], "FileNotFoundError")
        self.assertEqual((seen["ptrace"], seen["vm_read"]), ("EPERM", "EPERM"))
        self.assertEqual(seen["pidfd"], "ESRCH")
        self.assertIsNone(self.hearth.process.poll())

    def test_the_secrets_of_other_functions_are_not_in_its_own_memory(self):
        """All Python functions are copies of one process, which must not know them."""
        # In two parts, so that the request itself doesn't bring the whole into the memory.
        script = ("def copies():\n    first, second, count = b's3cret-of', b'-neighbour', 0\n"
                  "    for line in open('/proc/self/maps'):\n"
                  "        span, rights = line.split()[:2]\n"
                  "        if not rights.startswith('rw') or '[v' in line: continue\n"
                  "        start, end = (int(part, 16) for part in span.split('-'))\n"
                  "        data = ctypes.string_at(start, end - start)\n"
                  "        at = data.find(first)\n"
                  "        while at >= 0:\n"
                  "            count += data[at + 9:at + 19] == second\n"
                  "            at = data.find(first, at + 1)\n"
                  "    return count\n")
        def copies(name):
            status, _, body = self.ask(name, run=script, **{"try": {"copies": "copies()"}})
            self.assertEqual(status, 200, body)
            return json.loads(body)["copies"]
        self.assertGreater(copies("neighbour"), 0)
        self.assertEqual(copies("hostile"), 0)

    def test_sockets_of_other_functions_are_not_reachable(self):
        sockets = [str(path) for base in ("/tmp", os.environ.get("XDG_RUNTIME_DIR", "/tmp"))
                   for path in pathlib.Path(base).glob("hearth-*/*.sock")]
        self.assertTrue(sockets, "no instance's socket was found to try")
        script = ("def reach(path):\n    s = socket.socket(socket.AF_UNIX)\n    s.connect(path)\n"
                  "    return 'connected'\n")
        for path in sockets:
            _, _, body = self.ask("hostile", run=script, **{"try": {"x": "reach(%r)" % path}})
            self.assertEqual(json.loads(body)["x"], "FileNotFoundError")

    def test_abstract_sockets_of_the_machine_are_not_reachable(self):
        import socket
        name = "\0hearth-test-%d" % os.getpid()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(name)
            listener.listen(1)
            script = ("def reach():\n    s = socket.socket(socket.AF_UNIX)\n"
                      "    s.connect(%r)\n    return 'connected'\n" % name)
            _, _, body = self.ask("hostile", run=script, **{"try": {"x": "reach()"}})
        self.assertEqual(json.loads(body)["x"], "PermissionError")

    def test_mounts_devices_namespaces_and_the_kernel_are_out_of_reach(self):
        seen = self.attempts(
            "hostile",
            mount="call(165, b'x', b'/nowhere', b'tmpfs', 0, 0)", umount="call(166, b'/app', 2)",
            device="os.mknod('/tmp/disk', 0o60600, os.makedev(254, 0))",
            user="call(272, 0x10000000)", clone="call(56, 0x10000011, 0, 0, 0, 0)",
            clone3="call(435, 0, 0)", setns="call(308, 0, 0)", root="call(161, b'/tmp')",
            bpf="call(321, 0, 0, 0)", uring="call(425, 1, 0)", perf="call(298, 0, 0, 0, 0, 0)",
            keys="call(250, 0, 0)", module="call(313, 0, 0, 0)", kexec="call(246, 0, 0, 0, 0)",
            handle="call(304, 0, 0, 0)", vsock="call(41, 40, 1, 0)",
            uid="os.setuid(0)", host="socket.sethostname('x')")
        for name in ("mount", "umount", "user", "clone", "setns", "root", "bpf", "uring", "perf",
                     "keys", "module", "kexec", "handle"):
            self.assertEqual(seen[name], "EPERM", (name, seen))
        self.assertEqual(seen["clone3"], "ENOSYS")
        self.assertEqual(seen["vsock"], "EAFNOSUPPORT")
        for name in ("device", "uid", "host"):
            self.assertEqual(seen[name], "PermissionError", (name, seen))

    def test_the_machines_clock_and_what_looks_into_memory_are_out_of_reach(self):
        """With arguments to which the kernel itself would have another answer."""
        seen = self.attempts(
            "hostile", userfaultfd="call(323, 1)", clock_settime="call(227, 0, 0)",
            settimeofday="call(164, 1, 0)", pidfd_getfd="call(438, -1, 0, 0)",
            kcmp="call(312, os.getpid(), os.getpid(), 0, 0, 0)",
            layout="call(135, 0x40000)", vm_write="call(311, 1, 0, 0, 0, 0, 0)")
        self.assertEqual(seen, {name: "EPERM" for name in seen})

    @unittest.skipUnless(platform.machine() == "x86_64" and kernel_takes_calls_of_32_bit(),
                         "this kernel knows no calls of 32-bit programs")
    def test_calls_of_32_bit_programs_are_not_there(self):
        _, _, body = self.ask("hostile", run=CALL_OF_32_BIT, **{"try": {"x": "call_of_32_bit()"}})
        self.assertEqual(json.loads(body), {"x": -38}, "ENOSYS")

    def test_a_function_has_a_user_of_its_own_and_no_rights(self):
        rights = self.rights("hostile")
        self.assertEqual(rights["Uid"], ["65532"] * 4)
        self.assertEqual(rights["CapEff"] + rights["CapPrm"], ["0" * 16] * 2)
        self.assertEqual((rights["NoNewPrivs"], rights["Seccomp"]), (["1"], ["2"]))

    def test_only_tmp_can_be_written(self):
        seen = self.attempts("hostile", tmp="open('/tmp/x', 'w').write('x')",
                             app="open('/app/x', 'w')", usr="open('/usr/x', 'w')",
                             root="open('/x', 'w')", etc="open('/etc/hosts', 'a')",
                             null="open('/dev/null', 'w').write('x')",
                             kernel="open('/proc/sys/kernel/core_pattern', 'w')")
        self.assertEqual((seen["tmp"], seen["null"]), (1, 1))
        for name in ("app", "usr", "root", "etc", "kernel"):
            self.assertIn(seen[name], ("PermissionError", "OSError"), (name, seen))

    def test_node_is_held_the_same_way(self):
        self.deploy("node", NODE, "nodejs", "20")
        seen = self.attempts("node", state="fs.readFileSync(%r)" % (self.state() + "/token"),
                             app="fs.writeFileSync('/app/x', '')",
                             tmp="fs.writeFileSync('/tmp/x', '') || 'done'",
                             kill="process.kill(%d, 9)" % self.hearth.process.pid,
                             unshare="child.spawnSync('unshare', ['-U', 'true']).status",
                             status="fs.readFileSync('/proc/self/status', 'utf8')")
        self.assertEqual(seen["state"], "ENOENT")
        self.assertIn(seen["app"], ("EROFS", "EACCES"))
        self.assertEqual((seen["tmp"], seen["kill"], seen["unshare"]), ("done", "ESRCH", 1))
        self.assertIn("NoNewPrivs:\t1", seen["status"])
        self.assertIn("Seccomp:\t2", seen["status"])
        self.assertIn("CapEff:\t0000000000000000", seen["status"])

    def command(self, kind, data):
        """What anybody's command is answered: a function reaches the gateway, too."""
        headers = {"ce-id": str(uuid.uuid4()), "ce-source": "x", "ce-specversion": "1.0",
                   "content-type": "application/json", "ce-type": "io.knative.lambda.command." + kind}
        status, _, body = self.hearth.call("localhost", json.dumps(data), "/events", headers)
        return status, json.loads(body)

    def test_commands_give_away_neither_secrets_nor_files(self):
        self.hearth.apply({"apiVersion": "v1", "kind": "Secret", "stringData": {"k": "v"},
                           "metadata": {"name": "safe", "namespace": "default"}})
        reader = self.hearth.function("reader", PYTHON, env=[
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "safe", "key": "k"}}}])
        files = self.hearth.function("files", PYTHON)
        files["spec"]["source"] = {"type": "git", "git": {"url": "file:///root/repository"}}
        self.hearth.apply(reader)
        thief = self.hearth.function("reader", PYTHON)
        for kind, data in (("function.deploy", {**reader, "metadata": {"name": "another"}}),
                           ("function.deploy", files), ("function.deploy", thief),
                           ("build.start", {"name": "reader", "namespace": "default"})):
            status, answer = self.command(kind, data)
            self.assertEqual((status, answer["error"]), (400, "refused"))
            self.assertIn("apply it over the Kubernetes API", answer["message"])
        # What names none of them anybody may deploy: that door is open.
        self.assertEqual(self.command("function.deploy",
                                      self.hearth.function("anybodys", PYTHON))[0], 202)


def memory_is_bounded():
    """Whether the daemon may make groups here: as root, with a memory controller."""
    return os.geteuid() == 0 and (os.path.isdir("/sys/fs/cgroup/memory") or
                                  os.path.exists("/sys/fs/cgroup/cgroup.controllers"))


class UsingUp(sandbox_case.SandboxTest):
    def test_a_fork_bomb_is_bounded_and_ended(self):
        self.assert_a_fork_bomb_is_bounded()
        self.ask("bomb", run="os._exit(3)")
        self.recovers("bomb")
        wait_for(lambda: not self.fork_bombs(), 20, "its end to take all of them along")
        self.assertEqual(self.attempts("bomb", pids="len([p for p in os.listdir('/proc') "
                                                     "if p.isdigit()])")["pids"], 1)

    @unittest.skipUnless(memory_is_bounded(), "needs a memory controller")
    def test_a_memory_hog_is_ended_and_told_apart(self):
        self.assert_a_memory_hog_is_ended_and_told_apart()

    @unittest.skipUnless(memory_is_bounded(), "needs control groups")
    def test_the_cpu_limit_is_a_weight(self):
        weights = {}
        for name, limit in (("light", "250m"), ("heavy", "1")):
            self.deploy(name, resources={"limits": {"cpu": limit}})
            weights[name] = group_value(self.process_of(name, name), "cpu", "cpu.shares",
                                        "cpu.weight")
        self.assertEqual(weights["heavy"], 4 * weights["light"])

    def test_a_limit_below_the_runtimes_own_need_is_raised_with_a_warning(self):
        self.deploy("tight", resources={"limits": {"memory": "1Mi"}})
        self.recovers("tight")
        wait_for(lambda: "MemoryLimitRaised" in self.hearth.kubectl("get", "events"), 20,
                 "the warning")

    def test_a_flood_of_logs_is_bounded(self):
        self.deploy("flood")
        status, _, _ = self.ask(
            "flood", run="line = 'x' * 1000 + '\\n'\nfor i in range(60000): sys.stdout.write(line)\n"
                         "sys.stdout.flush()", timeout=120)
        self.assertEqual(status, 200)
        logs = pathlib.Path(self.state()) / "logs"
        sizes = sum(path.stat().st_size for path in logs.glob("flood-*"))
        self.assertGreater(sizes, 1 << 20)
        self.assertLess(sizes, 12 << 20)
        self.assertEqual(self.hearth.call("flood.default.localhost", "{}")[0], 200)

    def test_a_full_tmp_is_the_functions_own_problem(self):
        self.deploy("filler")
        script = ("def fill():\n    with open('/tmp/big', 'wb') as file:\n"
                  "        for i in range(256): file.write(b'x' * (1 << 20))\n")
        seen = json.loads(self.ask("filler", run=script, **{"try": {"x": "fill()"}})[2])
        self.assertEqual(seen["x"], "OSError")
        self.assertEqual(self.attempts("filler", x="os.unlink('/tmp/big')")["x"], None)
        self.recovers("filler")

    def test_open_descriptors_are_bounded(self):
        self.deploy("opener")
        script = ("def open_all():\n    files = []\n    try:\n"
                  "        while True: files.append(os.open('/dev/null', os.O_RDONLY))\n"
                  "    except OSError as error:\n"
                  "        out = len(files), errno.errorcode[error.errno]\n"
                  "    for one in files: os.close(one)\n    return out\n")
        count, error = json.loads(self.ask("opener", run=script,
                                           **{"try": {"x": "open_all()"}})[2])["x"]
        self.assertEqual(error, "EMFILE")
        # But for the few that the runtime has itself.
        self.assertLess(count, DESCRIPTORS_MAX)
        self.assertGreater(count, DESCRIPTORS_MAX - 64)
        self.recovers("opener")
        self.deploy("node-opener", NODE, "nodejs", "20")
        for name, limits in (("opener", "open('/proc/self/limits').read()"),
                             ("node-opener", "fs.readFileSync('/proc/self/limits', 'utf8')")):
            self.assertRegex(self.attempts(name, x=limits)["x"],
                             "Max open files +%d +%d " % (DESCRIPTORS_MAX, DESCRIPTORS_MAX))

    def test_a_function_that_hangs_is_answered_504_and_replaced(self):
        self.deploy("hangs", env=[{"name": "TIMEOUT_SECONDS", "value": "2"}])
        status, _, body = self.ask("hangs", run="while True: pass", timeout=120)
        self.assertEqual(status, 504, body)
        self.recovers("hangs")

    def test_a_node_function_that_never_yields_is_answered_504_and_replaced(self):
        self.deploy("spins", NODE, "nodejs", "20", env=[{"name": "TIMEOUT_SECONDS", "value": "2"}])
        status, _, body = self.ask("spins", **{"try": {"x": "for (;;);"}}, timeout=120)
        self.assertEqual(status, 504, body)
        self.recovers("spins")

    def test_a_function_that_ignores_sigterm_is_killed_after_the_grace(self):
        self.deploy("stubborn")
        pid = self.process_of("stubborn", "stubborn-one")
        # By libc: Python's own function is for the main thread alone, which runs no handlers.
        seen = self.attempts("stubborn", status="ctypes.CDLL(None).signal(%d, ctypes.c_void_p(1)) "
                                                "and open('/proc/self/status').read()"
                                                % signal.SIGTERM)
        ignored = int(seen["status"].split("SigIgn:\t")[1].split()[0], 16)
        self.assertTrue(ignored >> signal.SIGTERM - 1 & 1, "SIGTERM is ignored")
        began = time.monotonic()
        self.hearth.kubectl("delete", "lambdafunction", "stubborn")
        # The title went with the thread of the connection, which is closed at once.
        wait_for(lambda: pid not in processes(), GRACE_SECONDS + 60, "the process to be gone")
        # It outlived SIGTERM: what ended it came with the grace's end.
        self.assertGreaterEqual(time.monotonic() - began, GRACE_SECONDS)
        self.assertEqual(self.pod_of("stubborn"), [])

    def test_a_killed_fork_server_takes_its_instances_along_and_comes_back_by_itself(self):
        self.deploy("phoenix")
        before = self.fork_server()
        instance = self.process_of("phoenix", "phoenix-before")
        self.assertIn(before, parents_of(instance))
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: instance not in processes(), 20, "its instance to end")
        self.recovers("phoenix")
        after = self.fork_server()
        self.assertNotEqual(after, before)
        self.assertIn(after, parents_of(self.process_of("phoenix", "phoenix-after")))


DOCKERFILE = """%s
RUN cat /proc/self/status /proc/self/limits
RUN echo with network: $(grep -c : /proc/net/dev)
RUN --network=none echo without network: $(grep -c : /proc/net/dev) $(grep -c lo: /proc/net/dev)
RUN python3 -c "import ctypes; libc = ctypes.CDLL(None, use_errno=True); \\
    libc.mount(b'x', b'/nowhere', b'tmpfs', 0, 0); print('mount:', ctypes.get_errno())"
RUN test ! -e %s && echo no state folder
"""


class BuildSteps(sandbox_case.SandboxTest):
    def test_a_step_is_held_as_documented(self):
        log = self.build("stepped")
        self.assertIn("without network: 1 1\n", log, "lo alone")
        self.assertRegex(log, r"with network: ([2-9]|\d\d)")
        self.assertRegex(log, r"Max processes +8192 +8192 ")
        self.assertRegex(log, r"Max file size +4294967296 +4294967296 ")
        self.assertRegex(log, r"Seccomp:\t2")
        self.assertRegex(log, r"NoNewPrivs:\t1")
        self.assertIn("mount: 1\n", log, "EPERM")
        self.assertIn("no state folder\n", log)
        capabilities = int(log.split("CapEff:\t")[1].split()[0], 16)
        for name, number in (("CAP_SYS_ADMIN", 21), ("CAP_SYS_PTRACE", 19), ("CAP_MKNOD", 27),
                             ("CAP_NET_ADMIN", 12), ("CAP_SYS_MODULE", 16)):
            self.assertFalse(capabilities >> number & 1, name)
        self.assertTrue(capabilities & 1, "CAP_CHOWN: package managers need it")

    def build(self, name):
        """The log of a build of our own Dockerfile, with all else as the operator would have it."""
        manifest = self.hearth.function(name, "def handler(event): return 1\n")
        done = subprocess.run(
            [BINARY, "render", "-f", "-", "--push-registry", self.hearth.ready["registry"],
             "--pull-registry", self.hearth.ready["registry"]], input=json.dumps(manifest),
            text=True, capture_output=True, check=True, timeout=60)
        objects = {item["kind"]: item for item in yaml.safe_load_all(done.stdout)}
        self.put_dockerfile(objects["ConfigMap"])
        self.hearth.apply(objects["ConfigMap"], objects["Job"])
        job = objects["Job"]["metadata"]["name"]
        self.hearth.kubectl("wait", "job/" + job, "--for=condition=Complete", "--timeout=120s")
        return self.hearth.kubectl("logs", "job/" + job)

    def put_dockerfile(self, config_map):
        [(key, text)] = config_map["binaryData"].items()
        packed = io.BytesIO()
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(text))) as old, \
                tarfile.open(fileobj=packed, mode="w:gz") as new:
            for member in old:
                content = old.extractfile(member).read() if member.isfile() else b""
                if member.name.endswith("Dockerfile"):
                    first = next(line for line in content.decode().splitlines()
                                 if line.startswith("FROM"))
                    content = (DOCKERFILE % (first, self.state() + "/token")).encode()
                    member.size = len(content)
                new.addfile(member, io.BytesIO(content))
        config_map["binaryData"][key] = base64.b64encode(packed.getvalue()).decode()


class WithoutSandbox(sandbox_case.SandboxTest):
    """`--no-sandbox`: control groups only. Nothing harmful is tried: nothing would stop it."""

    flags = ("--no-sandbox",)

    def test_control_groups_are_all_that_holds_a_function(self):
        self.deploy("free")
        seen = self.attempts("free", token="len(open(%r).read())" % (self.state() + "/token"),
                             kill="os.kill(%d, 0)" % self.hearth.process.pid,
                             pids="len([one for one in os.listdir('/proc') if one.isdigit()])",
                             groups="open('/proc/self/cgroup').read()")
        self.assertGreater(seen["token"], 20)
        self.assertIsNone(seen["kill"])
        self.assertGreater(seen["pids"], 1)
        self.assertIn("/hearth-%d/" % self.hearth.process.pid, seen["groups"])
        rights = self.rights("free")
        self.assertEqual((rights["NoNewPrivs"], rights["Seccomp"]), (["1"], ["0"]))

    @unittest.skipUnless(memory_is_bounded(), "needs a memory controller")
    def test_a_memory_hog_is_ended_and_told_apart(self):
        self.assert_a_memory_hog_is_ended_and_told_apart()

    @unittest.skipUnless(memory_is_bounded(), "needs control groups")
    def test_a_fork_bomb_is_bounded(self):
        self.assert_a_fork_bomb_is_bounded()


@unittest.skipUnless(os.geteuid() == 0, "withholding namespaces needs root")
class WithoutNamespaces(sandbox_case.SandboxTest):
    """A machine that withholds namespaces: landlock and the filter hold what they can."""

    launcher = WITHHOLD_NAMESPACES

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hearth.apply(cls.hearth.function("hostile", PYTHON),
                         cls.hearth.function("node", NODE, "nodejs", "20"))
        cls.hearth.wait_ready("hostile")
        cls.hearth.wait_ready("node")

    def test_the_daemon_says_so_once(self):
        """Fork server and runtime, each that finds it out."""
        for name in ("said-py", "said-node"):
            self.deploy(name, *((PYTHON,) if name == "said-py" else (NODE, "nodejs", "20")))
        said = [json.loads(line)["component"] for line in self.hearth.output().splitlines()
                if '"sandbox_withheld"' in line]
        self.assertIn(sorted(said), (["runtime"], ["zygote"], ["runtime", "zygote"]))

    def test_landlock_hides_the_machines_files(self):
        seen = self.attempts("hostile", state="os.listdir(%r)" % self.state(),
                             token="open(%r).read()" % (self.state() + "/token"),
                             config="open(%r).read()" % self.hearth.ready["kubeconfig"],
                             home="os.listdir('/root')", shadow="open('/etc/shadow').read()",
                             written="open('/etc/hearth-was-here', 'w')",
                             root="os.listdir('/')", tmp="os.listdir('/tmp')",
                             library="len(os.listdir('/usr/lib')) > 0",
                             scratch="open(os.environ['TMPDIR'] + '/x', 'w').write('x') == 1")
        self.assertIs(seen.pop("library"), True, "programs and libraries are there")
        self.assertIs(seen.pop("scratch"), True, "there is a folder to write to")
        self.assertEqual(seen, {name: "PermissionError" for name in seen})

    def test_other_processes_are_listed_and_not_reachable(self):
        daemon = self.hearth.process.pid
        seen = self.attempts(
            "hostile", listed="'%d' in os.listdir('/proc')" % daemon,
            signal="os.kill(%d, 0)" % daemon, memory="open('/proc/%d/mem', 'rb')" % daemon,
            environment="open('/proc/%d/environ').read()" % daemon,
            ptrace="call(101, 16, %d, 0, 0)" % daemon,
            vm_read="call(310, %d, 0, 0, 0, 0, 0)" % daemon, userfaultfd="call(323, 1)")
        self.assertEqual(seen, {
            "listed": True, "signal": "PermissionError", "memory": "PermissionError",
            "environment": "PermissionError", "ptrace": "EPERM", "vm_read": "EPERM",
            "userfaultfd": "EPERM"})

    def test_the_filter_is_in_force(self):
        rights = self.rights("hostile")
        self.assertEqual((rights["NoNewPrivs"], rights["Seccomp"]), (["1"], ["2"]))
        self.assertEqual(rights["CapEff"] + rights["CapPrm"], ["0" * 16] * 2)

    def test_node_is_held_the_same_way(self):
        seen = self.attempts("node", token="fs.readFileSync(%r)" % (self.state() + "/token"),
                             kill="process.kill(%d, 0)" % self.hearth.process.pid,
                             unshare="child.spawnSync('unshare', ['-U', 'true']).status",
                             status="fs.readFileSync('/proc/self/status', 'utf8')")
        self.assertEqual((seen["token"], seen["kill"], seen["unshare"]), ("EACCES", "EPERM", 1))
        self.assertIn("NoNewPrivs:\t1", seen["status"])
        self.assertIn("Seccomp:\t2", seen["status"])

if __name__ == "__main__":
    unittest.main()
