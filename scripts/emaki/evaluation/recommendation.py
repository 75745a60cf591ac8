"""Which model of an experiment to take: what it gains against what it loses, and how sure that is.

The rule is told in docs/verdicts.md, "Which one to take".
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from emaki.evaluation.measures import Measure, RealPictures
from emaki.evaluation.metrics import Metric, deciding
from emaki.evaluation.sequential import round_off, try_interval
from emaki.evaluation.verdicts import WITH_VERDICT
from emaki.evaluation.words import BETTER

Difference = dict[str, Any]
"""A candidate less the baseline: `difference`, `low`, `high` (None: unbounded), `prompts`."""


def recommend(
    plan: Mapping[str, Any],
    measures: Mapping[str, Measure],
    scores: Mapping[tuple[str, str, str], Mapping[str, np.ndarray]],
    references: Mapping[str, RealPictures],
    answers: Mapping[str, Any],
    error: float,
) -> dict[str, Any]:
    """Which of an experiment's models to take, for its answers as JSON.

    Candidates are all that are compared with its first baseline: checkpoints, LoRA scales, merge
    alphas. `scores` and `references` are those that the `answers` (of `compare`) were made of;
    `error` is the chance that any candidate's interval that is no verdict's misses.

    A dict: `take`, the path of a variant, which may be the baseline, or None where no measure is
    fit to tell; `baseline`; `gain` and `kept`, the metrics of the domain's and of the unrelated
    prompts, None where there is none; `margins` {metric: margin}; `candidates`, a list of
    {variant, gain, kept, front, clear}, the middle two as Difference; `sentence`; `advice`, what to
    do next, perhaps empty.
    """
    metrics = deciding(measures, plan["prompts"])
    baseline = plan["pairs"][0]["baseline"]
    pairs = [
        pair
        for pair in answers["pairs"]
        # a claim may compare others with the baseline, too
        if pair["baseline"] == baseline
        and pair["family"] != "scale"
        and plan["variants"].get(pair["variant"], {}).get("run") in plan["methods"]
    ]
    margins = _margins(answers, {pair["model"] for pair in pairs})
    chosen = {role: _first_fit(metrics, role, margins) for role in ("domain", "unrelated")}
    axes = [name for name in chosen.values() if name is not None]
    untold = [pair for pair in pairs if pair["family"] != "headline"]
    share = error / max(1, len(untold) * len(axes))
    candidates = [
        _candidate(plan, metrics, pair, chosen, scores, references, share) for pair in pairs
    ]
    gain, kept = chosen["domain"], chosen["unrelated"]
    if gain is None:
        candidates = []
    _mark(candidates, metrics, gain, kept)
    take = _take(candidates, metrics, gain, kept, margins) or (baseline if candidates else None)
    found = {
        "take": take,
        "baseline": baseline,
        "gain": gain,
        "kept": kept,
        "margins": {name: margins[name] for name in axes},
        "candidates": candidates,
    }
    return found | {
        "sentence": _sentence(plan, metrics, found),
        "advice": _advice(plan, metrics, found),
    }


def find_candidate(recommendation: Mapping[str, Any], variant: str | None) -> dict[str, Any] | None:
    """The candidate of that path, None for the baseline."""
    own = (one for one in recommendation["candidates"] if one["variant"] == variant)
    return next(own, None)


def _margins(answers, models):
    """{metric: the smallest of its margins}, None where it is not fit for one of the models."""
    found: dict[str, list[float | None]] = {}
    for margin in answers["margins"]:
        if margin["model"] in models:
            found.setdefault(margin["metric"], []).append(margin["value"])
    return {
        name: None if None in values else min(value for value in values if value is not None)
        for name, values in found.items()
    }


def _first_fit(metrics: Mapping[str, Metric], role, margins) -> str | None:
    own = (name for name, metric in metrics.items() if metric.role == role)
    return next((name for name in own if margins.get(name) is not None), None)


def _candidate(plan, metrics, pair, chosen, scores, references, share):
    """A model beside the baseline on both axes: by its verdict's interval where it has one."""
    found = {"variant": pair["variant"]}
    for axis, name in (("gain", chosen["domain"]), ("kept", chosen["unrelated"])):
        found[axis] = None
        if name is not None and pair["family"] == "headline":
            told = pair["metrics"][name]
            found[axis] = {key: told[key] for key in ("difference", "low", "high", "prompts")}
        elif name is not None:
            found[axis] = _difference(plan, metrics[name], pair, scores, references, share)
    return found


def _difference(plan, metric: Metric, pair, scores, references, share) -> Difference:
    """The difference on a number of prompts that is fixed before anything is seen."""
    ours, theirs = (
        scores[metric.measure_name, pair[side], metric.role] for side in ("variant", "baseline")
    )
    prompts = list(dict.fromkeys(ours["prompt"]))[: _prompts(plan, pair["variant"], metric.role)]
    rows = int(np.isin(ours["prompt"], prompts).sum())
    values = metric.measure.compare(
        ours["value"][:rows],
        theirs["value"][:rows],
        ours["prompt"][:rows],
        references.get(metric.measure_name),
    )
    mean, low, high, count = try_interval(values, (len(values),), share)
    bounds = {"low": round_off(low), "high": round_off(high)}
    return {"difference": round_off(mean), **bounds, "prompts": count}


