"""Scores of real pictures by the embedded CLIP and the packaged EfficientNet."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from emaki import scoring, sources

RESOURCES = Path(__file__).parents[1] / "resources"

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
    right = scoring.clip_scores(images, [room.caption for room in rooms], CLIP)
    wrong = scoring.clip_scores(images, ["pig"] * len(rooms), CLIP)
    assert np.mean(right) > np.mean(wrong) + 5
    assert all(0 <= score <= 100 for score in right + wrong)


def test_scores_do_not_depend_on_the_batch(rooms, monkeypatch):
    images, texts = [room.image for room in rooms], [room.caption for room in rooms]
    together = scoring.clip_scores(images, texts, CLIP), scoring.features(images)
    monkeypatch.setattr(scoring, "BATCH", 3)
    apart = scoring.clip_scores(images, texts, CLIP), scoring.features(images)
    assert np.allclose(together[0], apart[0], atol=1e-3)
    assert np.allclose(together[1], apart[1], atol=1e-4)


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
