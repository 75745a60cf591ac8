"""Two processes train as one with the same global batch, and end together."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from test_exact import contents, is_training

from emaki.training import loop, models, segment, settings

SCRIPTS = Path(__file__).parents[2] / "scripts"
SHARED = {"method": "full", "resolution": 32, "learning_rate": 1e-3, "ema": {}}
SHARED |= {"gradient_accumulation_steps": 2, "batch_size": 1, "num_processes": 2}
# scripts/train.py, but one of its processes cannot read its third batch.
BROKEN = f"""
import os, sys
sys.path.insert(0, {str(SCRIPTS)!r})
import train
from emaki.training import data
def broken(latents, run, step, *more, read=data.batch_of_step):
    if step == 2 and os.environ.get("EMAKI_RANK", "0") == "{{rank}}":
        raise OSError("the disk of rank {{rank}} is gone")
    return read(latents, run, step, *more)
data.batch_of_step = broken
train.main()
"""


def command(folder, model, latents, run, first, last, script=SCRIPTS / "train.py"):
    words = [script, "--name", "shared", "--run", json.dumps(run)]
    words += ["--model", model, "--latents", latents, "--output", folder / f"run{last}"]
    words += ["--from-step", first, "--to-step", last]
    words += ["--state", folder / f"state{first}"] if first else []
    return [str(word) for word in [*words, "--state-output", folder / f"state{last}"]]


def train(folder, *arguments):
    """Train a segment; return its losses and the bytes of its weights and state."""
    words = command(folder, *arguments)
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run, state = (folder / f"{kind}{arguments[-1]}" for kind in ("run", "state"))
    rows = pq.read_table(run / "metrics.parquet").to_pylist()
    return [row["loss"] for row in rows], contents([run, state])


@pytest.fixture(scope="module")
def one_go(tmp_path_factory, model, latents):
    return train(tmp_path_factory.mktemp("one"), model, latents, SHARED, 0, 4)


def test_two_processes_equal_one_and_resume_exactly(tmp_path, model, latents, one_go):
    alone = settings.read(json.dumps(SHARED | {"batch_size": 2, "num_processes": 1}))
    trainer = loop.make_trainer(alone, model, latents, torch.device("cpu"))
    loop.train(trainer, 0, 4, "alone")
    losses = [row["loss"] for row in trainer.metrics.rows]
    assert one_go[0] == pytest.approx(losses, rel=1e-5)
    train(tmp_path, model, latents, SHARED, 0, 3)
    assert train(tmp_path, model, latents, SHARED, 3, 4)[1] == one_go[1]


@pytest.mark.slow
def test_sigterm_loses_no_step(tmp_path, model, latents, one_go):
    words = command(tmp_path, model, latents, SHARED, 0, 4)
    job = subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True)
    while job.poll() is None and not is_training(job.pid):
        time.sleep(0.02)
    job.send_signal(signal.SIGTERM)
    said = job.communicate(timeout=60)[1]
    assert job.returncode == segment.STOPPED, said
    left = json.loads((tmp_path / ".state4.interrupted/state.json").read_text())
    assert 0 < left["step"] < 4
    assert train(tmp_path, model, latents, SHARED, 0, 4)[1] == one_go[1]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_fails_ends_all_and_is_the_one_that_is_told(tmp_path, model, latents, rank):
    script = tmp_path / "broken.py"
    script.write_text(BROKEN.replace("{rank}", str(rank)))
    words = command(tmp_path, model, latents, SHARED, 0, 9, script)
    run = [sys.executable, SCRIPTS / "jobs/run.py", "--log", tmp_path / "log", *words]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"OSError: the disk of rank {rank} is gone" in done.stderr.strip().splitlines()[-1]


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    current = []  # where there is no GPU, it is only said which
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    assert models.place(torch.device("cuda"), 1) == torch.device("cuda", 1)
    assert current == [1]
