"""Runs one end-to-end test file; those that only need a daemon's addresses get one started.

    run.py s3_test.py
"""

import os
import pathlib
import sys
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
import daemon  # noqa: E402


def main():
    name = sys.argv[1].removesuffix(".py")
    with daemon.Daemon() as hearth:
        ready = hearth.ready
        os.environ.update(
            HEARTH_BINARY=daemon.BINARY,
            HEARTH_TOKEN=(pathlib.Path(ready["state"]) / "token").read_text().strip(), HEARTH_GATEWAY=ready["gateway"],
            KUBECONFIG=ready["kubeconfig"], HEARTH_REGISTRY=ready["registry"],
            HEARTH_S3_ENDPOINT=ready["s3"], HEARTH_S3_ACCESS=ready["s3AccessKey"],
            HEARTH_S3_ACCESS_KEY=ready["s3AccessKey"], HEARTH_S3_SECRET=ready["s3SecretKey"],
            HEARTH_S3_SECRET_KEY=ready["s3SecretKey"], HOME=str(hearth.folder))
        suite = unittest.defaultTestLoader.loadTestsFromName(name)
        result = unittest.TextTestRunner(verbosity=2).run(suite)
        if not result.wasSuccessful():
            print(hearth.output()[-4000:])
    # A file of skipped tests only would say nothing: its clients are installed by scripts/test.
    ran = result.testsRun - len(result.skipped)
    sys.exit(0 if result.wasSuccessful() and ran > 0 else 1)


main()
