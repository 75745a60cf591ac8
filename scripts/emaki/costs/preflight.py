"""What is looked at before a study downloads anything: each line passes, or says what to do."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from emaki.common import devices, hub_client
from emaki.common.errors import UserError
from emaki.config import trained
from emaki.config.repositories import model_folders
from emaki.config.settings import Study
from emaki.costs import estimates, study_plan
from emaki.costs.estimates import gpu_of
from emaki.training.settings import Run

# CUDA 13, for which the locked PyTorch is built, runs on no older driver (NVIDIA's release notes).
OLDEST_DRIVER = 580
GB = study_plan.GB
PASSED, LOOK, TO_DO = "passed", "look", "TO DO"


class Check(NamedTuple):
    """One line of the page."""

    title: str
    verdict: str
    """PASSED, LOOK where it may be well all the same, or TO DO where the study would fail."""
    text: str


def check_study(study: Study, elsewhere: bool = False) -> Iterator[Check]:
    """Look at all that a study needs to run here. `elsewhere`: its jobs run on a cluster's nodes.

    The hub is asked whether it gives what is not here yet; nothing is downloaded.
    """
    yield from _hub(study)
    yield from _terms(study)
    yield _disk(study)
    yield _cache(study)
    if elsewhere:
        yield Check("GPU, memory", LOOK, "not looked at: jobs run on the cluster's nodes")
    else:
        yield from _gpus(study)
        yield _memory(study)
    yield _time(study)


def page(checks: Iterable[Check]) -> str:
    """The checks as text, one a line."""
    return "\n".join(f"  {verdict:6}  {title}: {text}" for title, verdict, text in checks)


def repositories(study: Study) -> list[tuple[str, str, str]]:
    """(repository, commit, "model" or "dataset") of all that a study takes from the hub."""
    found = [(m.repo, m.revision, "model") for m in study.models.values()]
    found += [(m.repo, m.non_ema_revision, "model") for m in study.models.values()]
    pinned = [folder.pinned for _, folder in model_folders(study)]
    found += [(p.repo, p.revision, "model") for p in pinned if p]
    sources = [(getattr(s, "repo", None), s) for s in study.sources.values()]
    found += [(repo, getattr(s, "revision", None), "dataset") for repo, s in sources]
    return list(dict.fromkeys((r, c, kind) for r, c, kind in found if r and c))


def _hub(study: Study) -> Iterator[Check]:
    """The token, and whether the hub gives each repository."""
    wanted = repositories(study)
    token = "HF_TOKEN is set" if hub_client.read_token() else "HF_TOKEN is not set"
    refused = []
    for repo, revision, kind in wanted:
        try:
            hub_client.check_access(repo, revision, kind)
        except UserError as error:
            refused.append(str(error))
            if "cannot be reached" in refused[-1] or "HF_HUB_OFFLINE" in refused[-1]:
                break  # nor can the others
    gates = [problem for problem in refused if "HF_TOKEN" in problem]
    if not wanted:
        yield Check("hub", PASSED, "nothing is taken from it")
        return
    if gates:
        yield Check("token", TO_DO, f"{token}, but {len(gates)} repositories ask for one (below)")
    else:
        told = "not known whether one is needed" if refused else "no repository asks for another"
        yield Check("token", LOOK if refused else PASSED, f"{token}; {told}")
    for problem in refused:
        yield Check("hub", TO_DO, problem)
    if not refused:
        yield Check("hub", PASSED, f"gives all {len(wanted)} repositories at their commits")


def _terms(study: Study) -> Iterator[Check]:
    """Licences of pictures, each once: whoever goes on accepts them."""
    terms: dict[str, list[str]] = {}
    for name in dict.fromkeys(dataset.source for dataset in study.datasets.values()):
        if said := study.sources[name].terms():
            terms.setdefault(said, []).append(name)
    for said, names in terms.items():
        yield Check("licence", PASSED, f"{', '.join(names)}: you accept by going on: {said}")


def _disk(study: Study) -> Check:
    try:
        study_plan.refuse(study, f"results/{study.study}")
    except UserError as error:
        return Check("disk", TO_DO, str(error))
    peak = sum(figure.value for figure in study_plan.disk(study).values())
    return Check("disk", PASSED, f"room for {peak / GB:.1f} GB of results at their peak")


def _cache(study: Study) -> Check:
    """Whether the disk of the hub's cache has room for what is not there."""
    place = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    missing = {
        repo
        for repo, revision, kind in repositories(study)
        if hub_client.find_local(repo, revision, kind) is None
    }
    sizes = study_plan.downloads(study)
    needed = sum(figure.value for repo in missing if (figure := sizes.get(repo)))
    there = next(folder for folder in (place, *place.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    text = f"{needed / GB:.1f} GB to download into {place}, where {free / GB:.1f} GB are free"
    if needed <= free:
        return Check("download", PASSED, text)
    return Check("download", TO_DO, f"{text}: make room, or set HF_HOME to another disk")


def _gpus(study: Study) -> Iterator[Check]:
    """The GPUs, their driver and their free memory beside what the largest training takes."""
    found = find_gpus()
    if gpu_of(study) is None:
        shown = found[0][0] if found else "a CPU"
        yield Check("GPU", PASSED, f"the study names none; it takes {shown}")
        return
    if not found:
        half = [run for run in trained(study) if study.runs[run].mixed_precision == "fp16"]
        why = f"{half[0]} is in fp16, which needs one" if half else "trainings take the CPU"
        yield Check("GPU", TO_DO if half else LOOK, f"`nvidia-smi` shows none: {why}")
        return
    names = ", ".join(name for name, *_ in found)
    planned = study.machine.gpu
    known = planned.removeprefix("RTX ") in names
    told = f"{len(found)}: {names}" + ("" if known else f"; the plan is for {planned}")
    yield Check("GPU", PASSED if known else LOOK, told)
    driver = found[0][2]
    number = int(re.match(r"\d*", driver)[0] or 0)  # type: ignore[index]
    if number >= OLDEST_DRIVER:
        yield Check("driver", PASSED, driver)
    else:
        text = f"{driver} is older than {OLDEST_DRIVER}, which PyTorch for CUDA 13 needs: update it"
        yield Check("driver", TO_DO, text)
    run = max(trained(study), key=lambda run: estimates.training_memory(study, run).value)
    needed, free = (
        estimates.training_memory(study, run).value,
        min(mb for _, mb, _ in found) * 2**20,
    )
    text = f"{run} takes about {needed / GB:.1f} GB, {free / GB:.1f} GB are free"
    enough = needed <= free
    advice = "" if enough else ": end what else runs there, or take a larger GPU"
    yield Check("GPU memory", PASSED if enough else TO_DO, text + advice)


def refuse_runs(study: Study, runs: Iterable[str]) -> None:
    """Raise UserError where one of these runs cannot be trained on this machine's GPUs, or CPU."""
    asking = [name for name in runs if needs_gpu(study.runs[name])]
    processes = [name for name in runs if study.runs[name].num_processes > 1]
    found = find_gpus() if asking or processes else []
    if asking and not found:
        run = study.runs[asking[0]]
        half = run.mixed_precision == "fp16"
        key = "mixed_precision fp16" if half else "attention xformers"
        instead = "mixed_precision bf16 or no" if half else "attention sdpa"
        raise UserError(
            f"runs.{asking[0]} has {key}, which needs a GPU, and `nvidia-smi` shows none here: "
            f"on a CPU use {instead}"
        )
    for name in processes if found else ():
        if study.runs[name].num_processes > len(found):
            raise UserError(
                f"runs.{name} has num_processes {study.runs[name].num_processes}, a GPU each, and "
                f"`nvidia-smi` shows {len(found)}"
            )


def find_slow_runs(study: Study, runs: Iterable[str]) -> str | None:
    """What to tell of runs that would be trained in bf16 on a CPU without instructions for it."""
    half = [name for name in runs if study.runs[name].mixed_precision == "bf16"]
    if not half or devices.computes_bf16() or find_gpus():
        return None
    return (
        f"runs.{half[0]} has mixed_precision bf16, for which this CPU has no instructions: some 20 "
        "times slower than mixed_precision no"
    ) + (f" (so have {', '.join(half[1:])})" if half[1:] else "")


def needs_gpu(run: Run) -> bool:
    """Whether a run cannot be trained on a CPU."""
    return run.mixed_precision == "fp16" or run.attention == "xformers"


def find_gpus() -> list[tuple[str, int, str]]:
    """(name, MiB that are free, driver's version) of each NVIDIA GPU of this machine."""
    query = ["nvidia-smi", "--query-gpu=name,memory.free,driver_version"]
    try:
        done = subprocess.run(
            [*query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [line.split(", ") for line in done.stdout.splitlines()]
    return [(row[0], int(row[1]), row[2]) for row in rows if len(row) == 3 and row[1].isdigit()]


def _memory(study: Study) -> Check:
    """Main memory beside what a process of the largest training holds."""
    needed = max(estimates.main_memory_mb(study, run) for run in trained(study)) * estimates.MB
    try:
        text = Path("/proc/meminfo").read_text()
        free = int(re.search(r"MemAvailable:\s+(\d+) kB", text)[1]) * 1024  # type: ignore[index]
    except (OSError, TypeError):
        return Check("memory", LOOK, f"a training takes about {needed / GB:.1f} GB")
    told = f"a training takes about {needed / GB:.1f} GB, {free / GB:.1f} GB are free"
    return Check("memory", PASSED if needed <= free else LOOK, told)


def _time(study: Study) -> Check:
    hours, price = study_plan.hours(study), study.machine.price_per_hour
    name = study.machine.gpu if gpu_of(study) else "CPU"
    cost = "no price: machine.price_per_hour is not given"
    if price is not None:
        cost = f"{hours * price:.2f} at {price:g} an hour"
    return Check("time", PASSED, f"about {hours:.1f} hours of {name}, estimated, and {cost}")
