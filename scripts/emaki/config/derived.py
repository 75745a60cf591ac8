"""What a loaded config asks for: the checkpoints of a run, the models that an experiment shows."""

import itertools

from emaki.data.sources import hub_stream, webdataset

# {type: module that says which files are the shards}, as emaki.data.sources.ARCHIVES
ARCHIVES = {"webdataset": webdataset, "hub_stream": hub_stream}


def shards_of(source):
    """The names of a source's shards in their order; none where it is in one piece."""
    if source["type"] in ARCHIVES:
        return list(ARCHIVES[source["type"]].shards(source))
    count = source.get("shards", 1)
    return [f"{number:05d}" for number in range(count)] if count > 1 else []


def steps_of(config, run):
    """The steps at which a run is kept: every `checkpoint_every` up to `steps`."""
    every = config["runs"][run]["checkpoint_every"]
    return list(range(every, config["runs"][run]["steps"] + 1, every))


def starts(run):
    """What a run's training and its average start from, as its `train_init` and `ema.init` say."""
    return {"train_init": run["train_init"], "ema": (run["ema"] or {}).get("init")}


def started_from(run):
    """The names of the runs from whose checkpoints a run starts."""
    return {s["run"] for s in starts(run).values() if isinstance(s, dict) and "run" in s}


def lineage(runs, names):
    """These of the runs and all that they start from, directly or not: a set of names."""
    found, new = set(), set(names)
    while new := new & runs.keys() - found:
        found |= new
        new = set().union(*(started_from(runs[name]) for name in new))
    return found


def trained(config):
    """The names of the runs that experiments ask for or that those start from, in their order."""
    asked = [e["runs"] + e["baselines"] for e in config["experiments"].values()]
    found = lineage(config["runs"], itertools.chain.from_iterable(asked))
    return [name for name in config["runs"] if name in found]


def kept_steps(config, run):
    """The steps of a run whose weights stay on the disk, as its `keep` says; the last always."""
    steps, keep = steps_of(config, run), config["runs"][run].get("keep", "all")
    if keep == "all":
        return steps
    if keep == "compared":
        shown = [v for name in config["experiments"] for v in variants(config, name)]
        keep = {variant["step"] for variant in shown if variant["run"] == run}
    return [step for step in steps if step in keep or step == steps[-1]]


def overrides(config, run):
    """{key: (theirs, ours)} where a run differs from the one that it extends; {} if from none.

    Where it names another `recipe`, the hyper-parameters that change with it are there too. Keys
    that only one of the two has (a LoRA's rank) are not: `method` says it.
    """
    ours = config["runs"][run]
    theirs = config["runs"].get(ours.get("extends"), ours)
    keys = sorted((ours.keys() & theirs.keys()) - {"extends"})
    return {key: (theirs[key], ours[key]) for key in keys if theirs[key] != ours[key]}


def variants(config, experiment):
    """The models that an experiment samples: its baselines, then its runs, each path once.

    Each is a dict: `kind` "base" or "run"; `model`; `run`, `step`, `weights` ("raw" or "ema") and
    `strength` (LoRA scale, or alpha in base + alpha x (tuned - base)), all None for a base;
    `path`, as it stands in the targets; `label`, for people. A checkpoint is sampled at strength
    1, the last one also at the `lora_scales` or `merge_alphas`. A run that is a baseline is its
    last checkpoint at strength 1, with the first of the experiment's `weights` that it has.
    """
    entry = config["experiments"][experiment]
    found = []
    for name in entry["baselines"]:
        if name in config["models"]:
            found.append(_base(name))
        else:
            weights = [w for w in entry["weights"] if w in weights_of(config, name)] or ["raw"]
            found.append(_tuned(config, name, steps_of(config, name)[-1], weights[0], 1.0))
    for name in entry["runs"]:
        found += _of_run(config, entry, name)
    return list({variant["path"]: variant for variant in found}.values())


def weights_of(config, run):
    """The kinds of weights that a run keeps: "raw", and "ema" where it averages them."""
    return ["raw", "ema"] if config["runs"][run].get("ema") else ["raw"]


def checkpoints(config, entry, run):
    """The steps of a run that an experiment (its entry) samples."""
    steps = steps_of(config, run)
    chosen = entry["checkpoints"]
    if chosen == "last":
        return steps[-1:]
    return steps if chosen == "all" else sorted(chosen)


def spell_strength(strength):
    """A strength as it stands in paths: 1 is "1.0", 0.25 is "0.25"."""
    text = f"{strength:g}"
    return text if "." in text else f"{text}.0"


def _of_run(config, entry, run):
    lora = config["runs"][run]["method"] == "lora"
    strengths = sorted({*entry["lora_scales" if lora else "merge_alphas"], 1.0})
    steps = checkpoints(config, entry, run)
    return [
        _tuned(config, run, step, weights, strength)
        for weights in entry["weights"]
        if weights in weights_of(config, run)
        for step in steps
        for strength in (strengths if step == steps[-1] else [1.0])
    ]


def _base(model):
    nothing = dict.fromkeys(["run", "step", "weights", "strength"])
    return {"kind": "base", "model": model, **nothing, "path": f"base/{model}", "label": model}


def _tuned(config, run, step, weights, strength):
    words = [run, f"{step:,} steps"]
    if len(weights_of(config, run)) > 1:
        words.append("EMA" if weights == "ema" else "raw weights")
    if strength != 1.0:
        name = "scale" if config["runs"][run]["method"] == "lora" else "alpha"
        words.append(f"{name} {strength:g}")
    return {
        "kind": "run",
        "model": config["runs"][run]["model"],
        "run": run,
        "step": step,
        "weights": weights,
        "strength": strength,
        "path": f"{run}/{step:06d}/{weights}/{spell_strength(strength)}",
        "label": ", ".join(words),
    }
