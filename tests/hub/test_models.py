"""Models from a hub on loopback, by the real client, with everything that goes wrong there."""

import hashlib
import io
import json
import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).parents[2]
TINY = ROOT / "resources" / "tiny-clip"
FILES = ["config.json", "model.safetensors"]
REPO = "somebody/tiny"


@pytest.fixture
def fetch(hub, tmp_path):
    """Run a script with a cache of its own; return the process and the folder."""

    def run(*arguments, script="hub_model", token=None, **options):
        env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "cache")}
        env |= {"HF_TOKEN": token} if token else {}
        command = [sys.executable, ROOT / f"scripts/{script}.py", *map(str, arguments)]
        return subprocess.run(command, env=env, capture_output=True, text=True, **options)

    return run


@pytest.fixture
def model(fetch, tmp_path):
    folder = tmp_path / "model"

    def run(commit, repo=REPO, **options):
        where = ["--repo", repo, "--revision", commit, "--folder", folder]
        return fetch(*where, "--files", *FILES, **options), folder

    return run


def files():
    return {path.name: path.read_bytes() for path in TINY.iterdir()} | {"evil.py": b"boom"}


def test_a_model_by_commit_once_for_all(hub, model):
    commit = hub.add(REPO, files())
    done, folder = model(commit)
    assert done.returncode == 0, done.stderr
    listed = json.loads((folder / "files.json").read_text())
    assert set(listed) == set(files()) - {"evil.py"}
    assert {path.name for path in folder.iterdir()} == {*listed, "files.json"}
    assert listed[FILES[1]] == hashlib.sha256(files()[FILES[1]]).hexdigest()
    assert (folder / FILES[1]).read_bytes() == files()[FILES[1]]
    hub.log.clear()
    assert model(commit)[0].returncode == 0
    assert not [path for _, path, _ in hub.log if "/resolve/" in path]


def test_two_clones_bring_one_model_at_once_through_one_cache(hub, fetch, tmp_path):
    large = os.urandom(24 << 20)
    commit = hub.add(REPO, files() | {FILES[1]: large})
    folders = [tmp_path / "first/model", tmp_path / "second/model"]
    where = ["--repo", REPO, "--revision", commit, "--files", *FILES, "--folder"]
    with ThreadPoolExecutor() as pool:
        for done in pool.map(lambda folder: fetch(*where, folder), folders):
            assert done.returncode == 0, done.stderr
    for folder in folders:
        assert (folder / FILES[1]).read_bytes() == large
    assert len({(folder / FILES[1]).resolve() for folder in folders}) == 1


def test_a_dropped_connection_is_resumed_where_it_broke(hub, model):
    large = os.urandom(24 << 20)  # the client keeps what came in chunks of 10 MiB
    commit = hub.add(REPO, files() | {FILES[1]: large})
    hub.fail("drop")
    done, folder = model(commit)
    assert done.returncode == 0, done.stderr
    assert (folder / FILES[1]).read_bytes() == large
    spans = [span for _, path, span in hub.log if path.endswith(FILES[1]) and span]
    assert spans == [f"bytes={10 << 20}-"]


def test_a_wrong_checksum_is_told_and_the_file_comes_anew(hub, model):
    commit = hub.add(REPO, files())
    hub.fail("corrupt")
    done, folder = model(commit)
    assert done.returncode == 1
    assert "model.safetensors of somebody/tiny arrived with another checksum" in done.stderr
    assert not folder.exists()
    assert model(commit)[0].returncode == 0


def test_a_busy_hub_is_waited_for(hub, model):
    commit = hub.add(REPO, files())
    hub.fail("busy")
    done, _ = model(commit)
    assert done.returncode == 0, done.stderr


def test_a_pipeline_of_another_class_is_told_before_its_weights_come(hub, fetch, tmp_path):
    index = json.dumps({"_class_name": "StableDiffusionXLPipeline"}).encode()
    commit = hub.add(REPO, {"model_index.json": index, "unet/weights.safetensors": b"large"})
    where = ["--repo", REPO, "--revision", commit, "--folder", tmp_path / "model"]
    wanted = ["--files", "unet/weights.safetensors", "--pipeline", "StableDiffusionPipeline"]
    done = fetch(*where, *wanted)
    assert done.returncode == 1
    assert "is a StableDiffusionXLPipeline, not a StableDiffusionPipeline: say so" in done.stderr
    assert not any("weights.safetensors" in str(line) for line in hub.log)


