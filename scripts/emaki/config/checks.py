"""What no class can say alone: that names refer to something, that files are there, that the
settings of different entries fit together. Each check yields pairs (path of keys, sentence)."""

import contextlib
import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from emaki import families
from emaki.captioners import Captioner
from emaki.common import weight_files
from emaki.common.errors import UserError, nearest
from emaki.common.files import is_special
from emaki.common.messages import KeyPath
from emaki.common.settings import ModelFolder, Settings
from emaki.config import claims, pipelines, repositories
from emaki.config.derived import (
    compared,
    lineage,
    started_from,
    starts,
    steps_of,
    variants,
    weights_of,
)
from emaki.config.reading import NAMED, Document, unknown
from emaki.config.settings import Experiment, Matrix, Study
from emaki.data.sources import Source
from emaki.sampling import templates
from emaki.sampling.settings import MOST_PROMPTS, PromptSet
from emaki.training.recipes import LORA_KEYS
from emaki.training.settings import SEED_KEYS, Run, Start

TAKEN = (
    "hub",
    "pictures.yaml",
    "rehearsal.yaml",
    "README.md",
    "report",
    "report.html",
    "votes.html",
)  # in results/, beside the studies
RUNGE_KUTTA = 4  # steps of that kind with which diffusers' PNDM begins, if it does not skip them
# Where a run inherits the key of a problem, it has changed one of these.
# What two LoRAs must share where one starts from the other.
LORA_SHAPE = ("rank", "target_modules", "train_text_encoder")
GOES_WITH = {"lr_scheduler": ("lr_total_steps",), "train_init": ("method",)}

Mistakes = Iterator[tuple[KeyPath, str]]
Own = Mapping[str, Mapping[str, Any]]
"""What each run says itself, of which a mistake is told."""


def find_mistakes(study: Study, document: Document) -> list[str]:
    """What is wrong with a study, in sentences with the places of the Document that it is from."""
    found = [*_models(study), *_files(study), *repositories.problems(study, document.file)]
    found += [*_names(study), *_sampling(study), *_captions(study), *_datasets(study)]
    found += [*_prompts(study), *_runs(study, document.own), *_experiments(study, document.own)]
    found += _votes(study)
    found = found or list(_claims(study))  # which are about all of that
    return [document.error(path, text) for path, text in found if document.says_itself(path)]


def complete(study: Study) -> Study:
    """A study without mistakes with what it leaves to look up: prompts' texts and references."""
    prompts = {
        name: PromptSet(texts=_texts(entry)) if entry.dataset is None else entry
        for name, entry in study.prompts.items()
    }
    experiments = {
        name: entry.model_copy(
            update={"reference": entry.reference or study.runs[entry.runs[0]].dataset}
        )
        for name, entry in study.experiments.items()
    }
    return study.replace(prompts=prompts, experiments=experiments)


def _names(study: Study) -> Mistakes:
    if study.study in TAKEN:
        yield ("study",), "is a name that results/ has for something else; take another one"
    for section in NAMED:
        seen: dict[str, str] = {}
        for name in getattr(study, section):
            if (other := seen.setdefault(name.lower(), name)) != name:
                yield (
                    (section, name),
                    f"differs from {other!r} in case only, which not all disks keep",
                )
    if "base" in study.runs:
        yield ("runs", "base"), "is the folder of the base models' pictures; take another name"


def _files(study: Study) -> Mistakes:
    yield from _paths(study)
    for name, model in study.models.items():
        for problem in pipelines.problems(model.folder) if model.repo is None else ():
            yield ("models", name, "path"), problem
    for path, folder in repositories.model_folders(study):
        if folder.pinned is None and not os.path.isdir(folder):
            yield path, f"is {folder}, which is no folder"
        else:
            yield from ((path, f"is {folder}, {lack}") for lack in _lacking(study, path, folder))
    sections: dict[str, Mapping[str, Settings]] = {
        "captions": study.captions,
        "sources": study.sources,
        "measures": study.measures,
    }
    for section, entries in sections.items():
        for name, entry in entries.items():
            for key, problem in entry.problems():
                yield (section, name, key), problem


