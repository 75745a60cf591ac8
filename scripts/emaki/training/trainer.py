"""What a training consists of, from one step to the next."""

from dataclasses import dataclass
from typing import Any

import torch

from emaki.common.devices import dtype
from emaki.training import data, optimizers, order
from emaki.training.ema import MovingAverage
from emaki.training.metrics import Metrics
from emaki.training.noise import Diffusion
from emaki.training.settings import HyperParameters


@dataclass
class Trainer:
    """What a step changes or needs.

    `modules` are the U-Net and, where it is trained, the text encoder; `parameters` (name: tensor)
    are what is trained, in order; names of the text encoder's begin with "text_encoder.".
    """

    run: HyperParameters
    device: torch.device
    modules: dict[str, Any]
    parameters: dict[str, torch.nn.Parameter]
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    ema: MovingAverage | None
    diffusion: Diffusion
    latents: data.Latents
    held_out: data.Latents
    metrics: Metrics

    def predict(self, batch: data.Batch) -> torch.Tensor:
        """The U-Net's prediction (B, C, H, W) for a Batch, in the run's precision."""
        noisy = self.diffusion.add_noise(batch.latents, batch.noise, batch.timesteps)
        precision = dtype(self.run.mixed_precision)
        mixed = precision != torch.float32
        with torch.autocast(self.device.type, dtype=precision if mixed else None, enabled=mixed):
            text = batch.text
            if "text_encoder" in self.modules:
                text = self.modules["text_encoder"](text, return_dict=False)[0]
            return self.modules["unet"](noisy, batch.timesteps, text, return_dict=False)[0]

    def pictures_of_step(self, step: int) -> list[str]:
        """The names of the pictures that step number `step` (from 1) trained on."""
        size = optimizers.global_batch(self.run)
        rows = order.rows(self.run.seed, step - 1, size, len(self.latents))
        return self.latents.ids(rows)
