"""The models that are trained: loading, precision, attention, saving."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from emaki.common import weight_files
from emaki.common.devices import dtype
from emaki.common.errors import UserError
from emaki.training import attention
from emaki.training.settings import HyperParameters, Start


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
        folder = find_text_encoder(start)
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


def find_weights(model: str | Path, start: str | Start) -> Path:
    """The U-Net file that `start` means: of the pipeline folder `model` "ema" is the plain one and
    "non_ema" its variant; a Start with a folder is a U-Net folder. Raises UserError where it is not
    there."""
    if isinstance(start, Start):
        if start.folder is None:
            raise UserError(
                f"step {start.step} of {start.run}: a training starts from a folder's weights"
            )
        path = Path(start.folder) / weight_files.DIFFUSERS
        missing = "this folder has no U-Net weights"
    else:
        path = Path(model) / {"ema": weight_files.UNET, "non_ema": weight_files.NON_EMA_UNET}[start]
        missing = f"this model has no {start} weights"
    if not path.exists():
        raise UserError(f"{path} is not there: {missing}")
    return path


def load_weights(
    model: str | Path, start: str | Start, like: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The U-Net's weights (name: tensor) in float32, from the file that `start` means.

    Raises UserError where their names and shapes are not those of `like` (name: tensor).
    """
    from safetensors.torch import load_file

    path = find_weights(model, start)
    weights = {name: tensor.float() for name, tensor in load_file(path).items()}
    ours, theirs = ({n: t.shape for n, t in some.items()} for some in (like, weights))
    if ours != theirs:
        name = min(n for n in ours.keys() | theirs.keys() if ours.get(n) != theirs.get(n))
        raise UserError(f"{path} is of another architecture than {model}: see {name}")
    return weights


def load_unet(model: str | Path, run: HyperParameters, device: torch.device) -> torch.nn.Module:
    """The U-Net in training mode on the device, in float32, no parameter frozen."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    config = json.loads((Path(model) / "unet/config.json").read_text())
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    weights = load_weights(model, run.train_init, unet.state_dict())
    unet.load_state_dict(weights, strict=True, assign=True)
    unet.to(device).train().requires_grad_(True)
    if run.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
    if run.attention == "xformers":
        unet.enable_xformers_memory_efficient_attention()
    if device.type == "cpu":
        attention.use_float32(unet)
    return unet


def find_text_encoder(start: str | Start | None) -> Path | None:
    """The folder of the text encoder that was trained with the U-Net that `start` means, if any."""
    if not isinstance(start, Start) or start.folder is None:
        return None
    folder = Path(start.folder) / "text_encoder"
    return folder if folder.is_dir() else None


def load_text_encoder(
    model: str | Path, start: str | Start, device: torch.device
) -> torch.nn.Module:
    """The text encoder on the device, in float32, without dropout.

    It is that of the checkpoint `start` (see `find_weights`), else that of the pipeline `model`.
    """
    from transformers.models.clip.modeling_clip import CLIPTextModel

    folder = find_text_encoder(start) or Path(model) / "text_encoder"
    encoder: torch.nn.Module = CLIPTextModel.from_pretrained(folder, dtype=torch.float32)
    return encoder.to(device).eval()


def of_part(weights: Mapping[str, Any], part: str) -> dict[str, Any]:
    """The weights of "unet" or "text_encoder" among a Trainer's, under the model's own names."""
    prefix = "text_encoder."
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in weights.items()
        if name.startswith(prefix) == (part == "text_encoder")
    }


def save(
    modules: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    folder: Path,
    precision: str,
) -> None:
    """Write `weights` (name: tensor) as a diffusers U-Net folder in `precision` fp32 or fp16.

    A text encoder that was trained too is in its subfolder text_encoder, as transformers reads it.
    """
    folder.mkdir(parents=True)
    tensors = {
        name: tensor.detach().to("cpu", dtype(precision)).contiguous()
        for name, tensor in weights.items()
    }
    _save_unet(modules["unet"], of_part(tensors, "unet"), folder)
    if "text_encoder" in modules:
        own = of_part(tensors, "text_encoder")
        modules["text_encoder"].save_pretrained(folder / "text_encoder", state_dict=own)


def _save_unet(unet: Any, tensors: dict[str, torch.Tensor], folder: Path) -> None:
    from safetensors.torch import save_file

    save_file(tensors, folder / weight_files.DIFFUSERS, metadata={"format": "pt"})
    config = {k: v for k, v in unet.config.items() if k not in ("_name_or_path",)}
    config["_class_name"] = "UNet2DConditionModel"
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
