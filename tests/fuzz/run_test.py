"""run.sh: what a fuzzer finds is a failure, only one that is not built is skipped."""

import pathlib
import subprocess
import tempfile
import unittest

RUN = pathlib.Path(__file__).resolve().parent / "run.sh"
SKIPPED = 77  # SKIP_RETURN_CODE in CMakeLists.txt, and what libFuzzer ends with after a finding


class RunTest(unittest.TestCase):
    def outcome(self, script):
        with tempfile.TemporaryDirectory() as folder:
            fuzzer = pathlib.Path(folder, "fuzzer")
            if script is not None:
                fuzzer.write_text("#!/bin/sh\n" + script)
                fuzzer.chmod(0o755)
            seeds = pathlib.Path(folder, "seeds")
            seeds.mkdir()
            return subprocess.run([RUN, fuzzer, pathlib.Path(folder, "work"), seeds, "10"],
                                  capture_output=True, timeout=60).returncode

    def test_a_fuzzer_that_finds_nothing_passes(self):
        self.assertEqual(self.outcome("exit 0"), 0)

    def test_a_finding_is_a_failure(self):
        self.assertEqual(self.outcome("exit %d" % SKIPPED), 1)

    def test_a_timeout_is_a_failure(self):
        self.assertEqual(self.outcome("exit 70"), 70)

    def test_a_fuzzer_that_is_not_built_is_skipped(self):
        self.assertEqual(self.outcome(None), SKIPPED)


if __name__ == "__main__":
    unittest.main()
