"""The command line beside what goes on: logs and builds that are followed, and dead letters."""

import contextlib
import http.server
import io
import json
import subprocess
import threading
import unittest
import zipfile

from cli_test import NOT_FOUND, CommandLine
from daemon import BINARY, Daemon, wait_for
from exhaustion_test import Subscriber

# A trigger that tries once.
LETTERS = """
{apiVersion: v1, kind: Namespace, metadata: {name: letters}}
---
{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {name: main, namespace: letters}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: refused, namespace: letters}
spec: {broker: main, subscriber: {uri: "%s"}, delivery: {retry: 0}}
"""


def function_of(name, code, **inline):
    return {"apiVersion": "lambda.knative.io/v1alpha1", "kind": "LambdaFunction",
            "metadata": {"name": name},
            "spec": {"source": {"type": "inline", "inline": {"code": code, **inline}},
                     "runtime": {"language": "python", "version": "3.11"}}}


class SlowPackage:
    """A Python package whose server hands it over when it is told to."""

    def __init__(self):
        self.asked, self.hand_over = threading.Event(), threading.Event()
        package = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                package.asked.set()
                package.hand_over.wait(300)
                content = package.wheel()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.requirement = ("slow @ http://127.0.0.1:%d/slow-1.0-py3-none-any.whl\n"
                            % self.server.server_port)

    @staticmethod
    def wheel():
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as files:
            files.writestr("slow.py", "WORD = 'at last'\n")
            files.writestr("slow-1.0.dist-info/METADATA",
                           "Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
            files.writestr("slow-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\n"
                           "Root-Is-Purelib: true\nTag: py3-none-any\n")
            files.writestr("slow-1.0.dist-info/RECORD", "")
        return content.getvalue()

    def close(self):
        self.hand_over.set()
        self.server.shutdown()
        self.server.server_close()


class FollowTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        hearth = cls.enterClassContext(Daemon())
        cls.cli = CommandLine()
        cls.addClassCleanup(cls.cli.close)
        cls.cli.env["HEARTH_STATE"] = hearth.ready["state"]

    def run_cli(self, *words, **options):
        return self.cli.run(*words, **options)

    def test_follow_shows_what_is_logged_later(self):
        code = "def handler(event):\n    print('told', event['word'], flush=True)\n"
        self.run_cli("apply", "-f", "-", "--wait", input=json.dumps(function_of("talker", code)))
        self.run_cli("invoke", "talker", "-d", '{"word": "before"}')
        with self.following("logs", "-f", "talker") as (_, lines):
            self.assertTrue(any("told before" in line for line in lines))
            self.run_cli("invoke", "talker", "-d", '{"word": "afterwards"}')
            self.assertTrue(any("told afterwards" in line for line in lines))

    @contextlib.contextmanager
    def following(self, *words):
        """(process, its lines): a command that goes on, until it is ended here."""
        process = subprocess.Popen([BINARY, *words], text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=self.cli.env)
        giving_up = threading.Timer(180, process.kill)
        giving_up.start()
        try:
            yield process, iter(process.stdout.readline, "")
        finally:
            giving_up.cancel()
            process.kill()
            process.wait()
            process.stdout.close()

    def test_follow_a_build_to_its_end(self):
        package = SlowPackage()
        self.addCleanup(package.close)
        code = "import slow\ndef handler(event):\n    return slow.WORD\n"
        manifest = function_of("patient", code, dependencies=package.requirement)
        self.run_cli("apply", "-f", "-", input=json.dumps(manifest))
        self.assertTrue(package.asked.wait(180), "the build wants the package")
        with self.following("build", "logs", "-f", "patient") as (process, lines):
            shown = [next(lines)]
            self.assertTrue(shown[0].startswith("FROM "), shown)
            self.assertIsNone(process.poll(), "the build goes on, and so does who follows it")
            package.hand_over.set()
            shown += lines
            self.assertEqual(process.wait(180), 0)
        self.assertIn("Successfully installed slow-1.0", "".join(shown))
        # All of it, to the last line.
        self.assertEqual("".join(shown), self.run_cli("build", "logs", "patient").stdout)
        self.run_cli("apply", "-f", "-", "--wait", input=json.dumps(manifest))
        self.assertIn("at last", self.run_cli("invoke", "patient", "-d", "{}").stdout)

    def test_dead_letters_are_shown_replayed_and_purged(self):
        with Subscriber() as subscriber:  # refuses what is "later" once
            self.run_cli("apply", "-f", "-", "--wait", input=LETTERS % subscriber.uri)

            def send(identifier):
                self.run_cli("event", "send", "-n", "letters", "--broker", "main", "--type", "t",
                             "--source", "/cli", "--id", identifier, "-d", '{"n": 1}')
                return wait_for(lambda: self.letters().get(identifier), 20, "its dead letter")

            replayed, purged = send("later-1"), send("later-2")
            self.assertEqual((replayed["trigger"], replayed["attempts"], replayed["code"]),
                             ("refused", 1, 500))
            shown = self.cli.json("dlq", "show", str(replayed["id"]), "-o", "json")
            self.assertEqual((shown["kind"], shown["event"]["id"]), ("DeadLetter", "later-1"))
            self.assertEqual(json.loads(shown["event"]["data"]), {"n": 1})
            self.assertIn("later-1", self.run_cli("dlq", "list", "-n", "letters").stdout)

            done = self.run_cli("dlq", "purge", str(purged["id"]), "-n", "letters")
            self.assertEqual(done.stdout, "1 purged\n")
            self.run_cli("dlq", "show", str(purged["id"]), code=NOT_FOUND)
            self.assertEqual(list(self.letters()), ["later-1"])

            done = self.run_cli("dlq", "replay", str(replayed["id"]), "-n", "letters")
            self.assertEqual(done.stdout, "1 queued for delivery\n")
            wait_for(lambda: subscriber.taken == ["later-1"], 20, "the replayed event")
            wait_for(lambda: not self.letters(), 20, "no dead letter")

            for identifier in ("later-3", "later-4"):
                send(identifier)
            self.assertEqual(self.run_cli("dlq", "purge", "--all").stdout, "0 purged\n")
            done = self.run_cli("dlq", "replay", "--all", "--trigger", "refused", "-n", "letters")
            self.assertEqual(done.stdout, "2 queued for delivery\n")
            wait_for(lambda: len(subscriber.taken) == 3, 20, "both")
            send("later-5")
            done = self.run_cli("dlq", "purge", "--all", "-n", "letters")
            self.assertEqual(done.stdout, "1 purged\n")
            self.assertEqual(self.letters(), {})

    def letters(self):
        """Dead letters by the ids of their events."""
        listed = self.cli.json("dlq", "list", "-n", "letters", "-o", "json")
        return {letter["event"]["id"]: letter for letter in listed["items"]}


if __name__ == "__main__":
    unittest.main(verbosity=2)
