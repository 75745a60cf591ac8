"""Scores of real pictures by the embedded CLIP and the packaged EfficientNet."""

import json
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from emaki.common import parquet_groups
from emaki.common.errors import UserError
from emaki.common.parts import Part
from emaki.data.decoding import to_png
from emaki.data.sources.dicebear import DiceBear
from emaki.data.sources.rooms import Rooms
from emaki.evaluation import clip, features, values
from emaki.evaluation.comparison import read_reference, read_scores
from emaki.evaluation.measures import KIND, Measure
from emaki.evaluation.reference import centre_square
from emaki.evaluation.scoring import BATCH

RESOURCES = Path(__file__).parents[2] / "resources"

CLIP = str(RESOURCES / "tiny-clip")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def rooms():
    return list(Rooms(count=8, seed=77).pictures())


def measure(type_, **settings):
    return KIND.read({"type": type_, **settings})


def clip_scores(images, texts):
    return measure("clip-score", model=CLIP).score(images, texts, "")


def encoded(images, **settings):
    return measure("kid", **settings).encode(images, "")


def test_a_picture_fits_its_own_caption_better_than_another(rooms):
    images = [room.image for room in rooms]
    right = clip_scores(images, [room.caption for room in rooms])
    wrong = clip_scores(images, ["pig"] * len(rooms))
    assert np.mean(right) > np.mean(wrong) + 5
    assert all(0 <= score <= 100 for score in right + wrong)


def test_scores_do_not_depend_on_the_batch(rooms, monkeypatch):
    images, texts = [room.image for room in rooms], [room.caption for room in rooms]
    together = clip_scores(images, texts), encoded(images)
    for module in (clip, features):
        monkeypatch.setattr(module, "BATCH", 3)
    apart = clip_scores(images, texts), encoded(images)
    assert np.allclose(together[0], apart[0], atol=1e-3)
    assert np.allclose(together[1], apart[1], atol=1e-4)


def test_scores_are_those_of_transformers_own_logits(rooms):
    from transformers import AutoTokenizer, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    images, texts = [room.image for room in rooms], [room.caption for room in rooms]
    model = CLIPModel.from_pretrained(CLIP, dtype=torch.float32)  # the file is in float16
    pixels = CLIPImageProcessorPil.from_pretrained(CLIP)(images, return_tensors="pt")
    tokens = AutoTokenizer.from_pretrained(CLIP)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        logits = model(**pixels, **tokens).logits_per_image.diagonal()
        own = model(**pixels, **tokens).image_embeds
    preferences = measure("preference", model=CLIP).score(images, texts, "")
    assert preferences == pytest.approx(logits.tolist(), rel=1e-5)
    cosines = 100 * logits / model.logit_scale.exp().item()
    scores = clip_scores(images, texts)
    assert scores == pytest.approx(cosines.clamp(min=0).tolist(), rel=1e-5)
    assert measure("cmmd", model=CLIP).encode(images, "") == own.tolist()


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
    found = encoded(images, encoder={"type": "dinov2", "model": dinov2})
    pixels = BitImageProcessorPil.from_pretrained(dinov2)(images, return_tensors="pt")
    with torch.inference_mode():
        token = Dinov2Model.from_pretrained(dinov2)(**pixels).last_hidden_state[:, 0]
    assert np.allclose(found, token, atol=1e-5)


GROUP = ("base/tiny", "rooms")


def shown(rooms):
    return [{"bytes": to_png(room.image), "path": None} for room in rooms]


def write_samples(path, rooms):
    """Rooms as if they were drawn, the first two of captions that are held out."""
    names = {"variant": [GROUP[0]] * len(rooms), "prompts": [GROUP[1]] * len(rooms)}
    about = {"prompt": [room.caption for room in rooms], "seed": [0] * len(rooms)}
    more = {"key": [room.id for room in rooms], "held_out": [n < 2 for n in range(len(rooms))]}
    table = pa.table({**names, **about, "image": shown(rooms), **more})
    parquet_groups.write([(GROUP, table)], table.schema, path)


class Brightness(Measure):
    """A measure that tells how many pictures it was asked about."""

    type: str = "brightness"
    asked: ClassVar[list[int]] = []

    def score(self, images, prompts, label):
        self.asked.append(len(images))
        return [float(np.asarray(image).mean()) for image in images]


def scores_of(samples, store, output, code="a"):
    """What is scored of samples with a store: the values, and how many pictures were judged."""
    measure, scored = Brightness(), [("brightness", *GROUP)]
    stores = {"brightness": values.Store(store, measure, code, "base/tiny/0")}
    Brightness.asked.clear()
    values.score(samples, scored, {"brightness": measure}, stores)
    values.write(samples, scored, stores, output)
    return read_scores(Part(str(output), scored[0]))["value"].tolist(), list(Brightness.asked)


