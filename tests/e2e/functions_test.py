"""The main job as a user does it: kubectl, curl, and the real binary."""

import http.client
import json
import pathlib
import subprocess
import threading
import time
import unittest

from daemon import Daemon, wait_for

HELLO = "def handler(event):\n    return {'message': 'Hello, %s!' % event.get('name', 'world')}\n"


def parent(pid):
    return pathlib.Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[1]


class FunctionsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = Daemon()
        cls.hearth.start()

    @classmethod
    def tearDownClass(cls):
        cls.hearth.__exit__()

    def condition(self, name, kind, namespace="default"):
        found = self.hearth.get("lambdafunction", name, namespace) or {}
        for condition in found.get("status", {}).get("conditions", []):
            if condition["type"] == kind:
                return condition
        return {}

    def wait_condition(self, name, kind, status, seconds=60):
        def holds():
            condition = self.condition(name, kind)
            return condition if condition.get("status") == status else None
        return wait_for(holds, seconds, "%s of %s to be %s" % (kind, name, status))

    def test_an_inline_function_becomes_ready_and_answers(self):
        self.hearth.apply(self.hearth.function("hello", HELLO))
        self.hearth.wait_ready("hello")
        status, headers, body = self.hearth.call("hello.default.localhost", '{"name": "Ada"}')
        self.assertEqual((status, json.loads(body)), (200, {"message": "Hello, Ada!"}))
        self.assertTrue(headers["X-Correlation-ID"])
        status, _, body = self.hearth.call("localhost", '{"name": "Bo"}',
                                           path="/function/default/hello/")
        self.assertEqual((status, json.loads(body)), (200, {"message": "Hello, Bo!"}))
        status, _, _ = self.hearth.call("hello.default.svc.cluster.local", "{}")
        self.assertEqual(status, 200)

    def test_a_changed_spec_rolls_out_a_new_revision(self):
        self.hearth.apply(self.hearth.function("rolling", "def handler(event):\n    return 1\n"))
        self.hearth.wait_ready("rolling")
        self.hearth.apply(self.hearth.function("rolling", "def handler(event):\n    return 2\n"))
        wait_for(lambda: self.hearth.call("rolling.default.localhost", "{}")[2].strip() == "2", 60,
                 "the new revision to answer")
        revisions = self.hearth.kubectl("get", "revisions", "-l",
                                        "serving.knative.dev/service=rolling", "-o", "name")
        self.assertEqual(len(revisions.split()), 2)

    def test_a_broken_revision_shows_its_traceback_and_the_old_one_keeps_serving(self):
        self.hearth.apply(self.hearth.function("broken", "def handler(event):\n    return 'old'\n"))
        self.hearth.wait_ready("broken")
        self.hearth.apply(self.hearth.function("broken", "import no_such_module\ndef handler(event): pass\n"))
        ready = self.wait_condition("broken", "Ready", "False")
        self.assertIn("no_such_module", ready["message"])
        self.assertEqual(self.hearth.call("broken.default.localhost", "{}")[2], "old")
        self.assertIn("no_such_module", self.hearth.kubectl("describe", "lf", "broken"))
        self.hearth.apply(self.hearth.function("broken", "def handler(event):\n    return 'fixed'\n"))
        wait_for(lambda: self.hearth.call("broken.default.localhost", "{}")[2] == "fixed", 60,
                 "the fixed function to answer")

    def test_syntax_errors_and_missing_handlers_are_named(self):
        self.hearth.apply(self.hearth.function("syntax", "def handler(event:\n"),
                          self.hearth.function("nohandler", "def other(event): pass\n"))
        self.assertIn("SyntaxError", self.wait_condition("syntax", "Ready", "False")["message"])
        message = self.wait_condition("nohandler", "Ready", "False")["message"]
        self.assertIn("handler", message)
        self.assertIn("other", message)

    def test_a_handler_that_raises_is_a_500_without_its_stack(self):
        self.hearth.apply(self.hearth.function(
            "raises", "def handler(event):\n    raise KeyError('secret detail')\n"))
        self.hearth.wait_ready("raises")
        status, _, body = self.hearth.call("raises.default.localhost", "{}")
        self.assertEqual(status, 500)
        self.assertEqual(json.loads(body)["error"]["code"], "KeyError")
        self.assertNotIn("Traceback", body)

    def test_a_cloud_event_is_answered_with_a_cloud_event(self):
        self.hearth.apply(self.hearth.function("events", HELLO))
        self.hearth.wait_ready("events")
        status, headers, body = self.hearth.call(
            "events.default.localhost", '{"name": "Ada"}',
            headers={"ce-id": "1", "ce-source": "test", "ce-type": "io.knative.lambda.invoke.sync",
                     "ce-specversion": "1.0", "content-type": "application/json"})
        self.assertEqual(status, 200)
        self.assertEqual(headers["ce-type"], "io.knative.lambda.response.success")
        self.assertEqual(json.loads(body)["result"]["body"], {"message": "Hello, Ada!"})
        status, _, body = self.hearth.call("events.default.localhost", "{}",
                                           headers={"ce-id": "1", "ce-specversion": "1.0",
                                                    "ce-type": "x"})
        self.assertEqual(status, 400)
        self.assertIn("source", body)

    def test_node_and_go_functions_answer(self):
        self.hearth.apply(
            self.hearth.function("node", "exports.handler = async (e) => ({hello: e.name});\n",
                                 "nodejs", "20"),
            self.hearth.function("gopher", "package main\n\nfunc Handler(event map[string]interface{})"
                                 " (interface{}, error) {\n\treturn event[\"name\"], nil\n}\n",
                                 "go", "1.22"))
        self.hearth.wait_ready("node")
        self.assertEqual(json.loads(self.hearth.call("node.default.localhost", '{"name":"A"}')[2]),
                         {"hello": "A"})
        self.hearth.wait_ready("gopher", timeout=180)
        self.assertIn("B", self.hearth.call("gopher.default.localhost", '{"name":"B"}')[2])

    def test_a_body_over_the_wrappers_limit_is_a_413_that_says_so(self):
        self.hearth.apply(self.hearth.function("narrow", HELLO))
        self.hearth.wait_ready("narrow")
        host, port = self.hearth.ready["gateway"].split("//")[1].split(":")
        piece = b"x" * (1 << 20)
        for chunked in (False, True):
            with self.subTest(chunked=chunked):
                connection = http.client.HTTPConnection(host, int(port), timeout=30)
                self.addCleanup(connection.close)
                headers = {"Host": "narrow.default.localhost"}
                if not chunked:
                    headers["Content-Length"] = str(40 * len(piece))
                connection.request("POST", "/", iter([piece] * 40), headers,
                                   encode_chunked=chunked)
                answer = connection.getresponse()
                self.assertEqual((answer.status, json.loads(answer.read())["error"]),
                                 (413, "body_too_large"))
        self.assertEqual(self.hearth.call("narrow.default.localhost", "{}")[0], 200)

    def test_a_function_made_again_answers_though_somebody_waits_for_the_old_one(self):
        self.hearth.apply(self.hearth.function(
            "phoenix", "import os\ndef handler(event):\n    os._exit(3)\n"))
        self.hearth.wait_ready("phoenix")
        answers = []
        caller = self.caller_who_waits(answers)
        self.hearth.kubectl("delete", "lambdafunction", "phoenix")
        caller.join(10)
        self.assertFalse(caller.is_alive(), "nobody waits for what is gone")
        self.assertIn(answers[-1], (502, 503))  # 502: its back-off ended first
        self.hearth.apply(self.hearth.function("phoenix", HELLO))
        self.hearth.wait_ready("phoenix")
        self.assertEqual(self.hearth.call("phoenix.default.localhost", "{}", timeout=10)[0], 200)

    def caller_who_waits(self, answers):
        """The first who comes while the instance, which ended again and again, is held back."""
        def call():
            answers.append(self.hearth.call("phoenix.default.localhost", "{}")[0])
        for _ in range(20):
            caller = threading.Thread(daemon=True, target=call)
            caller.start()
            caller.join(2)
            if caller.is_alive():
                return caller
        raise AssertionError("nobody had to wait: %s" % answers)

    def test_bad_manifests_name_the_field_and_store_nothing(self):
        bad = self.hearth.function("bad", HELLO)
        bad["spec"]["runtime"]["language"] = "pyhton"
        done = self.hearth.kubectl("apply", "-f", "-", input=json.dumps(bad), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("spec.runtime.language", done.stderr)
        self.assertIn("python", done.stderr)
        wrong = self.hearth.function("bad", HELLO)
        wrong["spec"]["scaling"] = {"minReplicas": "many"}
        done = self.hearth.kubectl("create", "--validate=false", "-f", "-", input=json.dumps(wrong),
                                   check=False)
        self.assertIn("spec.scaling.minReplicas", done.stderr)
        handler = self.hearth.function("bad", HELLO, handler="main.handler;rm")
        done = self.hearth.kubectl("create", "-f", "-", input=json.dumps(handler), check=False)
        self.assertIn("HANDLER_INJECTION", done.stderr)
        self.assertIsNone(self.hearth.get("lambdafunction", "bad"))

    def test_a_missing_source_is_named_and_retried_when_it_appears(self):
        manifest = self.hearth.function("late", HELLO)
        manifest["spec"]["source"] = {"type": "minio", "minio": {"bucket": "late-bucket",
                                                                 "key": "late/main.py"}}
        self.hearth.apply(manifest)
        message = self.wait_condition("late", "SourceReady", "False")["message"]
        self.assertIn("late-bucket", message)
        environment = dict(self.hearth.environment(), AWS_ACCESS_KEY_ID=self.hearth.ready["s3AccessKey"],
                           AWS_SECRET_ACCESS_KEY=self.hearth.ready["s3SecretKey"],
                           AWS_DEFAULT_REGION="us-east-1")
        source = self.hearth.folder / "late.py"
        source.write_text(HELLO)
        for command in (["mb", "s3://late-bucket"], ["cp", str(source), "s3://late-bucket/late/main.py"]):
            subprocess.run(["/usr/bin/aws", "--endpoint-url", self.hearth.ready["s3"], "s3", *command],
                           env=environment, check=True, capture_output=True, timeout=60)
        self.hearth.wait_ready("late")
        self.assertEqual(self.hearth.call("late.default.localhost", "{}")[0], 200)

    def test_a_failed_dependency_shows_the_end_of_the_log(self):
        self.hearth.apply(self.hearth.function("nodeps", HELLO,
                                               dependencies="no-such-package-hearth-test==9.9.9\n"))
        built = self.wait_condition("nodeps", "BuildReady", "False", 180)
        self.assertIn("no-such-package-hearth-test", built["message"])

    def test_a_handler_that_hangs_is_a_504_and_its_instance_is_replaced(self):
        manifest = self.hearth.function(
            "hangs", "import time\ndef handler(event):\n    if event.get('hang'):\n"
            "        time.sleep(600)\n    return 'fine'\n",
            env=[{"name": "TIMEOUT_SECONDS", "value": "1"}])
        self.hearth.apply(manifest)
        self.hearth.wait_ready("hangs")
        self.assertEqual(self.hearth.call("hangs.default.localhost", '{"hang": true}')[0], 504)
        self.assertEqual(self.hearth.call("hangs.default.localhost", "{}")[2], "fine")

    def test_it_scales_to_zero_and_back(self):
        manifest = self.hearth.function("zero", HELLO)
        self.hearth.apply(manifest)
        self.hearth.wait_ready("zero")
        # The shortest window that Knative allows, on the Service that the function became.
        pods = lambda: self.hearth.kubectl("get", "pods", "-l", "serving.knative.dev/service=zero",
                                           "-o", "name").split()
        wait_for(lambda: not pods(), 120, "the last instance to go")
        started = time.monotonic()
        status, headers, _ = self.hearth.call("zero.default.localhost", "{}")
        self.assertEqual((status, headers["X-Hearth-Cold-Start"]), (200, "true"))
        print("cold start through the gateway: %.1f ms" % ((time.monotonic() - started) * 1000))
        wait_for(lambda: len(pods()) == 1, 10, "its Pod to be shown")

    def test_an_idle_function_can_be_sent_to_zero_at_once(self):
        self.hearth.apply(self.hearth.function("sent-home", HELLO))
        self.hearth.wait_ready("sent-home")
        self.hearth.call("sent-home.default.localhost", "{}")
        path = "/hearth/v1/functions/default/sent-home/scale-to-zero"
        self.assertEqual(self.hearth.call("localhost", path=path, method="POST")[0], 401)
        token = (self.hearth.folder / "state/token").read_text().strip()
        headers = {"Authorization": "Bearer " + token}
        self.assertEqual(self.hearth.call("localhost", path=path, headers=headers)[0], 405)
        status, _, body = self.hearth.call("localhost", path=path, method="POST", headers=headers)
        self.assertEqual((status, json.loads(body)), (200, {"ended": 1}))
        wait_for(lambda: self.hearth.kubectl(
            "get", "pods", "-l", "serving.knative.dev/service=sent-home", "-o", "name") == "", 30,
            "its Pod to go")
        status, headers, _ = self.hearth.call("sent-home.default.localhost", "{}")
        self.assertEqual((status, headers["X-Hearth-Cold-Start"]), (200, "true"))

    def test_node_from_zero_is_a_process_that_waited_for_its_function(self):
        """As Python's fork server: the process runs already, confined, and nothing of it shows."""
        code = """
const fs = require('fs'), os = require('os');
const attempt = (action) => { try { return action(); } catch (error) { return error.code; } };
exports.handler = async () => ({
  commandLine: fs.readFileSync('/proc/self/cmdline', 'utf8').split('\\0'), pid: process.pid,
  host: os.hostname(), folder: process.cwd(), files: fs.readdirSync('/app'),
  images: attempt(() => fs.readdirSync('/images')), tmp: fs.readdirSync('/tmp'),
  write: attempt(() => fs.writeFileSync('/app/x', '')),
  status: fs.readFileSync('/proc/self/status', 'utf8'), env: process.env,
});"""
        for name, env in (("afresh", {"NODE_OPTIONS": "--trace-warnings"}),
                          ("ahead", {"GREETING": "hello"})):
            self.hearth.apply(self.hearth.function(
                name, code, "nodejs", "20",
                env=[{"name": name, "value": value} for name, value in env.items()]))
            self.hearth.wait_ready(name)
        wait_for(lambda: len(self.started_ahead()) == 2, 30, "one that serves and one that waits")
        first = self.from_zero("ahead")
        self.assertIn("/hearth/runtime.js", first["commandLine"])
        self.assertEqual((first["pid"], first["folder"], first["tmp"]), (1, "/app", []))
        self.assertIn("index.js", first["files"])
        self.assertIn(first["images"], ("ENOENT", []))
        self.assertIn(first["write"], ("EROFS", "EACCES"))
        for held in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000"):
            self.assertIn(held, first["status"])
        self.assertTrue(first["host"].startswith("ahead-00001-deployment-"), first["host"])
        self.assertEqual((first["env"]["GREETING"], first["env"]["K_SERVICE"]), ("hello", "ahead"))
        self.assertNotIn("HEARTH_ORDER_FD", first["env"])
        # What node reads only when it starts: a process of its own.
        wait_for(lambda: len(self.started_ahead()) == 2, 30, "the next one")
        other = self.from_zero("afresh")
        self.assertNotIn("/hearth/runtime.js", other["commandLine"])
        self.assertEqual(other["env"]["NODE_OPTIONS"], "--trace-warnings")

    def from_zero(self, name):
        token = (self.hearth.folder / "state/token").read_text().strip()
        status, _, body = self.hearth.call(
            "localhost", path="/hearth/v1/functions/default/%s/scale-to-zero" % name, method="POST",
            headers={"Authorization": "Bearer " + token})
        self.assertEqual(status, 200, body)
        status, headers, body = self.hearth.call(name + ".default.localhost", "{}")
        self.assertEqual((status, headers["X-Hearth-Cold-Start"]), (200, "true"), body)
        return json.loads(body)

    def started_ahead(self):
        """The processes of Node.js below the daemon's fork server."""
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if b"/hearth/runtime.js" in (folder / "cmdline").read_bytes() and \
                        parent(parent(folder.name)) == str(self.hearth.process.pid):
                    found.append(folder.name)
            except OSError:
                pass  # it has just ended
        return found

    def test_logs_delete_and_an_unknown_name(self):
        self.hearth.apply(self.hearth.function("loud", "def handler(event):\n    print('I was here')\n"))
        self.hearth.wait_ready("loud")
        self.hearth.call("loud.default.localhost", "{}")
        logs = lambda: self.hearth.kubectl("logs", "-l", "serving.knative.dev/service=loud")
        wait_for(lambda: "I was here" in logs(), 10, "the line in the log")
        status, _, body = self.hearth.call("loude.default.localhost", "{}")
        self.assertEqual(status, 404)
        self.assertIn("did you mean http://loud.default.localhost", body)
        self.hearth.kubectl("delete", "lambdafunction", "loud", "--timeout=30s")
        wait_for(lambda: self.hearth.get("ksvc", "loud") is None, 30, "its Service to go")
        wait_for(lambda: self.hearth.call("loud.default.localhost", "{}")[0] == 404, 30,
                 "its route to go")

    def test_an_event_reaches_a_function_through_the_broker(self):
        self.hearth.apply(self.hearth.function("listener", "def handler(event):\n    print('got', event)\n"))
        self.hearth.wait_ready("listener")
        wait_for(lambda: (self.hearth.get("trigger", "listener-trigger") or {}).get("status", {})
                 .get("subscriberUri"), 20, "the trigger to be resolved")
        status, _, body = self.hearth.call(
            "localhost", '{"n": 42}', path="/default/lambda-broker",
            headers={"ce-id": "e1", "ce-source": "test", "ce-type": "io.knative.lambda.invoke.async",
                     "ce-subject": "default/listener", "ce-specversion": "1.0",
                     "content-type": "application/json"})
        self.assertEqual(status, 202, body)
        wait_for(lambda: "got {'n': 42}" in self.hearth.kubectl(
            "logs", "-l", "serving.knative.dev/service=listener"), 30, "the event to arrive")


if __name__ == "__main__":
    unittest.main()
