"""What the trainings of the tiny models share."""

import math

import torch
from torch.nn.functional import pad
from torch.optim.lr_scheduler import LambdaLR

WARMUP = 100


def cosine(optimizer: torch.optim.Optimizer, steps: int) -> LambdaLR:
    """Linear warm-up over WARMUP steps, then half a cosine down to 1 % at `steps`."""

    def factor(step: int) -> float:
        fall = 0.01 + 0.99 * (1 + math.cos(math.pi * min(step / steps, 1))) / 2
        return min((step + 1) / WARMUP, 1) * fall

    return LambdaLR(optimizer, factor)


def jitter(pixels: torch.Tensor, margin: int = 3) -> torch.Tensor:
    """Float pictures in [-1, 1] of uint8 `pixels` (N, 3, H, W), the batch shifted and mirrored.

    The shift is up to `margin` pixels, by repeating the edge; each second batch is mirrored.
    """
    height, width = pixels.shape[-2:]
    padded = pad(pixels.float() / 127.5 - 1, (margin,) * 4, mode="replicate")
    y, x = torch.randint(2 * margin + 1, (2,)).tolist()
    shifted = padded[..., y : y + height, x : x + width]
    return shifted.flip(3) if torch.rand(()) < 0.5 else shifted
