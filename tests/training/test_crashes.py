"""A training that is killed at any moment leaves whole files or none, and ends in the same bytes.

Each attempt is a process of its own: a fork of a server that has imported the libraries, which
takes half a second where an interpreter takes five.
"""

import itertools
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import torch
from test_exact import FULL, LORA, contents

from emaki.training.segment import STOPPED, Segment

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "test_exact",
        "diffusers.models.unets.unet_2d_condition",
        "diffusers.schedulers.scheduling_ddpm",
        "pandas",
        "peft",
        "pyarrow.parquet",
        "tensorboard.summary.writer.record_writer",
        "transformers.models.clip.modeling_clip",
    ]
)
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}  # audit events, beside open()
FIRST, LAST = 1, 3


RUNS = {"full": FULL, "lora": LORA | {"train_text_encoder": True}}


@pytest.fixture(scope="module", params=RUNS)
def study(request, tmp_path_factory, model, latents):
    """Attempts at one segment, in a folder with the state that it starts from."""
    study = Study(tmp_path_factory.mktemp("study"), request.param, model, latents)
    assert study.attempt("before", 0, FIRST) == 0
    assert study.attempt("whole", FIRST, LAST) == 0
    study.whole = study.found("whole")
    assert {"state.safetensors", "checkpoint.json"} < study.whole.keys()
    return study


class Study:
    def __init__(self, folder, method, model, latents):
        self.folder, self.method, self.model, self.latents = folder, method, model, latents
        self.run = json.dumps(RUNS[method])

    def start(self, name, first, last, **blow):
        job = Segment(
            name=name,
            model=self.model,
            latents=self.latents,
            from_step=first,
            to_step=last,
            state=self.folder / "before/state" if first else None,
            output=self.folder / name / "run",
            state_output=self.folder / name / "state",
        )
        process = SERVER.Process(target=train, args=(job, self.run), kwargs=blow)
        process.start()
        return process

    def attempt(self, *arguments, **blow):
        """Run a segment in a process; return its exit code."""
        process = self.start(*arguments, **blow)
        process.join()
        return process.exitcode

    def found(self, name):
        return contents([self.folder / name / "run", self.folder / name / "state"])

    def left(self, name):
        """The names of temporary files and folders."""
        return [p.name for p in (self.folder / name).glob(".*") if p.suffix != ".interrupted"]

    def check(self, name):
        """What has its name is whole: a checkpoint, a state, an interrupted state."""
        for folder in (self.folder / name / "run", self.folder / name / "state"):
            whole = contents([self.folder / "whole" / folder.name])
            assert contents([folder]) in ({}, whole)
        left = self.folder / name / ".state.interrupted"
        assert not left.exists() or contents([left]).keys() == {"state.json", "state.safetensors"}
        assert len(self.left(name)) <= 2  # of the last attempt; those before it are gone


def train(job, run, kill=None, terminate=None, preempt=False, copy=None):
    """Train a segment in this process, which gets SIGKILL or SIGTERM at its change of that number.

    With `preempt` it gets SIGTERM while the training is made, and so ends after its first step.
    With `copy`, a pair (file, folder), the file is copied there before each change.
    """
    from emaki.training import segment, settings

    segment.device = lambda: torch.device("cpu")
    numbers = itertools.count(1)

    def watch(event, arguments):
        writes = event == "open" and str(arguments[1]).startswith("w")
        if (writes or event in CHANGES) and str(arguments[0]).startswith(str(job.output.parent)):
            number = next(numbers)
            if copy:
                shutil.copyfile(copy[0], copy[1] / f"{number:03d}")
            if number == kill:
                os.kill(os.getpid(), signal.SIGKILL)
            if number == terminate:
                os.kill(os.getpid(), signal.SIGTERM)
        reads = event == "open" and str(arguments[0]).endswith("/manifest.json")
        if preempt and reads and callable(signal.getsignal(signal.SIGTERM)):
            os.kill(os.getpid(), signal.SIGTERM)

    sys.addaudithook(watch)
    with open(os.devnull, "w") as sys.stderr:
        segment.run_segment(job, settings.read(run))


def check_end(study, name):
    assert study.attempt(name, FIRST, LAST) == 0
    assert study.found(name) == study.whole
    assert not list((study.folder / name).glob(".*"))


def test_killed_at_each_change_of_a_file(study):
    for number in itertools.count(1, step={"full": 1, "lora": 4}[study.method]):
        code = study.attempt("killed", FIRST, LAST, kill=number)
        study.check("killed")
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert number > 20
    check_end(study, "killed")


def test_killed_while_bytes_are_written(study):
    for milliseconds in (0, 10, 20, 30):
        process = study.start("torn", FIRST, LAST)
        while process.is_alive() and not any(f"-{process.pid}" in n for n in study.left("torn")):
            time.sleep(0.001)
        time.sleep(milliseconds / 1000)
        process.kill()
        process.join()
        study.check("torn")
    check_end(study, "torn")


def test_killed_while_the_state_of_a_preemption_is_written(study):
    for number in itertools.count(1, step={"full": 1, "lora": 4}[study.method]):
        code = study.attempt("preempted", FIRST, LAST, kill=number, preempt=True)
        study.check("preempted")
        if code == STOPPED:
            break
        assert code == -signal.SIGKILL
    check_end(study, "preempted")


def test_sigterm_while_the_checkpoint_is_written_lets_it_end(study):
    assert study.attempt("asked", FIRST, LAST, terminate=9) == 0
    assert study.found("asked") == study.whole


@contextmanager
def mounted(disk, place):
    """The file system in the file `disk`, at the folder `place`."""
    place.mkdir(exist_ok=True)
    # nothing but what is told to be on the disk gets there: no commit of the journal by the clock
    subprocess.run(["mount", "-o", "loop,commit=3600", disk, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(
    bool(os.getuid()) or not shutil.which("mkfs.ext4"), reason="needs root and mkfs.ext4"
)
def test_power_lost_at_each_change_of_a_file(study, tmp_path):
    """What a disk holds at that moment, seen by copies of it, is mounted as after a loss of power:
    files without their bytes and names without their files are what it would show."""
    disk, copies = tmp_path / "disk", tmp_path / "copies"
    copies.mkdir()
    with open(disk, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", disk], check=True)
    try:
        with mounted(disk, tmp_path / "here"):
            pass
    except subprocess.CalledProcessError:
        pytest.skip("root may not mount files here")
    with mounted(disk, tmp_path / "here") as here:
        for name in ("before", "whole"):
            (here / name).symlink_to(study.folder / name)
        os.sync()
        there = Study(here, study.method, study.model, study.latents)
        there.whole = study.whole
        assert there.attempt("lost", FIRST, LAST, copy=(disk, copies)) == 0
    lost = sorted(copies.iterdir())
    assert len(lost) > 15
    for number, copy in enumerate(lost):
        with mounted(copy, tmp_path / "there") as there.folder:
            there.check("lost")
            if number % 8 == 0:
                check_end(there, "lost")
