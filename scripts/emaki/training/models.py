"""The models that are trained: loading, precision, attention, saving."""

import json
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from emaki.common import weight_files
from emaki.common.devices import dtype
from emaki.common.errors import UserError
from emaki.families import Family
from emaki.training.settings import HyperParameters, Start

# Of a text encoder's weights among a Trainer's; the denoiser's have their own names.
ENCODER = re.compile(r"text_encoder(_\d)?\.")


def place(device: torch.device, rank: int) -> torch.device:
    """The device of process `rank`: a GPU each."""
    if device.type == "cpu":
        return device
    # What names no device (pinned memory, bitsandbytes) would be on GPU 0 from every process.
    torch.cuda.set_device(rank)
    return torch.device("cuda", rank)


def be_deterministic(device: torch.device) -> None:
    """Ask PyTorch for the same bytes every time on a GPU, before anything is computed there.

    Not with warn_only: attention's backward pass would add up in any order then, although PyTorch
    can do it in a fixed one (ATen's attention_backward.cu). An operation that has no such algorithm
    raises; a training has none, and diffusers tests its U-Nets in this mode as well.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else matrix products raise
        torch.use_deterministic_algorithms(True)
        # which only shows errors
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def check(run: HyperParameters, device: torch.device) -> None:
    """Raise UserError where the run cannot be trained as it says, or not on this machine."""
    for start in (run.train_init, run.ema.init if run.ema else None):
        folder = find_encoder(start, "text_encoder")
        if folder and not run.train_text_encoder:
            raise UserError(
                f"{folder.parent} has a text encoder of its own, which the cached captions are "
                "not from: give train_text_encoder: true"
            )
    if device.type == "cuda" and run.num_processes > torch.cuda.device_count():
        raise UserError(
            f"num_processes {run.num_processes}: this job has {torch.cuda.device_count()} GPUs"
        )
    if run.mixed_precision == "fp16" and device.type != "cuda":
        raise UserError("mixed_precision fp16 needs a GPU; on a CPU use bf16 or no")
    if run.attention == "xformers":
        if device.type != "cuda":
            raise UserError("attention xformers needs a GPU; on a CPU use sdpa")
        try:
            import xformers.ops  # noqa: F401
        except Exception as error:  # a build for another torch or CUDA fails in its own way
            raise UserError(f"attention xformers: the package cannot be used ({error})") from error


def find_weights(
    family: Family, start: str | Start, file: str = weight_files.DIFFUSERS
) -> list[Path]:
    """The weights that `start` means, a file or its parts: of the model "ema" is the denoiser's
    plain file and "non_ema" its variant; a Start with a folder is `file` there. Raises UserError
    where there is none."""
    if isinstance(start, Start):
        if start.folder is None:
            raise UserError(
                f"step {start.step} of {start.run}: a training starts from a folder's weights"
            )
        path = Path(start.folder) / file
        missing = "this folder has no such weights"
    else:
        path = family.folder / family.weights_file(start)
        missing = f"this model has no {start} weights"
    parts = weight_files.parts_of(path)
    for part in parts:
        if not part.exists():
            raise UserError(f"{part} is not there: {missing}")
    return parts


def load_weights(
    family: Family,
    start: str | Start,
    like: Mapping[str, torch.Tensor],
    frozen: Collection[str] = (),
    precision: torch.dtype = torch.float32,
) -> dict[str, torch.Tensor]:
    """The denoiser's weights (name: tensor) in float32, but those in `frozen` in a `precision` of
    their own, from the files that `start` means.

    Raises UserError where their names and shapes are not those of `like` (name: tensor).
    """
    from safetensors.torch import load_file

    parts = find_weights(family, start)
    weights = {
        name: tensor.to(precision if name in frozen else torch.float32)
        for part in parts
        for name, tensor in load_file(part).items()
    }
    ours, theirs = ({n: t.shape for n, t in some.items()} for some in (like, weights))
    if ours != theirs:
        name = min(n for n in ours.keys() | theirs.keys() if ours.get(n) != theirs.get(n))
        raise UserError(f"{parts[0]} is of another architecture than {family.folder}: see {name}")
    return weights


def start_of_denoiser(run: HyperParameters) -> str | Start:
    """What the whole denoiser starts from: a LoRA's `train_init` is a LoRA, or the plain file."""
    return "ema" if run.method == "lora" else run.train_init


