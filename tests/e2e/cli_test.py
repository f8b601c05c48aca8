"""The command line against a daemon of its own: what it prints, where, and with which exit code."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from daemon import BINARY, ROOT, end, wait_for

SAMPLE = ROOT / "samples/hello-python/function.yaml"

USAGE, NOT_FOUND, CONFLICT, INVALID, TIMEOUT, UNREACHABLE, FUNCTION_ERROR = 2, 3, 4, 5, 6, 7, 8

FAILING = """
apiVersion: lambda.knative.io/v1alpha1
kind: LambdaFunction
metadata: {name: raises}
spec:
  source:
    type: inline
    inline: {code: "def handler(event):\\n    raise ValueError('no')\\n"}
  runtime: {language: python, version: "3.11", handler: main.handler}
"""


class CommandLine:
    """Runs commands against one state folder."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hearth-cli-"))
        self.state = self.folder / "state"
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("HEARTH_") and k != "KUBECONFIG"}
        self.env.update(HEARTH_STATE=str(self.state), HOME=str(self.folder))

    def run(self, *words, input=None, env=None, code=0):
        done = subprocess.run([BINARY, *words], input=input, text=True, capture_output=True,
                              timeout=120, env={**self.env, **(env or {})})
        if code is not None and done.returncode != code:
            raise AssertionError("hearth %s: code %d, expected %d\n%s%s" % (
                " ".join(words), done.returncode, code, done.stdout, done.stderr))
        return done

    def json(self, *words, **options):
        return json.loads(self.run(*words, **options).stdout)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class WithDaemonTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cli = CommandLine()
        ready = cls.cli.folder / "ready.json"
        cls.log = open(cls.cli.folder / "up.log", "wb")
        cls.daemon = subprocess.Popen(
            [BINARY, "up", "--state", str(cls.cli.state), "--port", "0", "--ready-file", str(ready)],
            stdout=cls.log, stderr=cls.log, stdin=subprocess.DEVNULL, env=cls.cli.env)
        try:
            wait_for(lambda: ready.exists() or cls.daemon.poll() is not None, 60, "the daemon")
            cls.cli.run("apply", "-f", str(SAMPLE), "--wait")
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        end(cls.daemon)
        cls.log.close()
        cls.cli.close()

    def run_cli(self, *words, **options):
        return self.cli.run(*words, **options)

    def test_apply_says_created_configured_unchanged(self):
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "words"},
                    "data": {"a": "1", "b": "2"}}
        line = "configmap/words "
        done = self.run_cli("apply", "-f", "-", input=json.dumps(manifest))
        self.assertEqual(done.stdout, line + "created\n")
        done = self.run_cli("apply", "-f", "-", input=json.dumps(manifest))
        self.assertEqual(done.stdout, line + "unchanged\n")
        del manifest["data"]["b"]
        done = self.run_cli("apply", "-f", "-", input=json.dumps(manifest))
        self.assertEqual(done.stdout, line + "configured\n")
        self.assertEqual(self.cli.json("get", "cm", "words", "-o", "json")["data"], {"a": "1"})

    def test_apply_keeps_what_others_set(self):
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"},
                    "data": {"mine": "1"}}
        self.run_cli("apply", "-f", "-", input=json.dumps(manifest))
        live = self.cli.json("get", "cm", "shared", "-o", "json")
        live["data"]["theirs"] = "2"
        live["metadata"].pop("annotations")
        live["metadata"].pop("resourceVersion")
        self.run_cli("apply", "-f", "-", input=json.dumps(live))
        self.run_cli("apply", "-f", "-", input=json.dumps(manifest))
        # "theirs" was applied last, so applying the first manifest again takes it away.
        self.assertEqual(self.cli.json("get", "cm", "shared", "-o", "json")["data"], {"mine": "1"})

    def test_several_documents_of_a_folder(self):
        folder = self.cli.folder / "manifests"
        folder.mkdir()
        one = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
        (folder / "a.yaml").write_text((one % "doc-a") + "---\n" + (one % "doc-b"))
        (folder / "b.json").write_text(json.dumps(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "doc-c"}}))
        done = self.run_cli("apply", "-f", str(folder))
        self.assertEqual(done.stdout.count("created"), 3)
        done = self.run_cli("delete", "-f", str(folder), "--wait")
        self.assertEqual(done.stdout.count("deleted"), 3)
        self.run_cli("delete", "-f", str(folder), code=NOT_FOUND)
        self.run_cli("delete", "-f", str(folder), "--ignore-not-found")

    def test_a_wrong_field_is_named_with_file_and_near_miss(self):
        file = self.cli.folder / "typo.yaml"
        file.write_text(SAMPLE.read_text().replace("source:", "sourc:"))
        done = self.run_cli("apply", "-f", str(file), code=INVALID)
        line = 1 + file.read_text().splitlines().index("  sourc:")
        self.assertIn("%s:%d:3: " % (file, line), done.stderr)
        self.assertIn('unknown field "spec.sourc"', done.stderr)
        self.assertIn('did you mean "spec.source"?', done.stderr)
        self.assertEqual(done.stdout, "")

    def test_nothing_is_applied_when_a_document_can_not_be(self):
        good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: never}\n---\n"
        for bad, what in (("apiVersion: v1\nkind: ConfgMap\nmetadata: {name: x}\n",
                           'standard input:6:1: no kind "ConfgMap"'),
                          ("apiVersion: v1\nkind: Secret\n", "metadata.name: is missing"),
                          ("kind: [\n", "standard input:6:1: invalid YAML")):
            done = self.run_cli("apply", "-f", "-", input=good + bad, code=INVALID)
            self.assertIn(what, done.stderr)
            self.assertEqual(done.stdout, "")
        self.run_cli("get", "cm", "never", code=NOT_FOUND)

    def test_what_the_server_refused_is_named_beside_what_was_applied(self):
        text = ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: half}\n---\n"
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}\n")
        done = self.run_cli("apply", "-f", "-", input=text, code=INVALID)
        self.assertEqual(done.stdout, "configmap/half created\n")
        self.assertIn("standard input:7:12: ConfigMap", done.stderr)
        self.assertIn('1 of 2 applied; not applied:\n  ConfigMap "Not_A_Name"', done.stderr)

    def test_completion_asks_the_daemon(self):
        words = lambda *line: self.run_cli("__complete", *line).stdout.split()
        self.assertIn("lambdafunctions", words("get", ""))
        self.assertIn("hello-python", words("get", "functions", "hel"))
        self.assertIn("functions/hello-python", words("describe", "functions/"))
        self.assertIn("hello-python", words("invoke", ""))
        self.assertIn("hello-python", words("logs", "-n", "default", ""))
        self.assertNotIn("hello-python", words("logs", "-n", "kube-system", ""))
        self.assertEqual(words("get", "nonsense", ""), [])

    def test_an_unknown_kind_is_invalid(self):
        manifest = SAMPLE.read_text().replace("kind: LambdaFunction", "kind: LambdaFunktion")
        done = self.run_cli("apply", "-f", "-", input=manifest, code=INVALID)
        self.assertIn('did you mean kind "LambdaFunction"?', done.stderr)
        self.run_cli("apply", "-f", "-", input="a: [", code=INVALID)

    def test_get_knows_every_name_of_a_kind(self):
        for word in ("lf", "lambdafunction", "lambdafunctions", "LambdaFunction", "function",
                     "lambdafunctions.lambda.knative.io"):
            self.assertIn("hello-python", self.run_cli("get", word).stdout, word)
        done = self.run_cli("get", "lambdafunctoins", code=NOT_FOUND)
        self.assertIn('did you mean "lambdafunctions"?', done.stderr)

    def test_get_forms(self):
        table = self.run_cli("get", "lf", "hello-python").stdout.splitlines()
        self.assertEqual(table[0].split()[:2], ["NAME", "PHASE"])
        self.assertTrue(self.run_cli("get", "lf", "-A").stdout.startswith("NAMESPACE"))
        self.assertEqual(self.cli.json("get", "lf", "hello-python", "-o", "json")["kind"],
                         "LambdaFunction")
        self.assertEqual(self.cli.json("get", "lf", "-o", "json")["kind"], "List")
        self.assertIn("phase: Ready", self.run_cli("get", "lf/hello-python", "-o", "yaml").stdout)
        self.assertEqual(self.run_cli("get", "lf", "hello-python", "-o", "name").stdout,
                         "lambdafunction.lambda.knative.io/hello-python\n")
        path = "jsonpath={.metadata.name}={.status.conditions[?(@.type=='Ready')].status}"
        self.assertEqual(self.run_cli("get", "lf", "hello-python", "-o", path).stdout,
                         "hello-python=True\n")
        path = "jsonpath={range .items[*]}{.metadata.name}{'\\n'}{end}"
        self.assertIn("hello-python\n", self.run_cli("get", "lf", "-o", path).stdout)

    def test_get_nothing_keeps_stdout_empty(self):
        done = self.run_cli("get", "lf", "-l", "no=such")
        self.assertEqual(done.stdout, "")
        self.assertIn("No resources found", done.stderr)

    def test_get_watch_shows_changes(self):
        watch = subprocess.Popen([BINARY, "get", "cm", "-w", "-o", "name"], text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.cli.env)
        try:
            # What has been listed is where it watches from.
            lines = iter(watch.stdout.readline, "")
            self.assertTrue(next(lines))
            self.run_cli("apply", "-f", "-", input="apiVersion: v1\nkind: ConfigMap\n"
                                                   "metadata: {name: watched}\n")
            self.assertTrue(any("watched" in line for line in lines))
            watch.send_signal(signal.SIGINT)
            self.assertEqual(watch.wait(10), 130)
        finally:
            watch.kill()
            watch.wait()
            watch.stdout.close()

    def test_describe_function(self):
        text = self.run_cli("describe", "function", "hello-python").stdout
        for part in ("Phase:        Ready", "Conditions:", "Build:", "hello-python-00001", "Events:"):
            self.assertIn(part, text)
        done = self.run_cli("describe", "function", "helo-python", code=NOT_FOUND)
        self.assertIn('did you mean "hello-python"?', done.stderr)

    def test_invoke_head_has_a_status(self):
        done = self.run_cli("invoke", "hello-python", "-X", "HEAD", "-p", "/health", "-i")
        self.assertRegex(done.stdout, "^HTTP/1.1 [1-9]")

    def test_invoke(self):
        done = self.run_cli("invoke", "hello-python", "-d", '{"name":"Ada"}')
        self.assertEqual(json.loads(done.stdout), {"message": "Hello, Ada!"})
        self.assertRegex(done.stderr, r"^200 OK in \d+\.\d ms( \(cold start\))?\n$")
        body = self.cli.folder / "body.json"
        body.write_text('{"name":"File"}')
        self.assertIn("File", self.run_cli("invoke", "hello-python", "-d", "@" + str(body)).stdout)
        self.assertIn("Pipe", self.run_cli("invoke", "hello-python", "-d", "-",
                                           input='{"name":"Pipe"}').stdout)
        with_head = self.run_cli("invoke", "hello-python", "-i", "-d", "{}").stdout
        self.assertTrue(with_head.startswith("HTTP/1.1 200 OK\n"))
        done = self.run_cli("invoke", "hello-pythom", code=NOT_FOUND)
        self.assertIn('did you mean "hello-python"?', done.stderr)

    def test_invoke_fail_and_logs(self):
        self.run_cli("apply", "-f", "-", "--wait", input=FAILING)
        self.assertIn("500", self.run_cli("invoke", "raises", "-d", "{}").stderr)
        self.run_cli("invoke", "raises", "-d", "{}", "--fail", code=FUNCTION_ERROR)
        wait_for(lambda: "ValueError" in self.run_cli("logs", "raises").stdout, 10, "the traceback")
        self.assertLessEqual(
            len(self.run_cli("logs", "raises", "--tail", "1").stdout.splitlines()), 1)
        self.run_cli("logs", "no-such", code=NOT_FOUND)

    def test_a_function_that_does_not_load_shows_its_traceback(self):
        broken = FAILING.replace("raises", "broken").replace("def handler", "import nosuch\\ndef handler")
        done = self.run_cli("apply", "-f", "-", "--wait", input=broken, code=1)
        self.assertIn("No module named 'nosuch'", done.stderr)
        self.assertIn("No module named 'nosuch'", self.run_cli("describe", "lf/broken").stdout)
        done = self.run_cli("invoke", "broken", code=1)
        self.assertIn('function "broken" is not ready: Failed', done.stderr)

    def test_follow_logs(self):
        follow = subprocess.Popen([BINARY, "logs", "-f", "hello-python"], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  env=self.cli.env)
        try:
            self.assertTrue(follow.stdout.readline())
            follow.send_signal(signal.SIGINT)
            self.assertEqual(follow.wait(10), 130)
        finally:
            follow.kill()
            follow.wait()
            follow.stdout.close()

    def test_build_again(self):
        done = self.run_cli("build", "hello-python", "--wait")
        self.assertIn("rebuild requested", done.stdout)
        self.assertIn("COPY", self.run_cli("build", "logs", "hello-python").stdout)
        self.run_cli("build", "no-such", code=NOT_FOUND)

    def test_events(self):
        self.run_cli("apply", "-f", "-", "--wait",
                     input="apiVersion: eventing.knative.dev/v1\nkind: Broker\n"
                           "metadata: {name: lambda-broker}\n")
        sent = self.run_cli("event", "send", "--type", "test.sent", "--source", "/test", "--id",
                            "event-1", "--subject", "Zoë", "-d", '{"n":1}', "-e", "tenant=a b")
        self.assertEqual(sent.stdout, "event-1\n")
        wait_for(lambda: self.cli.json("event", "list", "--type", "test.sent", "-o",
                                       "json")["items"], 10, "the event")
        listed = self.cli.json("event", "list", "--type", "test.sent", "-o", "json")
        self.assertEqual((listed["apiVersion"], listed["kind"]), ("hearth/v1", "EventList"))
        self.assertEqual(listed["items"][0]["id"], "event-1")
        shown = self.cli.json("event", "show", "event-1", "-o", "json")
        self.assertEqual(shown["attributes"]["tenant"], "a b")
        self.assertEqual(shown["attributes"]["subject"], "Zoë")
        self.assertEqual(json.loads(shown["data"]), {"n": 1})
        self.run_cli("event", "show", "no-such", code=NOT_FOUND)
        self.run_cli("event", "send", "--type", "t", "--source", "/s", "--broker", "no-such",
                     code=NOT_FOUND)

    def test_what_the_server_does_not_want_is_answered_by_its_reason(self):
        body = self.cli.folder / "large"
        body.write_text("x" * 2_000_000)
        done = self.run_cli("event", "send", "--type", "t", "--source", "/s", "-d", "@%s" % body,
                            code=INVALID)
        self.assertIn("(413): an event may have", done.stderr)
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "huge"},
                    "data": {"x": "x" * 3_500_000}}
        done = self.run_cli("apply", "-f", "-", input=json.dumps(manifest), code=1)
        self.assertIn("body is over the limit", done.stderr)

    def test_inline_code_may_be_longer_than_an_annotation(self):
        code = "def handler(event):\n    return 1\n" + "#" * 400_000
        function = {"apiVersion": "lambda.knative.io/v1alpha1", "kind": "LambdaFunction",
                    "metadata": {"name": "long-code"},
                    "spec": {"source": {"type": "inline", "inline": {"code": code}},
                             "runtime": {"language": "python", "version": "3.11"},
                             "env": [{"name": "A", "value": "1"}]}}
        done = self.run_cli("apply", "-f", "-", input=json.dumps(function))
        self.assertIn("created", done.stdout)
        del function["spec"]["env"]
        self.run_cli("apply", "-f", "-", input=json.dumps(function))
        live = self.cli.json("get", "lf", "long-code", "-o", "json")
        self.assertEqual(live["spec"]["source"]["inline"]["code"], code)
        self.assertNotIn("env", live["spec"])
        self.run_cli("delete", "lf", "long-code")

    def test_kinds_of_one_name_are_told_apart_by_their_group(self):
        text = json.dumps({"apiVersion": "serving.knative.dev/v1", "kind": "Service",
                           "metadata": {"name": "plain"},
                           "spec": {"template": {"spec": {"containers": [{"image": "x/y:z"}]}}}})
        done = self.run_cli("apply", "-f", "-", input=text)
        self.assertEqual(done.stdout, "service.serving.knative.dev/plain created\n")
        done = self.run_cli("delete", "-f", "-", input=text)
        self.assertIn("deleted", done.stdout)

    def test_json_is_read_as_json(self):
        one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "party-a"},
               "data": {"x": "\U0001F389"}}  # json.dumps writes two surrogates
        two = {**one, "metadata": {"name": "party-b"}}
        self.run_cli("apply", "-f", "-", input=json.dumps(one) + json.dumps(two))
        for name in ("party-a", "party-b"):
            self.assertEqual(self.cli.json("get", "cm", name, "-o", "json")["data"], one["data"])
        self.run_cli("apply", "-f", "-", input="\ufeffapiVersion: v1\nkind: ConfigMap\n"
                                               "metadata: {name: marked, annotations: null}\n")

    def test_what_can_not_be_written_is_an_error(self):
        for words in (["get", "lf", "-o", "json"], ["--help"], ["kubeconfig"],
                      ["event", "list", "-o", "json"], ["dlq", "list", "-o", "json"],
                      ["build", "logs", "hello-python"],
                      ["render", "-f", str(SAMPLE)], ["invoke", "hello-python", "-d", "{}"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([BINARY, *words], stdout=full, stderr=subprocess.PIPE,
                                      text=True, timeout=60, env=self.cli.env)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn("error: standard output: No space left on device", done.stderr, words)

    def test_a_reader_that_has_gone_ends_it_quietly(self):
        reading, writing = os.pipe()
        os.close(reading)
        try:
            done = subprocess.run([BINARY, "get", "lf", "-A", "-o", "json"], stdout=writing,
                                  stderr=subprocess.PIPE, text=True, timeout=60, env=self.cli.env)
        finally:
            os.close(writing)
        self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, ""))

    def test_get_takes_several_kinds_and_pairs(self):
        self.run_cli("apply", "-f", "-", input="apiVersion: v1\nkind: ConfigMap\n"
                                               "metadata: {name: paired}\n")
        text = self.run_cli("get", "cm,lf").stdout
        self.assertRegex(text, "(?m)^configmap/paired ")
        self.assertRegex(text, "(?m)^lambdafunction.lambda.knative.io/hello-python ")
        kinds = {item["kind"] for item in self.cli.json("get", "cm/paired", "lf/hello-python", "-o",
                                                        "json")["items"]}
        self.assertEqual(kinds, {"ConfigMap", "LambdaFunction"})
        done = self.run_cli("delete", "cm/paired", "lf/nobody", code=NOT_FOUND)
        self.assertIn('configmap "paired" deleted', done.stdout)

    def test_get_shows_what_it_found_beside_what_it_did_not(self):
        done = self.run_cli("get", "lf", "hello-python", "nosuch", code=NOT_FOUND)
        self.assertIn("hello-python", done.stdout)
        self.assertIn('"nosuch" not found', done.stderr)

    def test_dead_letters(self):
        self.assertEqual(self.cli.json("dlq", "list", "-o", "json"),
                         {"apiVersion": "hearth/v1", "kind": "DeadLetterList", "items": []})
        self.run_cli("dlq", "show", "99999", code=NOT_FOUND)
        self.assertEqual(self.run_cli("dlq", "replay", "--all").stdout, "0 queued for delivery\n")
        self.assertEqual(self.run_cli("dlq", "purge", "--all").stdout, "0 purged\n")
        self.run_cli("dlq", "purge", code=USAGE)

    def test_status_and_version(self):
        status = self.cli.json("status", "-o", "json")
        self.assertTrue(status["running"])
        self.assertEqual(status["pid"], self.daemon.pid)
        self.assertGreaterEqual(status["functions"]["phases"]["Ready"], 1)
        self.assertIn("is up", self.run_cli("status").stdout)
        version = self.cli.json("version", "-o", "json")
        self.assertEqual(version["version"], version["daemon"])

    def test_kubeconfig_merge(self):
        file = self.cli.folder / "merged"
        env = {"KUBECONFIG": "%s:/elsewhere" % file}
        self.run_cli("kubeconfig", "--merge", env=env)
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertIn("current-context: hearth", file.read_text())
        (self.cli.folder / "merged.lock").touch()
        self.run_cli("kubeconfig", "--merge", env=env, code=CONFLICT)
        (self.cli.folder / "merged.lock").unlink()
        foreign = file.read_text().replace("https://127.0.0.1:", "https://cluster.example:")
        file.write_text(foreign)
        self.run_cli("kubeconfig", "--merge", env=env, code=CONFLICT)
        self.run_cli("kubeconfig", "--merge", "--force", env=env)
        self.assertNotIn("cluster.example", file.read_text())

    def test_delete_and_wait_timeout(self):
        self.run_cli("apply", "-f", "-", input=SAMPLE.read_text().replace("hello-python", "doomed"))
        # Its broker does not exist: it never becomes Ready.
        trigger = {"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
                   "metadata": {"name": "brokerless"},
                   "spec": {"broker": "nowhere", "subscriber": {"uri": "http://127.0.0.1:1/"}}}
        done = self.run_cli("apply", "-f", "-", "--wait", "--timeout", "1s", code=TIMEOUT,
                            input=json.dumps(trigger))
        self.assertRegex(done.stderr, "trigger/brokerless is still .* after 1s")
        self.run_cli("apply", "-f", "-",
                     input=SAMPLE.read_text().replace("hello-python", "doomed-too"))
        done = self.run_cli("delete", "function", "doomed", "doomed-too", "--wait")
        self.assertEqual(done.stdout.count("deleted"), 2)
        self.run_cli("get", "lf", "doomed", code=NOT_FOUND)
        self.run_cli("delete", "lf", "doomed", code=NOT_FOUND)

    def test_a_second_daemon_is_refused_and_the_holder_named(self):
        done = self.run_cli("up", "-d", "--port", "0", code=CONFLICT)
        self.assertIn(str(self.daemon.pid), done.stderr)
        gateway = self.cli.json("status", "-o", "json")["gateway"]
        done = self.run_cli("up", "--state", str(self.cli.folder / "other"), "--port",
                            gateway.rsplit(":", 1)[1], code=CONFLICT)
        self.assertIn("held by process %d" % self.daemon.pid, done.stderr)


