"""What an experiment compares and what its grids show: names only, for Snakefile and scripts.

The Snakefile asks at every start, so nothing heavy is imported here.

A comparison belongs to a family, and the family decides whether it gets a verdict:

headline   the last checkpoint at scale 1.0 against each baseline: what the experiment is about
scale      the last checkpoint at each other LoRA scale or merge alpha against itself at 1.0
claim      what else a claim of the notebook is about, judged by the claim's measures alone
trajectory everything else against each baseline, on the first block alone, without a verdict
"""

import itertools
from collections.abc import Mapping
from typing import Any

from emaki.config.blocks import cuts, looks
from emaki.config.claims import claimed_pair
from emaki.config.derived import (
    Variant,
    baseline_variants,
    checkpoints,
    compared,
    trainings,
    variants,
    weights_of,
)
from emaki.config.settings import Study
from emaki.evaluation.verdicts import WITH_VERDICT, share_error

# Rows of a grid by the role of the prompt set, and seeds side by side.
GRID_ROWS = {"domain": 4, "unrelated": 4}
GRID_SEEDS = 2
# Steps side by side, so that they can be told apart on the page; every step has a grid of its own.
GRID_STEPS = 8
SMALLEST_CELL, LARGEST_CELL = 128, 256  # pixels, width and height of a picture in a grid


def plans(study: Study) -> dict[str, dict[str, Any]]:
    """{experiment: what `comparisons` says of it, with the chances of wrong verdicts}.

    A pair that gets verdicts has `errors`, {metric: its share of the error of an experiment}.
    """
    every = {experiment: comparisons(study, experiment) for experiment in study.experiments}
    return share_error(every, study.measures, study.evaluation.error)


def comparisons(study: Study, experiment: str) -> dict[str, Any]:
    """What `experiment` compares.

    A dict: `prompts` {role: set of prompts}; `reference`, the dataset whose pictures KID takes as
    real; `variants` {path: {label, name, run, step, weights, scale}}, where `name` is the
    label without step and scale; `methods` {run: "lora" or "full"}; `pairs`, a list of
    {variant, baseline, name, family, model}, the first two paths, `name` the baseline's and `model`
    the base model whose pictures say what matters, and where claims are about it also `claimed`,
    the metrics that these name; `claims`, a list of {number, variant, baseline, metric, says} of
    those that are checked by a measure, `number` among all; `looks` {role: after how many prompts
    is looked for a verdict}, none of which can be given with less than `fewest`; `first_block`
    {role: how many prompts are drawn of everything}. A headline pair of which a side has several
    seeds has `trainings`, a list of {seed, variant, baseline}, the latter two paths by that seed; a
    side with one training is the same for all; and `kinds`, those of the sides that have several,
    within which trainings are taken to lie as far apart. A factorial experiment has `matrix`:
    `axes`, a list of {name, levels, trained: whether levels are other trainings}, and `cells`, a
    list of {variant, levels: one of each axis, trainings: a list of {seed, variant}}.
    """
    entry = study.experiments[experiment]
    every = {v["path"]: v for v in variants(study, experiment)}
    claims = _claims(study, experiment)
    pairs = _with_claimed(compared(study, experiment), claims, every)
    keys = ("variant", "baseline", "name", "family")
    shown = ("label", "run", "step", "weights", "scale")
    prompts = entry.prompts.by_role()
    return {
        "prompts": prompts,
        "fewest": min(study.evaluation.looks),
        "first_block": {role: cuts(study, name)[0] for role, name in prompts.items()},
        "looks": {role: looks(study, name) for role, name in prompts.items()},
        "reference": entry.reference,
        "methods": {run: study.runs[run].method for run in entry.runs},
        "variants": {
            path: {key: value for key, value in v.items() if key in shown}
            | {"name": _name(study, v)}
            for path, v in every.items()
        },
        "pairs": [
            dict(zip(keys, pair))
            | {"model": _base_model(study, every[pair[0]], every[pair[1]])}
            | _trainings(study, pair[-1], every[pair[0]], every[pair[1]])
            | _claimed_metrics(claims, pair[:2])
            for pair in pairs
        ],
        "claims": claims,
        **_matrix(study, entry, every.values()),
    }


