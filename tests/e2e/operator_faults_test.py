"""The operator behind an API server that fails in every way it knows: nothing is lost, doubled or
left half done. Each test also asks whether its fault happened at all."""

import unittest

import fault_proxy
from daemon import wait_for
from fault_proxy import FaultProxy
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
        cls.operator = Operator(cls.hearth, kubeconfig=cls.proxy.kubeconfig)
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
        self.proxy.fail(fault_proxy.too_many_requests(1), method="POST", path=JOBS, times=2)
        self.proxy.fail(fault_proxy.too_many_requests(1), method="PUT", path=FUNCTIONS)
        self.proxy.fail(fault_proxy.status_answer(429, "TooManyRequests"), method="POST",
                        path=SERVICES)
        self.apply("limited")
        self.assert_settles("limited")

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

    def test_slow_answers(self):
        self.proxy.fail(fault_proxy.slow(3), method="POST", path=JOBS)
        self.proxy.fail(fault_proxy.slow(3), method="PUT", path="/status", times=2)
        self.apply("slow")
        self.apply("beside")  # one slow request holds up nobody else
        self.assert_settles("beside")
        self.assert_settles("slow")

    def test_watches_that_are_cut_while_things_change(self):
        for round_number in range(3):
            wait_for(lambda: self.proxy.cut_watches(), 60, "a watch to cut")
            self.apply("cut-%d" % round_number)
            self.proxy.cut_watches()
        for round_number in range(3):
            self.assert_settles("cut-%d" % round_number)

    def test_a_watch_that_is_cut_within_an_event(self):
        self.proxy.cut_within_next_event(FUNCTIONS)
        self.proxy.cut_within_next_event(JOBS)
        self.apply("within")
        self.assert_settles("within")
        self.assertIn("HALF", [method for method, _ in self.proxy.done])

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