def test_a_value_that_is_kept_is_not_made_again(rooms, tmp_path):
    samples, store, output = (tmp_path / name for name in ("0.parquet", "values", "out.parquet"))
    write_samples(samples, rooms[:6])
    first, asked = scores_of(samples, store, output)
    assert asked == [BATCH]  # a full batch
    assert scores_of(samples, store, output) == (first, [])
    write_samples(samples, rooms)
    more, asked = scores_of(samples, store, output)
    assert (more[:6], len(more), asked) == (first, 8, [BATCH])
    assert scores_of(samples, store, output, code="b") == (more, [BATCH])


def test_a_damaged_store_is_made_anew(rooms, tmp_path):
    samples, store, output = (tmp_path / name for name in ("0.parquet", "values", "out.parquet"))
    write_samples(samples, rooms)
    first, _ = scores_of(samples, store, output)
    (path,) = store.rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:-9])
    assert scores_of(samples, store, output) == (first, [BATCH])


@pytest.mark.parametrize(
    ("type_", "settings"), [("clip-score", {"model": CLIP}), ("kid", {}), ("cmmd", {"model": CLIP})]
)
def test_a_value_does_not_depend_on_what_else_is_scored(type_, settings, rooms):
    images, prompts = [room.image for room in rooms], [room.caption for room in rooms]
    asked = measure(type_, **settings)
    whole = values.score_whole(asked, images, prompts, "")
    assert values.score_whole(asked, images[5:6], prompts[5:6], "") == whole[5:6]
    assert values.score_whole(asked, images[::-1] * 5, prompts[::-1] * 5, "") == whole[::-1] * 5


def test_the_scripts_write_what_a_measure_gives(rooms, dinov2, tmp_path):
    def run(script, *arguments):
        command = [sys.executable, f"scripts/{script}.py", *map(str, arguments)]
        subprocess.run(command, cwd=RESOURCES.parent, check=True, capture_output=True)

    samples = tmp_path / "samples.parquet"
    splits = [tmp_path / "train.parquet", tmp_path / "validation.parquet"]
    prompts = [room.caption for room in rooms]
    write_samples(samples, rooms)
    for path in splits:
        pq.write_table(pa.table({"image": shown(rooms), "id": [room.id for room in rooms]}), path)
    measures = {
        "clip": {"type": "clip-score", "model": CLIP},
        "kid": {"type": "kid", "encoder": {"type": "dinov2", "model": dinov2}},
        "cmmd": {"type": "cmmd", "model": CLIP},
    }
    plan = tmp_path / "plan.json"
    scored = [(name, *GROUP) for name in measures]
    plan.write_text(
        json.dumps({"scored": scored, "measures": measures, "code": dict.fromkeys(measures, "")})
    )
    output, store = tmp_path / "scores.parquet", tmp_path / "values"
    asked = ["--samples", samples, "--plan", plan, "--store", store, "--label", "base/tiny/0"]
    run("score", *asked, "--output", output)
    drawn, real = {name: read_scores(Part(str(output), (name, *GROUP))) for name in measures}, {}
    for name, entry in measures.items():
        if name != "clip":
            output = tmp_path / f"{name}.parquet"
            entry = ["--measure", json.dumps(entry)]
            more = ["--resolution", 64, "--output", output]
            run("reference", "--pictures", *splits, *entry, *more)
            real[name] = read_reference(output)
    assert drawn["kid"]["value"].shape == real["kid"].train.shape == (len(rooms), 32)
    assert (real["kid"].train == real["kid"].validation).all()
    # the same pictures: every one is nearest to itself
    order = {prompt: number for number, prompt in enumerate(prompts)}
    nearest = (drawn["cmmd"]["value"] @ real["cmmd"].train.T).argmax(axis=1)
    assert nearest.tolist() == [order[prompt] for prompt in drawn["cmmd"]["prompt"]]
    assert drawn["clip"]["held_out"].sum() == 2
    assert ((drawn["clip"]["value"] > 0) & (drawn["clip"]["value"] < 100)).all()


def test_a_folder_of_another_model(rooms, dinov2):
    with pytest.raises(UserError, match="holds a model of type 'dinov2', not 'clip'"):
        measure("clip-score", model=dinov2).score([rooms[0].image], [""], "")
    with pytest.raises(UserError, match="holds a model of type 'clip', not 'dinov2'"):
        encoded([rooms[0].image], encoder={"type": "dinov2", "model": CLIP})


def test_features_tell_rooms_from_creatures(rooms):
    critters = DiceBear(style="critters", count=4).pictures()
    images = [room.image for room in rooms[:4]] + [critter.image for critter in critters]
    found = np.array(encoded(images))
    assert found.shape == (8, 1280)
    distances = np.linalg.norm(found[:, None] - found[None], axis=2)
    assert distances[:4, :4].max() < distances[:4, 4:].min()


def test_the_middle_square_of_a_wide_picture():
    image = Image.new("RGB", (300, 100), "red")
    image.paste("blue", (100, 0, 200, 100))
    square = centre_square(image, 10)
    assert square.size == (10, 10)
    assert set(square.get_flattened_data()) == {(0, 0, 255)}
