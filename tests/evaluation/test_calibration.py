"""What damage costs, on real pictures of the tiny model's corpus, and the margins that follow."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from emaki.data.decoding import to_png
from emaki.data.sources.rooms import Rooms
from emaki.evaluation import scoring
from emaki.evaluation.calibration import (
    DAMAGES,
    NONE,
    calibrate,
    damaged,
    find_margin,
    read_calibration,
    set_aside,
)
from emaki.evaluation.measures import KIND, RealPictures
from emaki.evaluation.real_calibration import read_set_aside
from emaki.evaluation.reference import centre_square

RESOURCES = Path(__file__).parents[2] / "resources"


@pytest.fixture(scope="module")
def rooms():
    return list(Rooms(count=24, seed=77).pictures())


@pytest.fixture(scope="module")
def others():
    return [room.image for room in Rooms(count=40, seed=5).pictures()]


def calibrated(measure, rooms, folder):
    columns = calibrate(measure, [r.image for r in rooms], [r.caption for r in rooms], "")
    scoring.write(columns, folder / "calibration.parquet")
    return read_calibration(folder / "calibration.parquet")


def costs(margin, damage):
    return [step["difference"] for step in margin.ladder if step["damage"] == damage]


def test_clip_score_sees_wrong_prompts_and_takes_its_margin_from_them(rooms, tmp_path):
    measure = KIND.read({"type": "clip-score", "model": str(RESOURCES / "tiny-clip")})
    margin = find_margin(measure, calibrated(measure, rooms, tmp_path), None)
    few, some, all_ = costs(margin, "prompts")
    assert 0 > few > some > all_
    assert margin.value == pytest.approx(-0.05 * all_, rel=1e-3)
    assert margin.reason == ""
    assert max(map(abs, costs(margin, "blur"))) < abs(all_) / 5  # it is all but blind to blur


def test_kid_takes_its_margin_from_half_a_pixel_on_real_pictures(rooms, others, tmp_path):
    measure = KIND.read({"type": "kid"})
    found = calibrated(measure, rooms, tmp_path)
    # those that are damaged are the last, and are not compared with
    train = np.concatenate([measure.encode(others, ""), found[NONE, 0.0]["value"]])
    assert set_aside(len(train), 0) == (32, 0)
    margin = find_margin(measure, found, RealPictures(train, train[:0]))
    weak, middle, strong = costs(margin, "blur")
    assert 0 < weak < middle < strong
    assert margin.value == pytest.approx(weak, rel=1e-3)
    assert costs(margin, "prompts") == []
    few = {step: {key: values[:5] for key, values in side.items()} for step, side in found.items()}
    assert find_margin(measure, few, RealPictures(train, train[:0])).value is None


@pytest.mark.parametrize(
    ("pictures", "damaged"),
    [((268, 25), (7, 25)), ((300, 100), (0, 32)), ((20, 0), (10, 0)), ((3, 4), (0, 3))],
)
def test_held_out_pictures_are_damaged_first_and_at_most_half_of_all(pictures, damaged):
    assert set_aside(*pictures) == damaged


def test_damaged_real_pictures_are_read_from_the_dataset_or_its_shards(rooms, tmp_path):
    shown = [{"bytes": to_png(room.image), "path": None} for room in rooms[:6]]
    shard = tmp_path / "shards" / "0" / "data"
    shard.mkdir(parents=True)
    (tmp_path / "data").mkdir()
    whole, index = [], []
    for split, rows in (("train", range(4)), ("validation", range(4, 6))):
        ids = [str(row) for row in rows]
        table = pa.table({"image": [shown[row] for row in rows], "id": ids})
        parquet.write_table(table, shard / f"{split}.parquet")
        whole.append(shard / f"{split}.parquet")
        index.append(tmp_path / "data" / f"{split}.parquet")
        places = {"id": ids, "shard": ["0"] * len(ids), "row": list(range(len(ids)))}
        parquet.write_table(pa.table(places), index[-1])
    images, names = read_set_aside(whole, 64)
    assert names == ["3", "4", "5"]
    wanted = [centre_square(rooms[row].image, 64).tobytes() for row in (3, 4, 5)]
    assert [image.tobytes() for image in images] == wanted
    assert [image.tobytes() for image in read_set_aside(index, 64)[0]] == wanted


def ladder(costs, prompts=8, noise=0.0):
    """A calibration in which the damages cost so much, of each prompt by so much more or less.

    Of any two damages the differences have a standard error of about the noise / sqrt(prompts).
    """
    chance = np.random.default_rng(0)
    values = {(NONE, 0.0): np.full(prompts, 50.0)}
    for damage, strengths in DAMAGES.items():
        for strength, cost in zip(strengths, costs.get(damage, (0, 0, 0))):
            own = chance.normal(size=prompts)
            values[damage, strength] = 50.0 - cost + noise / 2**0.5 * (own - own.mean())
    names = np.array([f"prompt {number}" for number in range(prompts)], dtype=object)
    return {step: {"prompt": names, "value": value} for step, value in values.items()}


@pytest.mark.parametrize(
    ("costs", "margin"),
    [((1, 5, 60), 3), ((0, 5, 60), 3), ((-1, 5, 60), None), ((5, 4, 60), None)],
)
def test_a_measure_that_does_not_see_what_it_is_for_gives_no_verdict(costs, margin):
    measure = KIND.read({"type": "clip-score", "model": "clip"})
    found = find_margin(measure, ladder({"prompts": costs}), None)
    assert found.value == margin
    assert found.reason == ("" if margin else "it does not see wrong prompts here")


@pytest.mark.parametrize(
    ("costs", "is_seen"),
    [
        ((1, 5, 60), True),
        ((5, 4.5, 60), True),  # it falls by half a standard error
        ((5, 3.5, 60), False),  # by one and a half
        ((0.3, 0.5, 1), False),  # less than two of them above zero
        ((-0.4, 5, 60), True),  # the weakest less than none, by half of one
        ((-1, 5, 60), False),
    ],
)
def test_a_ladder_may_fall_by_as_much_as_noise_moves_it(costs, is_seen):
    measure = KIND.read({"type": "clip-score", "model": "clip"})
    found = find_margin(measure, ladder({"prompts": costs}, prompts=400, noise=20), None)
    assert (found.value is not None) == is_seen


def test_a_margin_of_the_config_needs_no_pictures():
    measure = KIND.read({"type": "clip-score", "model": "clip", "margin": 2.5})
    assert find_margin(measure, None, None) == (2.5, "", [])
    assert "margin" not in measure.scoring()


def test_damage_grows_and_is_the_same_every_time(rooms):
    images, prompts = [room.image for room in rooms[:4]], [room.caption for room in rooms[:4]]
    for damage in ("blur", "noise", "jpeg"):
        changes = []
        for strength in DAMAGES[damage]:
            found, asked = damaged(images, prompts, damage, strength)
            assert asked == prompts
            assert found[0].tobytes() == damaged(images, prompts, damage, strength)[0][0].tobytes()
            pairs = zip(found, images)
            changes.append(np.mean([np.abs(_floats(one) - _floats(two)) for one, two in pairs]))
        assert 0 < changes[0] < changes[1] < changes[2]


def test_more_lost_prompts_are_those_lost_before_and_others():
    prompts = [f"prompt {number}" for number in range(32)]
    lost = []
    for share in DAMAGES["prompts"]:
        _, asked = damaged([], prompts, "prompts", share)
        lost.append({own for own, other in zip(prompts, asked) if own != other})
    assert [len(each) for each in lost] == [2, 6, 32]
    assert lost[0] < lost[1] < lost[2]


def _floats(image):
    return np.asarray(image, dtype=np.float64)


def test_a_blur_of_large_pictures_is_as_wide_in_proportion():
    small = Image.new("RGB", (64, 64))
    small.paste("white", (32, 0, 64, 64))
    large = small.resize((256, 256), Image.Resampling.NEAREST)
    ((one,), _), ((other,), _) = (damaged([i], [""], "blur", 2.0) for i in (small, large))
    difference = np.abs(
        np.asarray(other.resize((64, 64), Image.Resampling.BOX), int) - np.asarray(one)
    )
    assert np.abs(np.asarray(one, int) - np.asarray(small)).max() > 60
    assert difference.max() < 16