def _paths(study: Study) -> Mistakes:
    """Paths that Snakemake would take for something else."""
    found: list[tuple[KeyPath, str]] = [
        (("models", name, "path"), model.path) for name, model in study.models.items() if model.path
    ]
    found += [(path, str(folder)) for path, folder in repositories.model_folders(study)]
    for name, captioner in study.captions.items():
        if path := getattr(captioner, "path", None):
            found.append((("captions", name, "path"), path))
    found += [(("votes", number), path) for number, path in enumerate(study.votes)]
    for keys, path in found:
        if (odd := re.search(r"[{}\n\r]", path)) and os.path.exists(path):
            yield keys, f"is {path!r}, but a path must be without {odd[0]!r}: rename it"


def _lacking(study: Study, path: KeyPath, folder: ModelFolder) -> Iterator[str]:
    """What a captioner or measure reads of a model in a folder of the user's, and is not there."""
    entry = getattr(study, str(path[0]))[path[1]]
    files = [Path(file) for file in entry.files()] if folder.pinned is None else []
    missing = [file for file in files if file.is_relative_to(folder) and not file.exists()]
    yield from (pipelines.missing_file(Path(folder), file) for file in missing[:1])


def _models(study: Study) -> Mistakes:
    for name, model in study.models.items():
        of_hub = [key for key in model.model_dump(exclude_none=True) if key != "path"]
        if (model.path is None) == (model.repo is None):
            has = "both" if model.path is not None else "neither"
            yield ("models", name), f"must have either path or repo; it has {has}"
        elif model.path is not None and of_hub:
            yield ("models", name, of_hub[0]), "goes with repo only"
        elif model.pipeline is not None and model.pipeline not in families.MODULES:
            yield ("models", name, "pipeline"), families.unknown(model.pipeline)
        elif model.without_t5 and not model.family.may_lack:
            problem = f"goes with Stable Diffusion 3 only; this is a {model.family.pipeline}"
            yield ("models", name, "without_t5"), problem
        elif model.non_ema_revision and model.family.in_parts:
            problem = f"is of a {model.family.pipeline}, which has no raw weights beside it"
            yield ("models", name, "non_ema_revision"), problem
        elif model.non_ema_sha256 and not model.non_ema_revision:
            yield ("models", name, "non_ema_sha256"), "goes with non_ema_revision only"


def _votes(study: Study) -> Mistakes:
    for number, path in enumerate(study.votes):
        if not os.path.isfile(path):
            yield ("votes", number), f"is {path}, which is no file"


def _of_family(study: Study, run: Run) -> Iterator[tuple[str, str]]:
    """Keys of a run that do not suit its model's family, and why; the model is told by itself."""
    try:
        family = study.models[run.model].family
    except (KeyError, UserError):
        return
    yield from ((key, problem) for key, problem in family.lacking.items() if getattr(run, key))
    if run.guidance_scale is not None and family.guidance is None:
        yield "guidance_scale", "is what FLUX.1 dev alone is told in training"
    if run.attention == "xformers" and family.denoiser != "unet":
        yield "attention", "is xformers, which is there for U-Nets only: take sdpa"
    if run.resolution_shift and "resolution_shift" not in family.lacking and not family.may_shift():
        yield "resolution_shift", f"is not for {run.model}: its scheduler has a constant shift"
    if run.resolution % family.edge_multiple:
        pixels = f"multiples of {family.edge_multiple} pixels"
        yield "resolution", f"is {run.resolution}, but the model {run.model} takes {pixels}"


def _sampling(study: Study) -> Mistakes:
    sampling = study.sampling
    for name, model in study.models.items():
        with contextlib.suppress(UserError):  # told by itself
            known, multiple = model.family.schedulers, model.family.edge_multiple
            if sampling.scheduler not in known:
                others = f"the model {name} is drawn with {' or '.join(known)} only"
                yield ("sampling", "scheduler"), f"is {sampling.scheduler}, but {others}"
            if sampling.resolution % multiple:
                pixels = f"the model {name} draws multiples of {multiple} pixels"
                yield ("sampling", "resolution"), f"is {sampling.resolution}, but {pixels}"
    if sampling.scheduler != "pndm" or sampling.steps >= RUNGE_KUTTA:
        return
    for name, model in study.models.items():
        file = Path(model.folder, "scheduler/scheduler_config.json")
        if file.is_file() and not json.loads(file.read_text("utf-8")).get("skip_prk_steps"):
            needs = f"pndm needs {RUNGE_KUTTA} or more with the model {name}"
            why = f"whose {file} does not say skip_prk_steps: true"
            yield ("sampling", "steps"), f"is {sampling.steps}, but {needs}, {why}"


