"""Traffic between revisions: by percent, and each by its tag."""

import json
import unittest

from daemon import Daemon, wait_for

COLOUR = "import os\ndef handler(event):\n    return os.environ.get('COLOUR', 'none')\n"


class RoutingTest(unittest.TestCase):
    def service(self, image, colour, traffic=None):
        spec = {"template": {"spec": {"containers": [
            {"image": image, "env": [{"name": "COLOUR", "value": colour}]}]}}}
        if traffic:
            spec["traffic"] = traffic
        return {"apiVersion": "serving.knative.dev/v1", "kind": "Service",
                "metadata": {"name": "split", "namespace": "default"}, "spec": spec}

    def colour_at(self, hearth, host):
        status, _, body = hearth.call(host, "{}")
        return json.loads(body) if status == 200 and body.startswith('"') else body or status

    def wait_service(self, hearth):
        hearth.kubectl("wait", "ksvc/split", "--for=condition=Ready", "--timeout=60s")

    def test_percent_and_tags_choose_the_revision(self):
        with Daemon() as hearth:
            hearth.apply(hearth.function("colour", COLOUR))
            hearth.wait_ready("colour")
            image = hearth.get("lambdafunction", "colour")["status"]["buildStatus"]["imageURI"]
            hearth.apply(self.service(image, "blue"))
            self.wait_service(hearth)
            self.assertEqual(self.colour_at(hearth, "split.default.localhost"), "blue")

            hearth.apply(self.service(image, "green", [
                {"revisionName": "split-00001", "percent": 70, "tag": "old"},
                {"latestRevision": True, "percent": 30, "tag": "new"}]))
            wait_for(lambda: self.colour_at(hearth, "new-split.default.localhost") == "green", 60,
                     "the new revision to have its tag")
            self.assertEqual(self.colour_at(hearth, "old-split.default.localhost"), "blue")
            seen = [self.colour_at(hearth, "split.default.localhost") for _ in range(100)]
            self.assertEqual((seen.count("blue"), seen.count("green")), (70, 30))

            hearth.apply(self.service(image, "green", [
                {"revisionName": "split-00001", "percent": 0, "tag": "old"},
                {"latestRevision": True, "percent": 100}]))
            wait_for(lambda: {self.colour_at(hearth, "split.default.localhost")
                              for _ in range(20)} == {"green"}, 60, "all traffic to move")
            self.assertEqual(self.colour_at(hearth, "old-split.default.localhost"), "blue")

    def test_a_missing_revision_leaves_the_routing_as_it_was(self):
        with Daemon() as hearth:
            hearth.apply(hearth.function("colour", COLOUR))
            hearth.wait_ready("colour")
            image = hearth.get("lambdafunction", "colour")["status"]["buildStatus"]["imageURI"]
            hearth.apply(self.service(image, "blue", [
                {"latestRevision": True, "percent": 100, "tag": "live"}]))
            self.wait_service(hearth)
            served = hearth.get("route", "split")["status"]["traffic"]

            # The second revision gets ready, but no traffic: a target of this change is missing.
            hearth.apply(self.service(image, "green", [
                {"revisionName": "split-00009", "percent": 60},
                {"latestRevision": True, "percent": 40, "tag": "new"}]))
            wait_for(lambda: self.readiness(hearth) == ("False", "RevisionMissing"), 60,
                     "the service to tell of the missing revision")
            hearth.kubectl("wait", "revision/split-00002", "--for=condition=Ready",
                           "--timeout=60s")
            self.still_blue(hearth, served)
            hearth.stop()
            hearth.start()
            wait_for(lambda: self.colour_at(hearth, "split.default.localhost") == "blue", 30,
                     "the service to answer after the restart")
            self.still_blue(hearth, served)

            hearth.apply(self.service(image, "green", [{"latestRevision": True, "percent": 100}]))
            wait_for(lambda: self.colour_at(hearth, "split.default.localhost") == "green", 60,
                     "the good change to be routed")

    def still_blue(self, hearth, served):
        self.assertEqual({self.colour_at(hearth, "split.default.localhost") for _ in range(10)},
                         {"blue"})
        self.assertEqual(self.colour_at(hearth, "live-split.default.localhost"), "blue")
        route = hearth.get("route", "split")
        self.assertEqual(route["status"]["traffic"], served)
        self.assertEqual(self.readiness(hearth), ("False", "RevisionMissing"))

    def readiness(self, hearth):
        conditions = hearth.get("ksvc", "split")["status"]["conditions"]
        ready = [c for c in conditions if c["type"] == "Ready"][0]
        return ready["status"], ready.get("reason")

    def test_bad_traffic_and_containers_are_refused(self):
        with Daemon() as hearth:
            bad = self.service("example.com/none", "blue", [
                {"latestRevision": True, "percent": 90}])
            bad["spec"]["template"]["spec"]["containers"][0]["foo"] = "bar"
            done = hearth.kubectl("apply", "-f", "-", input=json.dumps(bad), check=False)
            self.assertNotEqual(done.returncode, 0)
            for text in ("Traffic targets sum to 90, want 100",
                         "must not set the field(s): spec.template.spec.containers[0].foo"):
                self.assertIn(text, done.stderr)
            self.assertIsNone(hearth.get("ksvc", "split"))


if __name__ == "__main__":
    unittest.main()
