"""The daemon under measurement, its functions, and a small client of its Kubernetes API."""

import http.client
import json
import pathlib
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time

from measure import (ALL_CORES, BINARY, HOME, Missing, descendants, http_load, pinned,
                     wait_until)

PYTHON_HELLO = "def handler(event):\n    return 'hello'\n"
NODE_HELLO = "exports.handler = async () => 'hello';\n"
# One text for all rows, so that one build serves them: 1 KiB. With BENCH_SOCKET it answers plain
# HTTP at that Unix socket, too, as an upstream of nginx.
GO_HELLO = """package main

import (
\t"net"
\t"net/http"
\t"os"
\t"strings"
)

var answer = strings.Repeat("x", 1024)

func Handler(event map[string]interface{}) (interface{}, error) {
\treturn answer, nil
}

func init() {
\tpath := os.Getenv("BENCH_SOCKET")
\tif path == "" {
\t\treturn
\t}
\tlistener, err := net.Listen("unix", path)
\tif err != nil {
\t\tpanic(err)
\t}
\tgo http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
\t\tw.Write([]byte(answer))
\t}))
}
"""
FUNCTIONS = "/apis/lambda.knative.io/v1alpha1/namespaces/default/lambdafunctions"
SERVICES = "/apis/serving.knative.dev/v1/namespaces/default/services"
REVISIONS = "/apis/serving.knative.dev/v1/namespaces/default/revisions"


def go_state():
    """A state folder that outlives a row: a Go function's first build takes a minute of compiling.
    One for each build of the daemon."""
    wanted = HOME / ("go-state-%d" % BINARY.stat().st_mtime)
    for folder in HOME.glob("go-state-*"):
        if folder != wanted:
            shutil.rmtree(folder, ignore_errors=True)
    wanted.mkdir(parents=True, exist_ok=True)
    return wanted


