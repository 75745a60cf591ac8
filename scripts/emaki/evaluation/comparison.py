"""An experiment's scores turned into answers: differences, intervals and verdicts."""

import itertools

import numpy as np
import pyarrow.parquet as parquet

from emaki.common.errors import UserError
from emaki.evaluation.answers import METRICS, answers, overall, strengths
from emaki.evaluation.intervals import simultaneous_intervals, verdict
from emaki.evaluation.mmd import difference_by_prompt, gaussian, mmd, polynomial

LEVEL = 0.95
DISTANCE_SCALE = 1000  # KID and CMMD are small by nature; x 1000 is how both are reported
KERNELS = {"features": polynomial, "embedding": gaussian}
NUMBERS = ("clip_score", "preference")


def read_scores(path):
    """One row per picture, ordered by prompt and seed: a dict of arrays.

    `prompt` (n,) str; `seed` (n,) int; `clip_score` (n,) float in 0..100; `features` (n, d); and
    where the config asks for them `preference` (n,) float and `embedding` (n, d); of prompts that
    are captions `held_out` (n,) bool, those that no run trains on. Raises UserError where a score
    is not a number or a (prompt, seed) comes twice.
    """
    table = parquet.read_table(path)
    table = table.sort_by([("prompt", "ascending"), ("seed", "ascending")])
    scores = {
        "prompt": np.array(table["prompt"].to_pylist(), dtype=object),
        "seed": np.array(table["seed"].to_pylist(), dtype=np.int64),
    }
    for key in (*NUMBERS, *KERNELS):
        if key not in table.column_names:
            continue
        scores[key] = _matrix(table[key])
        if not np.isfinite(scores[key]).all():
            raise UserError(f"{path}: {key} is not a number somewhere; score these pictures again")
    if "held_out" in table.column_names:
        scores["held_out"] = np.array(table["held_out"].to_pylist(), dtype=bool)
    keys = list(zip(scores["prompt"], scores["seed"]))
    for key, again in itertools.pairwise(keys):
        if key == again:
            raise UserError(f"{path}: prompt {key[0]!r} with seed {key[1]} is there twice")
    if len(keys) < 2:
        raise UserError(f"{path}: a comparison needs two pictures or more; add prompts or seeds")
    return scores


def read_reference(path):
    """{column: (n, d)} of a dataset's real pictures: `features`, and `embedding` for CMMD."""
    table = parquet.read_table(path)
    if len(table) < 2:
        raise UserError(f"{path}: KID needs two real pictures or more")
    return {name: _matrix(table[name]) for name in KERNELS if name in table.column_names}


def compare(plan, scores, real):
    """The answers of one experiment, ready for JSON.

    `plan` is that of emaki.config.comparisons; `scores` is {(variant, role): as read_scores
    returns}, with every variant of the plan and every role of its prompts; `real` is what
    read_reference returns. A metric whose column is not there was not asked for.
    """
    there = set.intersection(*map(set, scores.values()))
    metrics = [
        name
        for name, metric in METRICS.items()
        if metric["role"] in plan["prompts"] and metric["column"] in there
    ]
    levels = {
        path: {name: _round(_level(name, _of(scores, path, name), real)) for name in metrics}
        for path in plan["variants"]
    }
    pairs = [{**pair, "metrics": {}} for pair in plan["pairs"]]
    for family in _families(pairs):
        _judge(family, metrics, scores, real, levels)
    for pair in pairs:
        if pair["family"] == "headline":
            pair["verdict"] = overall(pair["metrics"])
    return {
        "prompts": plan["prompts"],
        "held_out": _held_out(plan, scores),
        "reference": plan["reference"],
        "real_pictures": len(real["features"]),
        "variants": {path: {**plan["variants"][path], "metrics": levels[path]} for path in levels},
        "pairs": pairs,
        "answers": answers(plan, pairs),
        "strengths": strengths(plan, pairs),
    }


def _held_out(plan, scores):
    """{role: how many of its prompts no run trains on}, of the prompts that are captions."""
    path = next(iter(plan["variants"]))
    own = {role: scores[path, role] for role in plan["prompts"]}
    return {
        role: len(set(side["prompt"][side["held_out"]]))
        for role, side in own.items()
        if "held_out" in side
    }


def _of(scores, path, name):
    return scores[path, METRICS[name]["role"]]


def _level(name, own, real):
    column = METRICS[name]["column"]
    if kernel := KERNELS.get(column):
        return DISTANCE_SCALE * mmd(own[column], real[column], own["prompt"], kernel)
    return own[column].mean()


def _families(pairs):
    """The lists of pairs whose verdicts must hold together; each of the course stands alone."""
    together = [[p for p in pairs if p["family"] == name] for name in ("headline", "strength")]
    return [f for f in together if f] + [[p] for p in pairs if p["family"] == "course"]


def _judge(family, metrics, scores, real, levels):
    """Give every pair of a family its metrics: difference, interval and verdict.

    All intervals of a family hold together at LEVEL: those of one metric by their largest t, the
    metrics by an equal share of what may fail.
    """
    level = 1 - (1 - LEVEL) / len(metrics)
    for name in metrics:
        table = np.stack([_by_prompt(name, pair, scores, real) for pair in family], axis=1)
        low, high = simultaneous_intervals(table, level)
        for pair, difference, *bounds in zip(family, table.mean(axis=0), low, high):
            pair["metrics"][name] = {
                "difference": _round(difference),
                "low": _round(bounds[0]),
                "high": _round(bounds[1]),
                "pictures": len(_of(scores, pair["variant"], name)["prompt"]),
                "prompts": len(table),
                "ours": levels[pair["variant"]][name],
                "theirs": levels[pair["baseline"]][name],
                "verdict": verdict(*bounds, METRICS[name]["higher_is_better"]),
            }


def _by_prompt(name, pair, scores, real):
    """The variant's metric less the baseline's: one value per prompt."""
    ours, theirs = _of(scores, pair["variant"], name), _of(scores, pair["baseline"], name)
    _check_paired(ours, theirs, pair)
    prompts, column = ours["prompt"], METRICS[name]["column"]
    if kernel := KERNELS.get(column):
        sides = ours[column], theirs[column]
        return DISTANCE_SCALE * difference_by_prompt(*sides, real[column], prompts, kernel)
    return _means(ours[column] - theirs[column], prompts)


def _means(values, prompts):
    _, group = np.unique(prompts, return_inverse=True)
    return np.bincount(group, weights=values) / np.bincount(group)


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
