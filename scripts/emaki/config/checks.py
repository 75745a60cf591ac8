"""What the schemas cannot say: that names refer to something, that files are there, that a run's
and an experiment's keys fit together. Each check yields pairs (path of keys, sentence)."""

import json
from datetime import date
from pathlib import Path

from emaki.common.errors import UserError
from emaki.config import repositories
from emaki.config.derived import (
    ARCHIVES,
    checkpoints,
    lineage,
    started_from,
    starts,
    steps_of,
    weights_of,
)
from emaki.config.reading import NAMED, unknown
from emaki.config.runs import LORA_KEYS

TAKEN = ("hub", "pictures.yaml", "README.md", "report.html")  # in results/, beside the studies
NEEDS_HORIZON = ("linear", "cosine")
RUNGE_KUTTA = 4  # steps of that kind with which diffusers' PNDM begins, if it does not skip them


def check(document):
    """Complete `prompts` and `experiments` of a Document whose shape is right; return mistakes."""
    config = document.data
    for section in NAMED:  # config/tiny.yaml has but few of them
        config.setdefault(section, {})
    found = [*_models(config["models"]), *_files(config)]
    found += repositories.resolve(config, document.file)
    for part in (_names, _sampling, _captions, _datasets, _prompts, _runs, _experiments):
        found += part(config, document.own)
    return [document.error(path, text) for path, text in found if document.says_itself(path)]


def _names(config, own):
    if config["study"] in TAKEN:
        yield ("study",), "is a name that results/ has for something else; take another one"
    for section in NAMED:
        seen = {}
        for name in config[section]:
            if (other := seen.setdefault(name.lower(), name)) != name:
                yield (
                    (section, name),
                    f"differs from {other!r} in case only, which not all disks keep",
                )
    if "base" in config["runs"]:
        yield ("runs", "base"), "is the folder of the base models' pictures; take another name"


def _files(config):
    local = {name: model for name, model in config["models"].items() if "repo" not in model}
    wanted = {("models", name, "path"): model.get("path", ".") for name, model in local.items()}
    for where, path in wanted.items():
        if Path(path).is_dir() and not Path(path, "model_index.json").is_file():
            yield where, f"is {path}, which is no diffusers pipeline: it has no model_index.json"
    for where, holder, key in repositories.transformers_models(config):
        if isinstance(holder[key], str):
            wanted[where] = holder[key]
    for name, captioner in config["captions"].items():
        if captioner["type"] == "table" and not Path(captioner["path"]).is_file():
            yield ("captions", name, "path"), f"is {captioner['path']}, which is no file"
    advice = {}
    for name, source in config["sources"].items():
        if source["type"] in ("folder", "unsplash"):
            wanted["sources", name, "path"] = Path(source["path"]).expanduser()
        if source["type"] == "unsplash":
            what = (
                "accept the licence of the Unsplash Lite dataset and name the folder where it lies"
            )
            advice["sources", name, "path"] = f": {what}"
    for where, path in wanted.items():
        if not Path(path).is_dir():
            yield where, f"is {path}, which is no folder{advice.get(where, '')}"
    for name, source in config["sources"].items():
        if source["type"] in ARCHIVES:
            try:
                ARCHIVES[source["type"]].shards(source)
            except UserError as error:
                yield ("sources", name, "path"), str(error)


def _models(models):
    for name, model in models.items():
        of_hub = [key for key in model if key != "path"]
        if ("path" in model) == ("repo" in model):
            has = "both" if "path" in model else "neither"
            yield ("models", name), f"must have either path or repo; it has {has}"
        elif "path" in model and of_hub:
            yield ("models", name, of_hub[0]), "goes with repo only"
        elif "non_ema_sha256" in model and "non_ema_revision" not in model:
            yield ("models", name, "non_ema_sha256"), "goes with non_ema_revision only"


