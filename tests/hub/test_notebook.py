"""config/sd14.yaml from nothing to its report, with sd14-small.yaml as the whole difference, on a
hub and an Unsplash on loopback. Minutes, so `make test-full-scale` runs it, not `make test`."""

import csv
import functools
import html
import io
import json
import os
import re
import shutil
import string
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from server import Hub

from emaki.config.reading import parse
from emaki.data.decoding import to_png
from emaki.data.sources import KIND

ROOT = Path(__file__).parents[2]
RESOURCES = ROOT / "resources"
PATCH = Path(__file__).with_name("sd14-small.yaml")
REPORT = "results/report.html"
LAMBDA = ["--profile", "profiles/lambda"]
NO_CONDA = ["--software-deployment-method", "env-modules"]  # none are named
LOCAL = ["--profile", "profiles/local", "--configfile", "config/sd14.yaml"]
# As in the repository of that name, and not in the tiny one.
PNDM = {"_class_name": "PNDMScheduler", "skip_prk_steps": True}
PARTS = {
    "scheduler": ["diffusers", "PNDMScheduler"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "feature_extractor": ["transformers", "CLIPFeatureExtractor"],  # gone from transformers
}
REPLACED = {"revision", "file"}
REPLACED |= {"count", "min_size", "resolution", "batch_size", "steps", "checkpoint_every"}
REPLACED |= {"checkpoints", "claims", "mixed_precision"}


def read(path):
    return parse(path.read_text(), str(path)).data


def merged(base, patch):
    if not (isinstance(base, dict) and isinstance(patch, dict)):
        return patch
    return base | {key: merged(base.get(key), value) for key, value in patch.items()}


def leaves(tree, path=()):
    if isinstance(tree, dict):
        return {p: v for k, branch in tree.items() for p, v in leaves(branch, (*path, k)).items()}
    return {path: tree}


def test_the_patch_replaces_names_sizes_and_steps_alone():
    full = leaves(read(ROOT / "config/sd14.yaml"))
    small = leaves(merged(read(ROOT / "config/sd14.yaml"), read(PATCH)))
    assert full.keys() <= small.keys()
    assert {path[-1] for path in small if small[path] != full.get(path)} <= REPLACED


@pytest.mark.skipif("EMAKI_TEST_FULL_SCALE" not in os.environ, reason="make test-full-scale")
def test_the_notebook_end_to_end(tmp_path):
    for part in ("Snakefile", "rules", "scripts", "config", "envs", "profiles"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    with Hub() as hub, unsplash(tmp_path) as photographs:
        commits = fill(hub, tmp_path)
        text = string.Template(PATCH.read_text()).substitute(commits)
        patch = parse(text, str(PATCH)).data
        config = merged(read(ROOT / "config/sd14.yaml"), patch)
        (tmp_path / "config/sd14.yaml").write_text(json.dumps(config))
        env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "cache")}
        # The command of docs/full-scale.md; that machine has GPUs and conda, so here it is dry ...
        shown = snakemake(tmp_path, env, REPORT, "-n", *LAMBDA, *NO_CONDA)
        assert re.search(r"^hub_non_ema +1$", shown, re.MULTILINE)
        # ... and wet with the profile of a machine without.
        base = f"results/hub/CompVis/stable-diffusion-v1-4/{commits['sd14']}"
        # The plan takes an absent model of that name for as large as it is, and refuses to start.
        snakemake(tmp_path, env, f"{base}/model_index.json", *LOCAL)
        started = snakemake(tmp_path, env, REPORT, *LOCAL)
        taken = {path.rpartition("/")[2] for _, path, _ in hub.log if "/resolve/" in path}
        hub.shutdown()
        photographs.shutdown()
    assert re.search(r"passed +hub: gives all 8 repositories", started)
    assert "rooms, rooms-v2: you accept by going on: Unsplash's" in started
    assert {"photos.tsv000", "keywords.tsv000"} <= taken
    assert "collections.tsv000" not in taken
    again = snakemake(tmp_path, env, REPORT, "-n", *LOCAL)
    assert "Nothing to be done" in again
    check(tmp_path, config)


