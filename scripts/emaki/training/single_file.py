"""A pipeline's weights in one file, under the names of the original code, as web UIs read them.

diffusers reads such files (`from_single_file`), but what writes them is a script of its repository
(scripts/convert_diffusers_to_original_stable_diffusion.py) that is in no package. Only Stable
Diffusion 1.x: of 2.x the text encoder has another layout.
"""

import json
import re
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from emaki.common import weight_files
from emaki.common.errors import UserError

UNET = "model.diffusion_model."
VAE = "first_stage_model."
TEXT_ENCODER = "cond_stage_model.transformer."
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
OUTSIDE_BLOCKS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
MIDDLE = {"resnets.0": 0, "attentions.0": 1, "resnets.1": 2}
# the attention of a VAE, by its names in new and in old files of diffusers
ATTENTION = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
    "query": "q",
    "key": "k",
    "value": "v",
    "proj_attn": "proj_out",
}
BLOCK = re.compile(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)")


def can_be_written(pipeline: str | Path) -> bool:
    """Whether a pipeline's folder is of Stable Diffusion 1.x."""
    if not Path(pipeline, "unet").is_dir():
        return False
    return not _config(Path(pipeline), "unet").get("use_linear_projection")


def write(pipeline: str | Path, output: str | Path) -> None:
    """Write the weights of a pipeline's folder, in their types, as one safetensors file."""
    pipeline = Path(pipeline)
    layers = _config(pipeline, "unet")["layers_per_block"]
    blocks = len(_config(pipeline, "vae")["up_block_types"])
    unet = load_file(pipeline / weight_files.UNET)
    with_attention = {name.split(".attentions.")[0] for name in unet if ".attentions." in name}
    tensors = {
        UNET + name_of_unet(name, layers, with_attention): tensor for name, tensor in unet.items()
    }
    for name, tensor in load_file(pipeline / weight_files.VAE).items():
        theirs = name_of_vae(name, blocks)
        # 1 x 1 convolutions there
        wide = ".attn_1." in theirs and theirs.endswith(".weight") and tensor.ndim == 2
        tensors[VAE + theirs] = tensor[:, :, None, None] if wide else tensor
    for name, tensor in load_file(pipeline / weight_files.TEXT_ENCODER).items():
        # transformers 5.6 took CLIP's layers out of `text_model`
        tensors[f"{TEXT_ENCODER}text_model.{name.removeprefix('text_model.')}"] = tensor
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    ordered = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    save_file(ordered, output, metadata={"format": "pt"})


def name_of_unet(name: str, layers: int, with_attention: set[str]) -> str:
    """The original name of a U-Net's tensor.

    `layers` are the U-Net's per block; `with_attention` has those of its blocks ("up_blocks.0")
    that have attention.
    """
    for ours, theirs in OUTSIDE_BLOCKS.items():
        if name.startswith(f"{ours}."):
            return theirs + name.removeprefix(ours)
    if name.startswith("mid_block."):
        _, kind, number, rest = name.split(".", 3)
        return f"middle_block.{MIDDLE[f'{kind}.{number}']}.{_in_layer(kind, rest)}"
    side, block, kind, number, rest = _parts(name)
    width = layers + 1
    if kind == "downsamplers":
        place, rest = f"input_blocks.{(block + 1) * width}.0", rest.replace("conv.", "op.")
    elif kind == "upsamplers":
        place = f"output_blocks.{block * width + layers}."
        place += "2" if f"up_blocks.{block}" in with_attention else "1"
    else:
        first = f"input_blocks.{1 + block * width + number}" if side == "down" else ""
        place = f"{first or f'output_blocks.{block * width + number}'}.{int(kind == 'attentions')}"
    return f"{place}.{_in_layer(kind, rest)}"


def name_of_vae(name: str, blocks: int) -> str:
    """The original name of a VAE's tensor; `blocks` is the number of its up blocks."""
    name = name.replace("conv_norm_out", "norm_out")
    half, _, rest = name.partition(".")
    if rest.startswith("mid_block."):
        _, kind, number, inner = rest.split(".", 3)
        if kind == "resnets":
            return f"{half}.mid.block_{int(number) + 1}.{_shortcut(inner)}"
        layer = next(layer for layer in ATTENTION if inner.startswith(f"{layer}."))
        return f"{half}.mid.attn_1.{ATTENTION[layer]}{inner.removeprefix(layer)}"
    if not BLOCK.fullmatch(rest):
        return name
    side, block, kind, number, inner = _parts(rest)
    block = block if side == "down" else blocks - 1 - block
    if kind == "resnets":
        return f"{half}.{side}.{block}.block.{number}.{_shortcut(inner)}"
    return f"{half}.{side}.{block}.{side}sample.{inner}"


def _parts(name):
    match = BLOCK.fullmatch(name)
    if match is None:
        raise UserError(
            f"{name} is no tensor of Stable Diffusion 1.x: there is no file for web UIs"
        )
    side, block, kind, number, rest = match.groups()
    return side, int(block), kind, int(number), rest


def _in_layer(kind, rest):
    if kind != "resnets":
        return rest
    layer, _, end = rest.partition(".")
    return f"{RESNET[layer]}.{end}"


def _shortcut(inner):
    return inner.replace("conv_shortcut", "nin_shortcut")


def _config(pipeline, part):
    return json.loads((pipeline / part / "config.json").read_text("utf-8"))