def _matrix(study, entry, every):
    """{"matrix": as `comparisons` has it}, or {} where there is none.

    Kinds of weights that all runs have are an axis, too: they are read from the same trainings.
    """
    if entry.matrix is None:
        return {}
    has = {run: weights_of(study, run) for run in entry.runs}
    kinds = [kind for kind in entry.weights if all(kind in own for own in has.values())]
    axes = [
        {"name": name, "levels": list(levels), "trained": True}
        for name, levels in entry.matrix.axes.items()
    ]
    if len(kinds) > 1:
        axes.append({"name": "weights", "levels": kinds, "trained": False})
    cells = []
    for (run, levels), kind in itertools.product(entry.matrix.cells.items(), kinds):
        last = checkpoints(study, entry, run)[-1]
        variant = next(
            v
            for v in every
            if (v["run"], v["weights"], v["step"], v["scale"]) == (run, kind, last, 1)
        )
        cells.append(
            {
                "variant": variant["path"],
                "levels": [*levels, kind][: len(axes)],
                "trainings": [
                    {"seed": seed, "variant": path}
                    for seed, path in _by_seed(study, variant).items()
                ],
            }
        )
    return {"matrix": {"axes": axes, "cells": cells}}


def paths_of(pair: Mapping[str, Any]) -> list[str]:
    """The paths of all that a pair compares, those of all trainings among them."""
    sides = [pair, *pair.get("trainings", [])]
    return list(dict.fromkeys(side[key] for side in sides for key in ("variant", "baseline")))


def _trainings(study, family, variant, baseline):
    """{"trainings", "kinds"} as `comparisons` has them, or {} where there is but one training."""
    ours, theirs = _by_seed(study, variant), _by_seed(study, baseline)
    if family != "headline" or max(len(ours), len(theirs)) < 2:
        return {}
    if min(len(ours), len(theirs)) > 1:
        seeds = [seed for seed in ours if seed in theirs]
    else:
        seeds = list(ours if len(ours) > 1 else theirs)
    sides = (("variant", ours, variant), ("baseline", theirs, baseline))
    return {
        "trainings": [
            {"seed": seed} | {key: by_seed.get(seed, v["path"]) for key, by_seed, v in sides}
            for seed in seeds
        ],
        "kinds": sorted(
            f"{study.runs[v['run']].method} {v['weights']}"
            for _, by_seed, v in sides
            if len(by_seed) > 1
        ),
    }


def _by_seed(study, variant):
    """{seed: path} of a variant by all trainings of its run; {} of a base model."""
    if variant["run"] is None:
        return {}
    rest = variant["path"].partition("/")[2]
    return {seed: f"{name}/{rest}" for seed, name in trainings(study, variant["run"]).items()}


def _with_claimed(pairs, claims, every):
    """The pairs, of which those that only claims are about are of that family."""
    judged = {pair[:2] for pair in pairs if pair[3] in WITH_VERDICT}
    claimed = {(claim["variant"], claim["baseline"]): None for claim in claims}
    own = [pair for pair in claimed if pair not in judged]
    kept = [(*pair[:3], "claim") if pair[:2] in own else pair for pair in pairs]
    there = {pair[:2] for pair in pairs}
    return kept + [(*pair, every[pair[1]]["label"], "claim") for pair in own if pair not in there]


def _claims(study, experiment):
    """What claims that are checked by a measure are about."""
    found = []
    for number, claim in enumerate(study.experiments[experiment].claims):
        if claim.measure is not None:
            variant, baseline = claimed_pair(study, experiment, claim)
            if variant == baseline:  # a trajectory, but one checkpoint alone is drawn
                continue
            metric = f"{claim.prompts}_{claim.measure}"
            pair = {"variant": variant, "baseline": baseline}
            found.append({"number": number, **pair, "metric": metric, "says": claim.says})
    return found


def _claimed_metrics(claims, pair):
    """{"claimed": the metrics by which claims are about a pair}, if any are."""
    own = [c["metric"] for c in claims if (c["variant"], c["baseline"]) == pair]
    return {"claimed": list(dict.fromkeys(own))} if own else {}


def _base_model(study, *variants):
    """The base model of two variants; if they have two, whichever comes first in the config."""
    own = {variant["model"] for variant in variants}
    return next(model for model in study.models if model in own)


