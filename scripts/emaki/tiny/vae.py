"""The tiny VAE: 64 px pictures to 4x16x16 latents, diffusers' `AutoencoderKL`."""

import json
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import AutoencoderKL
from diffusers.training_utils import EMAModel
from torch.nn.functional import l1_loss, mse_loss

from emaki.common.progress import bar
from emaki.tiny.corpus import RESOLUTION, to_range
from emaki.tiny.training import cosine

KL_WEIGHT = 5e-4
EDGE_WEIGHT = 1.0
HELD_OUT = 16  # every 16th picture is not trained on


def build(channels: Sequence[int]) -> AutoencoderKL:
    """A random VAE without attention. `channels` are the widths at 64, 32 and 16 px."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=RESOLUTION,
        scaling_factor=1.0,
        mid_block_add_attention=False,
    )


def train(
    pixels: torch.Tensor,
    *,
    channels: Sequence[int],
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> tuple[AutoencoderKL, float]:
    """Train on uint8 `pixels` (N, 3, 64, 64); return the EMA model and its held-out PSNR in dB.

    The loss is L1 + 2 MSE + L1 of the differences between neighbouring pixels + KL, the last
    per latent and lightly weighted. `scaling_factor` is set to 1 / the latents' deviation.
    """
    torch.manual_seed(seed)
    model: Any = build(channels)
    model.to(memory_format=torch.channels_last)
    held_out = torch.arange(len(pixels)) % HELD_OUT == HELD_OUT - 1
    known = pixels[~held_out]
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=1e-4, fused=True)
    schedule = cosine(optimizer, steps)
    ema = EMAModel(model.parameters(), decay=0.998, use_ema_warmup=True, power=0.75)
    for step in bar(range(steps), unit="steps", label="train tiny VAE"):
        real = to_range(known[torch.randint(len(known), (batch_size,))])
        real = real.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            posterior = model.encode(real).latent_dist
            drawn = model.decode(posterior.sample()).sample.float()
        loss = (
            l1_loss(drawn, real) + 2 * mse_loss(drawn, real) + EDGE_WEIGHT * edge_loss(drawn, real)
        )
        loss = loss + KL_WEIGHT * posterior.kl().mean() / posterior.mean[0].numel()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        ema.step(model.parameters())
        if step % 250 == 249:
            print(json.dumps({"step": step + 1, "loss": round(loss.item(), 4)}), flush=True)
    ema.copy_to(model.parameters())
    model.eval()
    model.register_to_config(scaling_factor=1 / float(encode(model, known[::4]).std()))
    return model, measure_psnr(model, pixels[held_out])


def edge_loss(drawn: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """L1 between the differences of horizontally and of vertically neighbouring pixels."""
    down, right = (l1_loss(drawn.diff(dim=axis), real.diff(dim=axis)) for axis in (2, 3))
    return down + right


@torch.no_grad()
def encode(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Means of the latents (N, 4, 16, 16) of uint8 pixels, not scaled."""
    return torch.cat([model.encode(to_range(part)).latent_dist.mean for part in pixels.split(64)])


@torch.no_grad()
def reconstruct(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """uint8 pixels (N, 3, 64, 64) encoded and decoded."""
    parts = [model.decode(encode(model, part)).sample for part in pixels.split(64)]
    return ((torch.cat(parts).clamp(-1, 1) + 1) * 127.5).round().byte()


def measure_psnr(model: Any, pixels: torch.Tensor) -> float:
    """Peak signal-to-noise ratio over all of uint8 `pixels`, in dB."""
    error = (reconstruct(model, pixels).float() - pixels.float()) / 255
    return float(-10 * torch.log10(error.square().mean()))
