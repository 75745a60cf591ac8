"""The plan of a study: what emaki.costs.estimates says of it, in lines for people."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from emaki.common.errors import UserError
from emaki.common.messages import spell
from emaki.config import kept_steps, read_study, trained
from emaki.config.comparisons import paths_of, plans
from emaki.config.derived import Variant, trainings, variants, with_trainings
from emaki.config.reading import read
from emaki.config.repositories import model_folders, raw_starts, repository, unpinned
from emaki.config.settings import Study
from emaki.costs import estimates
from emaki.costs.estimates import GPUS, Figure, gpu_of
from emaki.costs.sizes import size_of
from emaki.data.sources.unsplash import Unsplash

GB = 1_000_000_000
# Not zeros: Snakemake takes what repeats itself in a path for a rule that feeds itself.
ANY_COMMIT = hashlib.sha1(usedforsecurity=False).hexdigest()
# Assumed: a PNG of a drawn picture; kept once by itself and once in its table.
PNG_BYTES_PER_PIXEL = 1.6


def plan(
    study: Study,
    jobs: Sequence[str],
    free: int,
    place: str = "the config",
    lacking: Sequence[str] = (),
) -> str:
    """The plan as text. `jobs` are lines of Snakemake's table, `free` the disk's free bytes,
    `place` is where the machine is from, and `lacking` what the config does not say yet."""
    parts = []
    if lacking:
        parts += ["Left open: these are not given yet", *(f"  {what}" for what in lacking), ""]
    parts += ["Jobs (a dry run of Snakemake)", *(jobs or ["nothing to be done"]), ""]
    parts += [f"Machine: {_machine(study, place)}", ""]
    parts += ["Pictures to train on", *_sources(study), ""]
    parts += ["Trainings, all from the beginning", *_runs(study), ""]
    parts += ["Time and cost", *_time(study), ""]
    parts += ["Download", *_download(study), ""]
    parts += ["Disk", *_disk(study, free)]
    return "\n".join(parts)


def provisional(path: str) -> tuple[dict[str, Any], list[str]]:
    """The config at `path`, as it is written, with something where only its user can give it.

    That is any commit where none is pinned, and rooms for an Unsplash dataset whose folder is not
    there: a plan comes out the same. Returns (mapping, texts that say what was not given).
    """
    written, (study, _), lacking = read(path).data, read_study(path), []
    for keys, repo in unpinned(study):
        entry: Any = written
        for name in keys:
            entry = entry[name]
        entry["revision"] = ANY_COMMIT
        lacking.append(f"{spell((*keys, 'revision'))}, a commit of {repo}")
    for name, source in study.sources.items():
        folder = source.path if isinstance(source, Unsplash) else None
        if isinstance(source, Unsplash) and folder and not Path(folder).expanduser().is_dir():
            rooms = {"type": "rooms", "count": source.count, "shards": source.shards}
            written["sources"][name] = rooms
            lacking.append(f"sources.{name}.path, the folder of the Unsplash Lite dataset")
    return written, lacking


def disk(study: Study) -> dict[str, Figure]:
    """{what: Figure of bytes} that a finished study keeps, and "peak", the most beside it.

    The peak has two states of the largest run, as the one that a segment starts from is removed
    when its own is whole, and a checkpoint that is removed then; or a merge while it is loaded.
    """
    checkpoints, states, peaks = 0.0, 0.0, []
    study = with_trainings(study)
    for run in trained(study):
        checkpoint = estimates.checkpoint_bytes(study, run).value
        checkpoints += checkpoint * len(kept_steps(study, run))
        states += (state := estimates.state_bytes(study, run).value)
        peaks.append(state + checkpoint)
    drawn = pictures(study)
    edge = study.sampling.resolution
    merge = max(_merge_bytes(study, variant) for variant in _drawn_variants(study))
    count = sum(len(kept_steps(study, run)) for run in trained(study))
    return {
        "checkpoints": Figure(checkpoints, f"{count} of them, as save_precision says"),
        "states": Figure(states, "the newest of each run"),
        "pictures": Figure(
            2 * drawn * edge**2 * PNG_BYTES_PER_PIXEL,
            f"at most {drawn:,} x 2 at {PNG_BYTES_PER_PIXEL} bytes a pixel, assumed",
        ),
        "peak": Figure(
            max(*peaks, merge), "a second state and checkpoint of the largest run, or a merge"
        ),
    }


def refuse(study: Study, folder: str) -> None:
    """Raise UserError where a study does not fit the disk, or `machine.disk_gb`.

    `folder` is that of the study; what lies there is not needed again.
    """
    figures = disk(study)
    peak = sum(figure.value for figure in figures.values())
    limit = study.machine.disk_gb
    if limit and peak > limit * GB:
        raise UserError(
            f"the study takes {peak / GB:.1f} GB at its peak, but machine.disk_gb is {limit:g}:"
            f" {_advice(figures)}"
        )
    place = next(path for path in (Path(folder), *Path(folder).parents) if path.is_dir())
    there = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    free = shutil.disk_usage(place).free
    if peak - there > free:
        raise UserError(
            f"the study needs {(peak - there) / GB:.1f} GB more at its peak, but {free / GB:.1f} GB"
            f" are free where {place} lies: {_advice(figures)}"
        )


def _advice(figures: dict[str, Figure]) -> str:
    most = max(figures, key=lambda what: figures[what].value)
    return (
        f"most is {most}, {figures[most].value / GB:.1f} GB. `keep: compared`"
        " or save_precision: fp16 take less; `make plan` tells the rest"
    )


def pictures(study: Study, look: int = -1) -> int:
    """How many pictures a study draws, if nothing is decided before a look: 0 is the first.

    By default before the last one, which is the most. Each variant is drawn with each set that an
    experiment gives it, as far as one of them needs it.
    """
    ends: dict[tuple[str, str], int] = {}
    for plan in plans(study).values():
        for role, name in plan["prompts"].items():
            judged = {path for p in plan["pairs"] if "errors" in p for path in paths_of(p)}
            for path in plan["variants"].keys() | judged:
                least = plan["first_block"][role]
                end = plan["looks"][role][look] if path in judged else least
                ends[path, name] = max(end, ends.get((path, name), 0))
    return len(study.sampling.seeds) * sum(ends.values())


def _drawn_variants(study: Study) -> list[Variant]:
    found = {v["path"]: v for name in study.experiments for v in variants(study, name)}
    return list(found.values())


def _merge_bytes(study: Study, variant: Variant) -> float:
    """Bytes of the merge that a variant is drawn from; 0 for one that needs none."""
    run = variant["run"]
    if run is None or variant["scale"] == 1 or study.runs[run].method == "lora":
        return 0
    kinds = 2 if study.runs[run].ema else 1
    return estimates.checkpoint_bytes(study, run).value / kinds


def _machine(study: Study, place: str) -> str:
    gpu, machine = gpu_of(study), study.machine
    if gpu is None:
        named = machine.model_fields_set
        return f"a CPU ({f'as {place} says' if named else f'{place} names none'})"
    words = [f"{machine.gpu}, {gpu.memory_gb:g} GB"]
    words += [f"{name} {gb:g} GB" for name, gb in machine.gpu_models.items()]
    return f"{' or '.join(words)} ({place})"


def _sources(study: Study) -> Iterator[str]:
    """Where pictures come from and what goes with them, of the sources that datasets use."""
    used = {dataset.source for dataset in study.datasets.values()}
    for name, source in study.sources.items():
        if name not in used:
            continue
        words = [f"{name}: {source.type}"]
        if repo := getattr(source, "repo", None):
            words.append(repo)
        if isinstance(source, Unsplash):
            known = source.count_known()
            there = "the tables will tell how many" if known is None else f"there are {known:,}"
            words.append(f"at most {source.count:,} photographs ({there})")
        if terms := source.terms():
            words.append(f"licence {terms}")
        yield f"  {', '.join(words)}"


def _runs(study: Study) -> Iterator[str]:
    gpu = gpu_of(study)
    for run in trained(study):
        entry = study.runs[run]
        memory = estimates.training_memory(study, run)
        step = estimates.seconds_per_step(study, run)
        minutes = step.value * entry.steps / 60
        took = f"{minutes:.1f} min" if minutes < 60 else f"{minutes / 60:.1f} h"
        count = len(trainings(study, run))
        each = f"{count} trainings of " if count > 1 else ""
        words = [f"{run}: {each}{entry.steps:,} steps in {took}{' each' if each else ''}"]
        if gpu:
            verdict = "fits" if memory.value <= gpu.memory_gb * GB else "DOES NOT FIT"
            words.append(f"{memory.value / GB:.1f} GB of GPU memory {verdict} {gpu.memory_gb:g}")
            words.append(f"smallest GPU: {_smallest(memory.value)}")
            if model := estimates.gpu_model(study, memory.value / estimates.MB):
                words.append(f"asks for {model}")
        yield f"  {', '.join(words)}"
        yield f"    time: {step.source}"
        if gpu:
            yield f"    memory: {memory.source}"


def _smallest(needed: float) -> str:
    fitting = sorted((gpu.memory_gb, name) for name, gpu in GPUS.items())
    names = [f"{name} ({gb:g} GB)" for gb, name in fitting if needed <= gb * GB]
    return names[0] if names else "none of those known"


def _time(study: Study) -> Iterator[str]:
    training = _training_seconds(study)
    drawn, most = _drawing(study, _planned_look(study)), _drawing(study, -1)
    name = "GPU" if gpu_of(study) else "CPU"
    yield f"  {hours(study):.1f} {name}-hours: {training / 3600:.1f} of training,"
    count = pictures(study, _planned_look(study))
    yield f"  {drawn.value / 3600:.1f} of drawing {count:,} pictures ({drawn.source})"
    if most.value > drawn.value:
        yield (
            f"  up to the first look; {most.value / 3600:.1f} of drawing {pictures(study):,}"
            " if nothing is decided before the last"
        )
    yield "  not counted: captions, latents and scores, and the start of each job"
    price = study.machine.price_per_hour
    if price is None:
        yield "  no cost: machine.price_per_hour is not given"
    else:
        yield f"  cost {hours(study) * price:.2f}: x {price:g} an hour (machine.price_per_hour)"


def hours(study: Study) -> float:
    """Hours of a GPU, or of the CPU, for all the trainings and pictures of a study."""
    return (_training_seconds(study) + _drawing(study, _planned_look(study)).value) / 3600


def _planned_look(study: Study) -> int:
    """The look up to which pictures are counted: the first, or the last where all are drawn."""
    return -1 if study.evaluation.until == "all" else 0


def _training_seconds(study: Study) -> float:
    study = with_trainings(study)
    runs = {run: study.runs[run] for run in trained(study)}
    return sum(
        estimates.seconds_per_step(study, run).value * entry.steps * entry.num_processes
        for run, entry in runs.items()
    )


def _drawing(study: Study, look: int) -> Figure:
    """Figure: seconds of drawing up to a look."""
    return estimates.drawing_seconds(study, next(iter(study.models)), pictures(study, look))


def downloads(study: Study) -> dict[str, Figure | None]:
    """{repository of the hub: Figure of bytes that are brought of it, or None: not known}."""
    wanted: dict[str, Figure | None] = {}
    for name, model in study.models.items():
        if model.repo is not None:
            size = size_of(model)
            raw = size.unet if raw_starts(study, name) else 0
            parameters = size.unet + raw + size.vae + size.text_encoder
            told = f"{'fp16' if size.bytes == 2 else 'fp32'}, {size.source}"
            wanted[model.repo] = Figure(size.bytes * parameters, told)
    for repo in _repositories(study):
        known = estimates.DOWNLOADS.get(repo)
        wanted[repo] = Figure(known, "table of known repositories") if known else None
    return wanted


def _download(study: Study) -> Iterator[str]:
    wanted = downloads(study)
    for name, figure in wanted.items():
        told = f"{figure.value / GB:.2f} GB ({figure.source})" if figure else "size not known"
        yield f"  {name}: {told}"
    total = sum(figure.value for figure in wanted.values() if figure)
    yield f"  together {total / GB:.2f} GB, once; not counted: what is not known, photographs"


def _repositories(study: Study) -> Iterable[str]:
    """Repositories of the hub that judges, captioners and sources name."""
    found = [repository(folder) for _, folder in model_folders(study)]
    found += [getattr(source, "repo", None) for source in study.sources.values()]
    return dict.fromkeys(filter(None, found))


def _disk(study: Study, free: int) -> Iterator[str]:
    figures = disk(study)
    for what, figure in figures.items():
        if what != "peak":
            yield f"  {what}: {figure.value / GB:.2f} GB ({figure.source})"
    extra = figures.pop("peak")
    kept = sum(figure.value for figure in figures.values())
    yield f"  kept {kept / GB:.2f} GB; peak {(kept + extra.value) / GB:.2f} GB ({extra.source})"
    yield "  not counted: pictures of sources, latents, environments"
    limit = study.machine.disk_gb
    room, name = (limit * GB, "machine.disk_gb") if limit else (free, "free on this disk")
    verdict = "fits" if kept + extra.value <= room else "DOES NOT FIT"
    yield f"  it {verdict}: {room / GB:.0f} GB ({name})"
