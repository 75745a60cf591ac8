"""The distances as they were defined, and as one value per prompt."""

import math

import numpy as np
import pytest

from emaki.evaluation.by_prompt import MINIMUM_PROMPTS, prompt_means, pseudo_values
from emaki.evaluation.mmd import difference_by_prompt, gaussian, mmd
from emaki.evaluation.sequential import interval

NAMES = np.repeat(np.arange(10), 3)


def test_coverage_of_the_difference_in_kid():
    """Features that cluster by prompt, more in one model than in the other."""
    real = np.random.default_rng(0).normal(size=(150, 12))

    def draw(prompts, seeds, rng):
        shared = rng.normal(size=(prompts, 1, 12))
        ours = 0.3 + 0.7 * shared + 0.5 * rng.normal(size=(prompts, seeds, 12))
        theirs = 0.5 + 0.4 * shared + 0.8 * rng.normal(size=(prompts, seeds, 12))
        names = np.repeat(np.arange(prompts), seeds)
        return ours.reshape(-1, 12), theirs.reshape(-1, 12), names

    ours, theirs, _ = draw(3000, 1, np.random.default_rng(1))
    truth = mmd(ours, real) - mmd(theirs, real)
    rng = np.random.default_rng(2)
    hits, studies = 0, 200
    for _ in range(studies):
        found = interval(difference_by_prompt(*draw(10, 3, rng)[:2], real, NAMES), looks=(10,))
        hits += found.low <= truth <= found.high
    assert 0.91 <= hits / studies <= 0.995


def test_kid_is_the_definition():
    rng = np.random.default_rng(0)
    X, R = rng.normal(size=(5, 7)), rng.normal(0.5, 1, size=(6, 7))

    def k(x, y):
        return (x @ y / 7 + 1) ** 3

    within = sum(k(X[i], X[j]) for i in range(5) for j in range(5) if i != j) / 20
    real = sum(k(R[i], R[j]) for i in range(6) for j in range(6) if i != j) / 30
    between = sum(k(x, r) for x in X for r in R) / 30
    assert mmd(X, R) == pytest.approx(within + real - 2 * between)


def test_cmmd_is_the_definition():
    """Every pair by itself, with the kernel and the bandwidth as the paper writes them."""
    rng = np.random.default_rng(5)
    X, R = rng.normal(size=(5, 4)), rng.normal(size=(7, 4)) + 1

    def k(x, y):
        return math.exp(-sum((a - b) ** 2 for a, b in zip(x, y)) / (2 * 10**2))

    within = sum(k(x, y) for i, x in enumerate(X) for j, y in enumerate(X) if i != j) / 20
    real = sum(k(x, y) for i, x in enumerate(R) for j, y in enumerate(R) if i != j) / 42
    between = sum(k(x, y) for x in X for y in R) / 35
    assert mmd(X, R, kernel=gaussian) == pytest.approx(within + real - 2 * between, abs=1e-12)
    A, B = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
    by_prompt = difference_by_prompt(A, B, R, list("abcdef"), gaussian)
    expected = mmd(A, R, kernel=gaussian) - mmd(B, R, kernel=gaussian)
    assert len(by_prompt) == 6
    assert by_prompt.mean() == pytest.approx(expected, abs=1e-9)


def test_kid_is_zero_on_average_between_equals():
    rng = np.random.default_rng(0)
    draws = [mmd(rng.normal(size=(30, 8)), rng.normal(size=(30, 8))) for _ in range(300)]
    assert abs(np.mean(draws)) < 3 * np.std(draws) / np.sqrt(len(draws))


def test_mean_over_prompts_is_the_difference_in_kid():
    rng = np.random.default_rng(0)
    A, B, R = (rng.normal(size=(size, 6)) for size in (30, 30, 20))
    by_prompt = difference_by_prompt(A, B, R, NAMES)
    assert by_prompt.shape == (10,)
    assert by_prompt.mean() == pytest.approx(mmd(A, R, NAMES) - mmd(B, R, NAMES))


def test_values_by_prompt_are_those_of_the_distance_without_each():
    rng = np.random.default_rng(1)
    A, B, R = (rng.normal(size=(size, 6)) for size in (30, 30, 20))

    def difference(kept):
        sides = (mmd(side[kept], R, NAMES[kept]) for side in (A, B))
        return next(sides) - next(sides)

    whole = difference(np.full(30, True))
    without = np.array([difference(name != NAMES) for name in range(10)])
    expected = pseudo_values(whole, without)
    assert difference_by_prompt(A, B, R, NAMES) == pytest.approx(expected, abs=1e-12)
    few = NAMES < MINIMUM_PROMPTS - 1
    assert len(set(difference_by_prompt(A[few], B[few], R, NAMES[few]))) == 1


def test_pseudo_values_of_a_mean_are_the_values():
    values = np.arange(6.0) ** 2
    without = (values.sum() - values) / 5
    assert pseudo_values(values.mean(), without) == pytest.approx(values)


def test_a_difference_is_averaged_over_the_seeds_of_a_prompt():
    assert prompt_means(np.array([1.0, 3, 5]), np.array(["b", "b", "a"])).tolist() == [5, 2]
