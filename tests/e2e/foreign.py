"""Programs of others that tests drive: one that can't be had fails its tests, so that nobody takes
for tested what wasn't.

HEARTH_SKIP_CLIENTS=1 allows to go without, where there is no registry or no such package.
"""

import os
import unittest


def need(found, reason):
    """Lets who calls go on with what was found."""
    if found:
        return found
    if os.environ.get("HEARTH_SKIP_CLIENTS") == "1":
        raise unittest.SkipTest(reason)
    raise AssertionError(reason + "; HEARTH_SKIP_CLIENTS=1 goes on without it")