def load_denoiser(family: Family, run: HyperParameters, device: torch.device) -> Any:
    """The denoiser in training mode on the device, no parameter frozen: in float32, or in the
    run's precision as what a LoRA is put on, which may not fit a GPU otherwise."""
    with torch.device("meta"):
        denoiser = family.make_denoiser()
    frozen = dict(denoiser.named_parameters()) if run.method == "lora" else {}
    weights = load_weights(
        family, start_of_denoiser(run), denoiser.state_dict(), frozen, dtype(run.mixed_precision)
    )
    denoiser.load_state_dict(weights, strict=True, assign=True)
    denoiser.to(device).train().requires_grad_(True)
    if run.gradient_checkpointing:
        denoiser.enable_gradient_checkpointing()
    if run.attention == "xformers":
        denoiser.enable_xformers_memory_efficient_attention()
    if device.type == "cpu":
        family.prepare_for_cpu(denoiser)
    return denoiser


def find_encoder(start: str | Start | None, part: str) -> Path | None:
    """The folder of the text encoder that was trained with the denoiser that `start` means, if
    any."""
    if not isinstance(start, Start) or start.folder is None:
        return None
    folder = Path(start.folder) / part
    return folder if folder.is_dir() else None


def load_encoders(
    family: Family, start: str | Start, device: torch.device
) -> dict[str, torch.nn.Module]:
    """The text encoders (part: model) on the device, in float32, without dropout.

    They are those of the checkpoint `start` (see `find_weights`), else those of the model.
    """
    folders = {part: find_encoder(start, part) or family.folder / part for part in family.encoders}
    return {
        part: family.load_encoder(part, folder, torch.float32).to(device).eval()
        for part, folder in folders.items()
    }


def of_part(weights: Mapping[str, Any], part: str) -> dict[str, Any]:
    """The weights of a part ("unet", "text_encoder") among a Trainer's, under its own names."""
    prefix = f"{part}."
    if ENCODER.match(prefix):
        own = (name for name in weights if name.startswith(prefix))
        return {name.removeprefix(prefix): weights[name] for name in own}
    return {name: tensor for name, tensor in weights.items() if not ENCODER.match(name)}


def save(
    modules: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    folder: Path,
    precision: str,
) -> None:
    """Write `weights` (name: tensor) as a denoiser's folder of diffusers, fp32 or fp16.

    Text encoders that were trained too are in subfolders (text_encoder), as transformers reads
    them. `modules` are a Trainer's.
    """
    folder.mkdir(parents=True)
    tensors = {
        name: tensor.detach().to("cpu", dtype(precision)).contiguous()
        for name, tensor in weights.items()
    }
    for part, module in modules.items():
        own = of_part(tensors, part)
        if ENCODER.match(f"{part}."):
            module.save_pretrained(folder / part, state_dict=own)
        else:
            _save_denoiser(module, own, folder)


def _save_denoiser(denoiser: Any, tensors: dict[str, torch.Tensor], folder: Path) -> None:
    from safetensors.torch import save_file

    # what is no parameter and yet in its file: tables of positions
    trained = dict(denoiser.named_parameters())
    tables = {name: t.cpu() for name, t in denoiser.state_dict().items() if name not in trained}
    save_file(tables | tensors, folder / weight_files.DIFFUSERS, metadata={"format": "pt"})
    config = {k: v for k, v in denoiser.config.items() if k not in ("_name_or_path",)}
    config["_class_name"] = type(denoiser).__name__
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