def _sampling(config, own):
    sampling = config["sampling"]
    if sampling["scheduler"] != "pndm" or sampling["steps"] >= RUNGE_KUTTA:
        return
    for name, model in config["models"].items():
        file = Path(model["path"], "scheduler/scheduler_config.json")
        if file.is_file() and not json.loads(file.read_text("utf-8")).get("skip_prk_steps"):
            needs = f"pndm needs {RUNGE_KUTTA} or more with the model {name}"
            why = f"whose {file} does not say skip_prk_steps: true"
            yield ("sampling", "steps"), f"is {sampling['steps']}, but {needs}, {why}"


def _captions(config, own):
    captions = config["captions"]
    for name, captioner in captions.items():
        if captioner.get("preset") == "kohya_cli" and captioner["num_beams"] > 1:
            yield ("captions", name, "num_beams"), "goes with preset kohya_gui: kohya_cli samples"
        if captioner.get("top_p") is not None and captioner["num_beams"] > 1:
            yield ("captions", name, "num_beams"), "does not go with top_p, which samples"
        where, seen = ("captions", name, "of"), [name]
        while (of := captions[seen[-1]].get("of")) is not None:
            if of not in captions:
                if len(seen) == 1:  # else it is told at the captioner that says it
                    yield where, unknown("captioner", of, captions)
                break
            if of in seen:
                circle = seen[seen.index(of) :]
                if name == min(circle):
                    yield where, f"goes round in a circle: {' -> '.join([*circle, of])}"
                break
            seen.append(of)


def _datasets(config, own):
    for name, dataset in config["datasets"].items():
        for key, section in (("source", "sources"), ("captions", "captions")):
            if dataset[key] not in config[section]:
                kind = {"source": "source", "captions": "captioner"}[key]
                yield ("datasets", name, key), unknown(kind, dataset[key], config[section])
        source = config["sources"].get(dataset["source"], {"type": None})
        if source["type"] in ARCHIVES or source.get("shards", 1) > 1:
            chain = _captioners(config["captions"], dataset["captions"])
            if any(config["captions"][of]["type"] == "table" for of in chain):
                problem = f"edits captions, but the source {dataset['source']} is in shards"
                yield ("datasets", name, "captions"), problem


def _captioners(captions, name):
    """The names of a captioner and of those below it, as far as there are any."""
    chain = []
    while name in captions and name not in chain:
        chain.append(name)
        name = captions[name].get("of")
    return chain


def _prompts(config, own):
    for name, entry in config["prompts"].items():
        where = ("prompts", name)
        given = [key for key in ("texts", "file", "dataset") if key in entry]
        if len(given) != 1:
            has = " and ".join(given) or "none of them"
            yield where, f"must have one of texts, file and dataset; it has {has}"
            continue
        if ("count" in entry) != ("dataset" in entry):
            problem = "is missing" if "dataset" in entry else "goes with dataset only"
            yield (*where, "count"), problem
        if "dataset" in entry and entry["dataset"] not in config["datasets"]:
            hint = unknown("dataset", entry["dataset"], config["datasets"])
            yield (*where, "dataset"), hint
        if "file" in entry:
            if not Path(entry["file"]).is_file():
                yield (*where, "file"), f"is {entry['file']}, which is no file"
                continue
            try:
                texts = _lines(entry["file"])
            except UnicodeDecodeError:
                yield (*where, "file"), f"is {entry['file']}, which is not UTF-8 text"
                continue
            if not texts:
                yield (*where, "file"), f"is {entry['file']}, which has no prompts"
            config["prompts"][name] = entry = {"texts": texts}
        texts = entry.get("texts", [])
        for text in sorted({text for text in texts if texts.count(text) > 1}):
            yield (*where, given[0]), f"has the prompt {text!r} {texts.count(text)} times"


