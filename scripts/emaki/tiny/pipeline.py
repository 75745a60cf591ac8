"""The tiny Stable Diffusion: a `StableDiffusionPipeline` folder, before and after training."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTokenizer

from emaki.common import weight_files

# Stable Diffusion 1.4's noise schedule
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def build_unet(channels: Sequence[int], text_width: int) -> UNet2DConditionModel:
    """A random U-Net for 4x16x16 latents. `channels` are the widths at 16, 8 and 4 px.

    Text is attended to once on the way down at 8 px and wherever it is 4 px small: that is
    where attention costs little, and one word of a caption describes most of a small picture.
    """
    return UNet2DConditionModel(
        sample_size=16,
        layers_per_block=1,
        block_out_channels=channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        cross_attention_dim=text_width,
        attention_head_dim=2,  # diffusers takes it as the number of heads
        norm_num_groups=16,
    )


def assemble(
    vae: str | Path, clip: str | Path, folder: str | Path, *, channels: Sequence[int], seed: int
) -> None:
    """Save a pipeline of a VAE's folder, a CLIP's text half and a random U-Net to `folder`."""
    torch.manual_seed(seed)
    text_encoder = CLIPTextModel.from_pretrained(clip, dtype=torch.float16)
    # The VAE before the U-Net: loading it may draw random numbers.
    autoencoder = AutoencoderKL.from_pretrained(vae, torch_dtype=torch.float16)
    tokenizer = CLIPTokenizer.from_pretrained(clip)
    unet: Any = build_unet(channels, text_encoder.config.hidden_size)
    pipeline: Any = StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet.half(),
        scheduler=DDIMScheduler(**SCHEDULE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


def bundle(pipeline: str | Path, checkpoint: str | Path, folder: Path) -> None:
    """Copy the `pipeline` folder with a checkpoint's weights: EMA as the plain file, raw beside.

    The raw ones are the variant "non_ema", as Stable Diffusion 1.4 has them; all are fp16.
    """
    shutil.copytree(pipeline, folder)
    for kind, file in (("ema", weight_files.UNET), ("raw", weight_files.NON_EMA_UNET)):
        weights = load_file(Path(checkpoint) / "weights" / kind / weight_files.DIFFUSERS)
        halves = {name: tensor.half() for name, tensor in weights.items()}
        save_file(halves, folder / file, metadata={"format": "pt"})
