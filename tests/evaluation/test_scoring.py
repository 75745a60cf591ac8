"""Scores of real pictures by the embedded CLIP and the packaged EfficientNet."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from emaki.common.errors import UserError
from emaki.data import sources
from emaki.data.decoding import to_png
from emaki.evaluation import scoring
from emaki.evaluation.comparison import read_reference, read_scores

RESOURCES = Path(__file__).parents[2] / "resources"

CLIP = RESOURCES / "tiny-clip"


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def rooms():
    source = {"type": "rooms", "count": 8, "seed": 77, "captions": "full"}
    return list(sources.build(source))


def test_a_picture_fits_its_own_caption_better_than_another(rooms):
    images = [room.image for room in rooms]
    right = scoring.see(images, [room.caption for room in rooms], CLIP).clip_scores()
    wrong = scoring.see(images, ["pig"] * len(rooms), CLIP).clip_scores()
    assert np.mean(right) > np.mean(wrong) + 5
    assert all(0 <= score <= 100 for score in right + wrong)


def test_scores_do_not_depend_on_the_batch(rooms, monkeypatch):
    images, texts = [room.image for room in rooms], [room.caption for room in rooms]
    together = scoring.see(images, texts, CLIP).clip_scores(), scoring.features(images)
    monkeypatch.setattr(scoring, "BATCH", 3)
    apart = scoring.see(images, texts, CLIP).clip_scores(), scoring.features(images)
    assert np.allclose(together[0], apart[0], atol=1e-3)
    assert np.allclose(together[1], apart[1], atol=1e-4)


def test_scores_are_those_of_transformers_own_logits(rooms):
    from transformers import AutoTokenizer, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    images, texts = [room.image for room in rooms], [room.caption for room in rooms]
    seen = scoring.see(images, texts, CLIP)
    model = CLIPModel.from_pretrained(CLIP, dtype=torch.float32)  # the file is in float16
    pixels = CLIPImageProcessorPil.from_pretrained(CLIP)(images, return_tensors="pt")
    tokens = AutoTokenizer.from_pretrained(CLIP)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        logits = model(**pixels, **tokens).logits_per_image.diagonal()
    assert seen.preferences() == pytest.approx(logits.tolist(), rel=1e-5)
    cosines = 100 * logits / model.logit_scale.exp().item()
    assert seen.clip_scores() == pytest.approx(cosines.clamp(min=0).tolist(), rel=1e-5)
    assert np.linalg.norm(seen.images, axis=1) == pytest.approx(np.ones(len(rooms)), abs=1e-5)
    assert np.allclose(scoring.embeddings(images, CLIP), seen.images, atol=1e-5)


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory):
    from transformers import Dinov2Config, Dinov2Model
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("dinov2")
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    Dinov2Model(Dinov2Config(image_size=28, patch_size=14, **size)).save_pretrained(folder)
    shape = {"size": {"shortest_edge": 32}, "crop_size": {"height": 28, "width": 28}}
    BitImageProcessorPil(**shape).save_pretrained(folder)
    return str(folder)


def test_dinov2_features_are_the_class_token(rooms, dinov2):
    from transformers import Dinov2Model
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    images = [room.image for room in rooms[:3]]
    found = scoring.features(images, {"type": "dinov2", "model": dinov2})
    pixels = BitImageProcessorPil.from_pretrained(dinov2)(images, return_tensors="pt")
    with torch.inference_mode():
        token = Dinov2Model.from_pretrained(dinov2)(**pixels).last_hidden_state[:, 0]
    assert np.allclose(found, token, atol=1e-5)


def test_the_scripts_write_what_the_config_asks_for(rooms, dinov2, tmp_path):
    def run(script, *arguments):
        command = [sys.executable, f"scripts/{script}.py", *map(str, arguments)]
        subprocess.run(command, cwd=RESOURCES.parent, check=True, capture_output=True)

    def table(path, **columns):
        shown = [{"bytes": to_png(room.image), "path": None} for room in rooms]
        pq.write_table(pa.table({"image": shown, **columns}), path)

    samples, dataset = tmp_path / "samples.parquet", tmp_path / "dataset.parquet"
    prompts = [room.caption for room in rooms]
    held_out = [number < 2 for number in range(len(rooms))]
    table(samples, prompt=prompts, seed=[0] * len(rooms), held_out=held_out)
    table(dataset, id=[room.id for room in rooms])
    features = {"type": "dinov2", "model": dinov2}
    judges = {"clip": str(CLIP), "features": features, "cmmd": True, "preference": str(CLIP)}
    scores, reference = tmp_path / "scores.parquet", tmp_path / "reference.parquet"
    run("score", "--samples", samples, "--evaluators", json.dumps(judges), "--output", scores)
    more = ["--features", json.dumps(features), "--clip", CLIP, "--resolution", 64]
    run("reference", "--pictures", dataset, *more, "--output", reference)
    drawn, real = read_scores(scores), read_reference(reference)
    assert drawn["features"].shape == real["features"].shape == (len(rooms), 32)
    assert drawn["embedding"].shape == real["embedding"].shape
    # the same pictures: every one is nearest to itself
    order = {prompt: number for number, prompt in enumerate(prompts)}
    nearest = (drawn["embedding"] @ real["embedding"].T).argmax(axis=1)
    assert nearest.tolist() == [order[prompt] for prompt in drawn["prompt"]]
    assert drawn["held_out"].sum() == 2
    assert (drawn["preference"] > drawn["clip_score"] / 100).all()


def test_a_folder_of_another_model(rooms, dinov2):
    with pytest.raises(UserError, match="holds a model of type 'dinov2', not 'clip'"):
        scoring.see([rooms[0].image], [""], dinov2)
    with pytest.raises(UserError, match="holds a model of type 'clip', not 'dinov2'"):
        scoring.features([rooms[0].image], {"type": "dinov2", "model": str(CLIP)})


def test_features_tell_rooms_from_creatures(rooms):
    critters = sources.build({"type": "dicebear", "style": "critters", "count": 4})
    images = [room.image for room in rooms[:4]] + [critter.image for critter in critters]
    found = np.array(scoring.features(images))
    assert found.shape == (8, 1280)
    distances = np.linalg.norm(found[:, None] - found[None], axis=2)
    assert distances[:4, :4].max() < distances[:4, 4:].min()


def test_the_middle_square_of_a_wide_picture():
    image = Image.new("RGB", (300, 100), "red")
    image.paste("blue", (100, 0, 200, 100))
    square = scoring.centre_square(image, 10)
    assert square.size == (10, 10)
    assert set(square.get_flattened_data()) == {(0, 0, 255)}
