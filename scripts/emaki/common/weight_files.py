"""Names of the files with weights, as diffusers and transformers write and read them."""

import json
from pathlib import Path

from emaki.common.errors import UserError

DIFFUSERS = "diffusion_pytorch_model.safetensors"
TRANSFORMERS = "model.safetensors"
LORA = "pytorch_lora_weights.safetensors"

# within the folder of a pipeline
UNET = f"unet/{DIFFUSERS}"
UNET_PICKLE = "unet/diffusion_pytorch_model.bin"
NON_EMA_UNET = "unet/diffusion_pytorch_model.non_ema.safetensors"
VAE = f"vae/{DIFFUSERS}"
TEXT_ENCODER = f"text_encoder/{TRANSFORMERS}"


def index_of(file: str) -> str:
    """The list of the parts in which the weights of a file (model.safetensors) may be saved."""
    return f"{file}.index.json"


def parts_of(path: Path) -> list[Path]:
    """The files that have the weights of a file: itself or, where it is in parts, these.

    They need not be there. Raises UserError where their list is damaged.
    """
    index = path.with_name(index_of(path.name))
    if path.is_file() or not index.is_file():
        return [path]
    try:
        names = set(json.loads(index.read_bytes())["weight_map"].values())
        return [path.with_name(name) for name in sorted(names)]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{index} is no list of files of weights: bring it anew") from None
