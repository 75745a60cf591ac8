"""A study in a few minutes: its own road and sizes, with two steps and a few pictures.

What fails late on a rented machine (memory, a driver, a gate, a package) fails here at once.
"""

from typing import Any

from emaki.config.settings import Study

STEPS = 2  # of a training, with a checkpoint after each: the second goes on from a state
PICTURES = (
    8  # of a source: some may be gone, or without a caption, and two must be left to train on
)
SEEDS = 2  # pictures that a model draws for its one prompt


def rehearse(
    written: dict[str, Any], study: Study, has_gpu: bool
) -> tuple[dict[str, Any], list[str]]:
    """The config of a rehearsal of a study, and what that cannot try, in sentences.

    `written` is what the study's file says, with what it extends. Models, batches, resolutions,
    measures and captioners stay as they are.
    """
    config = {**written, "study": f"{study.study}-rehearsal"}
    config["sources"] = {name: _shorten_source(entry) for name, entry in written["sources"].items()}
    config["prompts"] = {name: _take_one(study, name) for name in study.prompts}
    config["sampling"] = written["sampling"] | {
        "seeds": study.sampling.seeds[:SEEDS] if len(study.sampling.seeds) > 1 else [0, 1],
        "steps": min(study.sampling.steps, 4 if study.sampling.scheduler == "pndm" else STEPS),
    }
    config["runs"] = {
        name: _shorten_run(entry, study, name, has_gpu) for name, entry in written["runs"].items()
    }
    config["experiments"] = {
        name: _shorten_experiment(entry) for name, entry in written["experiments"].items()
    }
    return config, _explain_untried(study, has_gpu)


def _shorten_source(entry: dict[str, Any]) -> dict[str, Any]:
    short = {key: value for key, value in entry.items() if key != "shards"}
    if "count" in short or entry.get("type") == "hub":
        short["count"] = min(short.get("count") or PICTURES, PICTURES)
    return short


def _take_one(study: Study, name: str) -> dict[str, Any]:
    entry = study.prompts[name]
    if entry.dataset is not None:
        return {"dataset": entry.dataset, "count": 1}
    return {"texts": (entry.texts or [])[:1]}


def _shorten_run(entry: dict[str, Any], study: Study, name: str, has_gpu: bool) -> dict[str, Any]:
    # one training tries the road as well as several
    short = {key: value for key, value in entry.items() if key != "seeds"}
    short |= {"steps": STEPS, "checkpoint_every": 1, "keep": "compared"}
    if isinstance(short.get("train_init"), dict) and "step" in short["train_init"]:
        short["train_init"] = short["train_init"] | {"step": STEPS}
    ema = short.get("ema")
    if isinstance(ema, dict) and isinstance(ema.get("init"), dict) and "step" in ema["init"]:
        short["ema"] = ema | {"init": ema["init"] | {"step": STEPS}}
    if not has_gpu and study.runs[name].mixed_precision == "fp16":
        short["mixed_precision"] = "no"  # bf16 is slow on many CPUs
    if not has_gpu and study.runs[name].attention == "xformers":
        short["attention"] = "sdpa"
    return short


def _shorten_experiment(entry: dict[str, Any]) -> dict[str, Any]:
    """Without claims, which may be about checkpoints that there are not."""
    short = {key: value for key, value in entry.items() if key != "claims"}
    return short | ({"checkpoints": "last"} if "checkpoints" in entry else {})


def _explain_untried(study: Study, has_gpu: bool) -> list[str]:
    told = []
    whole = [
        name
        for name, source in study.sources.items()
        if source.type != "hub" and "count" not in type(source).model_fields
    ]
    if whole:
        told.append(f"less of {', '.join(whole)}: a source that has no count is read whole")
    if has_gpu:
        return told
    told.append("whether a GPU's memory is enough, its driver and its speed")
    half = [name for name, run in study.runs.items() if run.mixed_precision == "fp16"]
    if half:
        told.append(f"fp16, which needs a GPU: fp32 takes its place in {', '.join(half)}")
    others = [name for name, run in study.runs.items() if run.attention == "xformers"]
    if others:
        told.append(f"xformers, which needs a GPU: sdpa takes its place in {', '.join(others)}")
    return told