def _captions(study: Study) -> Mistakes:
    captions = study.captions
    for name in captions:
        where, seen = ("captions", name, "of"), [name]
        while (of := getattr(captions[seen[-1]], "of", None)) is not None:
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


def _datasets(study: Study) -> Mistakes:
    for name, dataset in study.datasets.items():
        if dataset.source not in study.sources:
            yield ("datasets", name, "source"), unknown("source", dataset.source, study.sources)
        if dataset.captions not in study.captions:
            where = ("datasets", name, "captions")
            yield where, unknown("captioner", dataset.captions, study.captions)
        if dataset.source in study.sources and _in_shards(study.sources[dataset.source]):
            chain = _captioners(study.captions, dataset.captions)
            if any(study.captions[of].type == "table" for of in chain):
                problem = f"edits captions, but the source {dataset.source} is in shards"
                yield ("datasets", name, "captions"), problem


def _in_shards(source: Source) -> bool:
    try:
        return bool(source.shard_names())
    except UserError:  # told by itself
        return True


def _captioners(captions: Mapping[str, Captioner], name: str | None) -> list[str]:
    """A captioner and those whose captions it changes, up to one that there is not."""
    chain: list[str] = []
    while name is not None and name in captions and name not in chain:
        chain.append(name)
        name = getattr(captions[name], "of", None)
    return chain


def _prompts(study: Study) -> Mistakes:
    kinds = ("texts", "file", "template", "dataset")
    for name, entry in study.prompts.items():
        where = ("prompts", name)
        given = [key for key in kinds if getattr(entry, key) is not None]
        if len(given) != 1:
            has = " and ".join(given) or "none of them"
            yield where, f"must have one of texts, file, template and dataset; it has {has}"
            continue
        if (entry.values is None) != (entry.template is None):
            problem = "is missing" if entry.values is None else "goes with template only"
            yield (*where, "values"), problem
        elif entry.dataset is not None:
            if entry.count is None:
                yield (*where, "count"), "is missing"
            if entry.dataset not in study.datasets:
                yield (*where, "dataset"), unknown("dataset", entry.dataset, study.datasets)
        else:
            check = _template if entry.template is not None else _listed_prompts
            yield from ((where + path, problem) for path, problem in check(entry, given[0]))


def _listed_prompts(entry: PromptSet, key: str) -> Mistakes:
    """What is wrong with prompts that are given one by one."""
    if entry.file is not None and is_special(entry.file):  # reading it may wait for ever
        yield (key,), f"is {entry.file}, which is no regular file"
        return
    try:
        texts = _lines(entry.file) if entry.file is not None else entry.texts or []
    except UnicodeDecodeError:
        yield (key,), f"is {entry.file}, which is not UTF-8 text"
        return
    except OSError:
        yield (key,), f"is {entry.file}, which is no file"
        return
    if not texts:
        yield (key,), f"is {entry.file}, which has no prompts"
    elif entry.count is not None and entry.count > len(texts):
        yield ("count",), f"is {entry.count}, but there are {len(texts)} prompts"
    counts = Counter(texts)
    for text in sorted(text for text, count in counts.items() if count > 1):
        yield (key,), f"has the prompt {text!r} {counts[text]} times"


