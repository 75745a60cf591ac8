"""The cache of VAE posteriors and text embeddings.

A folder: moments.safetensors ({split}.mean and {split}.std (N, F, C, H, W) float32, not scaled,
F = 2 with the flipped pictures; {split}.captions (N,)), text.safetensors (what the model's family
makes of the K distinct captions, the empty one first: embeddings (K, T, D) and input_ids (K, T)),
index.parquet (split, id, text, caption, tokens, cut and, of a family that is told sizes, those of
SIZES) and manifest.json: hashes of all that made them.
"""

import hashlib
import io
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from emaki.common import digests, files
from emaki.common.batching import filled
from emaki.common.devices import device
from emaki.common.errors import UserError
from emaki.common.progress import bar, tell
from emaki.data import SPLITS
from emaki.data.decoding import read_dataset_bytes
from emaki.families import SIZES, Family, find
from emaki.training.models import be_deterministic

BATCH = 8
TEXTS = 32
SHARD = 64  # pictures; an encoding that is stopped goes on after its last whole shard


def encode_dataset(
    dataset: str | Path, model: str | Path, resolution: int, random_flip: bool, output: str | Path
) -> None:
    """Encode both splits of the folder `dataset` with a pipeline's models into the folder `output`.

    Pictures are `resolution` pixels square; with `random_flip` the training split's are encoded
    mirrored too. Raises UserError where the resolution does not suit the VAE.
    """
    from safetensors.torch import save_file

    torch.set_num_threads(1)  # another number would give other sums
    be_deterministic(device())
    dataset, family, output = Path(dataset), find(model), Path(output)
    texts = {split: read(dataset, split, ["id", "text"]) for split in SPLITS}
    captions = ["", *sorted({row["text"] for rows in texts.values() for row in rows} - {""})]
    number = {caption: index for index, caption in enumerate(captions)}
    text, lengths = embed(captions, family)
    manifest = describe(dataset, family, resolution, random_flip)
    shards = make_shard_folder(output, manifest)
    vae = load_vae(family, resolution)
    moments: dict[str, torch.Tensor] = {}
    for split in SPLITS:
        pictures = iterate(dataset, split, ["image"], SHARD)
        flips = 2 if random_flip and split == "train" else 1
        found = encode(family, vae, pictures, len(texts[split]), resolution, flips, shards / split)
        moments |= {f"{split}.{name}": tensor for name, tensor in found.items()}
        rows = [number[row["text"]] for row in texts[split]]
        moments[f"{split}.captions"] = torch.tensor(rows, dtype=torch.int64)
    manifest |= family.normalisation(vae)
    with files.replacing(output) as folder:
        folder.mkdir()
        save_file(moments, folder / "moments.safetensors")
        save_file(text, folder / "text.safetensors")
        longest = max(text[name].shape[1] for name in family.tokens)
        sizes = measure(dataset, resolution) if family.told_sizes else {}
        write_index(folder / "index.parquet", texts, number, lengths, longest, sizes)
        for name in ("moments.safetensors", "text.safetensors"):
            manifest[name] = files.sha256(folder / name)
        digests.write_json(folder / "manifest.json", manifest)
    shutil.rmtree(shards)


def read(dataset: str | Path, split: str, columns: list[str]) -> list[dict[str, Any]]:
    """Some columns of data/{split}.parquet, as a list of dicts."""
    return [row for rows in iterate(dataset, split, columns, 1024) for row in rows]


def iterate(
    dataset: str | Path, split: str, columns: list[str], size: int
) -> Iterator[list[dict[str, Any]]]:
    """Yield `size` rows of data/{split}.parquet at a time, as lists of dicts.

    Where `columns` has "image" but pictures are in an archive, their places are in its stead.
    Raises UserError where there is no such file.
    """
    from emaki.common import parquet_files
    from emaki.data.archives import PLACE

    path = Path(dataset) / f"data/{split}.parquet"
    if not path.exists():
        raise UserError(f"{path} is not there: {dataset} is not a dataset folder")
    file = parquet_files.ParquetFile(path)
    if "image" in columns and "archive" in file.schema_arrow.names:
        columns = [name for name in columns if name != "image"] + list(PLACE)
    for batch in file.iter_batches(size, columns=columns):
        yield batch.to_pylist()


