"""Batches from the cached latents and text embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open

from emaki.common import digests
from emaki.common.errors import UserError
from emaki.families import SIZES, Process
from emaki.training import order
from emaki.training.settings import HyperParameters

if TYPE_CHECKING:
    import pyarrow as pa

LARGE = ("moments.safetensors", "text.safetensors")


@dataclass
class Batch:
    """A batch of the diffusion model's training.

    `latents` and `noise` (B, C, H, W) float32, `timesteps` (B,) int64; `conditions` (name: tensor
    (B, ...)) are what a family makes of captions or, where text encoders are trained, token ids.
    """

    latents: torch.Tensor
    noise: torch.Tensor
    timesteps: torch.Tensor
    conditions: dict[str, torch.Tensor]

    def split(self, parts: int) -> list[Batch]:
        """Split into `parts` micro-batches of equal size."""
        chunks = zip(*(tensor.chunk(parts) for tensor in self._tensors()))
        return [self._with(chunk) for chunk in chunks]

    def to(self, device: torch.device) -> Batch:
        """The batch on `device`, captions no longer than its longest; the copy does not wait for
        the device."""
        tensors = replace(self, conditions=_cut(self.conditions))._tensors()
        if device.type == "cuda":  # a copy from other memory would wait
            tensors = [tensor.pin_memory() for tensor in tensors]
        return self._with([tensor.to(device, non_blocking=True) for tensor in tensors])

    def _tensors(self) -> list[torch.Tensor]:
        return [self.latents, self.noise, self.timesteps, *self.conditions.values()]

    def _with(self, tensors: Sequence[torch.Tensor]) -> Batch:
        """A batch of other tensors, in the order of `_tensors`."""
        latents, noise, timesteps, *conditions = tensors
        return Batch(latents, noise, timesteps, dict(zip(self.conditions, conditions)))


class Latents:
    """One split ("train" or "validation") of a latents folder, memory-mapped.

    `mean` and `std` (N, F, C, H, W) are the VAE's posterior, F = 2 where the flipped picture is
    cached too; `text` (name: tensor (K, ...)) has the tensors `names` of text.safetensors, one
    entry per distinct caption, the empty one first; `captions` (N,) points into them. With
    `sizes` its `sizes` (N, 6) are what Family.told_sizes says, else None.
    """

    def __init__(
        self,
        folder: str | Path,
        split: str,
        names: Sequence[str] = ("embeddings",),
        sizes: bool = False,
    ) -> None:
        folder = Path(folder)
        if not (folder / "manifest.json").exists():
            raise UserError(f"{folder} holds no latents (no manifest.json): make them first")
        self.manifest = digests.read_json(folder / "manifest.json")
        if "shards" in self.manifest:
            folders = [folder / shard["folder"] for shard in self.manifest["shards"]]
            index = read_index(folder, split)
            opened = [_open(shard, split, names) for shard in folders]
            found = _join_shards(opened, index)
        else:
            found = _open(folder, split, names)
        self.mean, self.std, self.captions, self.text = found
        self.folder, self.split = folder, split
        self.sizes = self._read_sizes() if sizes else None
        self.scaling_factor = _by_channel(self.manifest["scaling_factor"])
        self.shift_factor = _by_channel(self.manifest.get("shift_factor", 0.0))

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def flips(self) -> bool:
        """Whether the flipped pictures are cached."""
        return self.mean.shape[1] == 2

    def normalise(self, sample: torch.Tensor) -> torch.Tensor:
        """Latents as the denoiser takes them, of samples of the posterior."""
        return (sample - self.shift_factor) * self.scaling_factor

    def conditions(self, rows: torch.Tensor, captions: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the denoiser is told of pictures (B,) with captions, numbers as in `captions`."""
        found = {name: tensor[captions] for name, tensor in self.text.items()}
        return found if self.sizes is None else found | {"sizes": self.sizes[rows]}

    def _read_sizes(self) -> torch.Tensor:
        index = read_index(self.folder, self.split)
        columns = [torch.tensor(index[name].to_pylist(), dtype=torch.float32) for name in SIZES]
        edge = torch.full_like(columns[0], self.manifest["resolution"])
        return torch.stack([*columns, edge, edge], dim=1)

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


def _by_channel(value: float | list[float]) -> float | torch.Tensor:
    """A number for all channels of latents (..., C, H, W), or one for each."""
    return torch.tensor(value).view(-1, 1, 1) if isinstance(value, list) else value


def _cut(conditions: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Conditions of captions, cut to the longest of them where a mask says how long they are."""
    if "mask" not in conditions:
        return conditions
    longest = int(conditions["mask"].sum(1).max())
    ends = {name: conditions[name][:, :longest].contiguous() for name in ("embeddings", "mask")}
    return conditions | ends


# mean, std, captions and text of a split
Moments = tuple[Any, Any, torch.Tensor, Mapping[str, Any]]


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


def _open(folder: Path, split: str, names: Sequence[str]) -> Moments:
    """Mean, std and captions of a split, and the text, as they lie in one folder."""
    if not (folder / "moments.safetensors").exists():
        raise UserError(f"{folder} holds no moments.safetensors any more: make these latents again")
    with safe_open(folder / "moments.safetensors", "pt") as file:
        mean, std, captions = (
            file.get_tensor(f"{split}.{name}") for name in ("mean", "std", "captions")
        )
    with safe_open(folder / "text.safetensors", "pt") as file:
        return mean, std, captions, {name: file.get_tensor(name) for name in names}


def _join_shards(opened: list[Moments], index: pa.Table) -> Moments:
    """The same of several folders; `index` says shard, row and caption of each picture."""
    mean, std, _, text = zip(*opened)
    shard, row, caption = (
        torch.from_numpy(index[name].to_numpy().astype("int64"))
        for name in ("shard", "row", "caption")
    )
    counts = torch.tensor([len(next(iter(tensors.values()))) for tensors in text])
    # a shard's captions begin where those before it end; the first of all is the empty one
    captions = caption + (counts.cumsum(0) - counts)[shard]
    parts = torch.arange(len(text)).repeat_interleave(counts)
    places = torch.cat([torch.arange(count) for count in counts])
    texts = {
        name: ShardedTensor([tensors[name] for tensors in text], parts, places) for name in text[0]
    }
    return ShardedTensor(mean, shard, row), ShardedTensor(std, shard, row), captions, texts


def batch_of_step(
    latents: Latents, run: HyperParameters, step: int, size: int, process: Process
) -> Batch:
    """The global batch of `size` pictures that step `step` (from 0) trains on.

    Latents are sampled from the posterior and scaled as diffusers does:
    (mean + std * n - shift_factor) * scaling_factor.
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
        latents=latents.normalise(sample),
        noise=noise,
        timesteps=process.draw_timesteps(order.generator(seed, "timesteps", step), size),
        conditions=latents.conditions(rows, captions),
    )
