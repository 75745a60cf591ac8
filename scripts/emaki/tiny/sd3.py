"""The tiny Stable Diffusion 3: a `StableDiffusion3Pipeline` folder, before and after training."""

import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

from emaki.common import weight_files

WEIGHTS = f"transformer/{weight_files.DIFFUSERS}"
HEAD = 32  # channels of an attention's head


def build_transformer(width: int, layers: int, text_width: int) -> SD3Transformer2DModel:
    """A random transformer for 4x16x16 latents in patches of 2 x 2.

    It begins as the identity does, as of DiT (Peebles and Xie 2022): what modulates its layers and
    its last layer are zero.
    """
    transformer: Any = SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=layers,
        attention_head_dim=HEAD,
        num_attention_heads=width // HEAD,
        joint_attention_dim=text_width,
        caption_projection_dim=width,
        pooled_projection_dim=text_width,
        pos_embed_max_size=8,
        qk_norm="rms_norm",
    )
    for name, layer in transformer.named_modules():
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.xavier_uniform_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
            if name == "proj_out" or ".norm1" in name or name.startswith("norm_out"):
                torch.nn.init.zeros_(layer.weight)
    return transformer


def assemble(
    vae: str | Path,
    clip: str | Path,
    folder: str | Path,
    *,
    width: int,
    layers: int,
    tokens: int,
    seed: int,
) -> None:
    """Save a pipeline of a VAE's folder, a CLIP's text half twice and a random transformer.

    Captions are cut at `tokens`; there is no T5.
    """
    torch.manual_seed(seed)
    autoencoder: Any = AutoencoderKL.from_pretrained(vae, torch_dtype=torch.float16)
    autoencoder.register_to_config(shift_factor=0.0)  # the pipeline adds it
    encoders = [
        CLIPTextModelWithProjection.from_pretrained(clip, dtype=torch.float16) for _ in range(2)
    ]
    tokenizer = CLIPTokenizer.from_pretrained(clip, model_max_length=tokens)
    text_width = 2 * encoders[0].config.hidden_size
    torch.manual_seed(seed)  # loading may draw random numbers
    transformer: Any = build_transformer(width, layers, text_width)
    pipeline: Any = StableDiffusion3Pipeline(
        vae=autoencoder,
        text_encoder=encoders[0],
        text_encoder_2=encoders[1],
        text_encoder_3=None,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        tokenizer_3=None,
        transformer=transformer.half(),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )
    pipeline.save_pretrained(folder)


def bundle(pipeline: str | Path, checkpoint: str | Path, folder: Path) -> None:
    """Copy the `pipeline` folder with the averaged weights of a checkpoint, in float16."""
    shutil.copytree(pipeline, folder)
    weights = load_file(Path(checkpoint) / "weights/ema" / weight_files.DIFFUSERS)
    halves = {name: tensor.half() for name, tensor in weights.items()}
    save_file(halves, folder / WEIGHTS, metadata={"format": "pt"})