class Hearth:
    """`keep`: a folder that stays, with its state; its functions are deleted at the start."""

    def __init__(self, cores=ALL_CORES, keep=None):
        HOME.mkdir(parents=True, exist_ok=True)
        # Below build/, so that the state lies on a disk and not in a memory file system.
        self.folder = pathlib.Path(keep or tempfile.mkdtemp(prefix="state-", dir=HOME))
        self.keep, self.cores, self.process, self.ready = keep, cores, None, {}

    def __enter__(self):
        ready_file = self.folder / "ready.json"
        ready_file.unlink(missing_ok=True)
        with open(self.folder / "daemon.log", "ab") as log:
            self.process = subprocess.Popen(
                pinned(self.cores, [BINARY, "up", "--state", self.folder / "state", "--port", "0",
                                    "--ready-file", ready_file]),
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(lambda: ready_file.exists() or self.process.poll() is not None, 60, "the daemon")
        if self.process.poll() is not None:
            raise RuntimeError("the daemon ended: " + (self.folder / "daemon.log").read_text())
        self.ready = json.loads(ready_file.read_text())
        if self.keep:
            self.delete_functions()
        return self

    def delete_functions(self):
        api = self.api()
        for item in api.call("GET", FUNCTIONS)["items"]:
            api.call("DELETE", FUNCTIONS + "/" + item["metadata"]["name"])
        wait_until(lambda: not api.call("GET", FUNCTIONS)["items"], 30, "the functions to go")
        wait_until(lambda: not api.call("GET", SERVICES)["items"] and
                   not api.call("GET", REVISIONS)["items"], 30, "the services to go")

    def __exit__(self, *unused):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self):
        return self.process.pid

    def server_pids(self):
        """The daemon alone."""
        return [self.pid]

    def all_pids(self):
        """The daemon, its fork servers and instances."""
        return [self.pid, *descendants(self.pid)]

    def address(self, face="gateway"):
        return self.ready[face].rsplit("/", 1)[-1]

    def token(self):
        return (self.folder / "state/token").read_text().strip()

    def api(self):
        return Api(self.address("api"), self.token())

    def call(self, host, method="GET", path="/", body=None, headers=None, timeout=60):
        connection = http.client.HTTPConnection(self.address(), timeout=timeout)
        try:
            connection.request(method, path, body, {"Host": host, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def scale_to_zero(self, *names):
        """Ends the functions' instances and waits until no process of theirs is left."""
        headers = {"Host": "localhost", "Authorization": "Bearer " + self.token()}
        connection = http.client.HTTPConnection(self.address(), timeout=60)

        def ask(method, path):
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status != 200:
                raise RuntimeError("%s %s: %s" % (method, path, text))
            return json.loads(text)

        deadline = time.monotonic() + 120
        while True:  # again and again: an instance that is being started is not idle yet
            for name in names:
                ask("POST", "/hearth/v1/functions/default/%s/scale-to-zero" % name)
            asked = time.monotonic()
            while time.monotonic() - asked < 2:
                if ask("GET", "/status")["instances"] == 0:
                    connection.close()
                    time.sleep(0.005)  # the kernel is still cleaning up after them
                    return
                time.sleep(0.002)
            if time.monotonic() > deadline:
                raise RuntimeError("waited 120 s for the instances to end")

    def deploy(self, *manifests, connections=8, seconds=900):
        """Creates functions and waits until all are Ready; returns the seconds of both."""
        # From here on, so that the watch doesn't begin with thousands that are there.
        version = self.api().call("GET", FUNCTIONS + "?limit=1")["metadata"]["resourceVersion"]
        start = time.monotonic()
        waiting = list(manifests)
        errors = []

        def create():
            api = self.api()
            while waiting and not errors:
                try:
                    manifest = waiting.pop()
                except IndexError:
                    return
                try:
                    api.call("POST", FUNCTIONS, manifest)
                except RuntimeError as error:
                    errors.append(error)

        threads = [threading.Thread(target=create) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        applied = time.monotonic() - start
        left = {manifest["metadata"]["name"] for manifest in manifests}
        for item in self.api().watch(FUNCTIONS, version, seconds):
            status = item.get("status", {})
            if status.get("phase") == "Failed" and item["metadata"]["name"] in left:
                raise RuntimeError("%s failed: %s" % (item["metadata"]["name"],
                                                      json.dumps(status.get("conditions"))))
            if status.get("phase") == "Ready":
                left.discard(item["metadata"]["name"])
            if not left:
                return applied, time.monotonic() - start
        raise RuntimeError("waited %d s for functions: %s" % (seconds, sorted(left)[:5]))

    def undeploy(self, *names):
        """Deletes functions and waits until they and their Services are gone."""
        api = self.api()
        for name in names:
            api.call("DELETE", FUNCTIONS + "/" + name)
        for name in names:
            for path in (FUNCTIONS + "/" + name, SERVICES + "/" + name):
                wait_until(lambda: not api.is_there(path), 60, path + " to go")

    def app_folders(self):
        return [path / "app" for path in (self.folder / "state/images").iterdir()
                if (path / "app").is_dir()]

    def go_binary(self):
        for folder in self.app_folders():
            for path in folder.iterdir():
                if path.is_file() and path.read_bytes()[:4] == b"\x7fELF":
                    return path
        raise Missing("the function's image has no binary")

    def request_head(self, name, extra=""):
        return "GET / HTTP/1.1\nHost: %s.default.localhost\n%s" % (name, extra)

    def cold_start_us(self, name, cores):
        self.scale_to_zero(name)
        return self.answer_us(name, cores)

    def answer_us(self, name, cores):
        return http_load(self.address(), [self.request_head(name)], "--requests", "1",
                         cores=cores)["p50_us"]


class Api:
    """JSON over one connection; anything but 2xx raises with the server's message."""

    def __init__(self, address, token):
        context = ssl._create_unverified_context()
        self.connection = http.client.HTTPSConnection(address, context=context, timeout=120)
        self.headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}

    def call(self, method, path, body=None, content_type=None):
        headers = dict(self.headers, **({"Content-Type": content_type} if content_type else {}))
        self.connection.request(method, path, json.dumps(body) if body is not None else None,
                                headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        if answer.status // 100 != 2:
            raise RuntimeError("%s %s: %d %s" % (method, path, answer.status, text[:500]))
        return json.loads(text) if text else {}

    def watch(self, collection, version, seconds):
        """Each object that changed after `version`; ends after `seconds`."""
        query = "watch=true&resourceVersion=%s&timeoutSeconds=%d" % (version, seconds)
        self.connection.request("GET", collection + "?" + query, headers=self.headers)
        with self.connection.getresponse() as answer:
            for line in answer:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise RuntimeError("watch of %s: %s" % (collection, line.decode()[:500]))
                yield event["object"]

    def is_there(self, path):
        try:
            self.call("GET", path)
        except RuntimeError as error:
            if ": 404 " in str(error):
                return False
            raise
        return True

    def apply(self, collection, manifest):
        """Creates, or replaces what has the same name."""
        try:
            return self.call("POST", collection, manifest)
        except RuntimeError as error:
            if ": 409 " not in str(error):
                raise
        return self.call("PATCH", collection + "/" + manifest["metadata"]["name"], manifest,
                         "application/merge-patch+json")


def function(name, code, language="python", scaling=None):
    runtime = {"python": {"language": "python", "version": "3.11", "handler": "main.handler"},
               "nodejs": {"language": "nodejs", "version": "20", "handler": "index.handler"},
               "go": {"language": "go", "version": "1.22", "handler": "main.Handler"}}[language]
    spec = {"source": {"type": "inline", "inline": {"code": code}}, "runtime": runtime,
            "eventing": {"enabled": False}}
    if scaling:
        spec["scaling"] = scaling
    return {"apiVersion": "lambda.knative.io/v1alpha1", "kind": "LambdaFunction",
            "metadata": {"name": name, "namespace": "default"}, "spec": spec}

