"""The operator behind an API server that fails in every way it knows: nothing is lost, doubled or
left half done. Each test also asks whether its fault happened at all."""

import json
import unittest
import urllib.request

import fault_proxy
from daemon import wait_for
from fault_proxy import FaultProxy, Held
from operator_process import Cluster, Operator
from operator_test import HELLO, ONCE, settled

FUNCTIONS = "/lambdafunctions"
JOBS = "/jobs"
SERVICES = "/services"


class OperatorFaultsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = Cluster()
        cls.hearth.__enter__()
        cls.addClassCleanup(cls.hearth.__exit__)
        cls.proxy = FaultProxy(cls.hearth)
        cls.proxy.__enter__()
        cls.addClassCleanup(cls.proxy.__exit__)
        cls.operator = Operator(cls.hearth, "--commands", kubeconfig=cls.proxy.kubeconfig)
        cls.operator.__enter__()
        cls.addClassCleanup(cls.operator.__exit__)

    def setUp(self):
        self.assertEqual(self.proxy.pending(), [])
        self.assertIsNone(self.operator.process.poll(), "the operator lives")

    def apply(self, name, code=HELLO):
        self.hearth.apply(self.hearth.function(name, code))

    def assert_settles(self, name):
        """Ready, answering, everything there once, no fault left over."""
        self.hearth.wait_ready(name, timeout=180)
        status, _, body = self.hearth.call(name + ".default.localhost", '{"who": "ada"}')
        self.assertEqual((status, body), (200, "hello from ada"))
        self.assertEqual(settled(self.hearth, name), ONCE)
        wait_for(lambda: not self.proxy.pending(), 60, "all faults to have happened")
        self.assertNotIn("bug", self.operator.output())

    def test_conflicts(self):
        self.proxy.fail(fault_proxy.conflict(), method="PUT", path=FUNCTIONS, times=3)
        self.apply("conflicts")
        self.assert_settles("conflicts")

    def test_too_many_requests(self):
        in_a_second = fault_proxy.too_many_requests(1)
        self.proxy.fail(in_a_second, method="POST", path=JOBS, times=2)
        self.proxy.fail(in_a_second, method="PUT", path=FUNCTIONS)
        self.proxy.fail(fault_proxy.status_answer(429, "TooManyRequests"), method="POST",
                        path=SERVICES)
        self.apply("limited")
        self.assert_settles("limited")
        pauses = self.proxy.pauses_after(in_a_second)
        self.assertEqual(len(pauses), 3)
        for pause in pauses:
            self.assertGreaterEqual(pause, 1, "as Retry-After asked")
            self.assertLess(pause, 5)

    def test_server_errors(self):
        self.proxy.fail(fault_proxy.server_error(), method="GET", path=FUNCTIONS + "/", times=2)
        self.proxy.fail(fault_proxy.server_error(), method="POST", path="/triggers")
        self.proxy.fail(fault_proxy.server_error(), method="PUT", path="/status", times=2)
        self.apply("errors")
        self.assert_settles("errors")

    def test_connections_that_break_before_the_request_is_done(self):
        self.proxy.fail(fault_proxy.cut, method="GET", path=FUNCTIONS + "/", times=2)
        self.proxy.fail(fault_proxy.cut, method="POST", path=SERVICES)
        self.apply("broken")
        self.assert_settles("broken")

    def test_writes_that_are_done_though_nobody_says_so(self):
        self.proxy.fail(fault_proxy.done_but_unanswered, method="POST", path="/triggers")
        self.proxy.fail(fault_proxy.done_but_500, method="POST", path=SERVICES)
        self.proxy.fail(fault_proxy.done_but_unanswered, method="PUT", path="/status")
        self.apply("uncertain")
        self.assert_settles("uncertain")

    def test_a_build_job_that_is_made_though_nobody_says_so(self):
        self.proxy.fail(fault_proxy.done_but_unanswered, method="POST", path=JOBS)
        self.apply("secret-job")
        self.assert_settles("secret-job")

    def test_half_answers(self):
        self.proxy.fail(fault_proxy.half_an_answer, method="GET", path=FUNCTIONS + "/")
        self.proxy.fail(fault_proxy.no_json, method="GET", path=FUNCTIONS + "/")
        self.proxy.fail(fault_proxy.half_an_answer, method="POST", path="/configmaps")
        self.apply("halves")
        self.assert_settles("halves")

    def test_a_slow_answer_holds_up_nobody_else(self):
        for method, path in (("POST", JOBS), ("PUT", "/status")):
            with self.subTest(method=method, path=path):
                slow, beside = "slow-" + method.lower(), "beside-" + method.lower()
                answer = Held()
                self.addCleanup(answer.release)
                self.proxy.fail(answer, method=method, path=path, about=slow)
                self.apply(slow)
                self.assertTrue(answer.arrived.wait(60), "the operator to ask")
                self.apply(beside)
                self.assert_settles(beside)
                self.assertIsNone(self.request_of(answer).answered, "it waits all the while")
                answer.release()
                self.assert_settles(slow)

    def request_of(self, act):
        """The one that met this fault."""
        found = [request for request in self.proxy.requests
                 if request.fault and request.fault.act is act]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_watches_that_are_cut_while_things_change(self):
        for round_number in range(3):
            wait_for(lambda: self.proxy.cut_watches(), 60, "a watch to cut")
            self.apply("cut-%d" % round_number)
            self.proxy.cut_watches()
        for round_number in range(3):
            self.assert_settles("cut-%d" % round_number)

    def test_a_watch_that_is_cut_within_an_event(self):
        before = len(self.proxy.done)
        self.proxy.cut_within_next_event(FUNCTIONS)
        self.proxy.cut_within_next_event(JOBS)
        self.apply("within")
        self.assert_settles("within")
        cut = self.proxy.done[before:]
        self.assertEqual([method for method, _ in cut], ["HALF", "HALF"])
        for path in (FUNCTIONS, JOBS):
            self.assertEqual(len([where for _, where in cut if path + "?" in where]), 1, cut)

    def test_history_that_is_gone(self):
        """What was made and deleted while nobody watched is noticed by listing again."""
        self.apply("gone-before")
        self.assert_settles("gone-before")
        self.proxy.fail(fault_proxy.gone_as_event, path=FUNCTIONS, watch=True)
        self.proxy.fail(fault_proxy.gone_as_status(), path=JOBS, watch=True)
        self.proxy.fail(fault_proxy.gone_as_event, path=SERVICES, watch=True)
        wait_for(lambda: self.proxy.cut_watches() >= 3, 60, "the watches to cut")
        self.hearth.kubectl("delete", "lambdafunction", "gone-before", "--wait=false")
        self.apply("gone-after")
        self.assert_settles("gone-after")
        wait_for(lambda: self.hearth.get("lambdafunction", "gone-before") is None, 60,
                 "the deletion to be noticed")

    def test_lists_that_fail_or_end_within_a_page(self):
        """Half a list is no list: what it doesn't name is not taken for deleted."""
        self.apply("listed")
        self.apply("unlisted")
        self.assert_settles("listed")
        self.assert_settles("unlisted")
        for path in (FUNCTIONS, JOBS, SERVICES):
            self.proxy.fail(fault_proxy.gone_as_event, path=path, watch=True)
            for fault in (fault_proxy.server_error(), fault_proxy.no_json,
                          fault_proxy.half_an_answer):
                self.proxy.fail(fault, method="GET", path=path + "?")
        before = {name: self.uids(name) for name in ("listed", "unlisted")}
        wait_for(lambda: self.proxy.cut_watches() >= 3, 60, "the watches to cut")
        self.hearth.kubectl("delete", "lambdafunction", "unlisted", "--wait=false")
        self.apply("listed-late")
        self.assert_settles("listed-late")
        self.assert_settles("listed")
        self.assertEqual(self.uids("listed"), before["listed"], "nothing was made anew")
        wait_for(lambda: self.hearth.get("lambdafunction", "unlisted") is None, 60,
                 "the deletion to be noticed")

    def uids(self, name):
        return {kind: [item["metadata"]["uid"] for item in self.hearth.items(kind, name)]
                for kind in ("jobs", "services.serving.knative.dev", "triggers", "configmaps")}

    def test_deletions_that_fail_or_are_done_though_nobody_says_so(self):
        self.apply("leaves")
        self.assert_settles("leaves")
        self.proxy.fail(fault_proxy.server_error(), method="DELETE", path="/triggers/", times=2)
        self.proxy.fail(fault_proxy.done_but_unanswered, method="DELETE", path=SERVICES + "/")
        self.proxy.fail(fault_proxy.done_but_500, method="DELETE", path="/configmaps/")
        self.proxy.fail(fault_proxy.cut, method="PUT", path=FUNCTIONS + "/leaves")
        self.hearth.kubectl("delete", "lambdafunction", "leaves", "--timeout=120s")
        wait_for(lambda: not self.proxy.pending(), 60, "all faults to have happened")
        for kind in ("jobs", "services.serving.knative.dev", "triggers", "configmaps"):
            wait_for(lambda: not self.hearth.items(kind, "leaves"), 60, kind + " to go")
        self.assertNotIn("bug", self.operator.output())

    def test_patches_that_fail_or_are_done_though_nobody_says_so(self):
        """A rebuild that is asked for by a command: one new Job, however often it was written."""
        self.apply("patched")
        self.assert_settles("patched")
        first = self.hearth.items("jobs", "patched")[0]["metadata"]["uid"]
        self.proxy.fail(fault_proxy.server_error(), method="PATCH", path=FUNCTIONS + "/patched")
        self.proxy.fail(fault_proxy.done_but_unanswered, method="PATCH",
                        path=FUNCTIONS + "/patched")
        self.proxy.fail(fault_proxy.half_an_answer, method="PATCH", path=FUNCTIONS + "/patched")
        self.proxy.fail(fault_proxy.done_but_unanswered, method="DELETE", path=JOBS + "/")
        before = len(self.proxy.requests)
        self.assertEqual(self.command("build.start", "patched"), 202)
        wait_for(lambda: [job for job in self.hearth.items("jobs", "patched")
                          if job["metadata"]["uid"] != first], 60, "the rebuild")
        self.assert_settles("patched")
        made = [request for request in self.proxy.requests[before:]
                if request.method == "POST" and request.path.partition("?")[0].endswith(JOBS)]
        # The first finds the Job of before, the second comes when that is deleted.
        self.assertEqual(len(made), 2, made)

    def command(self, name, function):
        event = {"specversion": "1.0", "id": name + "-" + function, "source": "/test",
                 "type": "io.knative.lambda.command." + name,
                 "datacontenttype": "application/json",
                 "data": {"namespace": "default", "name": function}}
        request = urllib.request.Request(
            self.operator.url + "/events", data=json.dumps(event).encode(),
            headers={"Content-Type": "application/cloudevents+json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status

    def test_a_token_that_expires(self):
        before = self.proxy.refused
        self.proxy.token_file.write_text("second")
        self.proxy.rotate_token("second")
        self.apply("rotated")
        self.assert_settles("rotated")
        self.assertGreater(self.proxy.refused, before)

    def test_a_token_that_comes_late(self):
        """Refused until the file is rewritten: the operator neither ends nor gives up."""
        before = self.proxy.refused
        self.proxy.rotate_token("third")
        self.apply("late")
        wait_for(lambda: self.proxy.refused >= before + 3, 60, "requests to be refused")
        self.proxy.token_file.write_text("third")
        self.assert_settles("late")


if __name__ == "__main__":
    unittest.main()
