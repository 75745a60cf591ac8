"""The plan of a study: what emaki.costs.estimates says of it, in lines for people."""

import functools
import hashlib
import shutil
from pathlib import Path

from emaki.common.errors import UserError
from emaki.config import kept_steps, shaped, trained
from emaki.config.derived import variants
from emaki.config.reading import read, spell
from emaki.config.repositories import repository, transformers_models, unpinned
from emaki.costs import estimates
from emaki.costs.estimates import GPUS, VAE_DECODER_GFLOP, Figure, gpu_of
from emaki.costs.sizes import size_of

GB = 1_000_000_000
# Not zeros: Snakemake takes what repeats itself in a path for a rule that feeds itself.
ANY_COMMIT = hashlib.sha1(usedforsecurity=False).hexdigest()
# Assumed: a PNG of a drawn picture; kept once by itself and once in its table.
PNG_BYTES_PER_PIXEL = 1.6


def plan(config, jobs, free, place="the config", lacking=()):
    """The plan as text. `jobs` are lines of Snakemake's table, `free` the disk's free bytes,
    `place` is where the machine is from, and `lacking` what the config does not say yet."""
    parts = []
    if lacking:
        parts += ["Left open: these are not given yet", *(f"  {what}" for what in lacking), ""]
    parts += ["Jobs (a dry run of Snakemake)", *(jobs or ["nothing to be done"]), ""]
    parts += [f"Machine: {_machine(config, place)}", ""]
    parts += ["Trainings, all from the beginning", *_runs(config), ""]
    parts += ["Time and cost", *_time(config), ""]
    parts += ["Download", *_download(config), ""]
    parts += ["Disk", *_disk(config, free)]
    return "\n".join(parts)


def provisional(path):
    """The config at `path`, as it is written, with something where only its user can give it.

    That is any commit where none is pinned, and rooms for an Unsplash dataset that is not
    there: a plan comes out the same. Returns (mapping, texts that say what was not given).
    """
    written, known, lacking = read(path).data, shaped(path).data, []
    for keys, entry, key in unpinned(known):
        functools.reduce(dict.__getitem__, keys, written)[key] = ANY_COMMIT
        lacking.append(f"{spell((*keys, key))}, a commit of {entry['repo']}")
    for name, source in known["sources"].items():
        if source["type"] == "unsplash" and not Path(source["path"]).expanduser().is_dir():
            kept = {key: source[key] for key in ("count", "shards") if key in source}
            written["sources"][name] = {"type": "rooms", **kept}
            lacking.append(f"sources.{name}.path, the folder of the Unsplash Lite dataset")
    return written, lacking


def disk(config):
    """{what: Figure of bytes} that a finished study keeps, and "peak", the most beside it.

    The peak has two states of the largest run, as the one that a segment starts from is removed
    when its own is whole, and a checkpoint that is removed then.
    """
    checkpoints, states, peaks = 0, 0, []
    for run in trained(config):
        checkpoint = estimates.checkpoint_bytes(config, run).value
        checkpoints += checkpoint * len(kept_steps(config, run))
        states += (state := estimates.state_bytes(config, run).value)
        peaks.append(state + checkpoint)
    drawn = pictures(config)
    edge = config["sampling"]["resolution"]
    merged = sum(_merge_bytes(config, variant) for variant in _drawn_variants(config))
    count = sum(len(kept_steps(config, run)) for run in trained(config))
    return {
        "checkpoints": Figure(checkpoints, f"{count} of them, as save_precision says"),
        "states": Figure(states, "the newest of each run"),
        "merges": Figure(merged, "U-Nets in the checkpoint's precision"),
        "pictures": Figure(
            2 * drawn * edge**2 * PNG_BYTES_PER_PIXEL,
            f"{drawn:,} x 2 at {PNG_BYTES_PER_PIXEL} bytes a pixel, assumed",
        ),
        "peak": Figure(max(peaks), "a second state and checkpoint of the largest run"),
    }


def refuse(config, folder):
    """Raise UserError where a study does not fit the disk, or `machine.disk_gb`.

    `folder` is that of the study; what lies there is not needed again.
    """
    figures = disk(config)
    peak = sum(figure.value for figure in figures.values())
    limit = config.get("machine", {}).get("disk_gb")
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


def _advice(figures):
    most = max(figures, key=lambda what: figures[what].value)
    return (
        f"most is {most}, {figures[most].value / GB:.1f} GB. `keep: compared`"
        " or save_precision: fp16 take less; `make plan` tells the rest"
    )


def pictures(config):
    """How many pictures a study draws: each variant with each set that an experiment gives it."""
    asked = {
        (variant["path"], name)
        for experiment, entry in config["experiments"].items()
        for variant in variants(config, experiment)
        for name in entry["prompts"].values()
    }
    counts = {
        name: len(entry["texts"]) if "texts" in entry else entry["count"]
        for name, entry in config["prompts"].items()
    }
    return len(config["sampling"]["seeds"]) * sum(counts[name] for _, name in asked)


def _drawn_variants(config):
    found = {v["path"]: v for name in config["experiments"] for v in variants(config, name)}
    return list(found.values())