def _prompts(plan, variant, role):
    """The first look's prompts of what is drawn for a verdict, of all else the first block's."""
    judged = any(
        variant in (pair["variant"], pair["baseline"])
        for pair in plan["pairs"]
        if pair["family"] in WITH_VERDICT
    )
    return plan["looks"][role][0] if judged else plan["first_block"][role]


def _mark(candidates, metrics, gain, kept):
    """Say of each candidate whether its gain is clear, and whether none beats it on both axes."""
    places = [
        (_good(metrics, gain, one["gain"]), _good(metrics, kept, one["kept"])) for one in candidates
    ]
    for one, place in zip(candidates, places):
        # the baseline itself is at (0, 0)
        others = [*(other for other in places if other != place), (0.0, 0.0)]
        one["front"] = place != (0.0, 0.0) and not any(
            all(theirs >= own for theirs, own in zip(other, place)) for other in others
        )
        one["clear"] = _surely(metrics, gain, one["gain"]) > 0


def _good(metrics, name, found) -> float:
    """A difference, positive where it is better; without such a metric 0."""
    if name is None:
        return 0.0
    return found["difference"] if metrics[name].higher_is_better else -found["difference"]


def _surely(metrics, name, found) -> float:
    """The worse end of an interval, positive where it is better than the baseline."""
    end = found["low"] if metrics[name].higher_is_better else found["high"]
    if end is None:
        return -np.inf
    return end if metrics[name].higher_is_better else -end


def _take(candidates, metrics, gain, kept, margins) -> str | None:
    """The candidate of the rule: None where no gain is clear."""
    clear = [one for one in candidates if one["clear"]]
    keeping = [one for one in clear if _keeps(one, metrics, kept, margins)]
    if keeping:
        best = max(keeping, key=lambda one: _surely(metrics, gain, one["gain"]))
    elif clear:
        best = max(clear, key=lambda one: _good(metrics, kept, one["kept"]))
    else:
        return None
    return best["variant"]


def _keeps(one, metrics, kept, margins) -> bool:
    """Whether what a candidate loses on unrelated prompts, as far as was seen, matters to nobody.

    Without a metric that tells nothing stands against it.
    """
    return kept is None or _good(metrics, kept, one["kept"]) >= -margins[kept]


def _sentence(plan, metrics, found) -> str:
    base = plan["variants"][found["baseline"]]["label"]
    if found["take"] is None:
        return "No measure is fit to judge its pictures, so no model is recommended."
    count = len(found["candidates"])
    one = find_candidate(found, found["take"])
    if one is None:
        title = metrics[found["gain"]].texts.title.lower()
        them = "the one model that was drawn is not" if count == 1 else f"none of {count} models is"
        return f"Take {base}: {them} clearly better than it by “{title}”."
    label, better = plan["variants"][found["take"]]["label"], metrics[found["gain"]].texts.phrases
    among = f"of {count} models it is surest that " if count > 1 else ""
    kept = _kept(metrics, found, one)
    return f"Take {label}: {among}its pictures {better[BETTER]} than {base}'s; {kept}"


def _kept(metrics, found, one) -> str:
    """What is said of unrelated prompts."""
    name = found["kept"]
    if name is None:
        return "what it forgets is not known."
    if not _keeps(one, metrics, name, found["margins"]):
        others = sum(other["clear"] for other in found["candidates"]) > 1
        least = "the least of all that are clearly better" if others else "more than the margin"
        return f"but it loses on unrelated prompts, {least}."
    if _surely(metrics, name, one["kept"]) >= -found["margins"][name]:
        return "nothing that matters is lost on unrelated prompts."
    return "a loss on unrelated prompts was not seen, but cannot be ruled out."


def _advice(plan, metrics, found) -> str:
    """What would make it surer."""
    one = find_candidate(found, found["take"])
    if one is None:
        return ""
    few = min(one[axis]["prompts"] for axis in ("gain", "kept") if one[axis])
    variant = plan["variants"][one["variant"]]
    headline = [
        pair
        for pair in plan["pairs"]
        if pair["variant"] == one["variant"] and pair["family"] == "headline"
    ]
    own = f"an entry of its own (`checkpoints: [{variant['step']}]`) with other prompts"
    if few < plan["fewest"]:
        return (
            f"It was seen on {few} prompts only, too few to meet those on which a model rarely "
            f"fails: before you rely on it, give it {own}."
        )
    if headline and "trainings" in headline[0]:
        return "What was measured is the recipe; what is taken is its first training."
    if headline or len(found["candidates"]) == 1:
        return ""
    return (
        "It was chosen because it came out best, so it gained rather less than was measured; "
        "reckon with the worse end of the interval, or draw other prompts."
    )
