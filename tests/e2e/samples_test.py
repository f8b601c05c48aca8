"""Each sample, followed as its README says: its commands are run, what they print is compared."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from daemon import BINARY, ROOT, Daemon, wait_for
from package_index import PackageIndex

LAST_LINE = -1


def without_port_80():
    """In front of the daemon's command: what root may and other users may not."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--bounding-set=-net_bind_service"]


class Samples:
    """A daemon, and a folder with a copy of samples/ to run the commands of the READMEs in."""

    def __init__(self, launcher=(), **variables):
        self.hearth = Daemon()
        self.hearth.command = [*launcher, BINARY]
        self.hearth.variables = variables
        self.work = self.hearth.folder / "work"
        shutil.copytree(ROOT / "samples", self.work / "samples")
        programs = self.work / "bin"
        programs.mkdir()
        (programs / "hearth").symlink_to(pathlib.Path(BINARY).resolve())
        self.path = "%s:%s" % (programs, os.environ["PATH"])

    def folder(self, sample):
        return self.work / "samples" / sample

    def run(self, script):
        """What a reader's shell prints."""
        done = subprocess.run(["bash", "-euc", script], cwd=self.work, text=True, timeout=500,
                              capture_output=True,
                              env=dict(self.hearth.environment(), PATH=self.path))
        if done.returncode != 0:
            raise AssertionError("%s\n%s%s" % (script, done.stdout, done.stderr))
        return done.stdout

    def json(self, script):
        return json.loads(self.run(script))

    def blocks(self, sample):
        """(language, text) of each block of code in the README."""
        readme = (self.folder(sample) / "README.md").read_text()
        return re.findall(r"^```(sh|json)\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)

    def scripts(self, sample):
        return [text for language, text in self.blocks(sample) if language == "sh"]

    def answer(self, script):
        """What the last command of a script prints, as JSON."""
        return json.loads(self.run(script).splitlines()[LAST_LINE])

    def logged(self, function, line):
        wait_for(lambda: line in self.run("hearth logs " + function), 60,
                 "%s to log: %s" % (function, line))


class SamplesTest(unittest.TestCase):
    @classmethod
    def start(cls, launcher=(), **variables):
        cls.samples = Samples(launcher, **variables)
        cls.addClassCleanup(cls.samples.hearth.__exit__)
        cls.samples.hearth.start()

    def follow(self, sample):
        """Every script of the README answers what stands below the first one."""
        promised, = [json.loads(text) for language, text in self.samples.blocks(sample)
                     if language == "json"]
        scripts = self.samples.scripts(sample)
        self.assertEqual(len(scripts), 2, "from the manifest and from a bucket")
        # Each README makes it: they stand alone.
        self.addCleanup(self.samples.run, "hearth s3 rb --force s3://lambda-functions")
        for script in scripts:
            self.assertEqual(self.samples.answer(script), promised, script)


class SmallestFunctions(SamplesTest):
    @classmethod
    def setUpClass(cls):
        cls.start()

    def test_hello_python_answers_inline_and_from_a_bucket(self):
        self.follow("hello-python")

    def test_hello_node_answers_inline_and_from_a_bucket(self):
        self.follow("hello-node")

    def test_hello_go_answers_inline_and_from_a_bucket(self):
        self.follow("hello-go")

    def test_the_agent_of_the_operators_readme_is_kept_as_it_was_applied(self):
        manifest = "samples/seeds/lambdaagent-agent-bruno.yaml"
        self.samples.run("kubectl create namespace agent-bruno; kubectl apply -f " + manifest)
        read = "get lambdaagent agent-bruno -n agent-bruno -o json"
        for agent in (self.samples.json("kubectl " + read), self.samples.json("hearth " + read)):
            spec = agent["spec"]
            # More stands there: the schema's defaults.
            self.assertEqual((spec["image"]["repository"], spec["image"]["tag"]),
                             ("localhost:5001/agent-bruno/chatbot", "0.1.0"))
            self.assertEqual(spec["ai"]["temperature"], 0.7)
            self.assertEqual(spec["ai"]["systemPrompt"],
                             "You are Bruno's AI assistant.\nBe helpful, concise, and friendly.\n")
            self.assertEqual(spec["eventing"]["subscriptions"][0]["eventType"],
                             "io.homelab.chat.message")
            scaling = spec["scaling"]
            self.assertEqual((scaling["minReplicas"], scaling["maxReplicas"]), (1, 5))
        self.assertIn("agent-bruno", self.samples.run("hearth get lambdaagents -A"))
        self.assertIn("unchanged", self.samples.run("kubectl apply -f " + manifest))


class Dependencies(SamplesTest):
    """What builds install comes from a mirror, named by the daemon's environment."""

    @classmethod
    def setUpClass(cls):
        cls.index = PackageIndex()
        cls.addClassCleanup(cls.index.__exit__)
        cls.index.__enter__()
        cls.start(**cls.index.variables())
        cls.index.lock(cls.samples.work / "samples")

    @classmethod
    def start(cls, **variables):
        """With empty caches, so that everything is asked for; but Go's own library isn't compiled
        anew."""
        compiled = pathlib.Path(os.environ["HEARTH_CACHE"]) / "go-build"
        compiled.mkdir(parents=True, exist_ok=True)
        caches = pathlib.Path(tempfile.mkdtemp(prefix="hearth-caches-"))
        cls.addClassCleanup(shutil.rmtree, caches)
        (caches / "go-build").symlink_to(compiled)
        super().start(**variables, HEARTH_CACHE=str(caches))

    def install_step(self, sample, command):
        """What the log of the last build says about the step that installs; "" until it does."""
        log = self.samples.run("hearth build logs " + sample).partition("\nRUN " + command)[2]
        return next((line for line in log.splitlines() if line.startswith(" -> ")), "")

    def change(self, sample, file, old, new):
        path = self.samples.folder(sample) / file
        self.assertIn(old, path.read_text())
        path.write_text(path.read_text().replace(old, new))
        self.samples.run("hearth s3 cp samples/{0}/{1} s3://lambda-functions/{0}/{1}".format(
            sample, file))

    def follow_and_change(self, sample, package, install, handler, old, new):
        self.follow(sample)
        asked = list(self.index.asked)
        self.assertTrue([path for path in asked if package in path], asked)
        self.assertNotIn(self.install_step(sample, install), ("", " -> cached"))
        self.change(sample, handler, old, new)
        ask = self.samples.scripts(sample)[0].splitlines()[LAST_LINE]
        wait_for(lambda: "changed" in self.samples.run(ask), 120, "the changed handler to answer")
        self.assertEqual(self.install_step(sample, install), " -> cached")
        self.assertEqual(self.index.asked, asked, "nothing is fetched again")

    def test_python_installs_requirements_once_for_many_handlers_and_anew_when_they_change(self):
        self.follow_and_change("python-deps", "inflection", "pip install", "main.py",
                               '"slug"', '"changed"')
        self.change("python-deps", "requirements.txt", "inflection", "# Slugs.\ninflection")
        wait_for(lambda: self.install_step("python-deps", "pip install") not in ("", " -> cached"),
                 120, "the changed requirements to be installed")

    def test_node_installs_what_is_locked_once_for_many_handlers(self):
        self.follow_and_change("node-deps", "ms", "npm ci", "index.js",
                               "milliseconds:", "changed:")

    def test_go_downloads_modules_once_for_many_handlers(self):
        self.follow_and_change("go-deps", "google/uuid", "go mod download", "main.go",
                               '"id"', '"changed"')


class OrderPipeline(SamplesTest):
    """As a user who may not listen at port 80: there the names of a cluster don't resolve."""

    @classmethod
    def setUpClass(cls):
        cls.start(without_port_80())

    def test_an_order_reaches_both_services_and_their_answers_are_collected(self):
        script, = self.samples.scripts("event-pipeline")
        order = self.samples.answer(script)
        order_id = order.pop("orderId")
        self.assertEqual(order, {"status": "accepted", "broker": 202, "item": "lamp",
                                 "quantity": 2})
        self.samples.logged("payment-processor", "payment of 80.00 for order " + order_id)
        self.samples.logged("inventory-service", "reserved 2 x lamp for order " + order_id)
        for step in ("payment", "inventory"):
            self.samples.logged("order-results", "order %s: %s done" % (order_id, step))


class DeadLetters(SamplesTest):
    @classmethod
    def setUpClass(cls):
        cls.start()
        apply_and_call, *_, cls.send = cls.samples.scripts("failing")
        cls.error = cls.samples.answer(apply_and_call)["error"]
        # Its events come at the full minute, in between those of the tests.
        cls.samples.run("hearth delete pingsource failing-every-minute")

    def letters(self, event):
        """The dead letters of an event."""
        return [letter for letter in self.samples.json("hearth dlq list -o json")["items"]
                if letter["event"]["id"] == event]

    def dead_letter(self):
        """Sends the sample's event; (its id, the dead letter that becomes of it)."""
        event = self.samples.run(self.send).strip()
        return event, self.wait_for_letter(event)

    def wait_for_letter(self, event, after=0):
        newer = lambda: [one for one in self.letters(event) if one["id"] > after]
        return wait_for(newer, 30, "the dead letter")[0]

    def serve(self, functions, status):
        """Applies the sample's functions, until the first answers with that status."""
        (self.samples.folder("failing") / "functions.yaml").write_text(functions)
        self.samples.run("kubectl apply -f samples/failing/functions.yaml")
        wait_for(lambda: self.samples.hearth.call("failing.default.localhost", "{}")[0] == status,
                 60, "the other handler to answer")

    def test_the_caller_sees_the_error(self):
        self.assertEqual((self.error["code"], self.error["message"]),
                         ("RuntimeError", "no luck with Ada"))

    def test_an_event_is_tried_three_times_and_handed_to_the_sink(self):
        event, letter = self.dead_letter()
        self.assertEqual((letter["attempts"], letter["code"], letter["trigger"]),
                         (3, 500, "failing-trigger"))
        self.samples.logged("dead-letter-log", 'dead letter: {"name": "Ada"}')
        self.assertIn(event, self.samples.run("hearth dlq list"))

    def test_a_dead_letter_is_shown_with_its_event_and_the_answer(self):
        event, letter = self.dead_letter()
        shown = self.samples.json("hearth dlq show %d -o json" % letter["id"])
        self.assertEqual(shown["event"]["data"], '{"name":"Ada"}')
        self.assertEqual(shown["event"]["attributes"]["id"], event)
        self.assertEqual(json.loads(shown["body"])["error"]["code"], "RuntimeError")

    def test_a_replay_in_vain_comes_back_with_a_new_id(self):
        event, letter = self.dead_letter()
        self.assertEqual(self.samples.run("hearth dlq replay %d" % letter["id"]),
                         "1 queued for delivery\n")
        self.wait_for_letter(event, after=letter["id"])
        self.assertEqual(len(self.letters(event)), 1)

    def test_a_replay_to_a_mended_function_is_delivered(self):
        event, letter = self.dead_letter()
        functions = (self.samples.folder("failing") / "functions.yaml").read_text()
        self.addCleanup(self.serve, functions, 500)
        self.serve(functions.replace("raise RuntimeError(", "return str("), 200)
        self.samples.run("hearth dlq replay --all")
        delivered = lambda: self.samples.json("hearth event show %s -o json" % event)[
            "deliveries"][0]["state"] == "delivered"
        wait_for(delivered, 30, "the delivery")
        self.assertEqual(self.letters(event), [])

    def test_purged_letters_are_gone(self):
        (first, letter), (second, _) = self.dead_letter(), self.dead_letter()
        self.assertEqual(self.samples.run("hearth dlq purge %d" % letter["id"]), "1 purged\n")
        self.assertEqual((self.letters(first), len(self.letters(second))), ([], 1))
        self.assertRegex(self.samples.run("hearth dlq purge --all"), r"^[1-9]\d* purged\n$")
        self.assertEqual(self.letters(second), [])


if __name__ == "__main__":
    unittest.main()
