"""A training in segments, stopped, killed or in one go ends in the same bytes."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from emaki.common.errors import UserError
from emaki.training import models, segment, settings

SCRIPT = Path(__file__).parents[2] / "scripts/train.py"
COMMON = {"resolution": 32, "batch_size": 2, "random_flip": True, "caption_dropout": 0.3}
FULL = COMMON | {"method": "full", "ema": {"preset": "compvis"}, "noise_offset": 0.1}
LORA = COMMON | {"method": "lora", "rank": 2, "ema": {"preset": "diffusers"}}


@pytest.fixture
def train(tmp_path, model, latents, monkeypatch):
    """Train `run` through the steps `stops` and return the folders of the last checkpoint."""

    def train(name, run, *stops, model=model, latents=latents, device="cpu"):
        for first, last in pairwise(stops):
            part = segment.Segment(
                name=name,
                model=model,
                latents=latents,
                from_step=first,
                to_step=last,
                state=tmp_path / f"states/{name}/{first}" if first else None,
                output=tmp_path / f"runs/{name}/{last}",
                state_output=tmp_path / f"states/{name}/{last}",
            )
            monkeypatch.setattr(segment, "device", lambda: torch.device(device))
            segment.run_segment(part, settings.read(json.dumps(run)))
        return [tmp_path / f"runs/{name}/{stops[-1]}", tmp_path / f"states/{name}/{stops[-1]}"]

    return train


def contents(folders):
    """The bytes of every tensor file and of the state's numbers below some folders."""
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    kinds = (".safetensors", "state.json", "checkpoint.json")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for folder in folders
        for path in paths
        if path.is_relative_to(folder) and path.name.endswith(kinds)
    }


@pytest.mark.parametrize(
    "run",
    [
        FULL,
        FULL | {"optimizer": "adamw8bit", "gradient_accumulation_steps": 2},
        FULL | {"optimizer": "adafactor", "mixed_precision": "bf16", "snr_gamma": 5.0},
        LORA,
        LORA
        | {"optimizer": "adamw8bit", "mixed_precision": "bf16", "lr_warmup_steps": 2}
        | {"gradient_accumulation_steps": 3, "lr_scheduler": "cosine", "lr_total_steps": 9},
        LORA | {"train_text_encoder": True},
        FULL | {"train_text_encoder": True, "text_encoder_learning_rate": 1e-5},
    ],
    ids=[
        "full",
        "full-8bit-accumulated",
        "full-adafactor-bf16",
        "lora",
        "lora-8bit-cosine",
        "lora-text",
        "full-text",
    ],
)
def test_segments_equal_one_go(train, run):
    # 7 pictures in batches of 2, 4 or 6: every segment starts in the middle of an epoch
    one = contents(train("one", run, 0, 5))
    assert {"state.safetensors", "state.json"} < one.keys()
    assert one == contents(train("two", run, 0, 2, 3, 5))


