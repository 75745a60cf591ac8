"""The lease of GPUs, with real processes; the GPUs are names in CUDA_VISIBLE_DEVICES."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "scripts/jobs/run.py"
# Says which devices it was given, waits for a file and ends.
JOB = """
import os, sys, time
from pathlib import Path
print(os.environ["CUDA_VISIBLE_DEVICES"], os.getpid(), flush=True)
while not Path(sys.argv[1]).exists():
    time.sleep(0.02)
"""

# The same, but it ends at once and leaves a second process of its training, which waits.
SHARED_JOB = f"""
import sys
sys.path.insert(0, {str(RUN.parents[1])!r})
from emaki.training import processes
with processes.join(2, "cpu") as group:
    if group.rank == 0:
        import os
        print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
        os._exit(0)
    import time
    from pathlib import Path
    while not Path(sys.argv[1]).exists():
        time.sleep(0.02)
"""


@pytest.fixture
def start(tmp_path):
    """Start a job that keeps its GPUs until `end(name)`; what it prints is in `tmp_path/name`."""
    jobs = []

    def start(name, gpus, devices="0,1", job=JOB, **environment):
        script = tmp_path / f"{name}.py"
        script.write_text(job)
        environment = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), **environment}
        if devices is not None:
            environment["CUDA_VISIBLE_DEVICES"] = devices
        command = [sys.executable, RUN, "--warm", "--gpus", str(gpus), "--log", tmp_path / name]
        command += [script, tmp_path / f"{name}.end"]
        job = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        jobs.append((name, job))
        return job

    yield start
    for name, job in jobs:
        (tmp_path / f"{name}.end").touch()
        job.communicate(timeout=20)


@pytest.fixture
def devices(tmp_path):
    """The devices that a job has got (a set), or None while it waits."""

    def devices(name):
        path = tmp_path / name
        shown = path.read_text().split() if path.exists() else []
        return set(shown[0].split(",")) if shown else None

    return devices


def test_two_jobs_get_a_device_each(start, devices):
    start("a", 1)
    start("b", 1)
    wait_for(lambda: devices("a") and devices("b"))
    assert devices("a") | devices("b") == {"0", "1"}


def test_two_jobs_on_one_device_run_one_after_the_other(start, devices, tmp_path):
    start("a", 1, devices="3")
    wait_for(lambda: devices("a"))
    start("b", 1, devices="3")
    time.sleep(0.5)
    assert devices("b") is None
    (tmp_path / "a.end").touch()
    wait_for(lambda: devices("b") == {"3"})


def test_a_job_that_wants_two_waits_for_both(start, devices, tmp_path):
    start("a", 1)
    wait_for(lambda: devices("a"))
    start("pair", 2)
    time.sleep(0.5)
    assert devices("pair") is None
    (tmp_path / "a.end").touch()
    wait_for(lambda: devices("pair") == {"0", "1"})


def test_two_jobs_that_want_two_do_not_block_each_other(start, devices, tmp_path):
    for name in ("a", "b"):
        start(name, 2)
        (tmp_path / f"{name}.end").touch()
    wait_for(lambda: devices("a") == devices("b") == {"0", "1"})


def test_a_device_is_free_when_the_script_has_ended_not_when_its_starter_was_killed(
    start, devices, tmp_path
):
    first = start("a", 1, devices="0")
    wait_for(lambda: devices("a"))
    first.send_signal(signal.SIGKILL)
    first.wait()
    start("b", 1, devices="0")
    time.sleep(0.5)
    assert devices("b") is None  # the script itself still runs
    script = int((tmp_path / "a").read_text().split()[1])
    os.kill(script, signal.SIGKILL)
    wait_for(lambda: devices("b") == {"0"})


def test_a_device_is_free_when_the_last_process_of_a_training_has_ended(start, devices, tmp_path):
    assert start("a", 1, devices="0", job=SHARED_JOB).wait(60) == 0
    start("b", 1, devices="0")
    time.sleep(0.5)
    assert devices("b") is None
    (tmp_path / "a.end").touch()
    wait_for(lambda: devices("b") == {"0"})


@pytest.mark.parametrize("names", ["3,-1,4", "3,NoDevFiles", " 3", "3,,4"])
def test_names_after_one_that_is_no_device_do_not_count(start, devices, names):
    start("a", 1, devices=names)
    wait_for(lambda: devices("a") == {"3"})
    job = start("pair", 2, devices=names)
    assert "names 1 (3)" in job.communicate(timeout=10)[1]


def test_in_slurm_jobs_devices_with_one_name_are_different_devices(start, devices):
    start("a", 1, devices="0", SLURM_JOB_ID="7")
    start("b", 1, devices="0", SLURM_JOB_ID="8")
    wait_for(lambda: devices("a") == devices("b") == {"0"})


def test_devices_are_counted_where_nobody_names_them(start, devices, tmp_path):
    shown = tmp_path / "bin/nvidia-smi"
    shown.parent.mkdir()
    shown.write_text("#!/bin/sh\necho 'GPU 0: A100 (UUID: a)'\necho 'GPU 1: A100 (UUID: b)'\n")
    shown.chmod(0o755)
    path = f"{shown.parent}:{os.environ['PATH']}"
    start("pair", 2, devices=None, PATH=path)
    wait_for(lambda: devices("pair") == {"0", "1"})


@pytest.mark.parametrize(
    ("gpus", "environment", "said"),
    [
        (1, {"devices": ""}, "needs 1 GPU, and CUDA_VISIBLE_DEVICES names 0 (none)"),
        (1, {"devices": "-1"}, "needs 1 GPU, and CUDA_VISIBLE_DEVICES names 0 (none)"),
        (2, {"devices": "5"}, "needs 2 GPUs, and CUDA_VISIBLE_DEVICES names 1 (5)"),
        (1, {"devices": None, "PATH": "/nowhere"}, "needs 1 GPU, and `nvidia-smi -L` shows none"),
        (1, {"devices": None, "SLURM_JOB_ID": "7"}, "needs 1 GPU, and SLURM gave it none"),
    ],
)
def test_a_job_without_its_gpus_fails_at_once_with_a_sentence(start, gpus, environment, said):
    job = start("a", gpus, **environment)
    shown = job.communicate(timeout=10)[1]
    assert job.returncode == 1
    assert shown.startswith("error: this job ")
    assert said in shown
    assert len(shown.splitlines()) == 1


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
