"""Looking several times at growing sets of prompts without being fooled: group-sequential tests.

A comparison is looked at after so many prompts, and again after more, until it is decided. Each
look could fool, so each must be surer: Pocock's constant (Group sequential methods in the design
and analysis of clinical trials, Biometrika 1977) makes the chance that any of the looks at equal
models leaves out zero just what one look at `error` would have. The chance is that of a
multivariate normal, whose correlations are the roots of the shares of prompts that two looks have
in common; since the standard errors are estimated, Student's t takes the place of the normal at the
same tail probability.

docs/verdicts.md says in plain words what a verdict says and does not say; tests/evaluation/
test_sequential.py repeats the simulations that the looks were chosen by.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from emaki.evaluation.by_prompt import MINIMUM_PROMPTS
from emaki.evaluation.settings import ERROR, LOOKS
from emaki.evaluation.words import BETTER, SAME, UNDECIDED, WORSE


class Interval(NamedTuple):
    """A mean difference with the bounds of its interval, from so many prompts."""

    mean: float
    low: float
    high: float
    prompts: int


@functools.cache
def critical_value(looks: tuple[int, ...], error: float) -> float:
    """Standard errors that a mean must be from zero at each of the looks: Pocock's constant.

    `looks` are numbers of prompts, increasing; `error` in 0..1 is the chance that any of them
    leaves out zero where there is nothing, both sides together. One look gives the usual quantile.
    """
    return optimize.brentq(
        lambda bound: 1 - error - _chance_inside(bound, looks), 1.0, 6.0, xtol=1e-6
    )


def _chance_inside(bound: float, looks: tuple[int, ...]) -> float:
    """The chance that a standardised mean without a difference stays within +-bound at all looks.

    From look to look it is a Markov chain, whose density within the bounds is integrated on:
    Armitage, McPherson and Rowe, Repeated significance tests on accumulating data (1969).
    """
    nodes, weights = np.polynomial.legendre.leggauss(64)
    nodes, weights = bound * nodes, bound * weights
    density = stats.norm.pdf(nodes)
    for before, after in itertools.pairwise(looks):
        kept = np.sqrt(before / after)  # correlation of two looks: the prompts that they share
        steps = stats.norm.pdf(nodes[:, None], kept * nodes[None, :], np.sqrt(1 - kept**2))
        density = steps @ (weights * density)
    return float(weights @ density)


def interval(
    differences: np.ndarray, looks: tuple[int, ...] = LOOKS, error: float = ERROR
) -> Interval:
    """The interval of the mean of `differences` (prompts,), one a prompt, at one of the looks.

    Its half-width is Student's quantile at the tail probability of Pocock's constant for `looks`.
    Raises ValueError for fewer than two prompts or a difference that is not finite.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        raise ValueError("an interval needs the finite differences of two prompts or more")
    quantile = student_quantile(len(values) - 1, looks, error)
    half = quantile * values.std(ddof=1) / np.sqrt(len(values))
    mean = values.mean()
    return Interval(float(mean), float(mean - half), float(mean + half), len(values))


def try_interval(differences: np.ndarray, looks: tuple[int, ...], error: float) -> Interval:
    """As `interval`; without bounds where there are fewer than MINIMUM_PROMPTS differences."""
    if len(differences) < MINIMUM_PROMPTS:
        return Interval(float(differences.mean()), -np.inf, np.inf, len(differences))
    return interval(differences, looks, error)


def round_off(number: float | None) -> float | None:
    """To six decimals; None for none and for an infinite bound, which JSON does not know."""
    return None if number is None or not np.isfinite(number) else round(float(number), 6) + 0.0


@functools.cache
def student_quantile(degrees: int, looks: tuple[int, ...], error: float) -> float:
    """Student's quantile at the tail probability of Pocock's constant for `looks`."""
    return stats.t.isf(stats.norm.sf(critical_value(looks, error)), degrees)


def decide(found: Interval, margin: float, higher_is_better: bool = True) -> str:
    """The verdict of an interval: BETTER, WORSE, SAME or UNDECIDED.

    `margin`, in the units of the differences, is how much makes no difference to anybody. The same
    is what lies within it whole, even where zero is outside; better and worse leave out zero. With
    a margin of 0 only models that draw the same are the same.
    """
    if (-margin < found.low and found.high < margin) or found.low == found.high == 0:
        return SAME
    if found.low <= 0 <= found.high:
        return UNDECIDED
    return BETTER if (found.low > 0) == higher_is_better else WORSE


def prompts_to_decide(found: Interval, margin: float) -> int | None:
    """About how many prompts in all would decide what this interval leaves undecided.

    It is reckoned that the mean stays where it is and the interval shrinks with the root of the
    number of prompts, until it either leaves out zero or lies within the margin. None where no
    number would, which is no difference with a margin of 0, or where nothing is known.
    """
    half = (found.high - found.low) / 2
    needed = max(abs(found.mean), margin - abs(found.mean))
    if not needed or not np.isfinite(half):
        return None
    return int(np.ceil(found.prompts * (half / needed) ** 2))


def look_until_decided(
    differences: np.ndarray,
    margin: float,
    looks: tuple[int, ...] = LOOKS,
    error: float = ERROR,
) -> tuple[str, Interval]:
    """What the looks come to where all prompts are drawn: the first verdict, and its interval.

    Looks beyond the prompts that there are, are not taken. The last interval is returned with
    UNDECIDED where none decides.
    """
    reached = [count for count in looks if count <= len(differences)] or [len(differences)]
    for count in reached:
        found = interval(differences[:count], looks, error)
        verdict = decide(found, margin)
        if verdict != UNDECIDED:
            break
    return verdict, found
