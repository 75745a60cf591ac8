"""An experiment's scores turned into answers: differences, intervals and verdicts."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet

from emaki.common.errors import UserError
from emaki.evaluation.answers import answers, overall, strengths
from emaki.evaluation.intervals import simultaneous_intervals, verdict
from emaki.evaluation.measures import Measure
from emaki.evaluation.metrics import Metric, metrics_of

LEVEL = 0.95

Scores = dict[str, np.ndarray]
"""What `read_scores` returns."""


def read_scores(path: str | Path) -> Scores:
    """One row per picture, ordered by prompt and seed: a dict of arrays.

    `prompt` (n,) str; `seed` (n,) int; `value` (n,) or (n, d) float, what the measure gave; of
    prompts that are captions `held_out` (n,) bool, those that no run trains on. Raises UserError
    where a value is not a number or a (prompt, seed) comes twice.
    """
    table = parquet.read_table(path)
    table = table.sort_by([("prompt", "ascending"), ("seed", "ascending")])
    scores = {
        "prompt": np.array(table["prompt"].to_pylist(), dtype=object),
        "seed": np.array(table["seed"].to_pylist(), dtype=np.int64),
        "value": _matrix(table["value"]),
    }
    if not np.isfinite(scores["value"]).all():
        raise UserError(f"{path}: a score is not a number; score these pictures again")
    if "held_out" in table.column_names:
        scores["held_out"] = np.array(table["held_out"].to_pylist(), dtype=bool)
    keys = list(zip(scores["prompt"], scores["seed"]))
    for key, again in itertools.pairwise(keys):
        if key == again:
            raise UserError(f"{path}: prompt {key[0]!r} with seed {key[1]} is there twice")
    if len(keys) < 2:
        raise UserError(f"{path}: a comparison needs two pictures or more; add prompts or seeds")
    return scores


def read_reference(path: str | Path) -> np.ndarray:
    """What a measure made of a dataset's real pictures: float (m, d), or (m,) of numbers."""
    table = parquet.read_table(path)
    if len(table) < 2:
        raise UserError(f"{path}: a distance needs two real pictures or more")
    return _matrix(table["value"])


def compare(
    plan: dict[str, Any],
    measures: Mapping[str, Measure],
    scores: Mapping[tuple[str, str, str], Scores],
    references: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """The answers of one experiment, ready for JSON.

    `plan` is that of emaki.config.comparisons, `measures` are the config's by name; `scores` is
    {(measure, variant, role): as read_scores returns}, with every variant of the plan and every
    role of its prompts that the measure judges; `references` is {measure: as read_reference
    returns} for those that compare with real pictures.
    """
    metrics = {
        name: metric
        for name, metric in metrics_of(measures).items()
        if metric.role in plan["prompts"]
    }
    if not metrics:
        raise UserError(f"no measure judges {' or '.join(plan['prompts'])} prompts; add one")
    levels = {
        path: {name: _level(metric, path, scores, references) for name, metric in metrics.items()}
        for path in plan["variants"]
    }
    pairs = [{**pair, "metrics": {}} for pair in plan["pairs"]]
    for family in _families(pairs):
        _judge(family, metrics, scores, references, levels)
    for pair in pairs:
        if pair["family"] == "headline":
            pair["verdict"] = overall(metrics, pair["metrics"])
    return {
        "prompts": plan["prompts"],
        "held_out": _held_out(scores),
        "reference": plan["reference"],
        "real_pictures": max(map(len, references.values()), default=0),
        "variants": {path: {**plan["variants"][path], "metrics": levels[path]} for path in levels},
        "pairs": pairs,
        "answers": answers(plan, metrics, pairs),
        "strengths": strengths(plan, metrics, pairs),
    }


def _held_out(scores):
    """{role: how many of its prompts no run trains on}, of the prompts that are captions."""
    return {
        role: len(set(side["prompt"][side["held_out"]]))
        for (_, _, role), side in scores.items()
        if "held_out" in side
    }


def _of(metric, path, scores):
    """The scores of a variant that a metric is made of."""
    return scores[metric.measure_name, path, metric.role]


def _level(metric: Metric, path, scores, references):
    own, real = _of(metric, path, scores), references.get(metric.measure_name)
    return _round(metric.measure.summarise(own["value"], own["prompt"], real))


def _families(pairs):
    """The lists of pairs whose verdicts must hold together; each of the course stands alone."""
    together = [[p for p in pairs if p["family"] == name] for name in ("headline", "strength")]
    return [f for f in together if f] + [[p] for p in pairs if p["family"] == "course"]


def _judge(family, metrics, scores, references, levels):
    """Give every pair of a family its metrics: difference, interval and verdict.

    All intervals of a family hold together at LEVEL: those of one metric by their largest t, the
    metrics by an equal share of what may fail.
    """
    level = 1 - (1 - LEVEL) / len(metrics)
    for name, metric in metrics.items():
        columns = [_by_prompt(metric, pair, scores, references) for pair in family]
        table = np.stack(columns, axis=1)
        low, high = simultaneous_intervals(table, level)
        for pair, difference, least, most in zip(family, table.mean(axis=0), low, high):
            pair["metrics"][name] = {
                "difference": _round(difference),
                "low": _round(least),
                "high": _round(most),
                "pictures": len(_of(metric, pair["variant"], scores)["prompt"]),
                "prompts": len(table),
                "ours": levels[pair["variant"]][name],
                "theirs": levels[pair["baseline"]][name],
                "verdict": verdict(least, most, metric.higher_is_better),
            }


def _by_prompt(metric: Metric, pair, scores, references):
    """The variant's metric less the baseline's: one value per prompt."""
    ours, theirs = (_of(metric, pair[side], scores) for side in ("variant", "baseline"))
    _check_paired(ours, theirs, pair)
    real = references.get(metric.measure_name)
    return metric.measure.compare(ours["value"], theirs["value"], ours["prompt"], real)


def _check_paired(ours, theirs, pair):
    keys = [list(zip(side["prompt"], side["seed"])) for side in (ours, theirs)]
    if keys[0] != keys[1]:
        odd = sorted(set(keys[0]) ^ set(keys[1]))[0]
        raise UserError(
            f"{pair['variant']} and {pair['baseline']} do not pair: only one of them has a"
            f" picture of {odd[0]!r} with seed {odd[1]}; draw both with the same prompts and seeds"
        )


def _matrix(column):
    return np.array(column.to_pylist(), dtype=np.float64)


def _round(number):
    """To six decimals, and None for an infinite bound, which JSON does not know."""
    return round(float(number), 6) + 0.0 if np.isfinite(number) else None