def to_pixels(data: bytes, resolution: int) -> torch.Tensor:
    """A picture's bytes as a tensor (3, resolution, resolution) in [-1, 1].

    It is resized (Lanczos) and cut as `fit` says; transparency becomes white.
    """
    import numpy as np
    from PIL import Image

    image: Image.Image = Image.open(io.BytesIO(data))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    size, (left, top) = fit(image.size, resolution)
    image = image.resize(size, Image.Resampling.LANCZOS)
    image = image.crop((left, top, left + resolution, top + resolution))
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 127.5 - 1


def fit(size: tuple[int, int], resolution: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """How a picture of `size` (width, height) is resized, its shorter side to `resolution`, and
    where the square in its middle begins (left, top)."""
    scale = resolution / min(size)
    width, height = (max(resolution, round(side * scale)) for side in size)
    return (width, height), ((width - resolution) // 2, (height - resolution) // 2)


def measure(dataset: Path, resolution: int) -> dict[str, list[int]]:
    """The columns SIZES of the pictures of both splits, from the beginnings of their files."""
    from PIL import Image

    rows = []
    for split in SPLITS:
        for some in iterate(dataset, split, ["image"], SHARD):
            for row in some:
                width, height = Image.open(io.BytesIO(read_dataset_bytes(row))).size
                _, (left, top) = fit((width, height), resolution)
                rows.append((height, width, top, left))
    return {name: [row[place] for row in rows] for place, name in enumerate(SIZES)}


def make_shard_folder(output: Path, manifest: dict[str, Any]) -> Path:
    """The folder of whole shards beside the output; its name says what they are made from.

    Those of other keys are removed: they are of an encoding that was killed, of other inputs.
    """
    key = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
    folder = output.with_name(f".{output.name}.{key}.shards")
    folder.mkdir(parents=True, exist_ok=True)
    name = re.compile(rf"\.{re.escape(output.name)}\.[0-9a-f]{{16}}\.shards")
    for other in output.parent.iterdir():
        if name.fullmatch(other.name) and other.name != folder.name:
            shutil.rmtree(other)
    return folder


def load_vae(family: Family, resolution: int) -> Any:
    """The model's VAE in float32, ready to encode pictures of `resolution` pixels."""
    vae = family.load_vae()
    if resolution % family.reduction():
        raise UserError(
            f"--resolution {resolution} is no multiple of the VAE's {family.reduction()}"
        )
    return vae.to(device()).eval().requires_grad_(False)


def encode(
    family: Family,
    vae: Any,
    pictures: Iterable[list[dict[str, Any]]],
    count: int,
    resolution: int,
    flips: int,
    stem: Path,
) -> dict[str, torch.Tensor]:
    """`mean` and `std` (N, flips, C, H, W) of all `count` pictures of a split.

    `pictures` are rows of its parquet file, a shard at a time. Each shard is kept as a file
    {stem}-NUMBER; one that is there already is not encoded again.
    """
    from safetensors.torch import load_file, save_file

    paths: list[Path] = []
    shards = -(-count // SHARD)
    for rows in bar(pictures, total=shards, unit="shards", label=f"encode {stem.name}"):
        paths.append(stem.with_name(f"{stem.name}-{len(paths):05d}.safetensors"))
        if paths[-1].exists():
            continue
        data = [read_dataset_bytes(row) for row in rows]
        parts = [
            encode_batch(family, vae, data[start : start + BATCH], resolution, flips)
            for start in range(0, len(data), BATCH)
        ]
        mean, std = (torch.cat(tensors) for tensors in zip(*parts))
        with files.replacing(paths[-1]) as temporary:
            save_file({"mean": mean, "std": std}, temporary)
    loaded = [load_file(path) for path in paths] or [empty_moments(family, vae, resolution)]
    return {name: torch.cat([shard[name] for shard in loaded]) for name in ("mean", "std")}


@torch.no_grad()
def empty_moments(family: Family, vae: Any, resolution: int) -> dict[str, torch.Tensor]:
    """The moments of a split without pictures."""
    black = torch.zeros(1, 3, resolution, resolution, device=device())
    moments = zip(("mean", "std"), family.encode_pictures(vae, black))
    return {name: tensor[:0, None].cpu() for name, tensor in moments}


@torch.no_grad()
def encode_batch(
    family: Family, vae: Any, data: list[bytes], resolution: int, flips: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation (B, flips, C, H, W) of some pictures (bytes)."""
    pixels = torch.stack([to_pixels(picture, resolution) for picture in filled(data, BATCH)])
    views = [pixels, pixels.flip(3)][:flips]
    found = [family.encode_pictures(vae, view.to(device())) for view in views]
    mean, std = (
        torch.stack([moment.cpu()[: len(data)] for moment in moments], dim=1)
        for moments in zip(*found)
    )
    return mean, std


@torch.no_grad()
def embed(captions: list[str], family: Family) -> tuple[dict[str, torch.Tensor], list[int]]:
    """The family's tokens and conditions of captions, and how many tokens each of them has."""
    full = filled(captions, -(-len(captions) // TEXTS) * TEXTS)
    tokens, lengths = family.tokenize(full)
    encoders = {
        part: family.load_encoder(part, family.folder / part, torch.float32).to(device()).eval()
        for part in family.encoders
    }
    parts = []
    for start in bar(range(0, len(captions), TEXTS), unit="batches", label="embed captions"):
        some = {name: ids[start : start + TEXTS].to(device()) for name, ids in tokens.items()}
        parts.append({name: made.cpu() for name, made in family.encode(encoders, some).items()})
    tensors = {name: torch.cat([part[name] for part in parts]) for name in family.conditions}
    tensors = {name: tensor[: len(captions)].clone() for name, tensor in (tensors | tokens).items()}
    return tensors, lengths[: len(captions)]


def write_index(
    path: Path,
    texts: dict[str, list[dict[str, Any]]],
    number: dict[str, int],
    lengths: list[int],
    longest: int,
    sizes: dict[str, list[int]],
) -> None:
    """Write which picture and caption each row is, and tell of captions that are cut.

    `texts` are the rows (id, text) of each split, `number` the place of each caption among the
    embeddings, `lengths` how many tokens each has; more than `longest` of them are cut off. `sizes`
    are columns beside these.
    """
    import pyarrow as pa

    from emaki.common import parquet_files

    flat = [(split, row) for split in SPLITS for row in texts[split]]
    captions = [number[row["text"]] for _, row in flat]
    tokens = [lengths[caption] for caption in captions]
    table = {
        "split": [split for split, _ in flat],
        "id": [row["id"] for _, row in flat],
        "text": [row["text"] for _, row in flat],
        "caption": captions,
        "tokens": tokens,
        "cut": [length > longest for length in tokens],
        **sizes,
    }
    parquet_files.write(pa.table(table), path)
    if cut := sum(table["cut"]):
        first = table["id"][table["cut"].index(True)]
        said = (
            f"{cut} of {len(flat)} captions have more than {longest} tokens: the text encoder "
            f"does not read the rest (first: {first})"
        )
        print(said)
        tell(said)


def describe(dataset: Path, family: Family, resolution: int, random_flip: bool) -> dict[str, Any]:
    """manifest.json's part on what the cache is made from."""
    digest = hashlib.sha256()
    counts = dict.fromkeys(SPLITS, 0)
    for split in SPLITS:
        for rows in iterate(dataset, split, ["id", "image", "text"], SHARD):
            counts[split] += len(rows)
            for row in rows:
                picture = hashlib.sha256(read_dataset_bytes(row)).hexdigest()
                digest.update(json.dumps([split, row["id"], row["text"], picture]).encode())
    parts = [
        path
        for part in ("vae", *family.encoders, *family.tokenizers)
        for path in sorted((family.folder / part).iterdir())
        if path.is_file()
    ]
    return {
        "dataset": digest.hexdigest(),
        "model": {str(path.relative_to(family.folder)): files.sha256(path) for path in parts},
        "resolution": resolution,
        "random_flip": random_flip,
        **counts,
    }
