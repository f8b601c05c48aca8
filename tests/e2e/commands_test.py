"""The command receiver: functions made, rebuilt, rolled back and deleted by CloudEvents."""

import json
import socket
import time
import unittest
import uuid

from daemon import Daemon, wait_for
from exhaustion_test import gateway_connection

CODE = "def handler(event):\n    return %d\n"


class CommandsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = Daemon()
        cls.hearth.start()

    @classmethod
    def tearDownClass(cls):
        cls.hearth.__exit__()

    def command(self, kind, data, path="/events", identifier=None):
        return self.hearth.call(
            "localhost", json.dumps(data), path=path,
            headers={"ce-id": identifier or str(uuid.uuid4()), "ce-source": "test",
                     "ce-type": "io.knative.lambda.command." + kind, "ce-specversion": "1.0",
                     "content-type": "application/json", "X-Correlation-ID": "c-1"})

    def deploy(self, name, number, **options):
        manifest = self.hearth.function(name, CODE % number)
        return self.command("function.deploy", {"metadata": manifest["metadata"],
                                                "spec": manifest["spec"]}, **options)

    def answer(self, name):
        return self.hearth.call(name + ".default.localhost", "{}")[2].strip()

    def test_deploy_update_roll_back_and_delete(self):
        status, headers, body = self.deploy("commanded", 1)
        self.assertEqual((status, json.loads(body)["status"]), (202, "accepted"))
        self.assertEqual(headers["X-Correlation-ID"], "c-1")
        self.hearth.wait_ready("commanded")
        self.assertEqual(self.deploy("commanded", 2)[0], 202)
        wait_for(lambda: self.answer("commanded") == "2", 60, "the second revision")
        self.assertEqual(self.command("function.rollback", {
            "name": "commanded", "namespace": "default", "revision": "commanded-00001"})[0], 202)
        wait_for(lambda: self.answer("commanded") == "1", 60, "the first revision again")
        self.assertEqual(self.command("function.rollback", {
            "name": "commanded", "namespace": "default", "revision": "no-such"})[0], 400)
        self.assertEqual(self.command("service.delete", {"name": "commanded",
                                                         "namespace": "default"})[0], 202)
        wait_for(lambda: self.hearth.get("lambdafunction", "commanded") is None, 30, "its end")
        # Deleting what is gone is accepted: a repeat must not end in the dead letters.
        self.assertEqual(self.command("service.delete", {"name": "commanded",
                                                         "namespace": "default"})[0], 202)

    def test_a_change_after_a_rollback_is_served(self):
        self.deploy("onward", 1)
        self.hearth.wait_ready("onward")
        self.deploy("onward", 2)
        wait_for(lambda: self.answer("onward") == "2", 60, "the second revision")
        self.command("function.rollback", {"name": "onward", "namespace": "default",
                                           "revision": "onward-00001"})
        wait_for(lambda: self.answer("onward") == "1", 60, "the first revision again")
        wait_for(lambda: "pinned to onward-00001" in self.hearth.kubectl(
            "get", "lambdafunction", "onward", "-o",
            "jsonpath={.status.conditions[?(@.type=='Ready')].message}"), 20, "a word of the pin")
        self.hearth.apply(self.hearth.function("onward", CODE % 3))
        wait_for(lambda: self.answer("onward") == "3", 60, "what was applied last")

    def test_a_command_posted_to_the_broker_is_applied_once(self):
        identifier = str(uuid.uuid4())
        wait_for(lambda: (self.hearth.get("trigger", "lambda-command-receiver-trigger",
                                          "knative-lambda") or {}).get("status", {})
                 .get("subscriberUri"), 20, "the receiver's trigger")
        # The repeat says something else, so that to apply it would be seen.
        for number in (3, 4):
            before = self.delivered_commands()
            status, _, _ = self.deploy("brokered", number, path="/knative-lambda/lambda-broker",
                                       identifier=identifier)
            self.assertEqual(status, 202)
            wait_for(lambda: self.delivered_commands() == before + 1, 20, "its delivery")
        self.hearth.wait_ready("brokered")
        self.assertEqual(self.answer("brokered"), "3")
        applied = self.hearth.get("lambdafunction", "brokered")
        self.assertEqual(applied["spec"]["source"]["inline"]["code"], CODE % 3)
        self.assertEqual(applied["metadata"]["generation"], 1)

    def delivered_commands(self):
        """How many commands the broker has handed to the receiver, which took them."""
        page = self.hearth.call("localhost", path="/metrics")[2]
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines()
                   if line.startswith("hearth_broker_deliveries_total{")
                   and 'kn_trigger_name="lambda-command-receiver-trigger"' in line
                   and 'result="delivered"' in line)

    def test_what_is_wrong_is_named(self):
        status, _, body = self.command("function.deploy", {"metadata": {"name": "x"}, "spec": {}})
        self.assertEqual(status, 400)
        self.assertEqual(json.loads(body)["error"], "schema_validation_failed")
        status, _, body = self.hearth.call("localhost", "{}", path="/events",
                                           headers={"ce-id": "1", "ce-specversion": "1.0"})
        self.assertEqual((status, json.loads(body)["error"]), (400, "invalid_cloudevent"))
        self.assertEqual(self.hearth.call("localhost", path="/events")[0], 405)

    def test_commands_for_what_is_not_there_are_refused_for_good(self):
        self.deploy("somebody", 1)
        for kind in ("build.start", "build.cancel", "function.rollback"):
            with self.subTest(kind):
                status, _, body = self.command(kind, {"name": "sombody", "namespace": "default"})
                self.assertEqual((status, json.loads(body)["error"]), (400, "not_found"))
                self.assertIn('did you mean "somebody"?', json.loads(body)["message"])
        manifest = self.hearth.function("homeless", CODE % 1, namespace="nowhere")
        status, _, body = self.command("function.deploy", {"metadata": manifest["metadata"],
                                                           "spec": manifest["spec"]})
        self.assertEqual((status, json.loads(body)["error"]), (400, "not_found"))
        self.assertIn("nowhere", json.loads(body)["message"])

    def lifecycle(self, name):
        """Types of the lifecycle events of a function, oldest first."""
        token = (self.hearth.folder / "state" / "token").read_text().strip()
        _, _, body = self.hearth.call("localhost", path="/hearth/v1/events?limit=500",
                                      headers={"Authorization": "Bearer " + token})
        found = [event["type"] for event in json.loads(body)["items"]
                 if event.get("subject") == "default/" + name and ".lifecycle." in event["type"]]
        return [kind.removeprefix("io.knative.lambda.lifecycle.") for kind in reversed(found)]

    def test_lifecycle_events_tell_each_transition_once_and_in_order(self):
        self.deploy("living", 1)
        self.hearth.wait_ready("living")
        expected = ["function.created", "build.started", "build.completed", "service.created",
                    "service.ready", "function.ready"]
        wait_for(lambda: len(self.lifecycle("living")) >= len(expected), 20, "the events")
        self.assertEqual(self.lifecycle("living"), expected)
        self.deploy("living", 2)
        expected += ["function.updated", "build.started", "build.completed", "service.updated",
                     "function.ready"]
        wait_for(lambda: len(self.lifecycle("living")) >= len(expected), 60, "the new revision")
        self.assertEqual(self.lifecycle("living"), expected)
        self.command("function.rollback", {"name": "living", "namespace": "default",
                                           "revision": "living-00001"})
        wait_for(lambda: self.lifecycle("living")[len(expected):][:2]
                 == ["function.updated", "service.updated"], 60, "the rollback")

    def test_a_cancelled_rebuild_leaves_what_serves(self):
        self.deploy("kept", 1)
        self.hearth.wait_ready("kept")
        image = self.hearth.get("lambdafunction", "kept")["status"]["buildStatus"]["imageURI"]
        # Who asks for the package gets no answer, so that the build goes on until it is cancelled.
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        package = "silent @ http://127.0.0.1:%d/silent-1.0.tar.gz\n" % silent.getsockname()[1]
        manifest = self.hearth.function("kept", CODE % 2, dependencies=package)
        self.command("function.deploy", {"metadata": manifest["metadata"], "spec": manifest["spec"]})

        def status():
            return self.hearth.get("lambdafunction", "kept")["status"]
        wait_for(lambda: status()["phase"] == "Building", 20, "the rebuild")
        self.command("build.cancel", {"name": "kept", "namespace": "default"})
        wait_for(lambda: status()["phase"] == "Ready", 20, "what was served before")
        self.assertEqual(status()["buildStatus"]["imageURI"], image)
        reasons = {c["type"]: c.get("reason") for c in status()["conditions"]}
        self.assertEqual(reasons["BuildReady"], "BuildCancelled")
        self.assertEqual(self.answer("kept"), "1")

    def test_a_ready_function_is_built_again_by_command(self):
        self.deploy("rebuilt", 1)
        self.hearth.wait_ready("rebuilt")

        def build():
            return self.hearth.get("lambdafunction", "rebuilt")["status"]["buildStatus"]

        def job():
            """The same content has the same name; another build is another object."""
            return (self.hearth.get("job", build()["jobName"]) or {}).get("metadata", {}).get("uid")
        for kind in ("build.start", "build.retry"):
            with self.subTest(kind):
                before, told = job(), self.lifecycle("rebuilt").count("build.completed")
                self.assertEqual(self.command(kind, {"name": "rebuilt", "namespace": "default"})[0],
                                 202)
                wait_for(lambda: self.lifecycle("rebuilt").count("build.completed") == told + 1,
                         60, "another build")
                self.assertNotIn(job(), (before, None))
                self.hearth.wait_ready("rebuilt")
                self.assertEqual(self.answer("rebuilt"), "1")

    def test_privileged_annotations_are_dropped(self):
        manifest = self.hearth.function("plain", CODE % 4)
        manifest["metadata"]["annotations"] = {"lambda.knative.io/receiver-mode": "true", "note": "kept"}
        self.command("function.deploy", {"metadata": manifest["metadata"], "spec": manifest["spec"]})
        stored = wait_for(lambda: self.hearth.get("lambdafunction", "plain"), 20, "the function")
        self.assertEqual(stored["metadata"]["annotations"].get("note"), "kept")
        self.assertNotIn("lambda.knative.io/receiver-mode", stored["metadata"]["annotations"])


