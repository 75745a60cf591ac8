"""How large a base model is. The Snakefile asks, so nothing heavy is imported here."""

import functools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from emaki.common.safetensors_header import read_shapes
from emaki.config.settings import Model
from emaki.families import Family, find

TARGETS = ("to_k", "to_q", "to_v", "to_out.0")


class Size(NamedTuple):
    """Parameters of a model's parts, of all its text encoders together; `lora`, those of a LoRA of
    rank 1 on the attention's layers; `reduction`, the pixels along an edge of a picture to one of a
    latent; `width`, the text embeddings'; `source`, where these figures are from; `bytes`, those of
    a parameter in its repository's files; and `gflop`, those of a forward pass for a picture of
    256, 512 and 1,024 pixels, where they were counted."""

    unet: int
    vae: int
    text_encoder: int
    lora: int
    reduction: int
    width: int
    source: str
    bytes: int = 4
    gflop: tuple[float, float, float] | None = None


# Counted on diffusers' UNet2DConditionModel and AutoencoderKL and transformers' CLIPTextModel with
# the configs of that repository (benchmarks/unet_costs.py does the U-Net).
SD14 = Size(859_520_964, 83_653_863, 123_060_480, 199_296, 8, 768, "the size of SD 1.4")
# Counted so with the configs of stabilityai/stable-diffusion-xl-base-1.0.
SDXL = Size(2_567_463_684, 83_653_863, 817_720_320, 1_451_520, 8, 2048, "the size of SDXL 1.0")
# Counted so on diffusers' SD3Transformer2DModel (without its table of positions) and transformers'
# T5EncoderModel with the configs of stabilityai/stable-diffusion-3.5-medium, whose 4.94 GB are of
# two bytes each: 2,243,171,520 parameters and 226,492,416 numbers of the table.
CLIPS, T5 = 123_650_304 + 694_659_840, 4_762_310_656
SD35 = Size(
    2_243_171_520, 83_819_683, CLIPS + T5, 454_656, 8, 4096, "the size of SD 3.5 medium", bytes=2
)
# These by benchmarks/transformer_costs.py, which counts FLOPs too. The files of FLUX.1 and
# Qwen-Image have two bytes for a parameter; those of Z-Image were not looked up.
FLUX = Size(
    *(11_901_408_320, 83_819_683, 4_885_371_136, 1_167_360, 8, 4096, "the size of FLUX.1 dev", 2),
    gflop=(10_348, 21_503, 74_385),
)
Z_IMAGE = Size(
    *(6_154_908_736, 83_819_683, 4_022_468_096, 1_044_480, 8, 2560, "the size of Z-Image"),
    gflop=(4_048, 13_297, 56_092),
)
QWEN_IMAGE = Size(
    *(20_430_401_088, 126_892_531, 8_292_166_656, 1_474_560, 8, 3584, "the size of Qwen-Image", 2),
    gflop=(4_891, 16_162, 69_942),
)
LIKE = {
    "StableDiffusionXLPipeline": SDXL,
    "StableDiffusion3Pipeline": SD35,
    "FluxPipeline": FLUX,
    "ZImagePipeline": Z_IMAGE,
    "QwenImagePipeline": QWEN_IMAGE,
}
KNOWN = {
    "CompVis/stable-diffusion-v1-4": SD14,
    "stable-diffusion-v1-5/stable-diffusion-v1-5": SD14,
    "runwayml/stable-diffusion-v1-5": SD14,
    "stabilityai/stable-diffusion-xl-base-1.0": SDXL,
    "stabilityai/stable-diffusion-3.5-medium": SD35,
    "black-forest-labs/FLUX.1-dev": FLUX,
    "black-forest-labs/FLUX.1-schnell": FLUX,
    "Tongyi-MAI/Z-Image": Z_IMAGE,
    "Tongyi-MAI/Z-Image-Turbo": Z_IMAGE,
    "Qwen/Qwen-Image": QWEN_IMAGE,
}


def size_of(model: Model) -> Size:
    """The Size of a model of the config: its own files', else that of a known repository.

    A model of which nothing is known is taken to be as large as SD 1.4 or one of its family, and
    `source` says so.
    """
    folder = Path(model.folder)
    files = [file for own in _weights(model.family).values() for file in own]
    if all((folder / file).is_file() for file in files):
        return _counted(folder)
    name = model.repo or model.folder
    like = KNOWN.get(name) or LIKE.get(model.family.pipeline, SD14)
    if name not in KNOWN:
        like = like._replace(source=f"{name} is not here, so {like.source} is taken")
    if model.without_t5:
        like = like._replace(text_encoder=CLIPS, source=f"{like.source} without its T5")
    return like


def _weights(family: Family) -> dict[str, list[str]]:
    """{parameters of a Size: the files that have them}."""
    files = family.files()
    parts = {"unet": files["denoiser"], "vae": files["vae"], "text_encoder": files["encoders"]}
    return {
        part: [file for file in own if file.endswith(".safetensors")] for part, own in parts.items()
    }


def _width(config: Mapping[str, Any]) -> int:
    """How long a text encoder's embeddings are, from its config.json."""
    text = config.get("text_config", config)
    return text.get("hidden_size") or text["d_model"]


@functools.cache
def _counted(folder: Path) -> Size:
    family = find(folder)
    shapes = {
        part: [shape for file in files for shape in read_shapes(folder / file).items()]
        for part, files in _weights(family).items()
    }
    layers = {
        name.removesuffix(".weight"): shape
        for name, shape in shapes["unet"]
        if name.endswith(".weight") and len(shape) == 2
    }
    texts = [json.loads((folder / part / "config.json").read_text()) for part in family.encoders]
    counts = {part: sum(math.prod(shape) for _, shape in own) for part, own in shapes.items()}
    like = LIKE.get(family.pipeline)
    return Size(
        **counts,
        lora=sum(sum(shape) for name, shape in layers.items() if name.endswith(TARGETS)),
        reduction=family.reduction(),
        width=sum(_width(text) for text in texts),
        source=f"counted in {folder}",
        gflop=like.gflop if like and abs(counts["unet"] / like.unet - 1) < 0.01 else None,
    )
