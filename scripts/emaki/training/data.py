"""Batches from the cached latents and text embeddings."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from emaki.errors import UserError
from emaki.training import order


@dataclass
class Batch:
    """A batch of the diffusion model's training.

    `latents` and `noise` (B, C, H, W) float32, `timesteps` (B,) int64; `text` is the embedded
    captions (B, T, D) float32 or, where the text encoder is trained, their token ids (B, T).
    """

    latents: torch.Tensor
    noise: torch.Tensor
    timesteps: torch.Tensor
    text: torch.Tensor

    def split(self, parts):
        """Split into `parts` micro-batches of equal size."""
        tensors = (self.latents, self.noise, self.timesteps, self.text)
        return [Batch(*chunk) for chunk in zip(*(tensor.chunk(parts) for tensor in tensors))]

    def to(self, device):
        """The batch on `device`; the copy does not wait for the device."""
        tensors = (self.latents, self.noise, self.timesteps, self.text)
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in tensors))


class Latents:
    """One split ("train" or "validation") of a latents folder, memory-mapped.

    `mean` and `std` (N, F, C, H, W) are the VAE's posterior, F = 2 where the flipped picture is
    cached too; `text` has one entry per distinct caption, the empty one first: embeddings
    (K, T, D) or, with `tokens`, token ids (K, T); `captions` (N,) points into it.
    """

    def __init__(self, folder, split, tokens=False):
        folder = Path(folder)
        if not (folder / "manifest.json").exists():
            raise UserError(f"{folder} holds no latents (no manifest.json): make them first")
        self.manifest = json.loads((folder / "manifest.json").read_text())
        with safe_open(folder / "moments.safetensors", "pt") as file:
            self.mean = file.get_tensor(f"{split}.mean")
            self.std = file.get_tensor(f"{split}.std")
            self.captions = file.get_tensor(f"{split}.captions")
        with safe_open(folder / "text.safetensors", "pt") as file:
            self.text = file.get_tensor("input_ids" if tokens else "embeddings")
        self.folder, self.split = folder, split
        self.scaling_factor = self.manifest["scaling_factor"]

    def __len__(self):
        return len(self.mean)

    @property
    def flips(self):
        """Whether the flipped pictures are cached."""
        return self.mean.shape[1] == 2

    def ids(self, rows):
        """The names of the pictures in `rows`."""
        import pyarrow.parquet as pq

        index = pq.read_table(self.folder / "index.parquet", filters=[("split", "=", self.split)])
        names = index.column("id").to_pylist()
        return [names[row] for row in rows]


def batch_of_step(latents, run, step, size, timesteps):
    """The global batch of `size` pictures that step `step` (from 0) trains on.

    Latents are sampled from the posterior and scaled as diffusers does:
    (mean + std * n) * scaling_factor. `timesteps` is their number in the noise schedule.
    """
    seed, shape = run["seed"], (size, *latents.mean.shape[2:])
    rows = torch.from_numpy(order.rows(seed, step, size, len(latents)))
    if run["random_flip"]:
        flip = torch.from_numpy(order.generator(seed, "flip", step).integers(0, 2, size))
    else:
        flip = torch.zeros(size, dtype=torch.int64)
    sample = latents.mean[rows, flip] + latents.std[rows, flip] * torch.from_numpy(
        order.normal(seed, "posterior", step, shape)
    )
    noise = torch.from_numpy(order.normal(seed, "noise", step, shape))
    if run["noise_offset"]:
        offset = order.normal(seed, "noise_offset", step, (*shape[:2], 1, 1))
        noise += run["noise_offset"] * torch.from_numpy(offset)
    captions = latents.captions[rows]
    if run["caption_dropout"]:
        drop = order.generator(seed, "caption_dropout", step).random(size) < run["caption_dropout"]
        captions = captions.masked_fill(torch.from_numpy(drop), 0)
    return Batch(
        latents=sample * latents.scaling_factor,
        noise=noise,
        timesteps=torch.from_numpy(
            order.generator(seed, "timesteps", step).integers(0, timesteps, size)
        ),
        text=latents.text[captions],
    )
