"""The loss on held-out pictures."""

from __future__ import annotations

from collections.abc import Callable

import torch

from emaki.training import order
from emaki.training.data import Batch
from emaki.training.trainer import Trainer

TIMESTEPS = 4
SEED = 0


@torch.no_grad()
def measure_loss(trainer: Trainer, stop: Callable[[], bool]) -> float:
    """The mean squared error over the held-out pictures, a float.

    Every picture gets noise at TIMESTEPS timesteps in the middle of as many equal parts of the
    schedule, always with the same noise: the numbers of all runs on a dataset can be compared.
    Neither min-SNR weights nor noise offset apply.
    """
    latents, process, size = trainer.held_out, trainer.process, trainer.run.batch_size
    rows = torch.arange(len(latents)).repeat_interleave(TIMESTEPS)
    timesteps = torch.arange(TIMESTEPS).mul(2).add(1) * len(process) // (2 * TIMESTEPS)
    timesteps = timesteps.repeat(len(latents))
    shape = (len(rows), *latents.mean.shape[2:])
    noise = torch.from_numpy(order.normal(SEED, "validation", 0, shape))
    total = 0.0
    for part in torch.arange(len(rows)).split(size):
        if stop():
            break
        batch = Batch(
            latents=latents.normalise(latents.mean[rows[part], 0]),
            noise=noise[part],
            timesteps=timesteps[part],
            conditions=latents.conditions(rows[part], latents.captions[rows[part]]),
        ).to(trainer.device)
        total += float(trainer.loss(trainer.predict(batch), batch)) * len(part)
    return total / len(rows)
