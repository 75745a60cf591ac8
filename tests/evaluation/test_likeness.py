"""Likeness as an instrument, on drawn rooms: what it sees, with how many prompts, and what not."""

import numpy as np
import pytest
import torch

from emaki.data.sources.rooms import Rooms
from emaki.evaluation import scoring
from emaki.evaluation.calibration import calibrate, find_margin, read_calibration, set_aside
from emaki.evaluation.measures import KIND, RealPictures
from emaki.evaluation.sequential import decide, interval
from emaki.evaluation.whitening import whiten
from emaki.evaluation.words import BETTER, WORSE

MEASURE = KIND.read({"type": "likeness"})
TRAIN, HELD_OUT = 128, 96


@pytest.fixture(scope="module")
def rooms():
    torch.set_num_threads(1)
    return [room.image for room in Rooms(count=320, seed=5).pictures()]


@pytest.fixture(scope="module")
def features(rooms):
    return np.array(MEASURE.encode(rooms, ""))


@pytest.fixture(scope="module")
def real(features):
    return RealPictures(features[:TRAIN], features[TRAIN : TRAIN + HELD_OUT])


@pytest.fixture(scope="module")
def margin(rooms, real, tmp_path_factory):
    path = tmp_path_factory.mktemp("likeness") / "calibration.parquet"
    assert set_aside(TRAIN, HELD_OUT) == (0, 32)
    damaged = rooms[TRAIN : TRAIN + 32]
    scoring.write(calibrate(MEASURE, damaged, [str(n) for n in range(32)], ""), path)
    return find_margin(MEASURE, read_calibration(path), real)


def numbered(count):
    return np.array([f"{number:03d}" for number in range(count)], dtype=object)


def test_32_pictures_are_enough_to_see_blur_and_noise(margin):
    """Half a pixel, and a noise of 4 of 255, by more than two standard errors; more by more."""
    for damage in ("blur", "noise"):
        steps = [step for step in margin.ladder if step["damage"] == damage]
        costs = [step["difference"] for step in steps]
        assert costs[0] > 2 * steps[0]["error"]
        assert costs[0] < costs[1] < costs[2]
    (pixel,) = (s for s in margin.ladder if (s["damage"], s["strength"]) == ("blur", 1.0))
    assert pixel["difference"] > 5 * pixel["error"]
    assert margin.value == pytest.approx(pixel["difference"] / 4, abs=1e-6)
    assert margin.reason == ""


def test_other_pictures_of_the_same_kind_are_seldom_better_or_worse(features, real, margin):
    """128 pictures against 128 of the same rooms by another noise, a hundred times."""
    pool, chance, fooled = features[TRAIN:], np.random.default_rng(0), 0
    real = RealPictures(real.train, real.train[:0])
    for _ in range(100):
        ours, theirs = np.split(pool[chance.permutation(len(pool))[:128]], 2)
        values = MEASURE.compare(ours, theirs, numbered(64), real)
        said = decide(interval(values, (64,), 0.05 / 3), margin.value, higher_is_better=False)
        fooled += said in (BETTER, WORSE)
    assert fooled <= 5


def test_copies_of_training_pictures_gain_nothing_by_held_out_ones(features, real):
    copies, fresh = features[:64], features[TRAIN + HELD_OUT :][:64]

    def gain(reference):
        values = -MEASURE.compare(copies, fresh, numbered(64), reference)
        return values.mean(), values.std(ddof=1) / len(values) ** 0.5

    assert MEASURE.compares_with(real) == "validation"
    found, error = gain(real)
    assert found < 2 * error
    few = RealPictures(real.train, real.validation[:63])
    assert MEASURE.compares_with(few) == "train"
    assert gain(few)[0] > found + error


def test_the_components_of_the_real_pictures_are_white(features):
    rows = features[:TRAIN]
    found = whiten(rows, 32)(rows)
    assert found.mean(axis=0) == pytest.approx(np.zeros(32), abs=1e-9)
    assert np.cov(found.T) == pytest.approx(np.eye(32), abs=1e-9)
    assert whiten(rows[:9], 32)(rows).shape == (TRAIN, 8)
    assert whiten(np.repeat(rows[:2], 3, axis=0), 32)(rows).shape == (TRAIN, 1)
    # a quarter as many as there are pictures
    assert MEASURE.view(RealPictures(rows, rows[:0]))(rows).shape == (TRAIN, 32)
