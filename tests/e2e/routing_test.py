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


if __name__ == "__main__":
    unittest.main()