class WithoutDaemonTest(unittest.TestCase):
    def setUp(self):
        self.cli = CommandLine()
        self.addCleanup(self.cli.close)

    def test_no_daemon(self):
        for words in (["get", "lf"], ["apply", "-f", str(SAMPLE)], ["invoke", "x"], ["status"],
                      ["down"], ["event", "list"], ["kubeconfig"]):
            done = self.cli.run(*words, code=UNREACHABLE)
            self.assertIn("hearth up" if words != ["down"] else "not running", done.stderr)
        done = self.cli.run("status", "-o", "json", code=UNREACHABLE)
        self.assertIs(json.loads(done.stdout)["running"], False)

    def test_usage(self):
        for words in ([], ["invok"], ["invoke"], ["get"], ["get", "lf", "-o", "xml"],
                      ["get", "lf", "x", "-A"], ["delete"], ["delete", "lf"], ["describe", "lf"],
                      ["logs", "x", "--since", "yesterday"], ["invoke", "x", "-H", "nonsense"],
                      ["completion", "tcsh"], ["dlq"], ["up", "--port", "99999"], ["invoke", ""],
                      ["logs", "function/"], ["get", "lf", "x", "-l", "a=b"], ["get", "cm/x", "y"],
                      ["get", "cm,lf", "-w"], ["delete", "lf", "x", "-l", "a=b"],
                      ["event", "send", "--type", "t", "--source", "/s", "-e", "id=zzz"]):
            self.cli.run(*words, code=USAGE)
        self.assertIn('did you mean "invoke"?', self.cli.run("invok", code=USAGE).stderr)

    def test_help_has_examples(self):
        for command in ("up", "apply", "get", "describe", "delete", "logs", "invoke", "event", "dlq",
                        "build", "kubeconfig", "doctor", "down", "status", "version", "completion",
                        "help", "s3", "s3 cp", "s3 ls", "s3 sync", "event send", "event list",
                        "event show", "dlq list", "dlq show", "dlq replay", "dlq purge",
                        "build logs"):
            text = self.cli.run(*command.split(), "--help").stdout
            self.assertIn("Example", text, command)
            self.assertEqual(self.cli.run("help", *command.split()).stdout, text)
        done = self.cli.run("help", "event", "sen", code=USAGE)
        self.assertIn('did you mean "send"?', done.stderr)

    def test_doctor(self):
        done = self.cli.run("doctor", "-o", "json", code=None)
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0 if report["ok"] else 1)
        self.assertIn("python3", [check["name"] for check in report["checks"]])
        for check in report["checks"]:
            self.assertEqual(check["fix"] == "", check["verdict"] == "pass", check)

    def test_completion_scripts(self):
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("invoke", self.cli.run("completion", shell).stdout)
        script = self.cli.folder / "hearth.bash"
        script.write_text(self.cli.run("completion", "bash").stdout)
        done = subprocess.run(
            ["bash", "-c", 'source "$0"; COMP_WORDS=(hearth event se); COMP_CWORD=2; _hearth; '
                           'echo "${COMPREPLY[@]}"', str(script)], capture_output=True, text=True)
        self.assertEqual(done.stdout, "send\n")

    def test_up_in_the_background_and_down(self):
        done = self.cli.run("up", "-d", "--port", "0")
        self.addCleanup(self.cli.run, "down", code=None)
        self.assertEqual(done.stdout, "")
        self.assertIn("hearth is up", done.stderr)
        endpoints = self.cli.state / "endpoints.json"
        self.assertEqual(endpoints.stat().st_mode & 0o777, 0o600)
        pid = json.loads(endpoints.read_text())["pid"]
        self.assertEqual(self.cli.run("down").stdout, "hearth is down\n")
        # A zombie at most, where nobody collects orphans.
        status = pathlib.Path("/proc/%d/status" % pid)
        self.assertTrue(not status.exists() or "State:\tZ" in status.read_text())
        self.assertFalse(endpoints.exists())
        self.assertTrue((self.cli.state / "daemon.log").stat().st_size > 0)

    def test_a_url_that_is_none_is_refused_at_start(self):
        done = self.cli.run("up", "--gcs-endpoint", "nota url", code=INVALID)
        self.assertIn('error: --gcs-endpoint: "nota url" is no absolute URL', done.stderr)

    def test_config_file(self):
        file = self.cli.folder / "config.yaml"
        file.write_text("port: 0\nstate: %s\ns3Credentials: {other: secret}\nlogFormat: json\n"
                        % (self.cli.folder / "configured"))
        del self.cli.env["HEARTH_STATE"]
        self.cli.run("up", "-d", "--config", str(file))
        self.addCleanup(self.cli.run, "down", "--state", str(self.cli.folder / "configured"),
                        code=None)
        self.assertTrue((self.cli.folder / "configured" / "endpoints.json").exists())

    def test_config_file_errors(self):
        file = self.cli.folder / "config.yaml"
        for text, where in (("port: 0\napiPrt: 1\n", ':2:1: apiPrt: unknown key; did you mean "apiPort"?'),
                            ("port: many\n", ":1:1: port: expected a port"),
                            ("# x\n\nlogLevel: loud\n", ":3:1: logLevel: "),
                            ("port: [\n", ":2:1: invalid YAML: "),
                            ("sandbox: 1\n", ":1:1: sandbox: expected true or false")):
            file.write_text(text)
            self.assertIn(str(file) + where, self.cli.run("up", "--config", str(file),
                                                          code=INVALID).stderr)

    def test_the_documented_config_is_valid_and_complete(self):
        text = (ROOT / "config/hearth.yaml").read_text()
        keys = re.findall(r'^    \{"(\w+)", "', (ROOT / "cli/up_config.cc").read_text(), re.M)
        self.assertGreater(len(keys), 20)
        for key in keys:
            self.assertRegex(text, r"(?m)^(# )?%s:" % key)
        # Its ports may be taken here: flags win over the file.
        self.cli.run("up", "-d", "--config", str(ROOT / "config/hearth.yaml"), "--port", "0",
                     "--api-port", "0", "--s3-port", "0", "--registry-port", "0")
        self.assertEqual(self.cli.run("down").stdout, "hearth is down\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