def test_a_model_in_several_files(hub, fetch, tmp_path):
    shards = {f"model-0000{n}-of-00002.safetensors": b"%d" % n for n in (1, 2)}
    given = {
        "config.json": b"{}",
        "model.safetensors.index.json": b"{}",
        "chat_template.jinja": b"-",
    }
    commit = hub.add(REPO, given | shards | {"pytorch_model.bin": b"pickle"})
    where = ["--repo", REPO, "--revision", commit, "--folder", tmp_path / "model", "--files"]
    done = fetch(*where, "config.json", "model*.safetensors")
    assert done.returncode == 0, done.stderr
    assert set(json.loads((tmp_path / "model/files.json").read_text())) == {*given, *shards}
    done = fetch(*where, "config.json", "model.safetensors")
    assert f"error: {REPO} at {commit} has no model.safetensors" in done.stderr


def test_what_cannot_be_had_is_told_in_one_sentence(hub, model):
    commit = hub.add(REPO, files())
    hub.add("somebody/gated", files(), token="secret")
    gated = hub.refs["somebody/gated", "main"]
    told = {
        "has no commit 0000": model("0" * 40),
        "is not on the hub, or is private": model(commit, repo="nobody/nothing"),
        "is gated: accept its terms on its page, set HF_TOKEN": model(gated, "somebody/gated"),
    }
    for sentence, (done, _) in told.items():
        assert done.returncode == 1
        assert sentence in done.stderr
        assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    done, _ = model(gated, "somebody/gated", token="secret")
    assert done.returncode == 0, done.stderr


def test_a_hub_that_is_not_there(hub, model):
    commit = hub.add(REPO, files())
    hub.shutdown()
    hub.server_close()
    done, _ = model(commit)
    assert "error: the hub cannot be reached for somebody/tiny: check the network" in done.stderr


def test_a_full_disk(hub, model):
    commit = hub.add(REPO, files())
    limit = (1_000_000, 1_000_000)
    done, _ = model(commit, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    assert done.returncode == 1
    assert "error: no room on the disk for somebody/tiny" in done.stderr
    assert model(commit)[0].returncode == 0


def test_raw_weights_from_a_pickle_of_known_digest(hub, fetch, tmp_path):
    weights = {"a.weight": torch.arange(6.0).reshape(2, 3)}
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    data = buffer.getvalue()
    pickle = {"unet/diffusion_pytorch_model.bin": data, "unet/config.json": b"{}"}
    commit = hub.add(REPO, pickle, "non-ema")
    output = tmp_path / "raw.safetensors"
    where = ["--repo", REPO, "--revision", commit, "--output", output]
    done = fetch(*where, "--sha256", "0" * 64, script="hub_non_ema")
    assert "not non_ema_sha256" in done.stderr
    done = fetch(*where, script="hub_non_ema")
    assert "pin that with non_ema_sha256" in done.stderr
    digest = hashlib.sha256(data).hexdigest()
    done = fetch(*where, "--sha256", digest, script="hub_non_ema")
    assert done.returncode == 0, done.stderr
    assert torch.equal(load_file(output)["a.weight"], weights["a.weight"])


def test_raw_weights_that_are_safetensors_already(hub, fetch, tmp_path):
    save_file({"w": torch.ones(3)}, tmp_path / "w.safetensors")
    data = (tmp_path / "w.safetensors").read_bytes()
    commit = hub.add(REPO, {"unet/diffusion_pytorch_model.safetensors": data}, "non-ema")
    output = tmp_path / "raw.safetensors"
    done = fetch("--repo", REPO, "--revision", commit, "--output", output, script="hub_non_ema")
    assert done.returncode == 0, done.stderr
    assert load_file(output)["w"].sum() == 3


def test_raw_weights_that_are_a_variant_of_the_commit(hub, fetch, tmp_path):
    name = "unet/diffusion_pytorch_model.non_ema.safetensors"
    commit = hub.add(REPO, {name: b"raw", "unet/config.json": b"{}"})
    output = tmp_path / name
    where = ["--repo", REPO, "--revision", commit, "--variant", "--output", output]
    hub.fail("corrupt")
    assert "arrived with another checksum" in fetch(*where, script="hub_non_ema").stderr
    done = fetch(*where, script="hub_non_ema")
    assert done.returncode == 0, done.stderr
    assert output.is_symlink()
    assert output.read_bytes() == b"raw"
    lacking = hub.add(REPO, {"unet/config.json": b"{}"})
    done = fetch("--repo", REPO, "--revision", lacking, *where[4:], script="hub_non_ema")
    assert f"has no {name}: name the commit whose U-Net is the raw weights" in done.stderr


def test_offline(hub, model, monkeypatch):
    commit = hub.add(REPO, files())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done, _ = model(commit)
    assert done.returncode == 1
    assert "HF_HUB_OFFLINE is set: unset it" in done.stderr
