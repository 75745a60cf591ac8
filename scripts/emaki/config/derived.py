"""What a study asks for: the checkpoints of a run, the models that an experiment shows."""

import itertools
from collections.abc import Iterable
from typing import Any, TypedDict

from emaki.config.settings import Experiment, Study
from emaki.training.settings import Run, Start


class _Sampled(TypedDict):
    kind: str
    """"base" or "run"."""
    model: str
    path: str
    """As it stands in the targets."""
    label: str
    """For people."""


class Tuned(_Sampled):
    """A checkpoint of a run at a scale."""

    run: str
    step: int
    weights: str
    """"raw" or "ema"."""
    scale: float
    """LoRA scale, or alpha in base + alpha x (tuned - base)."""


class Base(_Sampled):
    """A base model."""

    run: None
    step: None
    weights: None
    scale: None


# A model that an experiment samples.
Variant = Base | Tuned


def trainings(study: Study, run: str) -> dict[int, str]:
    """{seed: name} of a run's trainings, one by each of its seeds.

    The first has the run's own name and the others names that no run can be given, so that seeds
    can be added later and leave what there is.
    """
    entry = study.runs[run]
    first, *others = entry.seeds or [entry.seed]
    return {first: run} | {seed: f"{run}+seed{seed}" for seed in others}


def run_of(training: str) -> str:
    """The name of the run that a training is of."""
    return training.partition("+")[0]


def with_trainings(study: Study) -> Study:
    """The study with each training as a run of its own."""
    runs = {
        name: study.runs[run].model_copy(update={"seed": seed, "seeds": None})
        if name != run
        else study.runs[run]
        for run in study.runs
        for seed, name in trainings(study, run).items()
    }
    return study.replace(runs=runs)


def steps_of(study: Study, run: str) -> list[int]:
    """The steps at which a run is kept: every `checkpoint_every` up to `steps`."""
    every = study.runs[run].checkpoint_every
    return list(range(every, study.runs[run].steps + 1, every))


def starts(run: Run) -> dict[str, str | Start | None]:
    """What a run's training and its average start from, as its `train_init` and `ema.init` say."""
    return {"train_init": run.train_init, "ema": run.ema.init if run.ema else None}


def started_from(run: Run) -> set[str]:
    """The names of the runs from whose checkpoints a run starts."""
    return {s.run for s in starts(run).values() if isinstance(s, Start) and s.run is not None}


def lineage(runs: dict[str, Run], names: Iterable[str]) -> set[str]:
    """The names of these of the runs and of all that they start from, directly or not."""
    found: set[str] = set()
    new = set(names)
    while new := new & runs.keys() - found:
        found |= new
        new = set().union(*(started_from(runs[name]) for name in new))
    return found


def trained(study: Study) -> list[str]:
    """The names of the runs that experiments ask for or that those start from, in their order.

    Of a study `with_trainings` also the further trainings of those that experiments ask for.
    """
    asked = [entry.runs + entry.baselines for entry in study.experiments.values()]
    compared = set(itertools.chain.from_iterable(asked))
    found = lineage(study.runs, compared)
    return [name for name in study.runs if name in found or run_of(name) in compared]


def kept_steps(study: Study, run: str) -> list[int]:
    """The steps of a run whose weights stay on the disk, as its `keep` says; the last always.

    Of a further training those that headline comparisons draw.
    """
    steps, keep = steps_of(study, run), study.runs[run].keep
    kept: set[int | None] = set()
    if run != run_of(run):
        asked = [entry for entry in study.experiments.values() if run_of(run) in entry.runs]
        kept.update(checkpoints(study, entry, run)[-1] for entry in asked)
    elif keep == "all":
        return steps
    elif keep == "compared":
        shown = [v for name in study.experiments for v in variants(study, name)]
        kept = {variant["step"] for variant in shown if variant["run"] == run}
    else:
        kept.update(keep)
    return [step for step in steps if step in kept or step == steps[-1]]


def overrides(study: Study, run: str) -> dict[str, tuple[Any, Any]]:
    """{key: (theirs, ours)} where a run differs from the one that it extends; {} if from none.

    Where it names another `recipe`, the hyper-parameters that change with it are there too. Keys
    that only one of the two has (a LoRA's rank) are not: `method` says it.
    """
    parent = study.runs[run].extends
    ours, theirs = study.runs[run].values(), study.runs[parent or run].values()
    keys = sorted((ours.keys() & theirs.keys()) - {"extends"})
    return {key: (theirs[key], ours[key]) for key in keys if theirs[key] != ours[key]}


