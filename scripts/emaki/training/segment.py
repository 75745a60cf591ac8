"""A segment of a training, from one checkpoint to the next."""

import json
import sys
from pathlib import Path

from emaki.common import files
from emaki.common.errors import UserError
from emaki.training import loop, models, processes, state
from emaki.training.interrupt import Interrupt

STOPPED = 143  # the exit status of a process that ended on SIGTERM


def run_segment(job, run):
    """Train from `job.from_step` to `job.to_step` and write checkpoint and state.

    `job` has the attributes of scripts/train.py's arguments. A state that an interrupted
    attempt has left beside `job.state_output` is taken up.
    """
    if not 0 <= job.from_step < job.to_step:
        raise UserError(f"--from-step {job.from_step} must lie before --to-step {job.to_step}")
    made_with = {
        "run": run,
        "model": _model_hashes(job.model, run),
        "latents": files.sha256(Path(job.latents) / "manifest.json"),
    }
    device = models.device(job.device)
    models.check(run, device)
    if run["attention"] != "xformers":  # which is not, and refuses to run then
        models.be_deterministic(device)
    with processes.join(run["processes"], device.type) as group, Interrupt() as interrupt:
        source, about = _find_state(job, made_with)
        trainer = loop.make_trainer(run, job.model, job.latents, models.place(device, group.rank))
        _check_latents(trainer, job)
        if source:
            state.restore(source, about, trainer)
            if about["step"] > job.from_step:
                trainer.metrics.rows = about["rows"]
        first = about["step"] if source else 0
        stop = lambda: interrupt.requested  # noqa: E731
        step = loop.train(trainer, first, job.to_step, f"train {job.name}", stop, group)
        if group.rank == 0:
            _finish(job, trainer, step, made_with, stop)


def _finish(job, trainer, step, made_with, stop):
    """Write the checkpoint and the state, or the state alone where the training was stopped."""
    losses = loop.validate(trainer, stop)
    if step < job.to_step or stop():
        left = state.interrupted(job.state_output)
        state.save(left, trainer, step, made_with)
        print(f"stopped after step {step}: run again to go on ({left})", file=sys.stderr)
        sys.exit(STOPPED)
    trainer.metrics.rows[-1].update(losses)
    _write_checkpoint(job, trainer)
    trainer.metrics.rows = []
    state.save(job.state_output, trainer, job.to_step, made_with)
    state.discard(state.interrupted(job.state_output))


def _find_state(job, made_with):
    """The state to start from and its state.json; (None, None) at step 0."""
    left = state.interrupted(job.state_output)
    if left.exists():
        about = state.read(left)
        if job.from_step < about["step"] <= job.to_step and state.fits(about, made_with):
            print(f"going on after step {about['step']}, where the last attempt was stopped")
            return left, about
    if job.from_step == 0:
        return None, None
    if not job.state:
        raise UserError(f"--from-step {job.from_step} needs --state, the state at that step")
    about = state.read(job.state)
    if about["step"] != job.from_step:
        raise UserError(
            f"the state {job.state} is that of step {about['step']}, not of {job.from_step}"
        )
    state.check(job.state, about, made_with)
    return job.state, about


def _model_hashes(model, run):
    starts = {"train_init": run["train_init"], "ema.init": (run["ema"] or {}).get("init", "train")}
    hashes = {
        key if isinstance(start, dict) else start: files.sha256(models.weights_file(model, start))
        for key, start in starts.items()
        if start != "train"
    }
    names = ["unet/config.json", "scheduler/scheduler_config.json"]
    if run["train_text_encoder"]:
        names += ["text_encoder/config.json", "text_encoder/model.safetensors"]
        for key, start in starts.items():
            if own := models.own_text_encoder(start):
                hashes[f"{key}.text_encoder"] = files.sha256(own / "model.safetensors")
    hashes |= {name: files.sha256(Path(model) / name) for name in names}
    return hashes


def _check_latents(trainer, job):
    run, manifest = trainer.run, trainer.latents.manifest
    if run["resolution"] != manifest["resolution"]:
        raise UserError(
            f"run {job.name} has resolution {run['resolution']}, "
            f"the latents {job.latents} {manifest['resolution']}"
        )
    if run["random_flip"] and not trainer.latents.flips:
        raise UserError(f"random_flip: {job.latents} was made without flipped pictures")
    if not len(trainer.latents):
        raise UserError(f"{job.latents}: the training split is empty")


def _write_checkpoint(job, trainer):
    with files.replacing(job.output) as folder:
        folder.mkdir()
        kinds = loop.save_weights(trainer, folder / "weights")
        trainer.metrics.write(folder)
        weights = {
            str(path.relative_to(folder / "weights")): files.sha256(path)
            for path in sorted((folder / "weights").rglob("*.safetensors"))
        }
        about = {
            "method": trainer.run["method"],
            "step": job.to_step,
            "kinds": kinds,
            "weights": weights,
        }
        text = json.dumps(about, indent=2, sort_keys=True)
        (folder / "checkpoint.json").write_text(text + "\n")