def _merge_bytes(config, variant):
    """Bytes of the merge that a variant is drawn from; 0 for one that needs none."""
    run = variant["run"]
    if run is None or variant["strength"] == 1 or config["runs"][run]["method"] == "lora":
        return 0
    kinds = 2 if config["runs"][run]["ema"] else 1
    return estimates.checkpoint_bytes(config, run).value / kinds


def _machine(config, place):
    gpu, machine = gpu_of(config), config.get("machine", {})
    if gpu is None:
        return f"a CPU ({f'as {place} says' if machine else f'{place} names none'})"
    words = [f"{machine['gpu']}, {gpu.memory_gb:g} GB"]
    words += [f"{name} {gb:g} GB" for name, gb in machine.get("gpu_models", {}).items()]
    return f"{' or '.join(words)} ({place})"


def _runs(config):
    gpu = gpu_of(config)
    for run in trained(config):
        entry = config["runs"][run]
        memory = estimates.training_memory(config, run)
        step = estimates.seconds_per_step(config, run)
        minutes = step.value * entry["steps"] / 60
        took = f"{minutes:.1f} min" if minutes < 60 else f"{minutes / 60:.1f} h"
        words = [f"{run}: {entry['steps']:,} steps in {took}"]
        if gpu:
            verdict = "fits" if memory.value <= gpu.memory_gb * GB else "DOES NOT FIT"
            words.append(f"{memory.value / GB:.1f} GB of GPU memory {verdict} {gpu.memory_gb:g}")
            words.append(f"smallest GPU: {_smallest(memory.value)}")
            if model := estimates.gpu_model(config, memory.value / estimates.MB):
                words.append(f"asks for {model}")
        yield f"  {', '.join(words)}"
        yield f"    time: {step.source}"
        if gpu:
            yield f"    memory: {memory.source}"


def _smallest(needed):
    fitting = sorted((gpu.memory_gb, name) for name, gpu in GPUS.items())
    names = [f"{name} ({gb:g} GB)" for gb, name in fitting if needed <= gb * GB]
    return names[0] if names else "none of those known"


def _time(config):
    runs = {run: config["runs"][run] for run in trained(config)}
    training = sum(
        estimates.seconds_per_step(config, run).value * entry["steps"] * entry["processes"]
        for run, entry in runs.items()
    )
    drawn = estimates.seconds_of(config, _drawing_gflop(config), half=True)
    hours = (training + drawn.value) / 3600
    name = "GPU" if gpu_of(config) else "CPU"
    yield f"  {hours:.1f} {name}-hours: {training / 3600:.1f} of training,"
    yield f"  {drawn.value / 3600:.1f} of drawing {pictures(config):,} pictures ({drawn.source})"
    yield "  not counted: captions, latents and scores, and the start of each job"
    price = config.get("machine", {}).get("price_per_hour")
    if price is None:
        yield "  no cost: machine.price_per_hour is not given"
    else:
        yield f"  cost {hours * price:.2f}: x {price:g} an hour (machine.price_per_hour)"


def _drawing_gflop(config):
    """Two forward passes a step where there is guidance, and the VAE's decoder."""
    sampling = config["sampling"]
    size = size_of(next(iter(config["models"].values())))
    passes = sampling["steps"] * (2 if sampling["guidance_scale"] > 1 else 1)
    unet = passes * estimates.unet_gflop(size, sampling["resolution"])
    decoder = VAE_DECODER_GFLOP * unet / passes / estimates.UNET_GFLOP
    return pictures(config) * (unet + decoder)


def _download(config):
    wanted = {}
    for model in config["models"].values():
        if "repo" in model:
            size = size_of(model)
            raw = size.unet if model.get("non_ema_revision") else 0
            parameters = size.unet + raw + size.vae + size.text_encoder
            wanted[model["repo"]] = Figure(4 * parameters, f"fp32, {size.source}")
    for repo in _repositories(config):
        known = estimates.DOWNLOADS.get(repo)
        wanted[repo] = Figure(known, "table of known repositories") if known else None
    for name, figure in wanted.items():
        told = f"{figure.value / GB:.2f} GB ({figure.source})" if figure else "size not known"
        yield f"  {name}: {told}"
    total = sum(figure.value for figure in wanted.values() if figure)
    yield f"  together {total / GB:.2f} GB, once; not counted: what is not known, photographs"


def _repositories(config):
    """Repositories of the hub that judges, captioners and sources name."""
    found = [repository(holder[key]) for _, holder, key in transformers_models(config)]
    found += [source.get("repo") for source in config["sources"].values()]
    return dict.fromkeys(filter(None, found))


def _disk(config, free):
    figures = disk(config)
    for what, figure in figures.items():
        if what != "peak":
            yield f"  {what}: {figure.value / GB:.2f} GB ({figure.source})"
    extra = figures.pop("peak")
    kept = sum(figure.value for figure in figures.values())
    yield f"  kept {kept / GB:.2f} GB; peak {(kept + extra.value) / GB:.2f} GB ({extra.source})"
    yield "  not counted: pictures of sources, latents, environments"
    limit = config.get("machine", {}).get("disk_gb")
    room, name = (limit * GB, "machine.disk_gb") if limit else (free, "free on this disk")
    verdict = "fits" if kept + extra.value <= room else "DOES NOT FIT"
    yield f"  it {verdict}: {room / GB:.0f} GB ({name})"
