"""An experiment's scores turned into answers: differences, intervals and verdicts."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emaki.common import digests, parquet_files, parquet_groups
from emaki.common.errors import UserError
from emaki.common.parts import Part
from emaki.evaluation.answers import answers, overall, scales
from emaki.evaluation.calibration import Calibration, Margin, find_margins
from emaki.evaluation.claims import answer_claims
from emaki.evaluation.measures import Measure, RealPictures
from emaki.evaluation.metrics import Metric, deciding, judged_by
from emaki.evaluation.seeds import (
    RecipeInterval,
    Spread,
    pool,
    recipe_interval,
    spread_of,
    to_decide,
)
from emaki.evaluation.sequential import (
    Interval,
    decide,
    prompts_to_decide,
    round_off,
    try_interval,
)
from emaki.evaluation.settings import ERROR
from emaki.evaluation.words import UNDECIDED

Scores = dict[str, np.ndarray]
"""What `read_scores` returns."""
Spreads = Mapping[tuple[str, ...], Spread]
"""What `find_spreads` returns."""


def read_scores(*parts: Part) -> Scores:
    """One row per picture, the prompts in the order of these parts, one for each block of them.

    A dict of arrays: `prompt` (n,) str; `seed` (n,) int, ascending for each prompt; `value` (n,) or
    (n, d) float, what the measure gave; of prompts that are captions `held_out` (n,) bool, those
    that no run trains on. Raises UserError where a value is not a number or a (prompt, seed) comes
    twice.
    """
    columns = ["prompt", "seed", "held_out", "value", "vector"]
    table = pa.concat_tables([parquet_groups.read(part, columns) for part in parts])
    where = f"{parts[0].path}, {' '.join(parts[0].key)}"
    prompts = table["prompt"].to_pylist()
    place = {prompt: number for number, prompt in enumerate(dict.fromkeys(prompts))}
    seeds = table["seed"].to_pylist()
    order = sorted(range(len(prompts)), key=lambda row: (place[prompts[row]], seeds[row]))
    scores = {
        "prompt": np.array(prompts, dtype=object)[order],
        "seed": np.array(seeds, dtype=np.int64)[order],
        "value": _matrix(table["vector" if table["value"].null_count else "value"])[order],
    }
    if not np.isfinite(scores["value"]).all():
        raise UserError(f"{where}: a score is not a number; score these pictures again")
    if not table["held_out"].null_count:
        scores["held_out"] = np.array(table["held_out"].to_pylist(), dtype=bool)[order]
    keys = set()
    for key in zip(scores["prompt"], scores["seed"]):
        if key in keys:
            raise UserError(f"{where}: prompt {key[0]!r} with seed {key[1]} is there twice")
        keys.add(key)
    if len(keys) < 2:
        raise UserError(f"{where}: a comparison needs two pictures or more; add prompts or seeds")
    return scores


def read_reference(path: str | Path) -> RealPictures:
    """What a measure made of a dataset's real pictures."""
    table = parquet_files.read(path)
    return RealPictures(
        *(_matrix(table.filter(pc.equal(table["split"], s))["value"]) for s in RealPictures._fields)
    )


def compare(
    plan: dict[str, Any],
    measures: Mapping[str, Measure],
    scores: Mapping[tuple[str, str, str], Scores],
    references: Mapping[str, RealPictures],
    calibrations: Mapping[tuple[str, str, str], Calibration],
    spreads: Spreads = MappingProxyType({}),
) -> dict[str, Any]:
    """The answers of one experiment, ready for JSON.

    `plan` is that of emaki.config.comparisons, `measures` are the config's by name; `scores` is
    {(measure, variant, role): as read_scores returns}, with every variant of the plan and every
    role of its prompts that the measure judges, of which variants may have different numbers of
    prompts; `references` is {measure: as read_reference returns} for those that compare with real
    pictures; `calibrations` {(measure, base model, role): as read_calibration returns} for those
    that need one; `spreads` are those of `find_spreads`.
    """
    metrics = judged_by(measures, plan["prompts"])
    if not metrics:
        raise UserError(f"no measure judges {' or '.join(plan['prompts'])} prompts; add one")
    margins = find_margins(plan, measures, references, calibrations)
    pairs = judge(plan, measures, scores, references, margins, spreads)
    levels = {
        path: {
            name: _level(plan, metric, path, scores, references) for name, metric in metrics.items()
        }
        for path in plan["variants"]
    }
    return {
        "prompts": plan["prompts"],
        "held_out": _held_out(scores),
        "reference": plan["reference"],
        "real_pictures": _real_pictures(measures, references),
        "variants": {path: {**plan["variants"][path], "metrics": levels[path]} for path in levels},
        "pairs": pairs,
        "margins": [
            {"metric": name, "model": model, **margin._asdict()}
            for (name, model), margin in margins.items()
        ],
        "answers": answers(plan, metrics, pairs),
        "scales": scales(plan, metrics, pairs),
        "claims": answer_claims(plan, metrics, pairs),
    }


