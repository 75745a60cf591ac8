"""After the clock was set back one command goes on."""

import os
import shlex
import subprocess
import time

import pytest

from emaki.common.errors import UserError
from emaki.workflow import clock


def test_files_of_tomorrow_are_told_with_the_command_that_dates_them_now(tmp_path):
    folder = tmp_path / "results/small"
    (folder / "runs").mkdir(parents=True)
    clock.refuse(folder)
    weights = folder / "runs/weights"
    weights.touch()
    tomorrow = time.time() + 86_400
    os.utime(weights, (tomorrow, tomorrow))
    clock.refuse(folder, now=tomorrow)
    with pytest.raises(
        UserError, match=r"^1 files in .*runs/weights of .*: the clock was set"
    ) as e:
        clock.refuse(folder)
    subprocess.run(shlex.split(str(e.value).rpartition("again: ")[2]), check=True)
    clock.refuse(folder)
    assert abs(weights.stat().st_mtime - time.time()) < 60


def test_no_folder_has_no_files(tmp_path):
    clock.refuse(tmp_path / "none")
