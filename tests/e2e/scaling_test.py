"""The autoscaler as callers see it: how many instances answer, how many requests one takes at once,
and when they go. Each answer names its instance and says from when to when it was worked on."""

import concurrent.futures
import json
import time
import unittest

from daemon import Daemon, wait_for
from exhaustion_test import api_connection, ask

CODE = """
import time, uuid

INSTANCE = uuid.uuid4().hex  # of this process: the module is loaded once in each

def handler(event):
    began = time.monotonic()
    time.sleep(event.get("seconds", 0))
    return {"instance": INSTANCE, "began": began, "ended": time.monotonic()}
"""
# Knative's least window; the last instance stays for the grace, which begins with the silence too.
WINDOW_SECONDS = 6
GRACE_SECONDS = 30
ANNOTATIONS = "autoscaling.knative.dev/"


def most_at_once(answers):
    """How many of them were worked on at the same time."""
    moments = sorted([(answer["began"], 1) for answer in answers] +
                     [(answer["ended"], -1) for answer in answers])
    running = most = 0
    for _, step in moments:
        running += step
        most = max(most, running)
    return most


def by_instance(answers):
    groups = {}
    for answer in answers:
        groups.setdefault(answer["instance"], []).append(answer)
    return groups


class ScalingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = cls.enterClassContext(Daemon())
        cls.hearth.apply(
            cls.hearth.function("single", CODE, scaling={
                "containerConcurrency": 1, "targetConcurrency": 1, "maxReplicas": 3}),
            cls.hearth.function("double", CODE, scaling={
                "containerConcurrency": 2, "targetConcurrency": 2, "maxReplicas": 2}),
            cls.hearth.function("kept", CODE, scaling={"minReplicas": 2, "maxReplicas": 3}))
        for name in ("single", "double", "kept"):
            cls.hearth.wait_ready(name)

    def call(self, name, seconds):
        status, _, body = self.hearth.call(name + ".default.localhost",
                                           json.dumps({"seconds": seconds}))
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def call_at_once(self, name, count, seconds):
        with concurrent.futures.ThreadPoolExecutor(count) as callers:
            return list(callers.map(lambda _: self.call(name, seconds), range(count)))

    def instances(self, service):
        status, body = ask(api_connection(self.hearth), "GET", "/api/v1/namespaces/default/pods"
                           "?labelSelector=serving.knative.dev%2Fservice%3D" + service, None,
                           self.authorization())
        self.assertEqual(status, 200, body)
        return [pod["metadata"]["name"] for pod in json.loads(body)["items"]]

    def started(self, prefix):
        """Instances that were started, whether they are still there or not."""
        events = json.loads(self.hearth.kubectl("get", "events", "-o", "json"))["items"]
        return {event["involvedObject"]["name"] for event in events if event["reason"] == "Started"
                and event["involvedObject"]["name"].startswith(prefix)}

    def service(self, name, image, **annotations):
        """A Knative Service: what a function's scaling has no fields for."""
        return {"apiVersion": "serving.knative.dev/v1", "kind": "Service",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"template": {
                    "metadata": {"annotations": {ANNOTATIONS + key.replace("_", "-"): value
                                                 for key, value in annotations.items()}},
                    "spec": {"containerConcurrency": 1, "containers": [{"image": image}]}}}}

    def deploy_service(self, name, **annotations):
        image = self.hearth.get("lambdafunction", "single")["status"]["buildStatus"]["imageURI"]
        self.hearth.apply(self.service(name, image, **annotations))
        self.hearth.kubectl("wait", "ksvc/" + name, "--for=condition=Ready", "--timeout=60s")

    def test_ten_calls_at_once_are_answered_by_as_many_instances_as_there_may_be(self):
        answers = self.call_at_once("single", 10, seconds=1.5)
        groups = by_instance(answers)
        self.assertEqual(len(answers), 10)
        self.assertEqual(len(groups), 3, groups)
        for of_one in groups.values():
            self.assertEqual(most_at_once(of_one), 1, of_one)
        self.assertEqual(most_at_once(answers), 3)

    def test_an_instance_takes_as_many_requests_at_once_as_its_concurrency_says(self):
        answers = self.call_at_once("double", 12, seconds=1.5)
        groups = by_instance(answers)
        self.assertEqual(len(groups), 2, groups)
        for of_one in groups.values():
            self.assertEqual(most_at_once(of_one), 2, of_one)

    def test_the_least_scale_is_there_without_a_request_and_comes_back(self):
        before = wait_for(lambda: len(self.instances("kept")) == 2 and self.instances("kept"), 20,
                          "two instances")
        self.hearth.call("localhost", b"{}", path="/hearth/v1/functions/default/kept/scale-to-zero",
                         headers=self.authorization())
        wait_for(lambda: len(self.instances("kept")) == 2 and
                 not set(before) & set(self.instances("kept")), 20, "two others")

    def test_a_service_is_ready_with_its_initial_scale(self):
        self.deploy_service("many", initial_scale="3")
        # Two of them may go soon, for nobody asks: their Events stay.
        wait_for(lambda: len(self.started("many-")) == 3, 20, "three instances to have started")

    def test_instances_go_after_the_window_of_silence_and_the_last_after_the_grace(self):
        self.deploy_service("brief", target="1", max_scale="3", window="%ds" % WINDOW_SECONDS)
        answers = self.call_at_once("brief", 10, seconds=1.5)
        silent_since = time.monotonic()
        self.assertEqual(len(by_instance(answers)), 3)
        wait_for(lambda: len(self.instances("brief")) == 1, GRACE_SECONDS - 5, "one to stay")
        self.assertGreater(time.monotonic() - silent_since, WINDOW_SECONDS / 2)
        wait_for(lambda: not self.instances("brief"), GRACE_SECONDS + 10, "none to stay")
        self.assertGreater(time.monotonic() - silent_since, GRACE_SECONDS - 3)
        # Who calls now wakes it: another instance answers.
        self.assertNotIn(self.call("brief", 0)["instance"], by_instance(answers))

    def authorization(self):
        token = (self.hearth.folder / "state" / "token").read_text().strip()
        return {"Authorization": "Bearer " + token}


if __name__ == "__main__":
    unittest.main()