def test_pytorch_is_asked_for_the_same_bytes_on_a_gpu(train, monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    models.be_deterministic(torch.device("cuda"))
    try:
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
        train("run", FULL | {"train_text_encoder": True}, 0, 1)  # nothing in it raises
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("run", [FULL, LORA | {"train_text_encoder": True}], ids=["full", "lora"])
@pytest.mark.parametrize("precision", ["no", "fp16"])
def test_segments_equal_one_go_on_a_gpu(train, run, precision):
    run = run | {"mixed_precision": precision}
    one = contents(train("one", run, 0, 5, device="cuda"))
    assert one == contents(train("two", run, 0, 2, 5, device="cuda"))


def test_next_losses_and_metrics_are_the_same(train):
    import pyarrow.parquet as pq

    def losses(folder):
        return pq.read_table(folder / "metrics.parquet").to_pylist()

    whole = losses(train("one", FULL, 0, 4)[0])
    parts = losses(train("two", FULL, 0, 2)[0]) + losses(train("two", FULL, 0, 2, 4)[0])
    assert [row["step"] for row in parts] == [1, 2, 3, 4]
    assert [row["loss"] for row in whole] == [row["loss"] for row in parts]
    assert whole[-1] == parts[-1]
    assert whole[-1]["validation_loss"] > 0


def command(folder, model, latents, run, steps):
    return [
        *(sys.executable, SCRIPT, "--name", "stopped", "--run", json.dumps(run)),
        *("--model", model, "--latents", latents, "--to-step", str(steps)),
        *("--output", folder / "run", "--state-output", folder / "state"),
    ]


def test_sigterm_loses_no_step(train, tmp_path, model, latents):
    steps = 60
    one = contents(train("one", FULL, 0, steps))
    log = tmp_path / "log"
    with open(log, "w") as file:
        job = subprocess.Popen(
            command(tmp_path / "two", model, latents, FULL, steps), stderr=file, stdout=file
        )
    while job.poll() is None and not is_training(job.pid):
        time.sleep(0.02)
    job.send_signal(signal.SIGTERM)
    assert job.wait(60) == segment.STOPPED, log.read_text()
    left = json.loads((tmp_path / "two/.state.interrupted/state.json").read_text())
    assert 0 < left["step"] < steps
    assert not (tmp_path / "two/run").exists()
    again = subprocess.run(
        command(tmp_path / "two", model, latents, FULL, steps), capture_output=True, text=True
    )
    assert f"going on after step {left['step']}" in again.stdout, again.stderr
    assert contents([tmp_path / "two/run", tmp_path / "two/state"]) == one
    assert not (tmp_path / "two/.state.interrupted").exists()


def is_training(pid):
    """Whether a process handles SIGTERM itself, as it does from loading the model on (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1


def test_sigkill_leaves_nothing_half_written(tmp_path, model, latents, train):
    job = subprocess.Popen(
        command(tmp_path / "killed", model, latents, FULL, 10_000), stderr=subprocess.DEVNULL
    )
    while job.poll() is None and not is_training(job.pid):
        time.sleep(0.05)
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    assert not (tmp_path / "killed").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rate": 2e-4}, "learning_rate is 0.0002 here and 0.0001 there"),
        ({"ema": {"preset": "compvis", "decay": 0.9}}, "ema.decay is 0.9 here and 0.9999 there"),
        ({"ema": None}, "ema.decay is null here"),
    ],
)
def test_other_hyper_parameters_are_refused(train, change, words):
    train("run", FULL, 0, 1)
    with pytest.raises(UserError, match=words):
        train("run", FULL | change, 1, 2)


def test_other_model_or_data_is_refused(train, tmp_path, model, dataset):
    import shutil

    from small import make_dataset, make_latents, make_unet

    train("run", FULL, 0, 1)
    other = shutil.copytree(model, tmp_path / "other")
    make_unet(9).save_pretrained(other / "unet")
    with pytest.raises(UserError, match="the base model's files are others"):
        train("run", FULL, 1, 2, model=other)
    latents = make_latents(make_dataset(tmp_path / "ds", train=8), model, tmp_path / "latents")
    with pytest.raises(UserError, match="the dataset's latents are others"):
        train("run", FULL, 1, 2, latents=latents)


def test_a_start_that_has_changed_is_refused(train, tmp_path):
    from small import make_unet

    make_unet(3).save_pretrained(tmp_path / "start")
    run = FULL | {"train_init": {"folder": str(tmp_path / "start")}}
    assert contents(train("one", run, 0, 3)) == contents(train("two", run, 0, 1, 3))
    make_unet(4).save_pretrained(tmp_path / "start")
    with pytest.raises(UserError, match="the base model's files are others"):
        train("two", run, 3, 4)


@pytest.mark.slow
def test_threads_may_change(train):
    train("run", FULL, 0, 1)
    train("run", FULL | {"threads": 2}, 1, 2)


def test_a_missing_or_wrong_state_is_named(train, tmp_path):
    with pytest.raises(UserError, match="is no training state"):
        train("run", FULL, 3, 4)
    train("run", FULL, 0, 1)
    (tmp_path / "states/run/1").rename(tmp_path / "states/run/2")
    with pytest.raises(UserError, match="is that of step 1, not of 2"):
        train("run", FULL, 2, 3)
