"""A pipeline of the hub whose weights are in parts, whole and without its T5."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from server import Hub
from small import make_sd3_pipeline

from emaki.families import find
from emaki.training import models

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """A folder with a random pipeline: transformer and T5 in several files each."""
    from diffusers import StableDiffusion3Pipeline

    folder = tmp_path_factory.mktemp("sd3")
    whole = StableDiffusion3Pipeline.from_pretrained(make_sd3_pipeline(folder, with_t5=True))
    whole.save_pretrained(folder / "parts", max_shard_size="60KB")
    assert len(list((folder / "parts/transformer").glob("*-of-*.safetensors"))) > 1
    assert len(list((folder / "parts/text_encoder_3").glob("*-of-*.safetensors"))) > 1
    return folder / "parts"


def read_files(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_parts_are_brought_and_read(pipeline, tmp_path):
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    with Hub() as hub:
        others = {"text_encoder_3/model.fp16-00001-of-00001.safetensors": b"half"}
        commit = hub.add("somebody/sd3", read_files(pipeline) | others)
        of_hub = f"repo: somebody/sd3, revision: {commit}, pipeline: StableDiffusion3Pipeline"
        (tmp_path / "my.yaml").write_text(
            f"extends: config/config.yaml\nstudy: of-hub\nmodels:\n  whole: {{{of_hub}}}\n"
            f"  less: {{{of_hub}, without_t5: true}}\n"
        )
        whole = Path(f"results/hub/somebody/sd3/{commit}")
        less = Path(f"{whole}-without-t5")
        command = [sys.executable, "-m", "snakemake", whole / "files.json", less / "files.json"]
        command += ["--profile", "profiles/local", "--configfile", "my.yaml", "--cores", "1"]
        env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "cache")}
        run = {"cwd": tmp_path, "env": env, "capture_output": True, "text": True}
        done = subprocess.run(command, **run)
        assert done.returncode == 0, done.stdout + done.stderr
        again = subprocess.run([*command, "-n"], **run)
        assert "Nothing to be done" in again.stdout + again.stderr
        hub.shutdown()
    whole, less = tmp_path / whole, tmp_path / less
    assert set(read_files(whole)) - {"files.json"} == set(read_files(pipeline))
    assert not list(less.glob("*_3")), "the T5 was brought"
    assert "files.json" in read_files(less)
    original = models.load_encoders(find(pipeline), "ema", torch.device("cpu"))
    for folder in (whole, less):
        family = find(folder)
        made = family.make_denoiser()
        weights = models.load_weights(family, "ema", made.state_dict())
        made.load_state_dict(weights)
        drawing = family.load_pipeline(None, torch.float32)
        for name, tensor in drawing.transformer.state_dict().items():
            assert torch.equal(tensor, weights[name])
        for part, encoder in models.load_encoders(family, "ema", torch.device("cpu")).items():
            theirs = original[part].state_dict()
            assert all(torch.equal(t, theirs[name]) for name, t in encoder.state_dict().items())
    assert len(find(whole).encoders) == 3
    assert len(find(less).encoders) == 2


def test_weights_of_another_precision_are_told(pipeline, hub, tmp_path):
    half = {
        name.replace("model-0", "model.fp16-0").replace(".index.json", ".index.fp16.json")
        if name.startswith("text_encoder_3/")
        else name: data
        for name, data in read_files(pipeline).items()
    }
    commit = hub.add("somebody/sd3", half)
    command = [sys.executable, ROOT / "scripts/hub_model.py", "--repo", "somebody/sd3"]
    command += ["--revision", commit, "--folder", tmp_path / "model", "--in-parts"]
    command += ["--files", "model_index.json", "text_encoder_3/model.safetensors"]
    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "cache")}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    told = "has no text_encoder_3/model.safetensors, but text_encoder_3/model.fp16-00001-of-"
    assert told in done.stderr
    assert "save it with `save_pretrained`, and give the folder as path" in done.stderr
