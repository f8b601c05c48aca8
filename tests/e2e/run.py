"""Runs one end-to-end test file; those that only need a daemon's addresses get one started.

    run.py s3_test.py
"""

import os
import pathlib
import sys
import unittest
from collections import Counter

PASSED, FAILED, SKIPPED = 0, 1, 77  # 77: SKIP_RETURN_CODE in tests/CMakeLists.txt
FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
import daemon  # noqa: E402


def main():
    name = sys.argv[1].removesuffix(".py")
    with daemon.Daemon() as hearth:
        ready = hearth.ready
        os.environ.update(
            HEARTH_BINARY=daemon.BINARY,
            HEARTH_TOKEN=(pathlib.Path(ready["state"]) / "token").read_text().strip(),
            HEARTH_GATEWAY=ready["gateway"],
            KUBECONFIG=ready["kubeconfig"], HEARTH_REGISTRY=ready["registry"],
            HEARTH_S3_ENDPOINT=ready["s3"], HEARTH_S3_ACCESS=ready["s3AccessKey"],
            HEARTH_S3_ACCESS_KEY=ready["s3AccessKey"], HEARTH_S3_SECRET=ready["s3SecretKey"],
            HEARTH_S3_SECRET_KEY=ready["s3SecretKey"], HOME=str(hearth.folder))
        suite = unittest.defaultTestLoader.loadTestsFromName(name)
        result = unittest.TextTestRunner(verbosity=2).run(suite)
        if not result.wasSuccessful():
            print(hearth.output()[-4000:])
    # On the last lines, where a file that passed shows what it did not look at.
    for reason, count in Counter(reason for _, reason in result.skipped).most_common():
        print("SKIPPED %d: %s" % (count, reason))
    sys.exit(exit_code(result))


def exit_code(result):
    """A file of which nothing ran has shown nothing: ctest counts it as skipped, not as passed."""
    if not result.wasSuccessful():
        return FAILED
    # What setUpClass or setUpModule skipped was not run at all.
    ran = result.testsRun - sum(isinstance(test, unittest.TestCase) for test, _ in result.skipped)
    if ran > 0:
        return PASSED
    return SKIPPED if result.skipped else FAILED


main()
