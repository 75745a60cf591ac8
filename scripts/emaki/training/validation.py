"""The loss on held-out pictures."""

import torch

from emaki.training import order
from emaki.training.data import Batch

TIMESTEPS = 4
SEED = 0


@torch.no_grad()
def loss(predict, diffusion, latents, device, batch_size):
    """The mean squared error over a validation split, a float.

    Every picture is seen at TIMESTEPS timesteps in the middle of as many equal parts of the
    schedule, always with the same noise: the numbers of all runs on a dataset can be compared.
    `predict(batch)` is the model. Neither min-SNR weights nor noise offset apply.
    """
    total = 0.0
    jobs = [(row, part) for row in range(len(latents)) for part in range(TIMESTEPS)]
    shape = (len(jobs), *latents.mean.shape[2:])
    noise = torch.from_numpy(order.normal(SEED, "validation", 0, shape))
    timesteps = [(2 * part + 1) * len(diffusion) // (2 * TIMESTEPS) for _, part in jobs]
    for start in range(0, len(jobs), batch_size):
        part = slice(start, start + batch_size)
        rows = torch.tensor([row for row, _ in jobs[part]])
        batch = Batch(
            latents=latents.mean[rows, 0] * latents.scaling_factor,
            noise=noise[part],
            timesteps=torch.tensor(timesteps[part]),
            text=latents.embeddings[latents.captions[rows]],
        ).to(device)
        total += float(diffusion.loss(predict(batch), batch)) * len(rows)
    return total / len(jobs)
