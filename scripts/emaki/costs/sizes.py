"""How large a base model is. The Snakefile asks, so nothing heavy is imported here."""

import functools
import json
import math
from pathlib import Path
from typing import NamedTuple

from emaki.common import weight_files
from emaki.common.safetensors_header import read_shapes
from emaki.config.settings import Model

PARTS = {
    "unet": weight_files.UNET,
    "vae": weight_files.VAE,
    "text_encoder": weight_files.TEXT_ENCODER,
}
TARGETS = ("to_k", "to_q", "to_v", "to_out.0")


class Size(NamedTuple):
    """Parameters of a model's parts; `lora`, those of a LoRA of rank 1 on the attention's layers;
    `reduction`, the pixels along an edge of a picture to one of a latent; `width`, the text
    embedding's; and `source`, where these figures are from."""

    unet: int
    vae: int
    text_encoder: int
    lora: int
    reduction: int
    width: int
    source: str


# Counted on diffusers' UNet2DConditionModel and AutoencoderKL and transformers' CLIPTextModel with
# the configs of that repository (benchmarks/unet_costs.py does the U-Net).
SD14 = Size(859_520_964, 83_653_863, 123_060_480, 199_296, 8, 768, "the size of SD 1.4")
KNOWN = {
    "CompVis/stable-diffusion-v1-4": SD14,
    "stable-diffusion-v1-5/stable-diffusion-v1-5": SD14,
    "runwayml/stable-diffusion-v1-5": SD14,
}


def size_of(model: Model) -> Size:
    """The Size of a model of the config: its own files', else that of a known repository.

    A model of which nothing is known is taken to be as large as SD 1.4, and `source` says so.
    """
    folder = Path(model.folder)
    if all((folder / file).is_file() for file in PARTS.values()):
        return _counted(folder)
    name = model.repo or model.folder
    if name in KNOWN:
        return KNOWN[name]
    return SD14._replace(source=f"{name} is not here, so the size of SD 1.4 is taken")


@functools.cache
def _counted(folder: Path) -> Size:
    shapes = {part: read_shapes(folder / file) for part, file in PARTS.items()}
    layers = {
        name.removesuffix(".weight"): shape
        for name, shape in shapes["unet"].items()
        if name.endswith(".weight") and len(shape) == 2
    }
    blocks = json.loads((folder / "vae/config.json").read_text())["block_out_channels"]
    text = json.loads((folder / "text_encoder/config.json").read_text())
    counts = {part: sum(map(math.prod, shapes[part].values())) for part in PARTS}
    return Size(
        **counts,
        lora=sum(sum(shape) for name, shape in layers.items() if name.endswith(TARGETS)),
        reduction=2 ** (len(blocks) - 1),
        width=text["hidden_size"],
        source=f"counted in {folder}",
    )
