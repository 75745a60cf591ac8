"""Intervals that hold the truth as often as they say, and KID as it was defined."""

import math

import numpy as np
import pytest

from emaki.evaluation.by_prompt import MINIMUM_PROMPTS, pseudo_values
from emaki.evaluation.intervals import (
    simultaneous_intervals,
    verdict,
)
from emaki.evaluation.mmd import difference_by_prompt, gaussian, mmd


def one_interval(values, level=0.95, resamples=1000):
    low, high = simultaneous_intervals(np.array(values)[:, None], level, resamples)
    return low[0], high[0]


def percentile_interval(values, resamples=1000):
    drawn = np.random.default_rng(0).integers(len(values), size=(resamples, len(values)))
    return np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])


@pytest.mark.parametrize("skewed", [False, True])
def test_coverage_with_eight_prompts(skewed):
    """Where the percentile interval fails: few prompts, and skewed differences."""
    rng = np.random.default_rng(3)
    hits, percentile_hits, studies = 0, 0, 500
    for _ in range(studies):
        values = rng.exponential(2, 8) - 2 if skewed else rng.normal(0, 2, 8)
        values = values + rng.normal(0, 1, 8)
        low, high = one_interval(values)
        hits += low <= 0 <= high
        low, high = percentile_interval(values)
        percentile_hits += low <= 0 <= high
    assert 0.92 <= hits / studies <= 0.99
    assert percentile_hits / studies < 0.91


def test_coverage_of_twelve_comparisons_together():
    rng = np.random.default_rng(4)
    hits, studies = 0, 200
    for _ in range(studies):
        shared = rng.normal(size=(16, 1))
        differences = np.hstack([shared + rng.normal(size=(16, 8)), rng.normal(size=(16, 4))])
        low, high = simultaneous_intervals(differences, resamples=1000)
        hits += (low <= 0).all() and (high >= 0).all()
    assert 0.92 <= hits / studies <= 0.995


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
        low, high = one_interval(difference_by_prompt(*draw(10, 3, rng)[:2], real, NAMES))
        hits += low <= truth <= high
    assert 0.91 <= hits / studies <= 0.995


NAMES = np.repeat(np.arange(10), 3)


def test_more_comparisons_widen_each_interval():
    table = np.random.default_rng(0).normal(size=(12, 6))
    low, high = simultaneous_intervals(table)
    alone = one_interval(table[:, 0])
    assert low[0] < alone[0] < alone[1] < high[0]


def test_few_prompts_give_no_interval():
    low, high = simultaneous_intervals(np.ones((MINIMUM_PROMPTS - 1, 1)))
    assert (low[0], high[0]) == (-np.inf, np.inf)
    assert verdict(low[0], high[0]) == "no clear difference"


def test_the_same_pictures_are_no_difference():
    assert one_interval(np.zeros(8)) == (0, 0)
    assert verdict(0, 0) == "no clear difference"


def test_verdict_knows_which_side_is_better():
    assert verdict(0.1, 2) == "better"
    assert verdict(0.1, 2, higher_is_better=False) == "worse"
    assert verdict(-2, -0.1, higher_is_better=False) == "better"


def test_intervals_refuse_what_is_not_a_number():
    with pytest.raises(ValueError, match="finite"):
        simultaneous_intervals(np.array([[1.0], [np.nan], [2.0], [3.0]]))


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


def test_pseudo_values_of_a_mean_are_the_values():
    values = np.arange(6.0) ** 2
    assert pseudo_values(lambda kept: values[kept].mean(), 6) == pytest.approx(values)
