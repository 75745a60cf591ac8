"""Sharpness as an instrument: what it sees on drawn rooms, and with how many."""

import numpy as np
import pytest
from PIL import Image

from emaki.data.sources.rooms import Rooms
from emaki.evaluation import scoring
from emaki.evaluation.calibration import calibrate, find_margin, read_calibration
from emaki.evaluation.measures import KIND
from emaki.evaluation.reference import centre_square
from emaki.evaluation.sequential import decide, interval
from emaki.evaluation.words import BETTER, WORSE

MEASURE = KIND.read({"type": "sharpness", "decides": True})


@pytest.fixture(scope="module")
def rooms():
    return [centre_square(room.image, 64) for room in Rooms(count=160, seed=9).pictures()]


@pytest.fixture(scope="module")
def margin(rooms, tmp_path_factory):
    path = tmp_path_factory.mktemp("sharpness") / "calibration.parquet"
    scoring.write(calibrate(MEASURE, rooms[:8], list("abcdefgh"), ""), path)
    return find_margin(MEASURE, read_calibration(path), None)


def test_eight_pictures_are_enough_to_see_half_a_pixel_of_blur(margin):
    weak, middle, strong = (step for step in margin.ladder if step["damage"] == "blur")
    assert weak["difference"] < -5 * weak["error"]
    assert strong["difference"] < middle["difference"] < weak["difference"]
    assert margin.value == pytest.approx(-weak["difference"] / 2, abs=1e-6)
    noise = [step["difference"] for step in margin.ladder if step["damage"] == "noise"]
    assert 0 < noise[0] < noise[1] < noise[2]  # as its text says


def test_other_pictures_of_the_same_kind_are_seldom_sharper_or_blurrier(rooms, margin):
    values, chance = np.array(MEASURE.score(rooms, [], "")), np.random.default_rng(0)
    said = []
    for _ in range(100):
        ours, theirs = np.split(values[chance.permutation(len(values))[:128]], 2)
        found = interval(ours - theirs, (64,), 0.05 / 3)
        said.append(decide(found, margin.value, higher_is_better=True))
    assert sum(verdict in (BETTER, WORSE) for verdict in said) <= 5


def test_a_flat_picture_has_no_detail_and_a_number():
    flat, chequered = Image.new("RGB", (16, 16), "teal"), Image.new("RGB", (16, 16), "white")
    chequered.putdata([(255 * ((n + n // 16) % 2),) * 3 for n in range(256)])
    assert MEASURE.score([flat, chequered], ["", ""], "") == [0, pytest.approx(19.99, abs=0.01)]


def test_it_is_shown_without_verdicts_unless_the_config_says_otherwise():
    assert not KIND.read({"type": "sharpness"}).decides
