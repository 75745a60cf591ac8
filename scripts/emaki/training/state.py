"""The state of a training: all that the next step depends on, and what it was made with.

A folder: state.safetensors with the weights, the averages and the optimizer's tensors,
state.json with the step, the other numbers and `made_with`.
"""

import json
import shutil
from pathlib import Path

import torch

from emaki.errors import UserError
from emaki.files import replacing
from emaki.training import settings

FILE = "state.safetensors"


def save(folder, trainer, step, made_with):
    """Write the state after `step` steps into `folder`, whole or not at all."""
    from safetensors.torch import save_file

    tensors = {f"parameters/{name}": tensor for name, tensor in trainer.parameters.items()}
    numbers = {"optimizer": {}, "scaler": trainer.scaler.state_dict()}
    for index, entry in trainer.optimizer.state_dict()["state"].items():
        for name, value in entry.items():
            if torch.is_tensor(value):
                tensors[f"optimizer/{index}/{name}"] = value
            else:
                numbers["optimizer"][f"{index}/{name}"] = value
    if trainer.ema:
        tensors |= {f"ema/{name}": value for name, value in trainer.ema.averages.items()}
        numbers["ema_updates"] = trainer.ema.updates
    # bitsandbytes shares its tables between parameters; a safetensors file shares nothing.
    tensors = {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}
    about = {"step": step, "made_with": made_with, "numbers": numbers, "rows": trainer.metrics.rows}
    with replacing(folder) as temporary:
        temporary.mkdir()
        save_file({k: v.contiguous() for k, v in tensors.items()}, temporary / FILE)
        text = json.dumps(about, indent=1, sort_keys=True, allow_nan=False)
        (temporary / "state.json").write_text(text + "\n")


def read(folder):
    """state.json of a state folder; raises UserError where there is none."""
    path = Path(folder) / "state.json"
    if not path.exists():
        raise UserError(f"{folder} is no training state (no state.json)")
    return json.loads(path.read_text())


def check(folder, about, made_with):
    """Raise UserError, naming each difference, where a state was made with something else."""
    theirs = about["made_with"]
    differences = settings.differences(made_with["run"], theirs["run"])
    for key, what in (("model", "the base model's weights"), ("latents", "the dataset's latents")):
        if made_with[key] != theirs[key]:
            differences.append(f"{what} are others")
    if differences:
        raise UserError(
            f"the training state {folder} was made with something else: {'; '.join(differences)}. "
            "Start this run from step 0 or give it the old values"
        )


def restore(folder, about, trainer):
    """Put the state of `folder` into `trainer`."""
    from safetensors.torch import load_file

    tensors, numbers = load_file(Path(folder) / FILE), about["numbers"]
    with torch.no_grad():
        for name, parameter in trainer.parameters.items():
            parameter.copy_(tensors[f"parameters/{name}"])
        if trainer.ema:
            trainer.ema.updates = numbers["ema_updates"]
            for name, average in trainer.ema.averages.items():
                average.copy_(tensors[f"ema/{name}"])
    trainer.optimizer.load_state_dict(_optimizer_state(trainer.optimizer, tensors, numbers))
    trainer.scaler.load_state_dict(numbers["scaler"])


def _optimizer_state(optimizer, tensors, numbers):
    entries = {}
    values = {k.removeprefix("optimizer/"): v for k, v in tensors.items() if "optimizer/" in k}
    for key, value in (values | numbers["optimizer"]).items():
        index, name = key.split("/")
        entries.setdefault(int(index), {})[name] = value
    return {"state": entries, "param_groups": optimizer.state_dict()["param_groups"]}


def interrupted(folder):
    """Where a training that was asked to end leaves its state: beside the state's own folder."""
    folder = Path(folder)
    return folder.with_name(f".{folder.name}.interrupted")


def discard(folder):
    """Remove a state folder that may be there."""
    shutil.rmtree(folder, ignore_errors=True)
