"""The tiny Stable Diffusion: a `StableDiffusionPipeline` folder, before and after training."""

import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTokenizer

# Stable Diffusion 1.4's noise schedule
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def build_unet(channels, text_width):
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


def assemble(vae, clip, folder, *, channels, seed):
    """Save a pipeline of a VAE's folder, a CLIP's text half and a random U-Net to `folder`."""
    torch.manual_seed(seed)
    text_encoder = CLIPTextModel.from_pretrained(clip, dtype=torch.float16)
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(vae, torch_dtype=torch.float16),
        text_encoder=text_encoder,
        tokenizer=CLIPTokenizer.from_pretrained(clip),
        unet=build_unet(channels, text_encoder.config.hidden_size).half(),
        scheduler=DDIMScheduler(**SCHEDULE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


def bundle(pipeline, checkpoint, folder):
    """Copy the `pipeline` folder with a checkpoint's weights: EMA as the plain file, raw beside.

    The raw ones are the variant "non_ema", as Stable Diffusion 1.4 has them; all are fp16.
    """
    shutil.copytree(pipeline, folder)
    for kind, variant in (("ema", ""), ("raw", ".non_ema")):
        weights = load_file(
            Path(checkpoint) / "weights" / kind / "diffusion_pytorch_model.safetensors"
        )
        halves = {name: tensor.half() for name, tensor in weights.items()}
        path = folder / "unet" / f"diffusion_pytorch_model{variant}.safetensors"
        save_file(halves, path, metadata={"format": "pt"})