def grids(study: Study, experiment: str) -> dict[str, dict[str, Any]]:
    """The grids of `experiment`: {name: the --plan of scripts/grid.py}.

    One per checkpoint ({run}-{weights}-{step}), one over at most GRID_STEPS of its steps, one over
    LoRA scales or merge alphas, and one with the experiment's runs side by side. A plan is a dict:
    `title`; `rows`, a list of [set of prompts, how many of them]; `columns`, a list of {variant,
    label, seed}, where `seed` counts the seeds from 0.
    """
    entry = study.experiments[experiment]
    every = [v for v in variants(study, experiment) if v["run"] is not None]
    base = {path: name for name, path in _baselines(study, experiment).items()}
    own = [v for v in every if v["run"] in entry.runs]
    found: dict[str, tuple[str, dict[str, str], int]] = {}
    final: dict[str, str] = {}
    for run, weights in dict.fromkeys((v["run"], v["weights"]) for v in own):
        kept = [v for v in own if (v["run"], v["weights"]) == (run, weights)]
        kept.sort(key=lambda v: (v["step"], v["scale"]))  # a baseline comes first in `own`
        name, stem = _name(study, kept[0]), f"{run}-{weights}"
        steps = {v["path"]: v["step"] for v in kept if v["scale"] == 1}
        labels = {path: f"step {step:,}" for path, step in steps.items()}
        for path, label in labels.items():
            beside = _after(base, {path: label})
            found[f"{stem}-{steps[path]:06d}"] = f"{name} at {label}", beside, GRID_SEEDS
        if len(steps) > 1:
            found[f"{stem}-steps"] = f"{name} over steps", _after(base, _spread(labels)), 1
        word = "scale" if study.runs[run].method == "lora" else "alpha"
        scales = {v["path"]: v["scale"] for v in kept if v["step"] == max(steps.values())}
        if len(scales) > 1:
            title = f"{name} over {'LoRA scales' if word == 'scale' else 'merge alphas'}"
            labels = {path: f"{word} {scale:g}" for path, scale in scales.items()}
            found[f"{stem}-{word}s"] = title, _after(base, labels), 1
        final[max(steps, key=steps.__getitem__)] = name
    if len(final) > 1:
        found["runs"] = "The runs side by side", _after(base, final), 1
    prompts = entry.prompts.by_role()
    rows = [[prompts[role], count] for role, count in GRID_ROWS.items() if role in prompts]
    return {
        name: {"title": title, "rows": rows, "columns": _columns(labels, seeds)}
        for name, (title, labels, seeds) in sorted(found.items())
    }


def grid_of(study: Study, variant: Mapping[str, Any]) -> str:
    """The name of the grid that shows a checkpoint of a run at a scale beside the baselines."""
    stem = f"{variant['run']}-{variant['weights']}"
    if variant["scale"] == 1:
        return f"{stem}-{variant['step']:06d}"
    return f"{stem}-{'scales' if study.runs[variant['run']].method == 'lora' else 'alphas'}"


def _after(base: dict[str, str], labels: dict[str, str]) -> dict[str, str]:
    """The labels after those of the baselines, of which one that is among them keeps its place."""
    return {path: name for path, name in base.items() if path not in labels} | labels


def _spread(labels: dict[str, str]) -> dict[str, str]:
    """At most GRID_STEPS of the labels, evenly spaced, with the first and the last."""
    paths = list(labels)
    shown = min(len(paths), GRID_STEPS)
    places = [round(n * (len(paths) - 1) / (shown - 1)) for n in range(shown)]
    return {paths[place]: labels[paths[place]] for place in places}


def _columns(labels: dict[str, str], seeds: int) -> list[dict[str, Any]]:
    return [
        {"variant": path, "label": label, "seed": seed}
        for seed in range(seeds)
        for path, label in labels.items()
    ]


def _baselines(study: Study, experiment: str) -> dict[str, str]:
    """{name: path of the variant} of an experiment's baselines."""
    return {name: v["path"] for name, v in baseline_variants(study, experiment).items()}


def _name(study: Study, variant: Variant) -> str:
    """A model or a run, with the kind of weights where the run has two."""
    run = variant["run"]
    if run is None:
        return variant["model"]
    if len(weights_of(study, run)) == 1:
        return run
    return f"{run} ({'EMA' if variant['weights'] == 'ema' else 'raw'})"