def judge(
    plan: dict[str, Any],
    measures: Mapping[str, Measure],
    scores: Mapping[tuple[str, str, str], Scores],
    references: Mapping[str, RealPictures],
    margins: Mapping[tuple[str, str], Margin],
    spreads: Spreads = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """The plan's pairs with `metrics`, {metric: what came out}, as far as there are scores of them.

    A verdict is that of the first look that gives one, however many prompts there are, so it is
    the same whatever else is drawn. Of a pair that is not judged by it any more `scores` may lack
    a role. `margins` are {(metric, base model): Margin}; the rest is as in `compare`.
    """
    metrics, pairs = judged_by(measures, plan["prompts"]), []
    for pair in plan["pairs"]:
        own = {}
        for name, metric in metrics.items():
            trainings = [_sides(training, metric, scores) for training in trainings_of(pair)]
            if all(trainings):
                margin = margins[name, pair["model"]]
                real = references.get(metric.measure_name)
                pooled = _pooled(spreads, plan, pair, name, metric)
                own[name] = _judge(plan, pair, name, metric, margin, trainings, real, pooled)
        pairs.append({**pair, "metrics": own})
        if pair["family"] == "headline":
            pairs[-1]["verdict"] = overall(metrics, own)
    return pairs


def undecided(pair: Mapping[str, Any]) -> list[str]:
    """The metrics of a judged pair that more prompts could still decide."""
    return [name for name, found in pair["metrics"].items() if found["verdict"] == UNDECIDED]


def trainings_of(pair: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What is compared by a pair, each with "variant" and "baseline": one for each seed."""
    return pair.get("trainings", [pair])


def find_spreads(
    plans: Mapping[str, dict[str, Any]],
    measures: Mapping[str, Measure],
    scores: Mapping[str, Mapping[tuple[str, str, str], Scores]],
    references: Mapping[str, Mapping[str, RealPictures]],
) -> dict[tuple[str, ...], Spread]:
    """How far the trainings of each kind of pair lie apart by a metric at the first look.

    All are {experiment: as in `compare`}; only pairs with several trainings count, each once. The
    keys are those that `compare` looks for.
    """
    found: dict[tuple[str, ...], dict[frozenset[str], dict[frozenset[str], Spread]]] = {}
    for experiment, plan in plans.items():
        metrics = deciding(measures, plan["prompts"])
        pairs = [pair for pair in plan["pairs"] if "trainings" in pair]
        for pair, (name, metric) in itertools.product(pairs, metrics.items()):
            trainings = [_sides(t, metric, scores[experiment]) for t in pair["trainings"]]
            prompts = _common_prompts(trainings, pair)[: plan["looks"][metric.role][0]]
            real = references[experiment].get(metric.measure_name)
            _, values = _pair_up(metric, trainings, prompts, real)
            models = frozenset((pair["variant"], pair["baseline"]))
            kind = _kind(plan, pair, pair["kinds"], name, metric)
            of_recipes = found.setdefault(kind, {}).setdefault(_recipes(pair), {})
            of_recipes[models] = spread_of(values)
    return {
        kind: pool({recipes: list(own.values()) for recipes, own in spreads.items()})
        for kind, spreads in found.items()
    }


def _recipes(pair) -> frozenset[str]:
    """The sides of a pair that have several trainings."""
    sides = ("variant", "baseline")
    return frozenset(pair[s] for s in sides if len({t[s] for t in pair["trainings"]}) > 1)


def _kind(plan, pair, kinds, name, metric):
    """What pairs have in common whose trainings are taken to lie as far apart by a metric."""
    sets = plan["prompts"]
    what = (" and ".join(kinds), pair["model"], name, sets["domain"], sets[metric.role])
    return (*what, plan["reference"])


def _pooled(spreads, plan, pair, name, metric) -> Spread | None:
    """How far the trainings of a pair are taken to lie apart, if that is known.

    Of two recipes it is the spread of such pairs or, where more is known of it, the sum of those of
    both sides: trainings of two recipes by the same seed go the same way, if any.
    """
    kinds = pair.get("kinds", [])
    own = spreads.get(_kind(plan, pair, kinds, name, metric))
    sides = [spreads.get(_kind(plan, pair, [kind], name, metric)) for kind in kinds]
    if own is None or len(sides) < 2 or None in sides:
        return own
    degrees = min(side.degrees for side in sides)
    if degrees <= own.degrees:
        return own
    return Spread(sum(side.variance for side in sides), degrees)


def read_spreads(*paths: str | Path) -> dict[tuple[str, ...], Spread]:
    """What scripts/spread.py wrote, if anything."""
    rows = [row for path in paths for row in digests.read_json(path)["spreads"]]
    return {tuple(row["kind"]): Spread(row["variance"], row["degrees"]) for row in rows}


def _sides(training, metric, scores):
    """The scores of both sides; None where there are none of them."""
    keys = [(metric.measure_name, training[s], metric.role) for s in ("variant", "baseline")]
    return [scores[key] for key in keys] if all(key in scores for key in keys) else None


def _judge(plan, pair, name, metric: Metric, margin: Margin, trainings, real, pooled):
    """What comes out of a pair by a metric, after the first look that decides it."""
    common = _common_prompts(trainings, pair)
    if name not in pair.get("errors", {}):
        common = common[: plan["first_block"][metric.role]]
        found = _describe(metric, trainings, common, real, (len(common),), ERROR)
        return _finish(found, metric, margin, error=None, verdict=None, to_decide=None)
    looks, error = tuple(plan["looks"][metric.role]), pair["errors"][name]
    fewest = plan["fewest"]
    for count in [look for look in looks if fewest <= look <= len(common)] or [len(common)]:
        found = _describe(metric, trainings, common[:count], real, looks, error, pooled)
        verdict = _verdict(found.interval, margin, metric.higher_is_better, fewest)
        if verdict != UNDECIDED:
            break
    prompts, more = _to_decide(found, margin, fewest, error, verdict)
    if len(trainings) > 1:
        return _finish(
            found,
            metric,
            margin,
            error=error,
            verdict=verdict,
            to_decide=prompts,
            trainings_to_decide=more,
        )
    return _finish(found, metric, margin, error=error, verdict=verdict, to_decide=prompts)


def _finish(found, metric, margin, **verdict):
    """What is told of a pair by a metric: its `error` is None where it gives no verdict."""
    about = {"margin": round_off(margin.value), "reason": margin.reason}
    return found.told | verdict | about | _by_prompt(metric, found.values.mean(axis=0), margin)


def _verdict(found: Interval, margin: Margin, higher_is_better, fewest):
    """The verdict of a look; None by a measure that gives none on these prompts."""
    if margin.value is None:
        return None
    if found.prompts < fewest:
        return UNDECIDED
    return decide(found, margin.value, higher_is_better)


def _to_decide(found, margin, fewest, error, verdict):
    """About how many prompts and trainings in all would decide; None for what is not known."""
    if verdict != UNDECIDED:
        return None, None
    if found.recipe is None:
        count, trainings = prompts_to_decide(found.interval, margin.value), None
    else:
        needed = to_decide(found.recipe, margin.value, len(found.values), error)
        count, trainings = needed or (None, None)
    return None if count is None else max(count, fewest), trainings


class _Described(NamedTuple):
    told: dict[str, Any]
    """Levels, difference and interval, for JSON."""
    values: np.ndarray
    """Differences (trainings, prompts)."""
    interval: Interval
    recipe: RecipeInterval | None
    """What the interval is made of where there are several trainings."""


def _pair_up(metric, trainings, prompts, real):
    """Both sides of each training on some prompts, and their differences (trainings, prompts)."""
    sides = [(_only(ours, prompts), _only(theirs, prompts)) for ours, theirs in trainings]
    values = [
        metric.measure.compare(ours["value"], theirs["value"], ours["prompt"], real)
        for ours, theirs in sides
    ]
    return sides, np.stack(values)


def _describe(metric, trainings, prompts, real, looks, error, pooled=None):
    """What some prompts tell of a metric in all trainings."""
    sides, values = _pair_up(metric, trainings, prompts, real)
    recipe = None
    found = try_interval(values.mean(axis=0), looks, error)
    if len(values) > 1 and np.isfinite(found.high):
        recipe = recipe_interval(values, looks, error, pooled)
        found = recipe.whole
    ours, theirs = (
        np.mean([metric.measure.summarise(s["value"], s["prompt"], real) for s in side])
        for side in zip(*sides)
    )
    told = {
        "difference": round_off(found.mean),
        "low": round_off(found.low),
        "high": round_off(found.high),
        "pictures": len(sides[0][0]["prompt"]),
        "prompts": values.shape[1],
        "ours": round_off(ours),
        "theirs": round_off(theirs),
    }
    if len(values) > 1:
        each = [try_interval(own, (len(own),), ERROR) for own in values]
        told["by_training"] = [
            {
                "difference": round_off(own.mean),
                "low": round_off(own.low),
                "high": round_off(own.high),
            }
            for own in each
        ]
    return _Described(told, values, found, recipe)


def _by_prompt(metric, values, margin):
    """How often ours is better, and how often a prompt fails: of measures of single pictures."""
    if not metric.measure.judges_pictures:
        return {"wins": None, "lost": None, "lost_beyond": None}
    gains = values if metric.higher_is_better else -values
    beyond = metric.measure.lost or 2 * (margin.value or 0)
    return {
        "wins": round_off(((gains > 0) + 0.5 * (gains == 0)).mean()),
        "lost": int((gains < -beyond).sum()) if beyond else None,
        "lost_beyond": round_off(beyond) if beyond else None,
    }


def _common_prompts(trainings, pair) -> list[str]:
    """The prompts that all sides of all trainings have, in their order.

    Raises UserError where they are not drawn with the same seeds, or where one with fewer prompts
    has others than the first of the others.
    """
    fewest, *others = sorted(itertools.chain(*trainings), key=lambda side: len(side["prompt"]))
    fewer = list(zip(fewest["prompt"], fewest["seed"]))
    for other in others:
        more = list(zip(other["prompt"], other["seed"]))
        odd = next((key for key, same in zip(fewer, more) if key != same), None)
        if odd or (len(fewer) < len(more) and fewer[-1][0] == more[len(fewer)][0]):
            odd = odd or more[len(fewer)]
            raise UserError(
                f"{pair['variant']} and {pair['baseline']} do not pair: only one of them has a"
                f" picture of {odd[0]!r} with seed {odd[1]}; draw both with the same prompts and"
                " seeds"
            )
    return list(dict.fromkeys(fewest["prompt"]))


def _only(scores: Scores, prompts: Sequence[str]) -> Scores:
    """The rows of the first prompts, which `prompts` are."""
    wanted = set(prompts)
    count = sum(prompt in wanted for prompt in scores["prompt"])
    return {key: values[:count] for key, values in scores.items()}


def _held_out(scores):
    """{role: how many of its prompts no run trains on}, of the prompts that are captions."""
    found: dict[str, int] = {}
    for (_, _, role), side in scores.items():
        if "held_out" in side:
            count = len(set(side["prompt"][side["held_out"]]))
            found[role] = max(count, found.get(role, 0))
    return found


def _real_pictures(measures, references):
    """{split: how many real pictures of it drawn ones are compared with}."""
    splits = {name: measures[name].compares_with(real) for name, real in references.items()}
    return {split: len(getattr(references[name], split)) for name, split in splits.items()}


def _level(plan, metric: Metric, path, scores, references):
    """A variant's metric on the first block, which all of them have, so that levels compare."""
    own, real = scores[metric.measure_name, path, metric.role], references.get(metric.measure_name)
    own = _only(own, list(dict.fromkeys(own["prompt"]))[: plan["first_block"][metric.role]])
    return round_off(metric.measure.summarise(own["value"], own["prompt"], real))


def _matrix(column):
    return np.array(column.to_pylist(), dtype=np.float64)
