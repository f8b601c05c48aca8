"""The scheduled sample: both kinds of sources call the function at the full minute."""

import unittest

from daemon import ROOT, Daemon, wait_for


class ScheduledTest(unittest.TestCase):
    def test_a_ping_and_a_cron_job_source_call_the_function_each_minute(self):
        with Daemon() as hearth:
            hearth.kubectl("apply", "-f", str(ROOT / "samples/scheduled/function.yaml"))
            hearth.wait_ready("scheduled-report")
            for source in ("pingsource", "cronjobsource"):
                hearth.kubectl("apply", "-f", str(ROOT / "samples/scheduled" / (source + ".yaml")))

            def reports():
                pods = hearth.kubectl("get", "pods", "-o", "name").split()
                return sum(hearth.kubectl("logs", pod, check=False).stdout.count("report for hearth")
                           for pod in pods if "scheduled-report-0" in pod)
            wait_for(lambda: reports() >= 2, 100, "a report of each source")


if __name__ == "__main__":
    unittest.main()
