"""What each axis of a factorial experiment does, and how axes change each other's effects.

All cells of the matrix tell of every effect: that of a level is the mean over the cells that have
it less the mean over those that have the axis' first level. An interaction is what two levels do
together beyond the sum of what each does by itself.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from emaki.evaluation.answers import listed
from emaki.evaluation.measures import Measure
from emaki.evaluation.metrics import Metric, deciding
from emaki.evaluation.seeds import Spread, recipe_interval
from emaki.evaluation.sequential import decide, round_off, try_interval
from emaki.evaluation.words import UNDECIDED

Scores = Mapping[tuple[str, str, str], Mapping[str, np.ndarray]]


class Contrast(NamedTuple):
    """A sum of cells, whose weights add up to nothing."""

    axes: tuple[str, ...]
    """One, or two of an interaction."""
    what: str
    against: str
    weights: np.ndarray
    """(cells,)"""
    trained: bool
    """Whether it is between trainings; else within them, of kinds of weights."""


def find_effects(
    plan: Mapping[str, Any],
    measures: Mapping[str, Measure],
    scores: Scores,
    references: Mapping[str, np.ndarray],
    answers: Mapping[str, Any],
    error: float,
) -> list[dict[str, Any]]:
    """The effects of an experiment's matrix, for its answers as JSON; none where it has no matrix.

    Arguments are as in emaki.evaluation.recommendation; the effects by all measures are wrong
    together at most as often as `error`. A list of {axes, what, against, trainings (how many of
    each cell), metrics {metric: as in `compare`}, sentence}: first those of one axis.
    """
    if "matrix" not in plan:
        return []
    contrasts = list(contrasts_of(plan["matrix"]))
    metrics = deciding(measures, plan["prompts"])
    share = error / (len(contrasts) * max(1, len(metrics)))
    tables = {name: _table(plan, metric, scores, references) for name, metric in metrics.items()}
    margins = {m["metric"]: m for m in answers["margins"] if m["model"] == _model(plan)}
    found = []
    for contrast in contrasts:
        told = {
            name: _effect(
                np.tensordot(contrast.weights, table, axes=1),
                metrics[name],
                margins[name],
                plan["fewest"],
                share,
                _spread(contrast, contrasts, table),
            )
            for name, table in tables.items()
        }
        entry = {"axes": contrast.axes, "what": contrast.what, "against": contrast.against}
        sentence = _sentence(metrics, contrast, told)
        trainings = min((table.shape[1] for table in tables.values()), default=1)
        found.append({**entry, "trainings": trainings, "metrics": told, "sentence": sentence})
    return found


def contrasts_of(matrix: Mapping[str, Any]) -> Iterator[Contrast]:
    """The effects of the levels of each axis, then the interactions of each two axes."""
    axes = [(axis["name"], axis["levels"]) for axis in matrix["axes"]]
    trained = [axis["trained"] for axis in matrix["axes"]]
    levels = [cell["levels"] for cell in matrix["cells"]]

    def mean(wanted: Mapping[int, str]) -> np.ndarray:
        """The mean over the cells that have these levels, {number of the axis: level}."""
        has = [all(cell[axis] == level for axis, level in wanted.items()) for cell in levels]
        return np.array(has) / sum(has)

    for place, (axis, (first, *others)) in enumerate(axes):
        for level in others:
            weights = mean({place: level}) - mean({place: first})
            what, against = f"{axis} {level}", f"{axis} {first}"
            yield Contrast((axis,), what, against, weights, trained[place])
    for (i, (one, ours)), (j, (other, theirs)) in itertools.combinations(enumerate(axes), 2):
        for a, b in itertools.product(ours[1:], theirs[1:]):
            weights = mean({i: a, j: b}) - mean({i: ours[0], j: b})
            weights -= mean({i: a, j: theirs[0]}) - mean({i: ours[0], j: theirs[0]})
            what = f"{one} {a} with {other} {b}"
            both = trained[i] and trained[j]
            yield Contrast((one, other), what, "each by itself", weights, both)


def _model(plan):
    """The base model of the cells."""
    paths = {cell["variant"] for cell in plan["matrix"]["cells"]}
    return next(pair["model"] for pair in plan["pairs"] if pair["variant"] in paths)


def _table(plan, metric: Metric, scores, references) -> np.ndarray:
    """How far each cell is from the first: (cells, trainings, prompts), at the first look.

    The trainings are those by the seeds that all cells have been drawn with; the first of each
    where there are less than two.
    """
    cells, key = plan["matrix"]["cells"], (metric.measure_name, metric.role)
    by_seed = [
        {
            t["seed"]: t["variant"]
            for t in cell["trainings"]
            if (key[0], t["variant"], key[1]) in scores
        }
        for cell in cells
    ]
    seeds = [seed for seed in by_seed[0] if all(seed in paths for paths in by_seed)]
    rows = [[paths[seed] for paths in by_seed] for seed in seeds]
    if len(rows) < 2:
        rows = [[cell["variant"] for cell in cells]]
    values = [_row(plan, metric, paths, scores, references) for paths in rows]
    return np.stack(values, axis=1)


def _row(plan, metric, paths, scores, references):
    """(cells, prompts) of one training of each cell."""
    sides = [scores[metric.measure_name, path, metric.role] for path in paths]
    prompts = list(dict.fromkeys(sides[0]["prompt"]))[: plan["looks"][metric.role][0]]
    count = int(np.isin(sides[0]["prompt"], prompts).sum())
    first, real = sides[0]["value"][:count], references.get(metric.measure_name)
    of_rows = sides[0]["prompt"][:count]
    return np.stack(
        [metric.measure.compare(side["value"][:count], first, of_rows, real) for side in sides]
    )


def _spread(contrast, contrasts, table) -> Spread | None:
    """How far trainings lie apart in a contrast, from all of its kind; None of one training.

    In a matrix of two levels an axis they are independent of each other and, by the size of their
    weights, alike.
    """
    trainings = table.shape[1]
    if trainings < 2:
        return None
    kind = np.array([other.weights for other in contrasts if other.trained == contrast.trained])
    sizes = (kind**2).sum(axis=1)
    means = np.tensordot(kind, table.mean(axis=2), axes=1)
    variance = (means.var(axis=1, ddof=1) / sizes).mean() * (contrast.weights**2).sum()
    return Spread(float(variance), int(np.linalg.matrix_rank(kind)) * (trainings - 1))


def _effect(values, metric, margin, fewest, share, spread):
    """What comes out of a contrast (trainings, prompts) by a metric, as in `compare`."""
    looks = (values.shape[1],)
    found = try_interval(values.mean(axis=0), looks, share)
    if len(values) > 1 and np.isfinite(found.high):
        found = recipe_interval(values, looks, share, spread).whole
    verdict = UNDECIDED if margin["value"] is not None else None
    if verdict and found.prompts >= fewest:
        verdict = decide(found, margin["value"], metric.higher_is_better)
    told = {"verdict": verdict, "margin": margin["value"], "reason": margin["reason"]}
    if len(values) > 1:
        told["by_training"] = [{"difference": round_off(own.mean())} for own in values]
    return {
        **told,
        "difference": round_off(found.mean),
        "low": round_off(found.low),
        "high": round_off(found.high),
        "prompts": found.prompts,
        "error": share,
        **dict.fromkeys(("to_decide", "wins", "lost", "lost_beyond")),
    }


def _sentence(metrics, contrast, told):
    """What an effect comes to by all measures."""
    start = f"With {contrast.what} instead of {contrast.against.rpartition(' ')[2]}"
    if len(contrast.axes) > 1:
        start = f"{contrast.what}, beyond what each does by itself"
    said = [
        f"{metrics[name].texts.subject} {found['verdict']}"
        for name, found in told.items()
        if found["verdict"] not in (None, UNDECIDED)
    ]
    open_ = [
        metrics[n].texts.title.lower() for n, one in told.items() if one["verdict"] == UNDECIDED
    ]
    said += [f"not decided yet: {listed(open_)}"] if open_ else []
    return f"{start[0].upper()}{start[1:]}: {'; '.join(said) or 'no measure is fit to tell'}."
