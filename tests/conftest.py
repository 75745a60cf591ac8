"""Tests import the package as the scripts do."""

import os
import sys
from pathlib import Path

from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).parents[1]
# the package; what runs jobs; a study's results and its screenshots; small models; hostile pictures
PLACES = ("scripts", "scripts/jobs", "scripts/tools", "tests/report", "tests/training")
sys.path[:0] = [str(ROOT / place) for place in (*PLACES, "tests/data")]
os.environ["PYTHONPATH"] = str(ROOT / "scripts")  # as `make` sets it

# They share a study that takes a minute or more to run.
SHARING = {f"tests/workflow/test_{name}.py" for name in ("end_to_end", "faults", "invalidation")}


class Scheduler(LoadFileScheduling):
    """What shares a fixture runs in one process: the tests of a file, and those of SHARING.

    xdist's `--dist loadgroup` marks node ids, in which pytest 9.2 takes no notice of it.
    """

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return "sharing" if file in SHARING else file


def pytest_xdist_make_scheduler(config, log):
    return Scheduler(config, log)


def pytest_collection_modifyitems(items):
    """The longest first, so that no process is left to end alone."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/workflow"))
