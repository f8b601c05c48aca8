"""run.sh: a finding is a failure until it passes; only a fuzzer that is not built is skipped."""

import pathlib
import subprocess
import tempfile
import unittest

RUN = pathlib.Path(__file__).resolve().parent / "run.sh"
SKIPPED = 77  # SKIP_RETURN_CODE in CMakeLists.txt, and what libFuzzer ends with after a finding


# A fuzzer that is given one file reads it: it breaks on "bad", whatever else comes before or after.
READS = """for last; do :; done
if [ -f "$last" ]; then echo "read $last"; ! grep -q bad "$last" || exit %d; exit 0; fi
exit 0
""" % SKIPPED


class RunTest(unittest.TestCase):
    def outcome(self, script, broken=()):
        """Its exit code; `left` is what stays in broken/, `said` all that was printed."""
        with tempfile.TemporaryDirectory() as folder:
            fuzzer = pathlib.Path(folder, "fuzzer")
            if script is not None:
                fuzzer.write_text("#!/bin/sh\n" + script)
                fuzzer.chmod(0o755)
            seeds = pathlib.Path(folder, "seeds")
            seeds.mkdir()
            work = pathlib.Path(folder, "work")
            (work / "broken").mkdir(parents=True)
            for name in broken:
                (work / "broken" / name).write_text(name)
            done = subprocess.run([RUN, fuzzer, work, seeds, "10"], capture_output=True, text=True,
                                  timeout=60)
            self.said = done.stdout
            self.left = sorted(path.name for path in (work / "broken").iterdir())
            return done.returncode

    def test_a_fuzzer_that_finds_nothing_passes(self):
        self.assertEqual(self.outcome("exit 0"), 0)

    def test_a_finding_is_a_failure(self):
        self.assertEqual(self.outcome("exit %d" % SKIPPED), 1)

    def test_a_timeout_is_a_failure(self):
        self.assertEqual(self.outcome("exit 70"), 70)

    def test_a_fuzzer_that_is_not_built_is_skipped(self):
        self.assertEqual(self.outcome(None), SKIPPED)

    def test_an_earlier_finding_is_tried_again(self):
        self.assertEqual(self.outcome(READS, ["crash bad"]), 1)
        self.assertEqual(self.left, ["crash bad"])
        self.assertIn("crash bad", self.said)

    def test_an_earlier_finding_that_is_mended_goes(self):
        self.assertEqual(self.outcome(READS, ["crash-1", "timeout-2"]), 0)
        self.assertEqual(self.left, [])
        self.assertIn("crash-1", self.said)
        self.assertIn("timeout-2", self.said)

    def test_one_that_is_mended_does_not_hide_another(self):
        self.assertEqual(self.outcome(READS, ["crash-1", "crash-2 bad", "crash-3 bad"]), 1)
        self.assertEqual(self.left, ["crash-2 bad", "crash-3 bad"])


if __name__ == "__main__":
    unittest.main()