def variants(study: Study, experiment: str) -> list[Variant]:
    """The models that an experiment samples: its baselines, then its runs, each path once.

    A checkpoint is sampled at scale 1, the last one also at the `lora_scales` or `merge_alphas`.
    """
    entry = study.experiments[experiment]
    found = list(baseline_variants(study, experiment).values())
    for name in entry.runs:
        found += _of_run(study, entry, name)
    return list({variant["path"]: variant for variant in found}.values())


def baseline_variants(study: Study, experiment: str) -> dict[str, Variant]:
    """{name: Variant} of an experiment's baselines.

    A run that is one is its last checkpoint at scale 1, with the first of the experiment's
    `weights` that it has.
    """
    entry = study.experiments[experiment]
    found: dict[str, Variant] = {}
    for name in entry.baselines:
        if name in study.models:
            found[name] = _base(name)
        else:
            weights = [w for w in entry.weights if w in weights_of(study, name)] or ["raw"]
            found[name] = _tuned(study, name, steps_of(study, name)[-1], weights[0], 1.0)
    return found


def compared(study: Study, experiment: str) -> list[tuple[str, str, str, str]]:
    """The models that an experiment compares, but for what its claims add.

    Pairs (variant, baseline, the baseline's name, family), of which the first two are paths; what a
    family is says emaki.config.comparisons.
    """
    entry = study.experiments[experiment]
    every = {v["path"]: v for v in variants(study, experiment)}
    baselines = baseline_variants(study, experiment)
    pairs = []
    for path, variant in every.items():
        if variant["run"] not in entry.runs:
            continue
        last = variant["step"] == _last(every.values(), variant["run"])
        family = "headline" if last and variant["scale"] == 1 else "trajectory"
        pairs += [(path, base["path"], name, family) for name, base in baselines.items()]
        if variant["scale"] != 1:
            itself = f"{path.rpartition('/')[0]}/{spell_scale(1.0)}"
            pairs.append((path, itself, every[itself]["label"], "scale"))
    return [pair for pair in pairs if pair[0] != pair[1]]


def weights_of(study: Study, run: str) -> list[str]:
    """The kinds of weights that a run keeps: "raw", and "ema" where it averages them."""
    return ["raw", "ema"] if study.runs[run].ema else ["raw"]


def checkpoints(study: Study, entry: Experiment, run: str) -> list[int]:
    """The steps of a run that an experiment (its entry) samples."""
    steps = steps_of(study, run)
    if entry.checkpoints == "last":
        return steps[-1:]
    return steps if entry.checkpoints == "all" else sorted(entry.checkpoints)


def spell_scale(scale: float) -> str:
    """A scale as it stands in paths: 1 is "1.0", 0.25 is "0.25"."""
    text = f"{scale:g}"
    return text if "." in text else f"{text}.0"


def _of_run(study: Study, entry: Experiment, run: str) -> list[Tuned]:
    lora = study.runs[run].method == "lora"
    scales = sorted({*(entry.lora_scales if lora else entry.merge_alphas), 1.0})
    steps = checkpoints(study, entry, run)
    return [
        _tuned(study, run, step, weights, scale)
        for weights in entry.weights
        if weights in weights_of(study, run)
        for step in steps
        for scale in (scales if step == steps[-1] else [1.0])
    ]


def _base(model: str) -> Base:
    return {
        "kind": "base",
        "model": model,
        "run": None,
        "step": None,
        "weights": None,
        "scale": None,
        "path": f"base/{model}",
        "label": model,
    }


def _tuned(study: Study, run: str, step: int, weights: str, scale: float) -> Tuned:
    words = [run, f"{step:,} steps"]
    if len(weights_of(study, run)) > 1:
        words.append("EMA" if weights == "ema" else "raw weights")
    if scale != 1.0:
        name = "scale" if study.runs[run].method == "lora" else "alpha"
        words.append(f"{name} {scale:g}")
    return {
        "kind": "run",
        "model": study.runs[run].model,
        "run": run,
        "step": step,
        "weights": weights,
        "scale": scale,
        "path": f"{run}/{step:06d}/{weights}/{spell_scale(scale)}",
        "label": ", ".join(words),
    }


def _last(every: Iterable[Variant], run: str | None) -> int:
    return max(v["step"] or 0 for v in every if v["run"] == run)
