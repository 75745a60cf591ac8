"""What is looked at before a download, with a hub on loopback and pretended GPUs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emaki.common.errors import UserError
from emaki.config import load
from emaki.config.machine import Machine
from emaki.costs import preflight
from emaki.costs.preflight import LOOK, PASSED, TO_DO

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/hub"))
from server import Hub  # noqa: E402

A6000 = ("NVIDIA RTX A6000", 48_000, "580.65.06")


@pytest.fixture
def study(monkeypatch):
    monkeypatch.chdir(ROOT)
    return load("config/sd14.yaml").replace(study="never-run")


def gpu_lines(study, monkeypatch, *gpus):
    monkeypatch.setattr(preflight, "find_gpus", lambda: list(gpus))
    return {check.title: check for check in preflight._gpus(study)}


def test_gpus(study, monkeypatch):
    lines = gpu_lines(study, monkeypatch, A6000)
    assert [check.verdict for check in lines.values()] == [PASSED] * 3
    assert "pokemon-compvis takes about 33.6 GB" in lines["GPU memory"].text
    lines = gpu_lines(study, monkeypatch, ("Tesla T4", 15_000, "550.54.15"))
    assert [check.verdict for check in lines.values()] == [LOOK, TO_DO, TO_DO]
    assert "the plan is for A6000" in lines["GPU"].text
    assert "550.54.15 is older than 580" in lines["driver"].text
    lines = gpu_lines(study, monkeypatch)
    assert lines["GPU"][1:] == (
        TO_DO,
        "`nvidia-smi` shows none: lora-r4 is in fp16, which needs one",
    )
    lines = gpu_lines(study.replace(machine=Machine()), monkeypatch)
    assert lines["GPU"].verdict == PASSED


def test_runs_that_need_a_gpu_are_refused_without_one(study, monkeypatch):
    monkeypatch.setattr(preflight, "find_gpus", list)
    with pytest.raises(
        UserError, match=r"runs.lora-r4 has mixed_precision fp16, which needs a GPU"
    ):
        preflight.refuse_runs(study, ["lora-r4"])
    on_cpu = study.runs["lora-r4"].model_copy(update={"mixed_precision": "bf16"})
    study = study.replace(runs=study.runs | {"lora-r4": on_cpu})
    preflight.refuse_runs(study, ["lora-r4"])
    several = study.replace(runs={"a": on_cpu.model_copy(update={"num_processes": 2})})
    preflight.refuse_runs(several, ["a"])  # two processes may share a CPU
    monkeypatch.setattr(preflight, "find_gpus", lambda: [A6000])
    with pytest.raises(UserError, match=r"runs.a has num_processes 2, .* shows 1$"):
        preflight.refuse_runs(several, ["a"])


def test_runs_in_bf16_are_told_on_a_cpu_that_is_slow_in_it(study, monkeypatch):
    half = study.runs["lora-r4"].model_copy(update={"mixed_precision": "bf16"})
    study = study.replace(runs={"a": half, "b": study.runs["lora-r4"], "c": half})
    monkeypatch.setattr(preflight, "find_gpus", list)
    monkeypatch.setattr(preflight.devices, "computes_bf16", lambda: False)
    told = preflight.find_slow_runs(study, ["b", "a", "c"])
    assert told.startswith(
        "runs.a has mixed_precision bf16, for which this CPU has no instructions"
    )
    assert "(so have c)" in told
    assert preflight.find_slow_runs(study, ["b"]) is None
    monkeypatch.setattr(preflight.devices, "computes_bf16", lambda: True)
    assert preflight.find_slow_runs(study, ["a"]) is None


def test_licences_are_told_once_and_all_repositories_are_asked_for(study):
    told = [check.text for check in preflight._terms(study)]
    assert told == [
        "rooms, rooms-v2: you accept by going on: Unsplash's, https://unsplash.com/data-terms",
        "pokemon: you accept by going on: CC BY-NC-SA 4.0",
    ]
    kinds = {repo: kind for repo, _, kind in preflight.repositories(study)}
    assert len(kinds) == 8
    assert kinds["reach-vb/pokemon-blip-captions"] == "dataset"


def test_a_gate_is_told_with_what_to_do_and_nothing_is_downloaded(tmp_path):
    with Hub() as hub:
        commit = hub.add("a/gated", {"model_index.json": b"{}"}, token="secret")
        (tmp_path / "my.yaml").write_text(
            f"extends: {ROOT}/config/config.yaml\nstudy: mine\n"
            f"models: {{tiny: {{repo: a/gated, revision: '{commit}'}}}}\n"
        )
        env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "cache")}
        command = [sys.executable, "scripts/tools/preflight.py", "--config", tmp_path / "my.yaml"]
        run = {"cwd": ROOT, "capture_output": True, "text": True}
        refused = subprocess.run(command, env=env, **run)
        given = subprocess.run(command, env=env | {"HF_TOKEN": "secret"}, **run)
        hub.shutdown()
    assert refused.returncode == 1, refused.stderr
    assert "TO DO   token: HF_TOKEN is not set, but 1 repositories ask for one" in refused.stdout
    assert "TO DO   hub: a/gated is gated: accept its terms on its page" in refused.stdout
    assert "passed  hub: gives all 1 repositories at their commits" in given.stdout
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").rglob("blobs/*"))
