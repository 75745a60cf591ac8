"""What the schemas cannot say: that names refer to something, that files are there, that a run's
and an experiment's keys fit together. Each check yields pairs (path of keys, sentence)."""

from pathlib import Path

from emaki.config.plan import checkpoints, steps_of, weights_of
from emaki.config.reading import NAMED, nearest
from emaki.config.runs import LORA_KEYS

NEEDS_HORIZON = ("linear", "cosine")


def check(document):
    """Complete `prompts` and `experiments` of a Document whose shape is right; return mistakes."""
    config = document.data
    found = []
    for part in (_names, _files, _captions, _datasets, _prompts, _runs, _experiments):
        found += part(config, document.own)
    return [document.error(path, text) for path, text in found]


def _names(config, own):
    for section in NAMED:
        seen = {}
        for name in config[section]:
            if (other := seen.setdefault(name.lower(), name)) != name:
                yield (section, name), f"differs from {other!r} in case only; some disks cannot"
    if "base" in config["runs"]:
        yield ("runs", "base"), "is the folder of the base models' pictures; take another name"


def _files(config, own):
    def folder(path, *where):
        if not Path(path).is_dir():
            yield where, f"there is no folder {path}"

    for name, model in config["models"].items():
        yield from folder(model["path"], "models", name, "path")
    yield from folder(config["evaluators"]["clip"], "evaluators", "clip")
    for name, captioner in config["captions"].items():
        if captioner["type"] == "blip":
            yield from folder(captioner["model"], "captions", name, "model")
    for name, source in config["sources"].items():
        if source["type"] == "folder" and not Path(source["path"]).exists():
            yield ("sources", name, "path"), f"there is no file or folder {source['path']}"


def _captions(config, own):
    captions = config["captions"]
    for name, captioner in captions.items():
        seen = [name]
        while captioner is not None and "of" in captioner:
            seen.append(captioner["of"])
            where = ("captions", name, "of")
            if seen[-1] not in captions:
                if len(seen) == 2:
                    yield where, _unknown("captioner", seen[-1], captions)
                break
            if seen[-1] in seen[:-1]:
                if seen[-1] == name:
                    yield where, f"captioners in a circle: {' -> '.join(seen)}"
                break
            captioner = captions[seen[-1]]


def _datasets(config, own):
    for name, dataset in config["datasets"].items():
        for key, section in (("source", "sources"), ("captions", "captions")):
            if dataset[key] not in config[section]:
                yield ("datasets", name, key), _unknown(key, dataset[key], config[section])


def _prompts(config, own):
    for name, entry in config["prompts"].items():
        where = ("prompts", name)
        given = [key for key in ("texts", "file", "dataset") if key in entry]
        if len(given) != 1:
            yield where, f"must have exactly one of texts, file, dataset; it has {given or 'none'}"
            continue
        if ("count" in entry) != ("dataset" in entry):
            yield (*where, "count"), "goes with dataset, and dataset with count"
        if "dataset" in entry and entry["dataset"] not in config["datasets"]:
            hint = _unknown("dataset", entry["dataset"], config["datasets"])
            yield (*where, "dataset"), hint
        if "file" in entry:
            if not Path(entry["file"]).is_file():
                yield (*where, "file"), f"there is no file {entry['file']}"
                continue
            texts = _lines(entry["file"])
            if not texts:
                yield (*where, "file"), f"there is no prompt in {entry['file']}"
            config["prompts"][name] = entry = {"texts": texts}
        texts = entry.get("texts", [])
        for text in sorted({text for text in texts if texts.count(text) > 1}):
            yield (*where, given[0]), f"has the prompt {text!r} {texts.count(text)} times"


