"""Drift, diversity and memorisation as instruments, on drawn rooms and with few of them."""

import numpy as np
import pytest
import torch
from PIL import ImageFilter

from emaki.data.sources.rooms import Rooms
from emaki.evaluation.calibration import damaged
from emaki.evaluation.measures import KIND, RealPictures
from emaki.evaluation.sequential import interval

DRIFT, DIVERSITY, COPIES = (
    KIND.read({"type": name}) for name in ("drift", "diversity", "memorisation")
)
PROMPTS = 16


@pytest.fixture(scope="module")
def rooms():
    torch.set_num_threads(1)
    return [room.image for room in Rooms(count=112, seed=5).pictures()]


@pytest.fixture(scope="module")
def features(rooms):
    return np.array(DRIFT.score(rooms, [], ""))


def numbered(count, seeds=1):
    return np.array([f"{number:03d}" for number in range(count) for _ in range(seeds)])


def clear(values):
    """Which side of zero the mean surely lies on."""
    found = interval(values, (len(values),), 0.01)
    return (found.low > 0) - (found.high < 0)


def test_drift_is_none_without_a_change_and_grows_with_it(rooms, features):
    base, found = features[:PROMPTS], []
    for strength in (0.5, 2.0):
        blurred, _ = damaged(rooms[:PROMPTS], [""] * PROMPTS, "blur", strength)
        changed = np.array(DRIFT.score(blurred, [], ""))
        found.append(DRIFT.compare(changed, base, numbered(PROMPTS), None))
    other = DRIFT.compare(features[PROMPTS : 2 * PROMPTS], base, numbered(PROMPTS), None)
    assert DRIFT.compare(base, base, numbered(PROMPTS), None) == pytest.approx(0, abs=1e-9)
    assert clear(found[0]) == clear(found[1] - found[0]) == clear(other - found[0]) == 1


def test_diversity_falls_where_prompts_come_out_alike(features):
    names = numbered(2 * PROMPTS)
    own, other = features[: 2 * PROMPTS], features[2 * PROMPTS : 4 * PROMPTS]
    alike = (own + own.mean(axis=0)) / 2  # half of what differs is gone
    assert clear(DIVERSITY.compare(alike, own, names, None)) == -1
    assert clear(DIVERSITY.compare(other, own, names, None)) == 0
    pairs = [
        100 * (1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        for number, a in enumerate(own)
        for b in own[:number]
    ]
    assert DIVERSITY.summarise(own, names, None) == pytest.approx(np.mean(pairs))


def test_diversity_of_several_seeds_is_within_prompts(features):
    names = numbered(PROMPTS, seeds=2)
    own = features[: 2 * PROMPTS]
    alike = np.repeat(own[::2], 2, axis=0)  # prompts differ, seeds do not
    assert DIVERSITY.summarise(alike, names, None) == pytest.approx(0, abs=1e-9)
    assert clear(DIVERSITY.compare(alike, own, names, None)) == -1


def test_copies_are_nearer_to_training_pictures_than_fresh_ones(rooms, features):
    real = RealPictures(features[:64], features[64:96])
    fresh = features[96:]
    copies = [room.filter(ImageFilter.GaussianBlur(0.5)) for room in rooms[:PROMPTS]]
    copies = np.array(COPIES.score(copies, [], ""))
    names = numbered(PROMPTS)
    assert clear(COPIES.compare(copies, fresh, names, real)) == 1
    for found in (real, RealPictures(real.train, real.train[:0])):
        assert COPIES.summarise(copies, names, found) > 0
        of_fresh = abs(COPIES.summarise(fresh, names, found))
        assert COPIES.summarise(copies, names, found) > 2 * of_fresh, of_fresh


def test_a_copy_is_nearest_to_the_picture_that_it_is_of(rooms, features):
    real = RealPictures(features[:64], features[64:96])
    copies = [room.filter(ImageFilter.GaussianBlur(0.5)) for room in rooms[:PROMPTS]]
    rows, above = COPIES.nearest(np.array(COPIES.score(copies, [], "")), real)
    assert rows.tolist() == list(range(PROMPTS))
    assert above.mean() > COPIES.nearest(features[96:], real)[1].mean()
