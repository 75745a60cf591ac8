"""What a training consists of, from one step to the next."""

from dataclasses import dataclass
from typing import Any

import torch

from emaki.common.devices import dtype
from emaki.families import Family, Process
from emaki.training import data, optimizers, order
from emaki.training.ema import MovingAverage
from emaki.training.metrics import Metrics
from emaki.training.settings import HyperParameters


@dataclass
class Trainer:
    """What a step changes or needs.

    `modules` are the denoiser and, where they are trained, the text encoders, by their names in
    the pipeline; `parameters` (name: tensor) are what is trained, in order; names of a text
    encoder's begin with its own ("text_encoder.").
    """

    run: HyperParameters
    family: Family
    device: torch.device
    modules: dict[str, Any]
    parameters: dict[str, torch.nn.Parameter]
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    ema: MovingAverage | None
    process: Process
    latents: data.Latents
    held_out: data.Latents
    metrics: Metrics

    @property
    def denoiser(self) -> Any:
        """What predicts."""
        return self.modules[self.family.denoiser]

    def predict(self, batch: data.Batch) -> torch.Tensor:
        """The denoiser's prediction (B, C, H, W) for a Batch, in the run's precision."""
        noisy = self.process.add_noise(batch.latents, batch.noise, batch.timesteps)
        precision = dtype(self.run.mixed_precision)
        mixed = precision != torch.float32
        with torch.autocast(self.device.type, dtype=precision if mixed else None, enabled=mixed):
            conditions = batch.conditions
            if self.family.guidance is not None:
                scale = self.run.guidance_scale or self.family.guidance
                conditions = conditions | {"guidance": noisy.new_full((len(noisy),), scale)}
            if self.run.train_text_encoder:
                conditions = conditions | self.family.encode(self.modules, conditions)
            times = self.process.times(batch.timesteps)
            return self.family.predict(self.denoiser, noisy, times, conditions)

    def loss(
        self, prediction: torch.Tensor, batch: data.Batch, snr_gamma: float | None = None
    ) -> torch.Tensor:
        """The loss of a prediction for a Batch, a float32 scalar."""
        return self.process.loss(prediction, batch.latents, batch.noise, batch.timesteps, snr_gamma)

    def pictures_of_step(self, step: int) -> list[str]:
        """The names of the pictures that step number `step` (from 1) trained on."""
        size = optimizers.global_batch(self.run)
        rows = order.rows(self.run.seed, step - 1, size, len(self.latents))
        return self.latents.ids(rows)
