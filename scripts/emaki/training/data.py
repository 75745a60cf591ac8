"""Batches from the cached latents and text embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open

from emaki.common import digests
from emaki.common.errors import UserError
from emaki.training import order
from emaki.training.settings import HyperParameters

if TYPE_CHECKING:
    import pyarrow as pa

LARGE = ("moments.safetensors", "text.safetensors")


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

    def split(self, parts: int) -> list[Batch]:
        """Split into `parts` micro-batches of equal size."""
        tensors = (self.latents, self.noise, self.timesteps, self.text)
        return [Batch(*chunk) for chunk in zip(*(tensor.chunk(parts) for tensor in tensors))]

    def to(self, device: torch.device) -> Batch:
        """The batch on `device`; the copy does not wait for the device."""
        tensors = [self.latents, self.noise, self.timesteps, self.text]
        if device.type == "cuda":  # a copy from other memory would wait
            tensors = [tensor.pin_memory() for tensor in tensors]
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in tensors))


class Latents:
    """One split ("train" or "validation") of a latents folder, memory-mapped.

    `mean` and `std` (N, F, C, H, W) are the VAE's posterior, F = 2 where the flipped picture is
    cached too; `text` has one entry per distinct caption, the empty one first: embeddings
    (K, T, D) or, with `tokens`, token ids (K, T); `captions` (N,) points into it.
    """

    def __init__(self, folder: str | Path, split: str, tokens: bool = False):
        folder = Path(folder)
        if not (folder / "manifest.json").exists():
            raise UserError(f"{folder} holds no latents (no manifest.json): make them first")
        self.manifest = digests.read_json(folder / "manifest.json")
        if "shards" in self.manifest:
            folders = [folder / shard["folder"] for shard in self.manifest["shards"]]
            index = read_index(folder, split)
            opened = [_open(shard, split, tokens) for shard in folders]
            found = _join_shards(opened, index)
        else:
            found = _open(folder, split, tokens)
        self.mean, self.std, self.captions, self.text = found
        self.folder, self.split = folder, split
        self.scaling_factor = self.manifest["scaling_factor"]

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def flips(self) -> bool:
        """Whether the flipped pictures are cached."""
        return self.mean.shape[1] == 2

    def ids(self, rows: Iterable[int]) -> list[str]:
        """The names of the pictures in `rows`."""
        names = read_index(self.folder, self.split).column("id").to_pylist()
        return [names[row] for row in rows]


class ShardedTensor:
    """Rows of several memory-mapped tensors, indexed as if they were one tensor (N, ...).

    Row n is row `rows[n]` of `tensors[parts[n]]`.
    """

    def __init__(self, tensors: Sequence[torch.Tensor], parts: torch.Tensor, rows: torch.Tensor):
        self.tensors, self.parts, self.rows = tensors, parts, rows
        row = next((tensor.shape[1:] for tensor in tensors if len(tensor)), tensors[0].shape[1:])
        self.shape = torch.Size([len(parts), *row])

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, index: torch.Tensor | tuple) -> torch.Tensor:
        """As of a tensor, where `index` is (B,) row numbers, and perhaps an index of the next axis:
        one for all or (B,)."""
        rows, *views = index if isinstance(index, tuple) else (index,)
        views = [torch.as_tensor(view).expand(len(rows)).tolist() for view in views]
        places = zip(self.parts[rows].tolist(), self.rows[rows].tolist(), *views)
        return torch.stack([self.tensors[part][tuple(place)] for part, *place in places])


# mean, std, captions and text of a split
Moments = tuple[Any, Any, torch.Tensor, Any]


def read_index(folder: str | Path, split: str) -> pa.Table:
    """The rows of a latents folder's index.parquet that are of a split, in their order."""
    from emaki.common import parquet_files

    return parquet_files.read(Path(folder) / "index.parquet", filters=[("split", "=", split)])


def check(folder: str | Path) -> None:
    """Compare the files of a latents folder, or of its shards, with their digests.

    Reads all of them: about a second for a GB. Raises UserError where one is damaged.
    """
    folder = Path(folder)
    manifest = digests.read_json(folder / "manifest.json")
    own = {name: manifest[name] for name in LARGE if name in manifest}
    for name in own:
        digests.check(folder, {name: own[name]}, folder / "manifest.json", folder / name)
    for shard in manifest.get("shards", []):
        check(folder / shard["folder"])


def _open(folder: Path, split: str, tokens: bool) -> Moments:
    """Mean, std and captions of a split, and the text, as they lie in one folder."""
    if not (folder / "moments.safetensors").exists():
        raise UserError(f"{folder} holds no moments.safetensors any more: make these latents again")
    with safe_open(folder / "moments.safetensors", "pt") as file:
        mean, std, captions = (
            file.get_tensor(f"{split}.{name}") for name in ("mean", "std", "captions")
        )
    with safe_open(folder / "text.safetensors", "pt") as file:
        return mean, std, captions, file.get_tensor("input_ids" if tokens else "embeddings")


def _join_shards(opened: list[Moments], index: pa.Table) -> Moments:
    """The same of several folders; `index` says shard, row and caption of each picture."""
    mean, std, _, text = zip(*opened)
    shard, row, caption = (
        torch.from_numpy(index[name].to_numpy().astype("int64"))
        for name in ("shard", "row", "caption")
    )
    counts = torch.tensor([len(tensor) for tensor in text])
    # a shard's captions begin where those before it end; the first of all is the empty one
    captions = caption + (counts.cumsum(0) - counts)[shard]
    parts = torch.arange(len(text)).repeat_interleave(counts)
    texts = ShardedTensor(text, parts, torch.cat([torch.arange(count) for count in counts]))
    return ShardedTensor(mean, shard, row), ShardedTensor(std, shard, row), captions, texts


def batch_of_step(
    latents: Latents, run: HyperParameters, step: int, size: int, timesteps: int
) -> Batch:
    """The global batch of `size` pictures that step `step` (from 0) trains on.

    Latents are sampled from the posterior and scaled as diffusers does:
    (mean + std * n) * scaling_factor. `timesteps` is their number in the noise schedule.
    """
    seed, shape = run.seed, (size, *latents.mean.shape[2:])
    rows = torch.from_numpy(order.rows(seed, step, size, len(latents)))
    if run.random_flip:
        flip = torch.from_numpy(order.generator(seed, "flip", step).integers(0, 2, size))
    else:
        flip = torch.zeros(size, dtype=torch.int64)
    sample = latents.mean[rows, flip] + latents.std[rows, flip] * torch.from_numpy(
        order.normal(seed, "posterior", step, shape)
    )
    noise = torch.from_numpy(order.normal(seed, "noise", step, shape))
    if run.noise_offset:
        offset = order.normal(seed, "noise_offset", step, (*shape[:2], 1, 1))
        noise += run.noise_offset * torch.from_numpy(offset)
    captions = latents.captions[rows]
    if run.caption_dropout:
        drop = order.generator(seed, "caption_dropout", step).random(size) < run.caption_dropout
        captions = captions.masked_fill(torch.from_numpy(drop), 0)
    return Batch(
        latents=sample * latents.scaling_factor,
        noise=noise,
        timesteps=torch.from_numpy(
            order.generator(seed, "timesteps", step).integers(0, timesteps, size)
        ),
        text=latents.text[captions],
    )
