"""Images that were not built here: made offline with buildah, pushed to the registry, run.

Needs buildah, busybox-static and Go.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import unittest
import urllib.request

from daemon import Daemon, wait_for

SERVER = r"""
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		directory, _ := os.Getwd()
		fmt.Fprintf(w, "%s %s port=%s greeting=%s uid=%d cwd=%s body=%s", r.Method, r.URL.Path,
			os.Getenv("PORT"), os.Getenv("GREETING"), os.Getuid(), directory, body)
	})
	http.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {})
	http.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < 3; i++ {
			fmt.Fprintf(w, "piece %d\n", i)
			w.(http.Flusher).Flush()
		}
	})
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		connection, buffered, _ := w.(http.Hijacker).Hijack()
		defer connection.Close()
		io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+
			r.Header.Get("Upgrade")+"\r\n\r\n")
		io.Copy(connection, buffered)
	})
	fmt.Println("listening at", os.Getenv("PORT"))
	fmt.Println(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
"""

# Counts its calls in a file of the image's own tree.
COUNTER = """#!/bin/sh
echo call >> /srv/calls
printf 'Content-Type: text/plain\\r\\n\\r\\n'
wc -l < /srv/calls
"""


class ImagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = Daemon()
        cls.hearth.start()
        cls.work = cls.hearth.folder / "images"
        cls.work.mkdir()
        source = cls.work / "server.go"
        source.write_text(SERVER)
        go = shutil.which("go") or "/usr/local/go/bin/go"
        subprocess.run([go, "build", "-trimpath", "-ldflags", "-s -w", "-o", cls.work / "server",
                        source], check=True, timeout=600,
                       env=dict(os.environ, CGO_ENABLED="0", GO111MODULE="off",
                                GOCACHE=os.path.join(os.environ["HEARTH_CACHE"], "go-build")))

    @classmethod
    def tearDownClass(cls):
        cls.hearth.__exit__()

    def push(self, name, dockerfile, **files):
        """Builds an image with buildah and pushes it; returns its name."""
        folder = self.work / name.replace("/", "-").replace(":", "-")
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text(dockerfile)
        for file, content in files.items():
            path = folder / file.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, pathlib.Path):
                shutil.copy(content, path)
            else:
                path.write_text(content)
            path.chmod(0o755)
        image = "%s/%s" % (self.hearth.ready["registry"], name)
        environment = dict(os.environ, BUILDAH_ISOLATION="chroot", STORAGE_DRIVER="vfs",
                           HOME=str(self.work))
        storage = ["--root", str(self.work / "storage"), "--runroot", str(self.work / "run")]
        for command in (["bud", "-q", "-t", image, str(folder)],
                        ["push", "-q", "--tls-verify=false", image]):
            done = subprocess.run(["buildah", *storage, *command], env=environment, text=True,
                                  capture_output=True, timeout=300)
            self.assertEqual(done.returncode, 0, done.stderr)
        return image

    def push_busybox(self, name, command, **files):
        links = "".join("COPY busybox /bin/%s\n" % tool for tool in ("sh", "wc"))
        return self.push(name, "FROM scratch\nCOPY busybox /bin/busybox\n" + links +
                         "COPY www /www\nCOPY srv /srv\nCMD %s\n" % json.dumps(command),
                         busybox=pathlib.Path(shutil.which("busybox")), www__health="fine\n",
                         srv__calls="", **files)

    def function(self, name, image, **image_spec):
        repository, tag = image.rsplit(":", 1)
        manifest = self.hearth.function(name, "", env=[{"name": "GREETING", "value": "hi"}])
        manifest["spec"]["source"] = {"type": "image", "image": {"repository": repository,
                                                                 "tag": tag, **image_spec}}
        self.hearth.apply(manifest)

    def ready_message(self, name, text):
        def holds():
            found = self.hearth.get("lambdafunction", name) or {}
            for condition in found.get("status", {}).get("conditions", []):
                if condition["type"] == "Ready" and text in condition.get("message", ""):
                    return condition["message"]
        return wait_for(holds, 90, "%s to say %s" % (name, text))

    def test_an_image_that_claims_this_machines_files_must_bring_a_real_app_folder(self):
        secret = self.hearth.folder / "private"
        secret.mkdir()
        (secret / "note").write_text("not for functions\n")
        for name, place in (("link", lambda app: app.symlink_to(secret)),
                            ("file", lambda app: app.write_text("x"))):
            tree = self.work / ("foreign-%s-1" % name) / "tree"
            tree.mkdir(parents=True)
            place(tree / "app")
            image = self.push(
                "foreign/%s:1" % name,
                "FROM scratch\nCOPY tree /\n"
                "LABEL hearth.local/base=host hearth.local/protocol=frames-v1\n"
                'ENTRYPOINT ["/bin/sh","-c","cat /app/note; sleep 5"]\n')
            self.function(name, image)
            self.ready_message(name, "has no folder /app")
            logs = pathlib.Path(self.hearth.ready["state"], "logs")
            told = [log for log in logs.rglob("*") if log.is_file()
                    and "not for functions" in log.read_text(errors="replace")]
            self.assertEqual(told, [])
        self.assertNotIn("sandbox_withheld", self.hearth.output())

    def test_a_static_server_from_scratch_runs_with_its_environment_and_working_directory(self):
        image = self.push("foreign/server:1", "FROM scratch\nCOPY server /server\nWORKDIR /work\n"
                          'ENV GREETING=image\nENTRYPOINT ["/server"]\n',
                          server=self.work / "server")
        self.function("server", image)
        self.hearth.wait_ready("server", timeout=120)
        status, _, body = self.hearth.call("server.default.localhost", "the body", path="/a/b")
        self.assertEqual((status, body), (200, "POST /a/b port=8080 greeting=hi uid=65532 cwd=/work "
                                               "body=the body"))
        self.assertEqual(self.hearth.call("server.default.localhost", path="/stream")[2],
                         "piece 0\npiece 1\npiece 2\n")
        large = "x" * 3_000_000
        self.assertTrue(self.hearth.call("server.default.localhost", large)[2].endswith(large))
        self.check_upgrade("server.default.localhost")
        # A second one that wants the same port runs beside it.
        self.function("server-two", image, port=8080)
        self.hearth.wait_ready("server-two", timeout=120)
        self.assertIn("port=8080", self.hearth.call("server-two.default.localhost", "x")[2])
        self.assertIn("port=8080", self.hearth.call("server.default.localhost", "x")[2])

    def check_upgrade(self, host):
        address = self.hearth.ready["gateway"].split("//")[1].rsplit(":", 1)
        with socket.create_connection((address[0], int(address[1])), timeout=60) as connection:
            connection.sendall(("GET /echo HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"
                                "Upgrade: echo\r\n\r\n" % host).encode())
            stream = connection.makefile("rb")
            self.assertIn(b" 101 ", stream.readline())
            while stream.readline().strip():
                pass
            connection.sendall(b"over and out\n")
            self.assertEqual(stream.readline(), b"over and out\n")

    def test_a_program_with_a_fixed_port_and_files_of_its_own_runs_and_may_write(self):
        image = self.push_busybox("foreign/httpd:1",
                                  ["busybox", "httpd", "-f", "-p", "80", "-h", "/www"],
                                  **{"www__index.html": "from the image\n",
                                     "www__cgi-bin__count": COUNTER})
        self.function("httpd", image, port=80)
        self.hearth.wait_ready("httpd", timeout=120)
        self.assertEqual(self.hearth.call("httpd.default.localhost")[2], "from the image\n")
        for calls in ("1", "2"):
            status, _, body = self.hearth.call("httpd.default.localhost", path="/cgi-bin/count")
            self.assertEqual((status, body.strip()), (200, calls))
        # What an instance wrote goes with it: another one starts from the image.
        self.hearth.apply({"apiVersion": "serving.knative.dev/v1", "kind": "Service",
                           "metadata": {"name": "plain", "namespace": "default"},
                           "spec": {"template": {"spec": {"containers": [
                               {"image": image, "ports": [{"containerPort": 80}]}]}}}})
        self.hearth.kubectl("wait", "ksvc/plain", "--for=condition=Ready", "--timeout=120s")
        self.assertEqual(
            self.hearth.call("plain.default.localhost", path="/cgi-bin/count")[2].strip(), "1")

    def service_moving(self, image, greeting, traffic):
        self.hearth.apply({
            "apiVersion": "serving.knative.dev/v1", "kind": "Service",
            "metadata": {"name": "moving", "namespace": "default"},
            "spec": {"traffic": traffic, "template": {"spec": {
                "timeoutSeconds": 3, "containers": [
                    {"image": image, "ports": [{"containerPort": 80}],
                     "env": [{"name": "GREETING", "value": greeting}]}]}}}})
        self.hearth.kubectl("wait", "ksvc/moving", "--for=condition=Ready", "--timeout=60s")

    def digest_of(self, revision):
        (status,) = self.hearth.get("revision", revision)["status"]["containerStatuses"]
        self.assertEqual(status["name"], "user-container")
        return status["imageDigest"]

    def test_a_revision_keeps_the_image_that_its_tag_named(self):
        httpd = ["busybox", "httpd", "-f", "-p", "80", "-h", "/www"]
        latest = [{"latestRevision": True, "percent": 100}]
        image = self.push_busybox("foreign/moving:1", httpd, **{"www__index.html": "first\n"})
        self.service_moving(image, "a", latest)
        first = self.digest_of("moving-00001")
        self.assertRegex(first, "^%s@sha256:[0-9a-f]{64}$" % image.removesuffix(":1"))
        self.push_busybox("foreign/moving:1", httpd, **{"www__index.html": "second\n"})
        self.hearth.stop()
        self.hearth.start()
        wait_for(lambda: self.hearth.call("moving.default.localhost")[2] == "first\n", 30,
                 "the image of the revision, whatever the tag names now")
        self.assertEqual(self.digest_of("moving-00001"), first)

        old = {"revisionName": "moving-00001", "percent": 0, "tag": "old"}
        self.service_moving(image, "b", latest + [old])
        wait_for(lambda: self.hearth.call("moving.default.localhost")[2] == "second\n", 60,
                 "the new revision to have the new image")
        self.assertNotEqual(self.digest_of("moving-00002"), first)
        self.assertEqual(self.hearth.call("old-moving.default.localhost")[2], "first\n")
        self.check_a_deleted_digest_is_named(first)

    def check_a_deleted_digest_is_named(self, image):
        request = urllib.request.Request("http://%s/v2/foreign/moving/manifests/%s" % (
            self.hearth.ready["registry"], image.split("@")[1]), method="DELETE")
        with urllib.request.urlopen(request, timeout=30) as response:
            self.assertEqual(response.status, 202)
        self.hearth.stop()
        self.hearth.start()
        wait_for(lambda: self.hearth.call("moving.default.localhost")[2] == "second\n", 30,
                 "the other revision to be untouched")
        self.assertGreaterEqual(self.hearth.call("old-moving.default.localhost")[0], 500)

        def told():
            events = json.loads(self.hearth.kubectl("get", "events", "-o", "json"))["items"]
            return any(event["reason"] == "FailedToStart" and image in event["message"]
                       for event in events)
        wait_for(told, 30, "an Event that names the image")

    def test_what_stops_an_image_is_named(self):
        busybox = ["busybox", "httpd", "-f", "-p", "8080", "-h"]
        self.function("lost-program", self.push_busybox("foreign/lost:1", ["no-such-program"]))
        self.function("probe-fails", self.push_busybox("foreign/probe:1", [*busybox, "/srv"]))
        self.function("deaf", self.push_busybox("foreign/deaf:1", ["busybox", "sleep", "600"]))
        self.function("crashes", self.push_busybox("foreign/crash:1", [
            "sh", "-c", "echo the reason; exit 7"]))
        self.function("not-there", self.hearth.ready["registry"] + "/foreign/nothing:9")
        self.ready_message("lost-program", "no-such-program")
        self.ready_message("probe-fails", "GET /health was answered 404")
        self.ready_message("deaf", "nothing listens at port 8080")
        self.ready_message("crashes", "the reason")
        self.ready_message("not-there", "foreign/nothing:9 is not in the embedded registry")

    def test_a_function_built_on_a_base_of_the_registry_runs_from_its_files(self):
        self.push("distroless/static-debian12:nonroot",
                  "FROM scratch\nCOPY release /etc/base-release\n", release="the base\n")
        self.hearth.apply(self.hearth.function(
            "based", 'package main\n\nimport "os"\n\n'
                     'func Handler(event map[string]interface{}) (interface{}, error) {\n'
                     '\ttext, err := os.ReadFile("/etc/base-release")\n'
                     '\t_, shell := os.Stat("/bin/sh")\n'
                     '\treturn map[string]interface{}{"base": string(text), "shell": shell == nil}'
                     ', err\n}\n', "go", "1.22"))
        self.hearth.wait_ready("based", timeout=400)
        self.assertEqual(json.loads(self.hearth.call("based.default.localhost", "{}")[2]),
                         {"base": "the base\n", "shell": False})


if __name__ == "__main__":
    unittest.main()
