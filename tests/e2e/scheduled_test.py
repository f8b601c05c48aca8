"""The scheduled sample: both kinds of sources call the function at the full minute."""

import unittest

from daemon import ROOT, Daemon, wait_for

SOURCES = ("pingsource", "cronjobsource")
TEAM = '"hearth"'  # in the samples' data


class ScheduledTest(unittest.TestCase):
    def test_a_ping_and_a_cron_job_source_each_call_the_function(self):
        with Daemon() as hearth:
            hearth.kubectl("apply", "-f", str(ROOT / "samples/scheduled/function.yaml"))
            hearth.wait_ready("scheduled-report")
            for source in SOURCES:
                # The function reports for whom it was called: here each source is one of its own.
                text = (ROOT / "samples/scheduled" / (source + ".yaml")).read_text()
                self.assertEqual(text.count(TEAM), 1)
                hearth.kubectl("apply", "-f", "-", input=text.replace(TEAM, '"%s"' % source))

            def reports():
                pods = hearth.kubectl("get", "pods", "-o", "name").split()
                logs = "".join(hearth.kubectl("logs", pod, check=False).stdout
                               for pod in pods if "scheduled-report-0" in pod)
                return {source for source in SOURCES if "report for " + source in logs}
            wait_for(lambda: reports() == set(SOURCES), 100, "a report for each source")


if __name__ == "__main__":
    unittest.main()
