"""A study whose base model is of the hub: Snakemake brings it, and diffusers opens it."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from server import Hub

ROOT = Path(__file__).parents[2]
TINY = ROOT / "resources" / "tiny-sd"
CLIP = ROOT / "resources" / "tiny-clip"
NON_EMA = "unet/diffusion_pytorch_model.non_ema.safetensors"


def test_a_pipeline_and_its_raw_weights_by_commit(tmp_path):
    with Hub() as hub:
        files = {
            str(path.relative_to(TINY)): path.read_bytes()
            for path in TINY.rglob("*")
            if path.is_file() and "non_ema" not in path.name
        }
        main = hub.add("somebody/sd", files)
        raw = load_file(TINY / NON_EMA)
        buffer = io.BytesIO()
        torch.save(raw, buffer)
        data = buffer.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        non_ema = hub.add("somebody/sd", {"unet/diffusion_pytorch_model.bin": data}, "non-ema")
        clip = hub.add("somebody/clip", {path.name: path.read_bytes() for path in CLIP.iterdir()})
        llava = hub.add("somebody/llava", {"config.json": b"{}", "model-1-of-1.safetensors": b"-"})
        for part in ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources"):
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, tmp_path / part)
        (tmp_path / "my.yaml").write_text(
            "extends: config/config.yaml\nstudy: of-hub\nmodels:\n  tiny: {repo: somebody/sd,"
            f" revision: {main}, non_ema_revision: {non_ema}, non_ema_sha256: '{digest}'}}\n"
        )
        folder = f"results/hub/somebody/sd/{main}+{non_ema}"
        targets = [f"{folder}/model_index.json", f"{folder}/{NON_EMA}"]
        targets += [f"results/hub/somebody/clip/{clip}/model.safetensors"]
        targets += [f"results/hub/somebody/llava/{llava}/files.json"]
        command = [sys.executable, "-m", "snakemake", *targets, "--profile", "profiles/local"]
        command += ["--configfile", "my.yaml", "--cores", "1"]
        env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "cache")}
        run = {"cwd": tmp_path, "env": env, "capture_output": True, "text": True}
        done = subprocess.run(command, **run)
        assert done.returncode == 0, done.stdout + done.stderr
        again = subprocess.run([*command, "-n"], **run)
        assert "Nothing to be done" in again.stdout + again.stderr
        hub.shutdown()
    made = load_file(tmp_path / folder / NON_EMA)
    assert all(torch.equal(made[name], tensor) for name, tensor in raw.items())

    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(tmp_path / folder)
    ema = load_file(TINY / "unet/diffusion_pytorch_model.safetensors")
    state = pipeline.unet.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in ema.items())


def test_a_captioner_of_the_hub_asks_for_memory_for_all_its_weights(tmp_path):
    for part in ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources"):
        (tmp_path / part).symlink_to(ROOT / part)
    commit = "0123456789" * 4
    (tmp_path / "my.yaml").write_text(
        "extends: config/config.yaml\nstudy: of-hub\ncaptions:\n  llava: {type: image-text-to-text,"
        f" model: {{repo: somebody/llava, revision: '{commit}'}}}}\n"
    )
    (tmp_path / "results/of-hub/images/rooms/pictures").mkdir(parents=True)
    (tmp_path / "results/of-hub/images/rooms/metadata.parquet").touch()
    model = tmp_path / "results/hub/somebody/llava" / commit
    model.mkdir(parents=True)
    (model / "files.json").write_text("{}")
    for part in (1, 2):
        with open(model / f"model-{part}-of-2.safetensors", "wb") as file:
            file.truncate(3 * 2**30)
    target = "results/of-hub/captions/rooms/llava.parquet"
    command = [sys.executable, "-m", "snakemake", target, "-n"]
    command += ["--profile", "profiles/local", "--configfile", "my.yaml", "--quiet", "host"]
    command += ["--allowed-rules", "caption_by_model"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert 4000 + 2 * 6144 <= int(re.search(r"mem_mb=(\d+)", shown)[1]) < 4100 + 2 * 6144
