"""What several trainings of a recipe tell: intervals that hold for further seeds, too.

Each training draws the same prompts, so their differences are a table of trainings by prompts, both
drawn at random (crossed random effects). The interval of its mean has two halves: how far trainings
lie apart, with few degrees of freedom, and how far prompts do. Each is multiplied by the quantile
of its own degrees, and their squares are added. Satterthwaite's one quantile for both is shorter,
but with three trainings it fools four times as often as it says at the small shares of error that
an experiment's comparisons have.

Three trainings alone tell little of how far trainings lie apart, so that is pooled over the recipes
of a kind. Where a recipe's own trainings lie further apart than that, they count.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from emaki.evaluation.sequential import Interval, student_quantile

MOST_TRAININGS = 30  # beyond so many, nobody is told to train more
ONE_LOOK = (1,)  # of the trainings there is one look: all looks at the prompts have the same


class Spread(NamedTuple):
    """How far the trainings of a recipe, or of several, lie apart."""

    variance: float
    """Of a training's mean difference."""
    degrees: int
    """Of freedom: trainings less recipes."""


class RecipeInterval(NamedTuple):
    """The interval of a recipe's mean difference, and what it is made of."""

    whole: Interval
    by_trainings: float
    """The half-width that is due to the trainings, however many prompts there are."""
    by_prompts: float
    """The half-width that is due to the prompts; the whole one is the root of their squares."""
    spread: Spread


def spread_of(differences: np.ndarray) -> Spread:
    """How far the trainings of `differences` (trainings, prompts) lie apart, 2 or more of them."""
    return Spread(float(differences.mean(axis=1).var(ddof=1)), len(differences) - 1)


def pool(spreads: Mapping[frozenset[str], Collection[Spread]]) -> Spread:
    """The spreads of comparisons as one: the mean variance, by degrees of freedom.

    They are given by the recipes whose trainings differ in them, one or both of a pair. What
    several comparisons tell of the same trainings counts once.
    """
    recipes = sorted(set().union(*spreads))
    own = [
        (float(np.mean([s.variance for s in of])), min(s.degrees for s in of))
        for of in spreads.values()
    ]
    known = sum(degrees for _, degrees in own)
    # a recipe less nothing, or one less another: a - c follows from a - b and b - c
    signs = [[(name in pair) * (-1) ** (name == max(pair)) for name in recipes] for pair in spreads]
    independent = int(np.linalg.matrix_rank(np.array(signs)))
    return Spread(
        sum(variance * degrees for variance, degrees in own) / known,
        known * independent // len(spreads),
    )


def recipe_interval(
    differences: np.ndarray, looks: tuple[int, ...], error: float, pooled: Spread | None = None
) -> RecipeInterval:
    """The interval of the mean of `differences` (trainings, prompts) at one of the looks.

    Two trainings and two prompts or more. `pooled` is the spread of its kind of recipe.
    """
    trainings, prompts = differences.shape
    own = spread_of(differences)
    spread = Spread(max(own.variance, pooled.variance), pooled.degrees) if pooled else own
    by_trainings = student_quantile(spread.degrees, ONE_LOOK, error) * np.sqrt(
        spread.variance / trainings
    )
    by_prompts = student_quantile(prompts - 1, looks, error) * np.sqrt(
        _shared_variance(differences) / prompts
    )
    mean, half = differences.mean(), np.hypot(by_trainings, by_prompts)
    whole = Interval(float(mean), float(mean - half), float(mean + half), prompts)
    return RecipeInterval(whole, float(by_trainings), float(by_prompts), spread)


def _shared_variance(differences: np.ndarray) -> float:
    """The variance of what prompts do in all trainings alike.

    What a prompt does in one training alone is in the trainings' means already.
    """
    trainings, prompts = differences.shape
    of_prompts = differences.mean(axis=0)
    rest = differences - of_prompts - differences.mean(axis=1, keepdims=True) + differences.mean()
    alone = (rest**2).sum() / ((trainings - 1) * (prompts - 1))
    return max(0.0, float(of_prompts.var(ddof=1) - alone / trainings))


def to_decide(
    found: RecipeInterval, margin: float, trainings: int, error: float
) -> tuple[int, int] | None:
    """About how many prompts and trainings in all would decide what is undecided, or None.

    As in sequential.prompts_to_decide the mean is taken to stay where it is. Where the trainings'
    half-width is the larger part of what may be left, more prompts alone would not do.
    """
    mean = abs(found.whole.mean)
    allowed = max(mean, margin - mean) ** 2
    if not allowed or not np.isfinite(found.whole.high):
        return None
    prompts = found.whole.prompts
    if found.by_trainings**2 <= allowed / 2:
        share = found.by_prompts**2 / (allowed - found.by_trainings**2)
        return int(np.ceil(prompts * max(1.0, share))), trainings
    left = min(found.by_prompts**2, allowed / 2)
    more_prompts = int(np.ceil(prompts * found.by_prompts**2 / left)) if left else prompts
    for more in range(trainings, MOST_TRAININGS + 1):
        degrees = found.spread.degrees * (more - 1) // (trainings - 1)
        quantile = student_quantile(degrees, ONE_LOOK, error)
        if quantile**2 * found.spread.variance / more <= allowed - left:
            return more_prompts, more
    return None
