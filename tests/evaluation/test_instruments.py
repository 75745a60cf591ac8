"""The measures as instruments: what each sees, and that the base is not better than itself."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from instruments import FILE, Drawn, compare_often

from emaki.config import load
from emaki.data.sources.rooms import Rooms
from emaki.evaluation.calibration import Margin, damaged
from emaki.evaluation.measures import KIND, RealPictures
from emaki.evaluation.sequential import decide, interval
from emaki.evaluation.settings import ERROR, LOOKS
from emaki.evaluation.words import WORSE

RESOURCES = Path(__file__).parents[2] / "resources"
REAL = 128  # pictures that distances compare with, half of them held out
MEASURES = {
    "clip-score": {"model": str(RESOURCES / "tiny-clip")},
    "preference": {"model": str(RESOURCES / "tiny-clip")},
    "attributes": {"classifier": str(RESOURCES / "tiny-attributes")},
    "likeness": {},
    "kid": {},
    "sharpness": {},
}


@pytest.fixture(scope="module")
def rooms():
    torch.set_num_threads(1)
    return list(Rooms(count=REAL + LOOKS[0], seed=31).pictures())


@pytest.fixture(scope="module")
def real(rooms):
    """What KID and likeness make of real pictures: they have one encoder."""
    images = [room.image for room in rooms[:REAL]]
    rows = np.array(KIND.read({"type": "likeness"}).score_reference(images, ""))
    return RealPictures(*np.split(rows, 2))


@pytest.mark.parametrize(
    ("type_", "damage", "strength", "prompts"),
    [
        ("clip-score", "prompts", 0.2, 128),
        ("preference", "prompts", 0.2, 128),
        ("attributes", "prompts", 0.2, 128),
        ("likeness", "blur", 1.0, 32),
        ("likeness", "noise", 8.0, 32),
        ("kid", "blur", 2.0, 64),
        ("sharpness", "blur", 0.5, 32),
    ],
)
def test_a_measure_sees_the_damage_that_it_is_for(type_, damage, strength, prompts, rooms, real):
    """Each at the first look, as surely as one of an entry's ten verdicts must be."""
    measure = KIND.read({"type": type_, **MEASURES[type_]})
    own = rooms[REAL:][:prompts]
    images, captions = [room.image for room in own], [room.caption for room in own]
    before = np.array(measure.score(images, captions, ""))
    after = np.array(measure.score(*damaged(images, captions, damage, strength), ""))
    numbered = np.array([f"{number:03d}" for number in range(prompts)], dtype=object)
    values = measure.compare(after, before, numbered, real)
    found = interval(values, LOOKS, ERROR / 10)
    assert decide(found, 0.0, measure.higher_is_better) == WORSE, found


@pytest.mark.parametrize(
    ("name", "mostly"),
    [
        ("attributes", "not decided yet"),
        ("clip_score", "the same"),
        ("sharpness", "the same"),
    ],
)
def test_the_base_is_seldom_better_or_worse_than_itself(name, mostly):
    """Of a hundred comparisons at all looks 95 say the same, or that nothing is decided.

    The scores are those of the base's own pictures, drawn with other noise (instruments.py), and a
    measure is an experiment by itself.
    """
    study = load(RESOURCES.parent / "config/config.yaml")
    kept = json.loads(FILE.read_text())
    margins = {(name, "tiny"): Margin(own["margin"], "", []) for name, own in kept.items()}
    values = {name: np.array(own["values"]) for name, own in kept.items()}
    measure = study.measures[name].model_copy(update={"decides": True})
    found = compare_often({name: measure}, Drawn(values, margins, {}))
    fooled = [verdicts for verdicts in found if {"better", "worse"} & set(verdicts.values())]
    assert len(fooled) <= 5, fooled
    assert sum(set(verdicts.values()) == {mostly} for verdicts in found) >= 95
