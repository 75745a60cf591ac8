"""Two processes train as one with the same global batch."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from emaki.training import loop, settings

SCRIPT = Path(__file__).parents[2] / "scripts/train.py"


def train(folder, model, latents, run, first, last):
    command = [sys.executable, SCRIPT, "--name", "shared", "--run", json.dumps(run)]
    command += ["--model", model, "--latents", latents, "--output", folder / f"run{last}"]
    command += ["--from-step", str(first), "--to-step", str(last)]
    command += ["--state", folder / f"state{first}"] if first else []
    command += ["--state-output", folder / f"state{last}"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(folder / f"run{last}/metrics.parquet").to_pylist()
    return [row["loss"] for row in rows], (folder / f"state{last}/state.safetensors").read_bytes()


def test_two_processes_equal_one_and_resume_exactly(tmp_path, model, latents):
    run = {"method": "full", "resolution": 32, "learning_rate": 1e-3}
    run |= {"gradient_accumulation_steps": 2, "ema": {}}
    shared = run | {"batch_size": 1, "processes": 2}
    losses, state = train(tmp_path / "two", model, latents, shared, 0, 4)
    alone = settings.read(json.dumps(run | {"batch_size": 2}))
    trainer = loop.make_trainer(alone, model, latents, torch.device("cpu"))
    loop.train(trainer, 0, 4, "alone")
    assert losses == pytest.approx([row["loss"] for row in trainer.metrics.rows], rel=1e-5)
    train(tmp_path / "parts", model, latents, shared, 0, 3)
    assert train(tmp_path / "parts", model, latents, shared, 3, 4)[1] == state