def _lines(path):
    lines = [line.strip() for line in Path(path).read_text("utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _runs(config, own):
    for name, run in config["runs"].items():
        where = ("runs", name)
        for key in ("model", "dataset"):
            if run[key] not in config[f"{key}s"] and _says(own[name], key):
                yield (*where, key), _unknown(key, run[key], config[f"{key}s"])
        if run["steps"] % run["checkpoint_every"]:
            yield (
                (*where, "steps"),
                f"is {run['steps']}, which is not a multiple of checkpoint_every"
                f" ({run['checkpoint_every']}), so the last steps would not be kept",
            )
        if run["lr_scheduler"] in NEEDS_HORIZON and run["lr_horizon"] is None:
            yield (
                (*where, "lr_scheduler"),
                f"is {run['lr_scheduler']}, which needs lr_horizon: the step at which the"
                " learning rate is 0 (it stays when you add steps later)",
            )
        if run["method"] == "full":
            for key in LORA_KEYS:
                if key in own[name]:
                    yield (*where, key), "is for method lora; this run's method is full"
        yield from _weights(config, name, where)


def _weights(config, name, where):
    """Whether the model has the weights that a run starts from."""
    run = config["runs"][name]
    starts = {"train_init": run["train_init"], "ema": (run["ema"] or {}).get("init")}
    unet = Path(config["models"].get(run["model"], {}).get("path", ".")) / "unet"
    file = unet / "diffusion_pytorch_model.non_ema.safetensors"
    for key, start in starts.items():
        if start == "non_ema" and unet.is_dir() and not file.is_file():
            yield (*where, key), f"asks for non-EMA weights, but there is no file {file}"


def _says(run, key):
    return key in run or "extends" not in run


def _experiments(config, own):
    for name, entry in config["experiments"].items():
        where = ("experiments", name)
        mistakes = list(_references(config, entry, where))
        yield from mistakes
        if not mistakes:
            first = config["runs"][entry["runs"][0]]
            entry.setdefault("reference", first["dataset"])
            yield from _samples(config, entry, where)


def _references(config, entry, where):
    runs, datasets, prompts = config["runs"], config["datasets"], config["prompts"]
    for number, run in enumerate(entry["runs"]):
        if run not in runs:
            yield (*where, "runs", number), _unknown("run", run, runs)
    for number, baseline in enumerate(entry["baselines"]):
        known = [*config["models"], *runs]
        if baseline not in known:
            yield (*where, "baselines", number), _unknown("model or run", baseline, known)
        elif baseline in runs and baseline in config["models"]:
            yield (*where, "baselines", number), f"{baseline!r} is both a model and a run"
    for role, prompt_set in entry["prompts"].items():
        if prompt_set not in prompts:
            yield (*where, "prompts", role), _unknown("set of prompts", prompt_set, prompts)
    if entry.get("reference", "") not in ("", *datasets):
        yield (*where, "reference"), _unknown("dataset", entry["reference"], datasets)


def _samples(config, entry, where):
    """Whether the runs of an experiment have what it asks them for."""
    runs = entry["runs"]
    for run in runs:
        steps = steps_of(config, run)
        for step in checkpoints(config, entry, run):
            if step not in steps:
                near = min(steps, key=lambda known: abs(known - step))
                yield (
                    (*where, "checkpoints"),
                    f"{run} has no checkpoint at step {step}: its checkpoints are every"
                    f" {steps[0]} steps up to {steps[-1]}; the nearest is {near}",
                )
        if not set(entry["weights"]) & set(weights_of(config, run)):
            yield (*where, "weights"), f"{run} has no EMA weights (its ema is null), only raw"
    if "ema" in entry["weights"] and not any("ema" in weights_of(config, run) for run in runs):
        yield (*where, "weights"), "no run of this experiment has EMA weights (ema is null)"
    methods = {config["runs"][run]["method"] for run in runs}
    if entry["lora_scales"] and "lora" not in methods:
        yield (*where, "lora_scales"), "no run of this experiment is a LoRA; see merge_alphas"
    if entry["merge_alphas"] and "full" not in methods:
        yield (*where, "merge_alphas"), "no run of this experiment is a full one; see lora_scales"


def _unknown(kind, name, known):
    listed = ", ".join(sorted(known))
    return f"there is no {kind} named {name!r}{nearest(name, known)}; there are: {listed}"
