"""Verdicts after several looks: they fool as seldom as they say, and tell how much is missing."""

import numpy as np
import pytest

from emaki.evaluation.sequential import (
    Interval,
    critical_value,
    decide,
    interval,
    look_until_decided,
    prompts_to_decide,
)
from emaki.evaluation.settings import LOOKS
from emaki.evaluation.words import BETTER, SAME, UNDECIDED, WORSE

STUDIES = 1000


@pytest.mark.parametrize(("looks", "published"), [(1, 1.960), (2, 2.178), (3, 2.289), (5, 2.413)])
def test_equally_spaced_looks_have_the_published_constants(looks, published):
    """Jennison and Turnbull, Group Sequential Methods (2000), table 2.1."""
    assert critical_value(tuple(range(1, looks + 1)), 0.05) == pytest.approx(published, abs=1e-3)


def normal(chance, count):
    return chance.standard_normal(count)


def crashing(chance, count):
    """Like a fine-tune on unrelated prompts: four of ten unchanged, and one in seventeen lost."""
    values = 0.3 * chance.standard_normal(count)
    values[chance.random(count) < 0.4] = 0
    lost = chance.random(count) < 0.06
    values[lost] -= chance.exponential(4, lost.sum())
    return values


def simulate(noise, effect, margin):
    """{verdict: share} of studies, and the mean number of prompts; the noise has deviation 1."""
    many = noise(np.random.default_rng(1), 1_000_000)
    chance, verdicts, prompts = np.random.default_rng(0), [], []
    for _ in range(STUDIES):
        own = (noise(chance, LOOKS[-1]) - many.mean()) / many.std() + effect
        verdict, found = look_until_decided(own, margin)
        verdicts.append(verdict)
        prompts.append(found.prompts)
    shares = {v: verdicts.count(v) / STUDIES for v in (BETTER, WORSE, SAME, UNDECIDED)}
    return shares, np.mean(prompts)


# Two standard errors of a share of 5 % among so many studies.
SLACK = 2 * (0.05 * 0.95 / STUDIES) ** 0.5


@pytest.mark.parametrize("noise", [normal, crashing])
@pytest.mark.parametrize("margin", [0.25, 0.5])
def test_equal_models_are_seldom_called_better_or_worse(noise, margin):
    shares, prompts = simulate(noise, 0, margin)
    assert shares[BETTER] + shares[WORSE] <= 0.05 + SLACK
    assert shares[SAME] > 0.9
    assert prompts < 210


@pytest.mark.parametrize("noise", [normal, crashing])
@pytest.mark.parametrize("margin", [0.25, 0.5])
def test_a_difference_as_large_as_the_margin_is_seldom_called_none(noise, margin):
    shares, _ = simulate(noise, margin, margin)
    assert shares[SAME] + shares[WORSE] <= 0.05 + SLACK


def test_twice_the_margin_is_seen_at_the_first_look():
    shares, prompts = simulate(normal, 0.5, 0.25)
    assert shares[BETTER] > 0.99
    assert prompts < 135


def test_the_interval_of_one_look_is_students():
    values = np.array([1.0, 2, 3, 4, 5])
    found = interval(values, looks=(5,), error=0.05)
    assert found.high - found.mean == pytest.approx(2.776 * values.std(ddof=1) / 5**0.5, abs=1e-3)


def test_no_spread_is_no_width():
    assert interval(np.zeros(128)) == Interval(0, 0, 0, 128)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.5, 3, BETTER),
        (-3, -0.5, WORSE),
        (-0.9, 0.9, SAME),
        (0.1, 0.9, SAME),
        (-0.5, 3, UNDECIDED),
        (-3, 3, UNDECIDED),
    ],
)
def test_verdicts_of_intervals(low, high, verdict):
    found = Interval((low + high) / 2, low, high, 128)
    assert decide(found, margin=1) == verdict
    mirrored = {BETTER: WORSE, WORSE: BETTER}
    assert decide(found, margin=1, higher_is_better=False) == mirrored.get(verdict, verdict)


def test_only_models_that_draw_the_same_are_the_same_without_a_margin():
    assert decide(Interval(0, 0, 0, 128), margin=0) == SAME
    assert decide(Interval(0, -0.01, 0.01, 128), margin=0) == UNDECIDED


def test_how_many_prompts_would_decide():
    # a half-width of 2 has to become 1: four times the prompts
    assert prompts_to_decide(Interval(0, -2, 2, 128), margin=1) == 512
    assert prompts_to_decide(Interval(1, -1, 3, 128), margin=0.1) == 512
    assert prompts_to_decide(Interval(0, -1, 1, 128), margin=0) is None
    assert prompts_to_decide(Interval(1, -np.inf, np.inf, 4), margin=1) is None


def test_differences_must_be_numbers():
    with pytest.raises(ValueError, match="finite"):
        interval(np.array([1.0, np.nan]))
