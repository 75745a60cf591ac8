"""A segment of a training, from one checkpoint to the next."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emaki.common import digests, files, weight_files
from emaki.common.devices import device
from emaki.common.errors import UserError
from emaki.families import Family, find
from emaki.training import data, loop, models, processes, state
from emaki.training.interrupt import Interrupt
from emaki.training.settings import HyperParameters, Start
from emaki.training.trainer import Trainer

STOPPED = 143  # the exit status of a process that ended on SIGTERM


@dataclass(frozen=True)
class Segment:
    """What a segment reads and writes.

    `name` is the run's, for messages; `model` the folder of a pipeline, `latents` that of the
    cache; `state` the folder of the state at `from_step`, which is needed unless that is 0;
    `output` and `state_output` the folders of checkpoint and state to write.
    """

    name: str
    model: Path
    latents: Path
    from_step: int
    to_step: int
    state: Path | None
    output: Path
    state_output: Path


def run_segment(segment: Segment, run: HyperParameters) -> None:
    """Train from one step to another and write checkpoint and state.

    A state that an interrupted attempt has left beside the state's folder is taken up. Ends the
    process with STOPPED where it was asked to end; raises UserError for what cannot be trained,
    and where something that it reads is damaged.
    """
    if not 0 <= segment.from_step < segment.to_step:
        raise UserError(
            f"--from-step {segment.from_step} must lie before --to-step {segment.to_step}"
        )
    _check_files(segment, run)
    made_with = {
        "run": run.values(),
        "model": _hash_model(find(segment.model), run),
        "latents": files.sha256(segment.latents / "manifest.json"),
    }
    where = device()
    models.check(run, where)
    if run.attention != "xformers":  # which is not, and refuses to run then
        models.be_deterministic(where)
    with processes.join(run.num_processes, where.type) as group, Interrupt() as interrupt:
        source, about = _find_state(segment, made_with)
        place = models.place(where, group.rank)
        trainer = loop.make_trainer(run, segment.model, segment.latents, place)
        _check_latents(trainer, segment)
        if source:
            state.restore(source, about, trainer)
            if about["step"] > segment.from_step:
                trainer.metrics.rows = about["rows"]
        first = about["step"] if source else 0
        stop = lambda: interrupt.requested  # noqa: E731
        step = loop.train(trainer, first, segment.to_step, f"train {segment.name}", stop, group)
        if group.rank == 0:
            _finish(segment, trainer, step, made_with, stop)


def _check_files(segment: Segment, run: HyperParameters) -> None:
    """Compare what this study made for the segment with its digests; a state is, once restored."""
    data.check(segment.latents)
    for start in (run.train_init, run.ema.init if run.ema else None):
        if isinstance(start, Start) and start.folder:
            digests.check_weights(start.folder)


def _finish(
    segment: Segment,
    trainer: Trainer,
    step: int,
    made_with: dict[str, Any],
    stop: Callable[[], bool],
) -> None:
    """Write the checkpoint and the state, or the state alone where the training was stopped."""
    losses = loop.validate(trainer, stop)
    if step < segment.to_step or stop():
        left = state.interrupted_folder(segment.state_output)
        state.save(left, trainer, step, made_with)
        print(f"stopped after step {step}: run again to go on ({left})", file=sys.stderr)
        sys.exit(STOPPED)
    trainer.metrics.rows[-1].update(losses)
    _write_checkpoint(segment, trainer)
    trainer.metrics.rows = []
    state.save(segment.state_output, trainer, segment.to_step, made_with)
    state.discard(state.interrupted_folder(segment.state_output))


def _find_state(segment: Segment, made_with: dict[str, Any]) -> tuple[Path | None, dict[str, Any]]:
    """The state to start from and its state.json; (None, {}) at step 0."""
    left = state.interrupted_folder(segment.state_output)
    if left.exists():
        about = state.read(left)
        within = segment.from_step < about["step"] <= segment.to_step
        if within and not state.differences(about, made_with):
            print(f"going on after step {about['step']}, where the last attempt was stopped")
            return left, about
    if segment.from_step == 0:
        return None, {}
    if not segment.state:
        raise UserError(f"--from-step {segment.from_step} needs --state, the state at that step")
    about = state.read(segment.state)
    if about["step"] != segment.from_step:
        raise UserError(
            f"the state {segment.state} is that of step {about['step']}, not of {segment.from_step}"
        )
    state.check(segment.state, about, made_with)
    return segment.state, about


def _hash_model(family: Family, run: HyperParameters) -> dict[str, str]:
    """SHA-256 of all files of the base model that the weights depend on."""
    denoiser = models.start_of_denoiser(run)
    starts = {"train_init": denoiser, "ema.init": run.ema.init if run.ema else "train"}
    hashes = {}
    for key, start in starts.items():
        if start != "train":
            name = start if isinstance(start, str) else key
            first, *others = models.find_weights(family, start)
            hashes[name] = files.sha256(first)
            hashes |= {f"{name}.{part.name}": files.sha256(part) for part in others}
    if denoiser != run.train_init:
        (lora,) = models.find_weights(family, run.train_init, weight_files.LORA)
        hashes["train_init"] = files.sha256(lora)
    names = [f"{family.denoiser}/config.json", *family.files()["scheduler"]]
    if run.train_text_encoder:
        names += family.files()["encoders"]
        for key, start in starts.items():
            for part in family.encoders:
                if own := models.find_encoder(start, part):
                    hashes[f"{key}.{part}"] = files.sha256(own / weight_files.TRANSFORMERS)
    hashes |= {name: files.sha256(family.folder / name) for name in names}
    return hashes


def _check_latents(trainer: Trainer, segment: Segment) -> None:
    run, manifest = trainer.run, trainer.latents.manifest
    if run.resolution != manifest["resolution"]:
        raise UserError(
            f"run {segment.name} has resolution {run.resolution}, "
            f"the latents {segment.latents} {manifest['resolution']}"
        )
    if run.random_flip and not trainer.latents.flips:
        raise UserError(f"random_flip: {segment.latents} was made without flipped pictures")
    if not len(trainer.latents):
        raise UserError(f"{segment.latents}: the training split is empty")


def _write_checkpoint(segment: Segment, trainer: Trainer) -> None:
    with files.replacing(segment.output) as folder:
        folder.mkdir()
        kinds = loop.save_weights(trainer, folder / "weights")
        trainer.metrics.write(folder)
        weights = {
            str(path.relative_to(folder / "weights")): files.sha256(path)
            for path in sorted((folder / "weights").rglob("*"))
            if path.is_file()
        }
        about = {
            "method": trainer.run.method,
            "step": segment.to_step,
            "kinds": kinds,
            "weights": weights,
        }
        digests.write_json(folder / "checkpoint.json", about)