def _template(entry: PromptSet, key: str) -> Mistakes:
    """What is wrong with a template and its values."""
    values = entry.values or {}
    names = templates.names_of(entry.template or "")
    missing = sorted(set(names) - set(values))
    for name in missing:
        yield (key,), f"has {{{name}}}, for which there are no values{nearest(name, values)}"
    for name in sorted(set(values) - set(names)) if not missing else ():  # a slip is told once
        yield ("values", name), f"does not stand in the template: write {{{name}}} there"
    there_are = templates.count_combinations(values)
    if entry.count is None and there_are > MOST_PROMPTS:
        yield ("count",), f"is missing: there are {there_are:,} prompts"
    elif entry.count is not None and entry.count > there_are:
        yield ("count",), f"is {entry.count}, but there are {there_are} prompts"


def _texts(entry: PromptSet) -> list[str]:
    """The prompts of a set without mistakes that is no dataset's."""
    if entry.template is not None:
        count = entry.count or MOST_PROMPTS
        return templates.make_prompts(entry.template, entry.values or {}, count)
    return (_lines(entry.file) if entry.file is not None else entry.texts or [])[: entry.count]


def _lines(path: str) -> list[str]:
    lines = [line.strip() for line in Path(path).read_text("utf-8-sig").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _runs(study: Study, own: Own) -> Mistakes:
    for name, run in study.runs.items():
        where = ("runs", name)
        if run.model not in study.models:
            yield (*where, "model"), unknown("model", run.model, study.models)
        if run.dataset not in study.datasets:
            yield (*where, "dataset"), unknown("dataset", run.dataset, study.datasets)
        every = run.checkpoint_every
        if run.steps % every:
            key = _said(own[name], "steps", "checkpoint_every")
            numbers = f"{run.steps} steps with checkpoint_every {every}"
            yield (*where, key), f"leaves steps after the last checkpoint: {numbers}"
        elif isinstance(run.keep, list):
            for step in sorted(step for step in run.keep if step % every or step > run.steps):
                yield (*where, "keep"), f"has {step}, but a checkpoint is made every {every} steps"
        for key in LORA_KEYS:
            if run.method == "full" and key in own[name]:
                yield (*where, key), "is for method lora, but this run's method is full"
        for key, problem in _of_family(study, run):
            yield (*where, _said(own[name], key, "model")), problem
        for key, problem in run.problems():
            yield (*where, _said(own[name], key, *GOES_WITH.get(key, ()))), problem
        if own[name].keys() >= set(SEED_KEYS):
            yield (*where, "seed"), "is there beside seeds, which takes its place: leave one out"
        if own[name].get("text_encoder_learning_rate") and not run.train_text_encoder:
            yield (*where, "text_encoder_learning_rate"), "goes with train_text_encoder: true"
        if run.method == "lora" and run.model in study.models:
            key = _said(own[name], "target_modules", "model")
            found = pipelines.unknown_layers(study.models[run.model].folder, run.target_modules)
            yield from (((*where, key), problem) for problem in found)
        yield from _weights(study, name, own[name])
        for key, start in starts(run).items():
            if isinstance(start, Start):  # no file of its model
                yield from _start(study, name, own[name], key, start)
    yield from _circles(study.runs, own)


def _weights(study: Study, name: str, own: Mapping[str, Any]) -> Mistakes:
    """Whether the model has the weights that a run starts from."""
    run = study.runs[name]
    model = study.models.get(run.model)
    if model is None or model.pipeline not in (None, *families.MODULES):  # told by itself
        return
    if model.repo is not None and not model.family.in_parts:  # its weights come when needed
        return
    file = Path(model.folder, model.family.weights_file("non_ema"))
    known = model.repo is not None or os.path.isdir(file.parent)
    for key, start in starts(run).items():
        where = ("runs", name, _said(own, key, "recipe", "model"))
        if start == "non_ema" and known and not os.path.isfile(file):
            yield where, f"asks for non-EMA weights, but there is no file {file}"


def _start(study: Study, name: str, own: Mapping[str, Any], key: str, start: Start) -> Mistakes:
    """Whether a run can start from that checkpoint or folder."""
    run = study.runs[name]
    where = ("runs", name, _said(own, key, "method", "model"))
    if run.method == "lora" and key == "ema":
        yield where, "has an ema.init with a start, but the average of a LoRA starts as the LoRA"
        return
    key = {"train_init": "starts from", "ema": "has an ema.init with"}[key]
    if start.folder is not None:
        kind = weight_files.LORA if run.method == "lora" else weight_files.DIFFUSERS
        file = Path(start.folder, kind)
        if not os.path.isfile(file):
            yield where, f"{key} a folder, but there is no file {file}"
    elif start.run not in study.runs:
        yield where, f"{key} a run that {unknown('run', start.run, study.runs)}"
    else:
        for problem in _of_other_run(study, run, start):
            yield where, f"{key} {start.run}, {problem}"


def _of_other_run(study: Study, run: Run, start: Start) -> Iterator[str]:
    other = study.runs[start.run or ""]
    every = other.checkpoint_every
    if other.method != run.method:
        kinds = {"lora": "a LoRA", "full": "a full fine-tune"}
        yield f"which is {kinds[other.method]}, but this run is {kinds[run.method]}"
    elif run.method == "lora":
        for name in LORA_SHAPE:
            ours, theirs = getattr(run, name), getattr(other, name)
            if ours != theirs:
                yield f"whose {name} is {theirs}, but this run's is {ours}"
    if other.model != run.model:
        yield f"whose model is {other.model}, but this run's is {run.model}"
    if other.train_text_encoder and not run.train_text_encoder:
        yield "which has trained its text encoder: give train_text_encoder: true here too"
    if (start.step or 0) not in range(every, other.steps + 1, every):
        last = other.steps // every * every
        yield f"which has no checkpoint {start.step}, but every {every} up to {last}"
    if start.weights not in weights_of(study, start.run or ""):
        yield "which has raw weights only (its ema is null)"


def _circles(runs: dict[str, Run], own: Own) -> Mistakes:
    """Runs that start, directly or not, from their own checkpoints."""
    ancestors = {name: lineage(runs, started_from(run)) for name, run in runs.items()}
    for name in runs:
        circle = {other for other in ancestors[name] if name in ancestors[other]}
        if circle and name == min(circle):
            key = _said(own[name], "train_init", "ema", "extends")
            text = f"goes round in a circle: {name} would start from its own weights"
            yield ("runs", name, key), text


def _said(own: Mapping[str, Any], *keys: str) -> str:
    """The first of `keys` that a run says itself: where to tell what is wrong with all of them."""
    return next((key for key in keys if key in own), keys[0])


def _experiments(study: Study, own: Own) -> Mistakes:
    for name, entry in study.experiments.items():
        where = ("experiments", name)
        mistakes = list(_references(study, entry, where))
        yield from mistakes
        if entry.date is not None and not _is_date(entry.date):
            yield (*where, "date"), f"is {entry.date}, a day that there is not"
        if not mistakes:
            yield from _pictures(study, entry, where)
            yield from _resolutions(study, own, entry)
            wrong = list(_samples(study, entry, where))
            yield from wrong
            yield from _seeds(study, entry, where)
            shown = [] if wrong else [v["path"] for v in variants(study, name)]
            if shown and entry.take is not None and entry.take not in shown:
                yield (*where, "take"), unknown("model in this experiment", entry.take, shown)


def _claims(study: Study) -> Mistakes:
    """Whether claims are about what their experiments draw and compare."""
    for name, entry in study.experiments.items():
        if entry.claims:
            every = variants(study, name)
            pairs = {pair[:2] for pair in compared(study, name)}
        for number, claim in enumerate(entry.claims):
            where = ("experiments", name, "claims", number)
            for key, problem in claims.find_problems(study, name, claim, every, pairs):
                yield (*where, key) if key else where, problem


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _references(study: Study, entry: Experiment, where: tuple[str, str]) -> Mistakes:
    runs, datasets, prompts = study.runs, study.datasets, study.prompts
    if not entry.runs:
        yield (*where, "runs"), "is missing"
    if entry.matrix and not _is_whole(entry.matrix):
        yield (*where, "matrix", "cells"), "must have each combination of levels once"
    for number, run in enumerate(entry.runs):
        if run not in runs:
            yield (*where, "runs", number), unknown("run", run, runs)
    for number, baseline in enumerate(entry.baselines):
        known = [*study.models, *runs]
        if baseline not in known:
            yield (*where, "baselines", number), unknown("model or run", baseline, known)
        elif baseline in runs and baseline in study.models:
            yield (*where, "baselines", number), f"{baseline!r} is both a model and a run"
    for role, prompt_set in entry.prompts.by_role().items():
        if prompt_set not in prompts:
            yield (*where, "prompts", role), unknown("set of prompts", prompt_set, prompts)
    if entry.reference is not None and entry.reference not in datasets:
        yield (*where, "reference"), unknown("dataset", entry.reference, datasets)


def _pictures(study: Study, entry: Experiment, where: tuple[str, str]) -> Mistakes:
    """Whether each model draws two pictures or more, without which nothing can be compared."""
    for role, name in entry.prompts.by_role().items():
        prompts = study.prompts[name]
        only_one = prompts.count == 1 or (prompts.texts is not None and len(prompts.texts) == 1)
        if only_one and len(study.sampling.seeds) == 1:
            needs = "a comparison needs two pictures or more: add prompts, or sampling.seeds"
            yield (*where, "prompts", role), f"is {name}, one prompt drawn with one seed: {needs}"


def _is_whole(matrix: Matrix) -> bool:
    """Whether a matrix has a run for each combination of its levels."""
    combinations = itertools.product(*matrix.axes.values())
    return sorted(map(tuple, (matrix.cells or {}).values())) == sorted(combinations)


def _resolutions(study: Study, own: Own, entry: Experiment) -> Mistakes:
    """Whether any run of an experiment is trained at as few pixels as its pictures are drawn at."""
    drawn = study.sampling.resolution
    trained = {run: study.runs[run].resolution for run in entry.runs}
    if min(trained.values()) > drawn:
        for run, size in trained.items():
            while "resolution" not in own[run] and own[run].get("extends"):
                run = own[run]["extends"]  # which may be in no experiment
            problem = f"is {size}, but its pictures are drawn at sampling.resolution {drawn}"
            yield ("runs", run, "resolution"), problem


def _seeds(study: Study, entry: Experiment, where: tuple[str, str]) -> Mistakes:
    """Whether runs that are compared and have several seeds have two in common."""
    seeds = {name: set(run.seeds or []) for name, run in study.runs.items()}
    for number, baseline in enumerate(entry.baselines):
        for run in entry.runs:
            ours, theirs = seeds[run], seeds.get(baseline, set())
            if min(len(ours), len(theirs)) > 1 and len(ours & theirs) < 2:
                problem = f"is {baseline}, whose seeds are others than those of {run}"
                advice = "give both the same, so that trainings pair"
                yield (*where, "baselines", number), f"{problem}: {advice}"


def _samples(study: Study, entry: Experiment, where: tuple[str, str]) -> Mistakes:
    """Whether the runs of an experiment have what it asks them for."""
    runs = entry.runs
    asked = set(entry.checkpoints) if isinstance(entry.checkpoints, list) else set()
    for run in runs:
        steps = steps_of(study, run)
        for step in sorted(asked - set(steps)) if steps else ():
            near = min(steps, key=lambda known: abs(known - step))
            places = f"every {steps[0]} steps up to {steps[-1]}"
            problem = f"has {step}, but {run} has checkpoints {places}; the nearest is {near}"
            yield (*where, "checkpoints"), problem
    averaged = [run for run in runs if "ema" in weights_of(study, run)]
    if "ema" in entry.weights and not averaged:
        yield (*where, "weights"), "has ema, but no run here averages its weights (ema is null)"
    elif entry.weights == ["ema"] and averaged != runs:
        without = ", ".join(run for run in runs if run not in averaged)
        yield (*where, "weights"), f"is ema alone, but {without} has raw weights only"
    methods = {study.runs[run].method for run in runs}
    if entry.lora_scales and "lora" not in methods:
        yield (
            (*where, "lora_scales"),
            "is for LoRAs, but no run here is one; others have merge_alphas",
        )
    if entry.merge_alphas and "full" not in methods:
        yield (
            (*where, "merge_alphas"),
            "is for full fine-tunes, but no run here is one; LoRAs have lora_scales",
        )