def snakemake(folder, env, *arguments):
    command = [sys.executable, "-m", "snakemake", *arguments, "--cores", "2"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def check(folder, config):
    """What the report and the files beside it must have."""
    report = html.unescape((folder / REPORT).read_text())
    for name, entry in config["experiments"].items():
        assert " ".join(entry["question"].split()) in report
        answers = json.loads((folder / f"results/sd14/experiments/{name}.json").read_text())
        metrics = {metric for pair in answers["pairs"] for metric in pair["metrics"]}
        for judge in ("siglip", "clip_score", "preference", "likeness", "kid", "cmmd", "sharpness"):
            assert f"domain_{judge}" in metrics, name
    captions = pq.read_table(folder / "results/sd14/captions/rooms/keyword.parquet")
    assert all(text.endswith("interior design") for text in captions["caption"].to_pylist())
    described = folder / "results/sd14/captions/rooms-v2/blip.parquet"
    assert pq.read_table(described).num_rows == 18
    cards = {path.parent.name: path for path in folder.glob("results/sd14/datasets/*/README.md")}
    assert "at most 40 were asked for" in cards["rooms-v2"].read_text()
    assert "at most" not in cards["rooms"].read_text()
    assert "license: cc-by-nc-sa-4.0" in cards["pokemon"].read_text()
    assert "CC BY-NC-SA 4.0" in report
    pictures = pq.read_table(folder / "results/sd14/images/pokemon/metadata.parquet")
    assert set(pictures["credit"].to_pylist()) == {"lambdalabs/pokemon-blip-captions"}


def fill(hub, folder):
    """Repositories by the names of config/sd14.yaml, with files as theirs; the commits."""
    tiny = contents(RESOURCES / "tiny-sd")
    scheduler = json.loads(tiny["scheduler/scheduler_config.json"])
    tiny["scheduler/scheduler_config.json"] = as_json(scheduler | PNDM)
    tiny["model_index.json"] = as_json(json.loads(tiny["model_index.json"]) | PARTS)
    clip = contents(RESOURCES / "tiny-clip")
    tables = contents(folder / "unsplash") | {"TERMS.md": b"# Terms", "collections.tsv000": b"-"}
    pokemon = "data/train-00000-of-00001-566cc9b19d7203f8.parquet"
    return {
        "sd14": hub.add("CompVis/stable-diffusion-v1-4", tiny),
        "unsplash": hub.add("image-search-2/unsplash_lite_image_dataset", tables),
        "clip": hub.add("openai/clip-vit-large-patch14", clip),
        "pickscore": hub.add("yuvalkirstain/PickScore_v1", clip),
        "siglip": hub.add("google/siglip2-base-patch16-224", siglip(folder / "siglip")),
        "dinov2": hub.add("facebook/dinov2-base", dinov2(folder / "dinov2")),
        "blip": hub.add(
            "Salesforce/blip-image-captioning-large", contents(RESOURCES / "tiny-blip")
        ),
        "pokemon": hub.add(
            "reach-vb/pokemon-blip-captions", {pokemon: creatures(), "README.md": b"---\n---\n"}
        ),
    }


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def as_json(value):
    return json.dumps(value).encode()


def dinov2(folder):
    """A Dinov2Model with random weights, and its processor."""
    import torch
    from transformers import Dinov2Config, Dinov2Model
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    Dinov2Model(Dinov2Config(image_size=28, patch_size=14, **size)).save_pretrained(folder)
    shape = {"size": {"shortest_edge": 32}, "crop_size": {"height": 28, "width": 28}}
    BitImageProcessorPil(**shape).save_pretrained(folder)
    return contents(folder)


def siglip(folder):
    """A SiglipModel with random weights, its processor, and the tokenizer of the tiny CLIP."""
    import torch
    from transformers import AutoTokenizer, SiglipConfig, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(RESOURCES / "tiny-clip")
    tokenizer.save_pretrained(folder)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    size |= {"num_attention_heads": 2}
    text = {"vocab_size": len(tokenizer), "max_position_embeddings": 64, "pad_token_id": 0}
    vision = {"image_size": 32, "patch_size": 16}
    config = SiglipConfig(text_config=text | size, vision_config=vision | size)
    SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return contents(folder)


def creatures():
    """A Parquet file with pictures and captions."""
    drawn = list(KIND.read({"type": "dicebear", "style": "critters", "count": 12}).pictures())
    rows = [{"bytes": to_png(picture.image), "path": None} for picture in drawn]
    table = pa.table({"image": rows, "text": [picture.caption for picture in drawn]})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def unsplash(folder):
    """The Unsplash Lite dataset in unsplash/, and the server that has its photographs."""
    (folder / "photographs").mkdir()
    handler = functools.partial(Quiet, directory=folder / "photographs")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    photos, keywords = [], []
    rooms = {"type": "rooms", "count": 18, "seed": 1, "captions": "sparse"}
    for number, room in enumerate(KIND.read(rooms).pictures()):
        (folder / "photographs" / room.id).write_bytes(to_png(room.image))
        photos.append(
            {
                "photo_id": room.id,
                "photo_url": f"page/{room.id}",
                "photo_image_url": f"http://127.0.0.1:{server.server_port}/{room.id}",
                "photo_width": 4000,
                "photo_height": 3000,
                "photo_description": room.caption,
                "photographer_first_name": "Ada",
                "photographer_last_name": "L",
            }
        )
        keyword = "interior design" if number % 4 == 3 else "living room"
        keywords.append({"photo_id": room.id, "keyword": keyword})
    (folder / "unsplash").mkdir()
    for stem, rows in (("photos", photos), ("keywords", keywords)):
        with open(folder / f"unsplash/{stem}.tsv000", "w", newline="") as file:
            table = csv.DictWriter(file, rows[0], delimiter="\t")
            table.writeheader()
            table.writerows(rows)
    return server


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
