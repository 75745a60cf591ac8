"""Intervals of recipes hold for further trainings, and one training's does not."""

import numpy as np
import pytest

from emaki.evaluation.seeds import (
    RecipeInterval,
    Spread,
    pool,
    recipe_interval,
    spread_of,
    to_decide,
)
from emaki.evaluation.sequential import Interval, decide, interval, look_until_decided
from emaki.evaluation.settings import LOOKS
from emaki.evaluation.words import BETTER, UNDECIDED, WORSE

STUDIES = 1000
SLACK = 2 * (0.05 * 0.95 / STUDIES) ** 0.5  # two standard errors of a share of 5 %
ONE_LOOK = (128,)


def draw(chance, prompts, between, trainings=3, recipes=3, shared=8.0, alone=8.0):
    """Differences (recipes, trainings, prompts) without an effect.

    `between` is the deviation of trainings, that of prompts is `shared` by trainings and `alone`.
    """
    noise = alone * chance.standard_normal((recipes, trainings, prompts))
    noise += shared * chance.standard_normal((recipes, 1, prompts))
    return noise + between * chance.standard_normal((recipes, trainings, 1))


def pooled_of(table):
    return pool({frozenset([str(n)]): [spread_of(recipe)] for n, recipe in enumerate(table)})


def coverage(error, between, recipes, **more):
    """The share of studies in which the interval of the first recipe has the truth, which is 0."""
    chance, held = np.random.default_rng(0), 0
    for _ in range(STUDIES):
        table = draw(chance, 128, between, recipes=recipes, **more)
        pooled = pooled_of(table) if recipes > 1 else None
        found = recipe_interval(table[0], ONE_LOOK, error, pooled).whole
        held += found.low <= 0 <= found.high
    return held / STUDIES


@pytest.mark.parametrize("recipes", [1, 3])
@pytest.mark.parametrize("between", [0.0, 1.0, 2.5])
def test_three_trainings_hold_the_truth_of_the_recipe(recipes, between):
    assert coverage(0.05, between, recipes) >= 0.95 - SLACK
    # the share of one of ten verdicts, where few degrees of freedom tell most
    assert coverage(0.005, between, recipes) >= 0.99


def test_one_training_does_not():
    chance, held = np.random.default_rng(0), 0
    for _ in range(STUDIES):
        found = interval(draw(chance, 128, between=2.5)[0, 0], ONE_LOOK)
        held += found.low <= 0 <= found.high
    assert held / STUDIES < 0.6


def test_a_recipe_whose_trainings_lie_further_apart_than_its_kind_says():
    chance, held = np.random.default_rng(0), 0
    for _ in range(STUDIES):
        steady = draw(chance, 128, between=1.25)
        own = draw(chance, 128, between=2.5, recipes=1)
        pooled = pooled_of([*steady[:2], *own])
        found = recipe_interval(own[0], ONE_LOOK, 0.05, pooled).whole
        held += found.low <= 0 <= found.high
    assert held / STUDIES >= 0.93 - SLACK


def look(table, pooled, margin):
    """What the looks come to for a recipe (trainings, prompts)."""
    for count in LOOKS:
        verdict = decide(recipe_interval(table[:, :count], LOOKS, 0.05, pooled).whole, margin)
        if verdict != UNDECIDED:
            break
    return verdict


@pytest.mark.parametrize("noise", [{}, {"shared": 12.0, "alone": 1.0}, {"shared": 0.0}])
@pytest.mark.parametrize("between", [0.0, 0.7, 2.5])
def test_equal_recipes_are_seldom_called_better_or_worse_at_any_look(between, noise):
    chance, told = np.random.default_rng(0), []
    for _ in range(STUDIES // 2):
        table = draw(chance, LOOKS[-1], between, **noise)
        told.append(look(table[0], pooled_of(table[:, :, : LOOKS[0]]), margin=0.0))
    assert sum(v in (BETTER, WORSE) for v in told) / len(told) <= 0.05 + SLACK


def test_one_training_is_fooled_where_trainings_lie_apart():
    chance, told = np.random.default_rng(0), []
    for _ in range(STUDIES // 2):
        own = draw(chance, LOOKS[-1], between=2.5)[0, 0]
        told.append(look_until_decided(own, margin=3.0)[0])
    assert sum(v in (BETTER, WORSE) for v in told) / len(told) > 0.3


def test_a_recipe_that_is_much_better_is_seen_by_three_trainings():
    chance = np.random.default_rng(0)
    table = draw(chance, 128, between=2.5) + 15
    assert look(table[0], pooled_of(table), margin=3.0) == BETTER


def pooled(**spreads):
    return pool({frozenset(recipes.split("_")): own for recipes, own in spreads.items()})


def test_pooling_weighs_recipes_by_their_trainings():
    assert pooled(a=[Spread(1.0, 2)], b=[Spread(4.0, 1)]) == Spread(2.0, 3)


def test_trainings_count_once_in_however_many_comparisons():
    assert pooled(a=[Spread(1.0, 2), Spread(3.0, 2)], b=[Spread(4.0, 2)]) == Spread(3.0, 4)
    pairs = {"a_b": [Spread(1.0, 2)], "b_c": [Spread(1.0, 2)]}
    assert pooled(**pairs).degrees == 4
    assert pooled(**pairs, a_c=[Spread(1.0, 2)]).degrees == 4
    assert pooled(**pairs, d_e=[Spread(1.0, 2)]).degrees == 6


def test_trainings_that_agree_are_as_sure_as_their_prompts():
    one = np.random.default_rng(0).standard_normal(128)
    found = recipe_interval(np.stack([one] * 3), ONE_LOOK, 0.05)
    assert found.by_trainings == 0
    assert found.whole == pytest.approx(interval(one, ONE_LOOK))


def undecided(mean, by_trainings, by_prompts, spread):
    half = np.hypot(by_trainings, by_prompts)
    whole = Interval(mean, mean - half, mean + half, 128)
    return RecipeInterval(whole, by_trainings, by_prompts, spread)


def test_what_would_decide():
    # a half-width of 2 has to become 1: four times the prompts
    few_prompts = undecided(0.0, 0.0, 2.0, Spread(0.0, 2))
    assert to_decide(few_prompts, 1, 3, 0.05) == (512, 3)
    # t of 2 degrees is 4.3: 4.3 x 1.4 / root 3 is 3.5, and t of 6 degrees, 2.4, x 1.4 / root 7 1.3
    few_trainings = undecided(1.5, 3.5, 0.5, Spread(2.0, 2))
    prompts, trainings = to_decide(few_trainings, 1, 3, 0.05)
    assert (prompts, trainings) == (128, 7)
    both = undecided(1.5, 3.5, 3.0, Spread(2.0, 2))
    prompts, trainings = to_decide(both, 1, 3, 0.05)
    assert prompts > 512
    assert trainings > 7
    assert to_decide(undecided(0.0, 3.5, 0.5, Spread(200.0, 2)), 1, 3, 0.05) is None
    assert to_decide(undecided(0.0, 3.5, 0.5, Spread(2.0, 2)), 0, 3, 0.05) is None
