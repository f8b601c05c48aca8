"""The real binary, started for a test: its own state folder, free ports, ended whatever happens."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What builds download and compile is shared by all daemons of a test run: tests change HOME.
os.environ.setdefault("HEARTH_CACHE", os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "hearth"))
BINARY = os.environ.get("HEARTH_BINARY", str(ROOT / "build/release/hearth"))
PATIENCE_S = 30
# What a daemon never says, whatever a test does to it.
BROKEN = re.compile(r"\bbug: |(Address|Leak|Thread|UndefinedBehavior)Sanitizer"
                    r"|\.(cc|h):\d+:\d+: runtime error:")
TAIL = 4000


class Daemon:
    def __init__(self, *flags):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hearth-e2e-"))
        self.flags = flags
        self.command = [BINARY]
        self.variables = {}  # of the daemon alone
        self.process = None
        self.ready = {}
        self.judged = True  # how the last run ended, if there was one
        self.faults = []
        # Set by a test that breaks the run under way on purpose and looks at its return code
        # itself. That it ends when it is asked to, and what it says, is judged all the same.
        self.may_break = False

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()  # who fails to enter is not asked to leave
            raise
        return self

    def __exit__(self, *unused):
        """Raises when a run ended in another way than the test asked it to."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        faults, self.faults = self.faults, []
        if faults:
            raise AssertionError("\n".join(faults))

    def start(self):
        assert self.judged, "stop() or kill() comes first, so that the last run's end is judged"
        ready_file = self.folder / "ready.json"
        ready_file.unlink(missing_ok=True)
        self.log = open(self.folder / "daemon.log", "ab")
        self.log_begin = self.log.tell()  # of this run
        # The same ports after a restart: kubeconfigs and URLs of the test stay valid.
        ports = ["--port", "0"]
        if self.ready:
            port_of = lambda url: url.rsplit(":", 1)[1]
            ports = ["--port", port_of(self.ready["gateway"]),
                     "--api-port", port_of(self.ready["api"]), "--s3-port", port_of(self.ready["s3"]),
                     "--registry-port", port_of(self.ready["registry"])]
        self.process = subprocess.Popen(
            [*self.command, "up", "--state", str(self.folder / "state"), *ports,
             "--ready-file", str(ready_file), *self.flags],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
            env={**os.environ, **self.variables})
        self.judged = False
        wait_for(lambda: ready_file.exists() or self.process.poll() is not None, 60,
                 "the daemon to be ready")
        if self.process.poll() is not None:
            self.judge(None)  # its code is told here, not when the test is left
            raise AssertionError("the daemon ended with code %d: %s" % (
                self.process.returncode, self.output()))
        self.ready = json.loads(ready_file.read_text())

    def stop(self):
        """Its return code. What is wrong with it, or with what it said, is raised by __exit__."""
        if self.judged:  # killed, stopped before, or never there
            return self.process.returncode if self.process else None
        if self.process.poll() is not None:
            self.judge("ended by itself with code %d" % self.process.returncode)
        elif not asked_to_end(self.process):
            self.may_break = False  # nobody asks for this
            self.judge("did not end within %d s of SIGTERM" % PATIENCE_S)
        else:
            code = self.process.returncode
            self.judge("ended with code %d" % code if code else None)
        return self.process.returncode

    def kill(self):
        self.process.kill()
        code = self.process.wait()
        self.judge(None if code == -signal.SIGKILL else
                   "ended by itself with code %d before it was killed" % code)

    def judge(self, broken):
        """Of a run that is over: `broken` says how, if it is for nobody to expect."""
        self.log.close()
        self.judged = True
        said = (self.folder / "daemon.log").read_bytes()[self.log_begin:].decode(errors="replace")
        if broken and not self.may_break:
            self.faults.append("the daemon %s:\n%s" % (broken, said[-TAIL:]))
        if mark := BROKEN.search(said):
            begin = max(0, mark.start() - TAIL // 4)
            self.faults.append('the daemon said "%s":\n%s' % (
                mark.group(), said[begin:mark.start() + TAIL]))
        self.may_break = False

    def output(self):
        return (self.folder / "daemon.log").read_text(errors="replace")

    def environment(self):
        return dict(os.environ, KUBECONFIG=self.ready["kubeconfig"], HOME=str(self.folder),
                    HEARTH_STATE=self.ready["state"])

    def kubectl(self, *arguments, input=None, check=True):
        done = subprocess.run(["kubectl", *arguments], input=input, text=True, timeout=120,
                              capture_output=True, env=self.environment())
        if check and done.returncode != 0:
            raise AssertionError("kubectl %s: %s%s" % (
                " ".join(arguments), done.stdout, done.stderr))
        return done if not check else done.stdout

    def get(self, kind, name, namespace="default"):
        done = self.kubectl("get", kind, name, "-n", namespace, "-o", "json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def call(self, host, data=b"", path="/", headers=None, method=None, timeout=60):
        """(status, headers, body) of a request to a function or broker, any status."""
        if isinstance(data, str):
            data = data.encode()
        request = urllib.request.Request(self.ready["gateway"] + path, data=data or None,
                                         method=method or ("POST" if data else "GET"),
                                         headers={"Host": host, **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return response.status, response.headers, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def function(self, name, code, language="python", version="3.11", namespace="default", **spec):
        """The manifest of an inline function."""
        runtime = {"language": language, "version": version}
        if "handler" in spec:
            runtime["handler"] = spec.pop("handler")
        inline = {"code": code}
        if "dependencies" in spec:
            inline["dependencies"] = spec.pop("dependencies")
        return {"apiVersion": "lambda.knative.io/v1alpha1", "kind": "LambdaFunction",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"source": {"type": "inline", "inline": inline}, "runtime": runtime,
                         **spec}}

    def apply(self, *objects):
        self.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List",
                                                           "items": list(objects)}))

    def wait_ready(self, name, namespace="default", timeout=60):
        self.kubectl("wait", "lambdafunction/" + name, "-n", namespace, "--for=condition=Ready",
                     "--timeout=%ds" % timeout)


def end(process):
    """By SIGTERM. One that doesn't heed it, or that fails, is an error."""
    ended_itself = process.poll() is not None
    heeded = asked_to_end(process)
    assert heeded, "it did not end within %d s of SIGTERM" % PATIENCE_S
    assert process.returncode == 0 and not ended_itself, "it ended %swith code %d" % (
        "by itself " if ended_itself else "", process.returncode)


def asked_to_end(process):
    """By SIGTERM, or by force: False."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE_S)
        return True
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


def wait_for(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("waited %s s for %s" % (seconds, what))
