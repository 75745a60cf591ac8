"""The state of a training: all that the next step depends on, and what it was made with.

A folder: state.safetensors with the weights, the averages and the optimizer's tensors,
state.json with the step, the other numbers and `made_with`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from emaki.common import digests
from emaki.common.errors import UserError
from emaki.common.files import replacing, sha256
from emaki.training import settings
from emaki.training.trainer import Trainer

FILE = "state.safetensors"


def save(folder: str | Path, trainer: Trainer, step: int, made_with: dict[str, Any]) -> None:
    """Write the state after `step` steps into `folder`, whole or not at all.

    `made_with` is what all steps depend on: `run` (its values), `model` and `latents` (hashes).
    """
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {
        f"parameters/{name}": tensor for name, tensor in trainer.parameters.items()
    }
    scalars: dict[str, Any] = {}
    numbers: dict[str, Any] = {"optimizer": scalars, "scaler": trainer.scaler.state_dict()}
    for name, parameter in trainer.parameters.items():
        for entry, value in trainer.optimizer.state[parameter].items():
            if torch.is_tensor(value):
                tensors[f"optimizer/{name}/{entry}"] = value
            else:
                scalars[f"{name}/{entry}"] = value
    if trainer.ema:
        tensors |= {f"ema/{name}": value for name, value in trainer.ema.averages.items()}
        numbers["ema_updates"] = trainer.ema.updates
    # bitsandbytes shares its tables between parameters; a safetensors file shares nothing.
    tensors = {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}
    about = {"step": step, "made_with": made_with, "numbers": numbers, "rows": trainer.metrics.rows}
    with replacing(folder) as temporary:
        temporary.mkdir()
        save_file({k: v.contiguous() for k, v in tensors.items()}, temporary / FILE)
        about["files"] = {FILE: sha256(temporary / FILE)}
        digests.write_json(temporary / "state.json", about)


def read(folder: str | Path) -> dict[str, Any]:
    """state.json of a state folder; raises UserError where there is none."""
    path = Path(folder) / "state.json"
    if not path.exists():
        raise UserError(f"{folder} is no training state (no state.json)")
    return digests.read_json(path)


def check(folder: str | Path, about: dict[str, Any], made_with: dict[str, Any]) -> None:
    """Raise UserError, naming each difference, where a state was made with something else."""
    if found := differences(about, made_with):
        raise UserError(
            f"the training state {folder} was made with something else: {'; '.join(found)}. "
            "Start this run from step 0 or give it the old values"
        )


def differences(about: dict[str, Any], made_with: dict[str, Any]) -> list[str]:
    """What a state (its state.json) was made with that is other in `made_with`, as sentences."""
    theirs = about["made_with"]
    found = settings.differences(made_with["run"], theirs["run"])
    for key, what in (("model", "the base model's files"), ("latents", "the dataset's latents")):
        if made_with[key] != theirs[key]:
            found.append(f"{what} are others")
    return found


def restore(folder: str | Path, about: dict[str, Any], trainer: Trainer) -> None:
    """Put the state of `folder`, whose state.json is `about`, into `trainer`.

    Raises UserError where its file is damaged.
    """
    from safetensors.torch import load_file

    digests.check(folder, about.get("files", {}), Path(folder) / "state.json", Path(folder))

    tensors, numbers = load_file(Path(folder) / FILE), about["numbers"]
    with torch.no_grad():
        for name, parameter in trainer.parameters.items():
            parameter.copy_(tensors[f"parameters/{name}"])
        if trainer.ema:
            trainer.ema.updates = numbers["ema_updates"]
            for name, average in trainer.ema.averages.items():
                average.copy_(tensors[f"ema/{name}"])
    trainer.scaler.load_state_dict(numbers["scaler"])
    _restore_optimizer(trainer, tensors, numbers["optimizer"])


def _restore_optimizer(
    trainer: Trainer, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]
) -> None:
    """Put the optimizer's entries back as they were: `load_state_dict` would cast some."""
    entries = {k.removeprefix("optimizer/"): v for k, v in tensors.items() if "optimizer/" in k}
    for key, value in (entries | numbers).items():
        name, entry = key.split("/")
        parameter = trainer.parameters[name]
        # A fused AdamW counts its steps on the device, the others on the CPU.
        if torch.is_tensor(value) and (value.dim() or trainer.optimizer.defaults.get("fused")):
            value = value.to(parameter.device)
        trainer.optimizer.state[parameter][entry] = value


def interrupted_folder(folder: str | Path) -> Path:
    """Where a training that was asked to end leaves its state: beside the state's own folder."""
    folder = Path(folder)
    return folder.with_name(f".{folder.name}.interrupted")


def discard(folder: Path) -> None:
    """Remove a state folder that may be there."""
    shutil.rmtree(folder, ignore_errors=True)
