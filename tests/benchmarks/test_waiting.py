"""Two trainers that are measured together: when one dies, nobody waits for it."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from train_vs_diffusers import wait_for_both


def start(code):
    log = tempfile.TemporaryFile()  # noqa: SIM115
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT), log


@pytest.mark.parametrize("code", ["raise SystemExit('no such operator: nms')", "print('done')"])
def test_one_that_ends_before_its_first_step_ends_both(code, tmp_path):
    jobs = [start(code), start("import time; time.sleep(600)")]
    begin = time.monotonic()
    with pytest.raises(SystemExit, match="ended before its first step") as caught:
        wait_for_both(jobs, [tmp_path / "first.json", tmp_path / "second.json"])
    assert time.monotonic() - begin < 60
    assert jobs[1][0].poll() is not None
    assert code.split("'")[1] in str(caught.value)


def test_two_that_end_well(tmp_path):
    jobs = [start(f"open({str(tmp_path / name)!r}, 'w')") for name in ("a.ready", "b.ready")]
    wait_for_both(jobs, [tmp_path / "a.json", tmp_path / "b.json"])