def _lines(path):
    lines = [line.strip() for line in Path(path).read_text("utf-8-sig").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _runs(config, own):
    for name, run in config["runs"].items():
        where = ("runs", name)
        for key in ("model", "dataset"):
            if run[key] not in config[f"{key}s"]:
                yield (*where, key), unknown(key, run[key], config[f"{key}s"])
        every = run["checkpoint_every"]
        if run["steps"] % every:
            key = _said(own[name], "steps", "checkpoint_every")
            numbers = f"{run['steps']} steps with checkpoint_every {every}"
            yield (*where, key), f"leaves steps after the last checkpoint: {numbers}"
        elif isinstance(run.get("keep"), list):
            known = set(steps_of(config, name))
            for step in sorted(set(run["keep"]) - known):
                yield (*where, "keep"), f"has {step}, but a checkpoint is made every {every} steps"
        if run["lr_scheduler"] in NEEDS_HORIZON and run["lr_horizon"] is None:
            key = _said(own[name], "lr_scheduler", "lr_horizon")
            problem = (
                f"leaves {run['lr_scheduler']} without lr_horizon, the step where it reaches 0"
            )
            yield (*where, key), problem
        for key in LORA_KEYS:
            if run["method"] == "full" and key in own[name]:
                yield (*where, key), "is for method lora, but this run's method is full"
        if run["method"] == "lora" and run["train_init"] == "non_ema":
            key = _said(own[name], "train_init", "method")
            problem = "starts from non-EMA weights, but a LoRA is put on its model's plain U-Net"
            yield (*where, key), problem
        if own[name].get("text_encoder_learning_rate") and not run["train_text_encoder"]:
            yield (*where, "text_encoder_learning_rate"), "goes with train_text_encoder: true"
        yield from _weights(config, name, own[name])
        for key, start in starts(run).items():
            if isinstance(start, dict):  # no file of its model
                yield from _start(config, name, own[name], key, start)
    yield from _circles(config, own)


def _weights(config, name, own):
    """Whether the model has the weights that a run starts from."""
    run = config["runs"][name]
    model = config["models"].get(run["model"], {})
    if "repo" in model:  # its weights come when they are needed
        return
    file = Path(model.get("path", ".")) / "unet" / "diffusion_pytorch_model.non_ema.safetensors"
    for key, start in starts(run).items():
        where = ("runs", name, _said(own, key, "recipe", "model"))
        if start == "non_ema" and file.parent.is_dir() and not file.is_file():
            yield where, f"asks for non-EMA weights, but there is no file {file}"


def _start(config, name, own, key, start):
    """Whether a run can start from that checkpoint or folder."""
    run, runs = config["runs"][name], config["runs"]
    where = ("runs", name, _said(own, key, "method", "model"))
    key = {"train_init": "starts from", "ema": "has an ema.init with"}[key]
    if start.keys() not in ({"folder"}, {"run", "step", "weights"}):
        yield where, f"{key} {', '.join(start)}: give run, step and weights, or folder"
    elif run["method"] == "lora":
        yield where, f"{key} a checkpoint or folder, but a LoRA is an update of its model's U-Net"
    elif "folder" in start:
        file = Path(start["folder"], "diffusion_pytorch_model.safetensors")
        if not file.is_file():
            yield where, f"{key} a folder, but there is no file {file}"
    elif start["run"] not in runs:
        yield where, f"{key} a run that {unknown('run', start['run'], runs)}"
    else:
        for problem in _of_other_run(config, run, start):
            yield where, f"{key} {start['run']}, {problem}"


def _of_other_run(config, run, start):
    other = config["runs"][start["run"]]
    steps = steps_of(config, start["run"])
    if other["method"] == "lora":
        yield "which is a LoRA, not a whole U-Net"
    if other["model"] != run["model"]:
        yield f"whose model is {other['model']}, but this run's is {run['model']}"
    if other["train_text_encoder"] and not run["train_text_encoder"]:
        yield "which has trained its text encoder: give train_text_encoder: true here too"
    if start["step"] not in steps:
        yield f"which has no checkpoint {start['step']}, but every {steps[0]} up to {steps[-1]}"
    if start["weights"] not in weights_of(config, start["run"]):
        yield "which has raw weights only (its ema is null)"


def _circles(config, own):
    """Runs that start, directly or not, from their own checkpoints."""
    runs = config["runs"]
    ancestors = {name: lineage(runs, started_from(run)) for name, run in runs.items()}
    for name in runs:
        circle = {other for other in ancestors[name] if name in ancestors[other]}
        if circle and name == min(circle):
            key = _said(own[name], "train_init", "ema", "extends")
            text = f"goes round in a circle: {name} would start from its own weights"
            yield ("runs", name, key), text


def _said(own, *keys):
    """The first of `keys` that a run says itself: where to tell what is wrong with all of them."""
    return next((key for key in keys if key in own), keys[0])


def _experiments(config, own):
    for name, entry in config["experiments"].items():
        where = ("experiments", name)
        mistakes = list(_references(config, entry, where))
        yield from mistakes
        if entry.get("date") and not _is_date(entry["date"]):
            yield (*where, "date"), f"is {entry['date']}, a day that there is not"
        if not mistakes:
            first = config["runs"][entry["runs"][0]]
            entry.setdefault("reference", first["dataset"])
            yield from _resolutions(config, own, entry)
            yield from _samples(config, entry, where)


def _is_date(text):
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _references(config, entry, where):
    runs, datasets, prompts = config["runs"], config["datasets"], config["prompts"]
    for number, run in enumerate(entry["runs"]):
        if run not in runs:
            yield (*where, "runs", number), unknown("run", run, runs)
    for number, baseline in enumerate(entry["baselines"]):
        known = [*config["models"], *runs]
        if baseline not in known:
            yield (*where, "baselines", number), unknown("model or run", baseline, known)
        elif baseline in runs and baseline in config["models"]:
            yield (*where, "baselines", number), f"{baseline!r} is both a model and a run"
    for role, prompt_set in entry["prompts"].items():
        if prompt_set not in prompts:
            yield (*where, "prompts", role), unknown("set of prompts", prompt_set, prompts)
    if entry.get("reference", "") not in ("", *datasets):
        yield (*where, "reference"), unknown("dataset", entry["reference"], datasets)


def _resolutions(config, own, entry):
    """Whether any run of an experiment is trained at as few pixels as its pictures are drawn at."""
    drawn = config["sampling"]["resolution"]
    trained = {run: config["runs"][run]["resolution"] for run in entry["runs"]}
    if min(trained.values()) > drawn:
        for run, size in trained.items():
            while "resolution" not in own[run] and own[run].get("extends"):
                run = own[run]["extends"]  # which may be in no experiment
            problem = f"is {size}, but its pictures are drawn at sampling.resolution {drawn}"
            yield ("runs", run, "resolution"), problem


def _samples(config, entry, where):
    """Whether the runs of an experiment have what it asks them for."""
    runs = entry["runs"]
    for run in runs:
        steps = steps_of(config, run)
        for step in checkpoints(config, entry, run):
            if step not in steps:
                near = min(steps, key=lambda known: abs(known - step))
                course = f"every {steps[0]} steps up to {steps[-1]}"
                problem = f"has {step}, but {run} has checkpoints {course}; the nearest is {near}"
                yield (*where, "checkpoints"), problem
    averaged = [run for run in runs if "ema" in weights_of(config, run)]
    if "ema" in entry["weights"] and not averaged:
        yield (*where, "weights"), "has ema, but no run here averages its weights (ema is null)"
    elif entry["weights"] == ["ema"] and averaged != runs:
        without = ", ".join(run for run in runs if run not in averaged)
        yield (*where, "weights"), f"is ema alone, but {without} has raw weights only"
    methods = {config["runs"][run]["method"] for run in runs}
    if entry["lora_scales"] and "lora" not in methods:
        yield (
            (*where, "lora_scales"),
            "is for LoRAs, but no run here is one; others have merge_alphas",
        )
    if entry["merge_alphas"] and "full" not in methods:
        yield (
            (*where, "merge_alphas"),
            "is for full fine-tunes, but no run here is one; LoRAs have lora_scales",
        )