class CommandLimitsTest(unittest.TestCase):
    BODY_BYTES_MAX = 1024 * 1024
    BURST, RATE_PER_SECOND = 100, 50

    def setUp(self):
        self.hearth = self.enterContext(Daemon())
        self.connection = gateway_connection(self.hearth)
        self.addCleanup(self.connection.close)

    def send(self, body=b"{}", **headers):
        """(status, headers, answer) of a command that nobody knows: it counts, and does nothing."""
        self.connection.request("POST", "/events", body, {
            "Host": "localhost", "ce-id": str(uuid.uuid4()), "ce-source": "test",
            "ce-type": "io.knative.lambda.command.nothing", "ce-specversion": "1.0",
            "Content-Type": "application/json", **headers})
        response = self.connection.getresponse()
        return response.status, response.headers, json.loads(response.read())

    def test_a_command_that_is_too_large_is_a_413(self):
        fits = b'{"x":"%s"}' % (b"x" * (self.BODY_BYTES_MAX - 8))
        self.assertEqual(self.send(fits)[0], 202)
        status, headers, answer = self.send(fits + b" ", **{"X-Correlation-ID": "c-2"})
        self.assertEqual((status, answer["error"]), (413, "payload_too_large"))
        self.assertEqual((headers["X-Correlation-ID"], answer["correlationId"]), ("c-2", "c-2"))
        self.assertRegex(answer["message"], "[0-9]")

    def test_more_commands_than_the_rate_allows_are_429_and_told_when_to_come_again(self):
        began = time.monotonic()
        for accepted in range(10 * self.BURST):
            status, headers, answer = self.send()
            if status != 202:
                break
        seconds = time.monotonic() - began
        self.assertEqual((status, answer["error"]), (429, "rate_limit_exceeded"))
        self.assertEqual(headers["Retry-After"], "5")
        self.assertTrue(headers["X-Correlation-ID"])
        self.assertGreaterEqual(accepted, self.BURST)
        self.assertLessEqual(accepted, self.BURST + self.RATE_PER_SECOND * seconds + 1)
        wait_for(lambda: self.send()[0] == 202, 5, "room for another one")


if __name__ == "__main__":
    unittest.main()
