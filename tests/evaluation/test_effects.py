"""Effects that were put into a factorial experiment come out, and others do not."""

import itertools

import numpy as np
import pytest

from emaki.config import load
from emaki.config.comparisons import comparisons
from emaki.evaluation.effects import contrasts_of, find_effects
from emaki.evaluation.measures import KIND
from emaki.evaluation.words import BETTER, SAME, UNDECIDED, WORSE

MEASURE = KIND.read({"type": "clip-score", "model": "resources/tiny-clip"})
AXES = [
    {"name": "start", "levels": ["ema", "raw"], "trained": True},
    {"name": "decay", "levels": ["fast", "slow"], "trained": True},
    {"name": "weights", "levels": ["ema", "raw"], "trained": False},
]
PROMPTS = 128
ANSWERS = {"margins": [{"metric": "domain_score", "model": "tiny", "value": 2.0, "reason": ""}]}


def make(chance, effects, trainings=1, apart=0.0, axes=AXES):
    """A plan and its scores: `effects` is {levels: points} of cells that have all of them.

    Trainings by the same start and decay have deviation `apart`, whichever weights are read.
    """
    cells, scores, shift = [], {}, {}
    prompts = np.array([str(number) for number in range(PROMPTS)], dtype=object)
    level = chance.normal(60, 6, PROMPTS)
    for levels in itertools.product(*(axis["levels"] for axis in axes)):
        paths = [f"{'-'.join(levels)}+seed{seed}" for seed in range(trainings)]
        of_seeds = [{"seed": seed, "variant": path} for seed, path in enumerate(paths)]
        cells.append({"variant": paths[0], "levels": list(levels), "trainings": of_seeds})
        names = {(axis["name"], own) for axis, own in zip(axes, levels)}
        gain = sum(points for wanted, points in effects.items() if set(wanted) <= names)
        for seed, path in enumerate(paths):
            key = (levels[:2], seed)
            own = shift.setdefault(key, chance.normal(0, apart) if apart else 0.0)
            value = level + gain + own + chance.normal(0, 6, PROMPTS)
            scores["score", path, "domain"] = {"prompt": prompts, "value": value}
    plan = {
        "matrix": {"axes": axes, "cells": cells},
        "prompts": {"domain": "rooms"},
        "looks": {"domain": [PROMPTS, 2 * PROMPTS]},
        "fewest": PROMPTS,
        "pairs": [{"variant": cell["variant"], "model": "tiny"} for cell in cells],
    }
    return plan, scores


def effects_of(plan, scores, error=0.05):
    return find_effects(plan, {"score": MEASURE}, scores, {}, ANSWERS, error)


TRUE = {
    (("start", "raw"),): -6.0,
    (("weights", "ema"),): 9.0,
    (("start", "raw"), ("decay", "slow")): 8.0,
}


@pytest.mark.parametrize("trainings", [1, 3])
def test_effects_that_were_put_in_come_out(trainings):
    chance = np.random.default_rng(0)
    found = effects_of(*make(chance, TRUE, trainings, apart=1.0 if trainings > 1 else 0.0))
    told = {one["what"]: one["metrics"]["domain_score"] for one in found}
    assert list(told) == [
        *("start raw", "decay slow", "weights raw"),
        *("start raw with decay slow", "start raw with weights raw", "decay slow with weights raw"),
    ]
    # of the average over decay, half of what start does with the slow one
    truths = [-2.0, 4.0, -9.0, 8.0, 0.0, 0.0]
    for metric, truth in zip(told.values(), truths):
        assert metric["difference"] == pytest.approx(truth, abs=2.5)
        assert metric["low"] < truth < metric["high"]
        assert ("by_training" in metric) == (trainings > 1)
    assert told["weights raw"]["verdict"] == WORSE
    assert told["start raw with decay slow"]["verdict"] in (BETTER, UNDECIDED)
    assert {one["trainings"] for one in found} == {trainings}


def test_effects_are_told_in_words():
    found = effects_of(*make(np.random.default_rng(0), TRUE))
    sentences = {one["what"]: one["sentence"] for one in found}
    assert sentences["weights raw"] == (
        "With weights raw instead of ema: the prompts are followed worse."
    )
    assert sentences["start raw with decay slow"] == (
        "Start raw with decay slow, beyond what each does by itself: the prompts are followed"
        " better."
    )


@pytest.mark.parametrize(("trainings", "apart"), [(1, 0.0), (3, 0.0), (3, 2.5)])
def test_nothing_is_seldom_called_something(trainings, apart):
    chance, wrong, studies = np.random.default_rng(0), 0, 200
    for _ in range(studies):
        found = effects_of(*make(chance, {}, trainings, apart))
        said = {one["metrics"]["domain_score"]["verdict"] for one in found}
        wrong += bool(said & {BETTER, WORSE})
    assert wrong / studies <= 0.05 + 2 * (0.05 * 0.95 / studies) ** 0.5


def test_an_axis_of_three_levels_is_compared_with_its_first():
    axes = [{"name": "rate", "levels": ["low", "middle", "high"], "trained": True}]
    found = effects_of(*make(np.random.default_rng(0), {(("rate", "high"),): 9.0}, axes=axes))
    verdicts = {one["what"]: one["metrics"]["domain_score"]["verdict"] for one in found}
    assert verdicts["rate high"] == BETTER
    assert verdicts["rate middle"] in (SAME, UNDECIDED)
    assert [one["against"] for one in found] == ["rate low"] * 2


def test_too_few_prompts_tell_nothing():
    plan, scores = make(np.random.default_rng(0), TRUE)
    found = effects_of({**plan, "fewest": 256}, scores)
    assert {one["metrics"]["domain_score"]["verdict"] for one in found} == {UNDECIDED}


CONFIG = """
extends: config/config.yaml
study: mine
experiments:
  causes:
    title: a
    question: b
    matrix:
      run: critters-non-ema
      axes:
        start: {ema: {train_init: ema}, raw: {train_init: non_ema}}
        decay: {fast: {ema: {preset: diffusers}}, slow: {ema: {preset: compvis}}}
    baselines: [tiny]
    weights: [ema, raw]
    prompts: {domain: critters}
"""


def test_the_cells_of_a_config(request, tmp_path, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    file = tmp_path / "my.yaml"
    file.write_text(
        CONFIG.replace("config/config.yaml", str(request.config.rootpath / "config/config.yaml"))
    )
    matrix = comparisons(load(file), "causes")["matrix"]
    assert matrix["axes"] == AXES
    cells = {tuple(cell["levels"]): cell["variant"] for cell in matrix["cells"]}
    assert len(cells) == 8
    assert cells["raw", "fast", "ema"] == "critters-non-ema/000150/ema/1.0"
    assert cells["ema", "slow", "raw"] == "causes-ema-slow/000150/raw/1.0"
    for contrast in contrasts_of(matrix):
        assert contrast.weights.sum() == pytest.approx(0)
