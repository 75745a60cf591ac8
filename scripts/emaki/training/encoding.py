"""The cache of VAE posteriors and text embeddings.

A folder: moments.safetensors ({split}.mean and {split}.std (N, F, C, H, W) float32, not scaled,
F = 2 with the flipped pictures; {split}.captions (N,)), text.safetensors (embeddings (K, T, D)
and input_ids (K, T) of the distinct captions, the empty one first), index.parquet (split, id,
text, caption, tokens, cut) and manifest.json: hashes of all that made them.
"""

import hashlib
import io
import json
import re
import shutil
from pathlib import Path

import torch

from emaki.common import files
from emaki.common.batching import filled
from emaki.common.errors import UserError
from emaki.common.progress import bar, tell
from emaki.data import SPLITS
from emaki.data.decoding import held

BATCH = 8
TEXTS = 32
SHARD = 64  # pictures; an encoding that is stopped goes on after its last whole shard


def encode_dataset(job):
    """Encode both splits of `job.dataset` (see scripts/latents.py's arguments)."""
    from safetensors.torch import save_file

    from emaki.training import models

    torch.set_num_threads(job.threads)
    where = models.device(job.device)
    models.be_deterministic(where)
    texts = {split: read(job.dataset, split, ["id", "text"]) for split in SPLITS}
    captions = ["", *sorted({row["text"] for rows in texts.values() for row in rows} - {""})]
    number = {caption: index for index, caption in enumerate(captions)}
    text, lengths = embed(captions, job.model, where)
    manifest = describe(job)
    shards = files_of_shards(job, manifest)
    moments, manifest["scaling_factor"] = encode(job, where, shards)
    for split in SPLITS:
        rows = [number[row["text"]] for row in texts[split]]
        moments[f"{split}.captions"] = torch.tensor(rows, dtype=torch.int64)
    with files.replacing(job.output) as folder:
        folder.mkdir()
        save_file(moments, folder / "moments.safetensors")
        save_file(text, folder / "text.safetensors")
        write_index(folder / "index.parquet", texts, number, lengths, text["input_ids"].shape[1])
        for name in ("moments.safetensors", "text.safetensors"):
            manifest[name] = files.sha256(folder / name)
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    shutil.rmtree(shards)


def read(dataset, split, columns):
    """Some columns of data/{split}.parquet, as a list of dicts."""
    return [row for batch in batches(dataset, split, columns, 1024) for row in batch]


def batches(dataset, split, columns, size):
    """Yield `size` rows of data/{split}.parquet at a time, as lists of dicts.

    Where `columns` has "image" but pictures are in an archive, their places are in its stead.
    """
    import pyarrow.parquet as pq

    from emaki.data.archives import PLACE

    path = Path(dataset) / f"data/{split}.parquet"
    if not path.exists():
        raise UserError(f"{path} is not there: {dataset} is not a dataset folder")
    file = pq.ParquetFile(path)
    if "image" in columns and "archive" in file.schema_arrow.names:
        columns = [name for name in columns if name != "image"] + list(PLACE)
    for batch in file.iter_batches(size, columns=columns):
        yield batch.to_pylist()


def to_pixels(data, resolution):
    """A picture's bytes as a tensor (3, resolution, resolution) in [-1, 1].

    The shorter side is resized (Lanczos) and the middle cut out; transparency becomes white.
    """
    import numpy as np
    from PIL import Image

    image = Image.open(io.BytesIO(data))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    scale = resolution / min(image.size)
    width, height = (max(resolution, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.LANCZOS)
    left, top = (width - resolution) // 2, (height - resolution) // 2
    image = image.crop((left, top, left + resolution, top + resolution))
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 127.5 - 1


def files_of_shards(job, manifest):
    """The folder of whole shards beside the output; its name says what they are made from.

    Those of other keys are removed: they are of an encoding that was killed, of other inputs.
    """
    key = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
    output = Path(job.output)
    folder = output.with_name(f".{output.name}.{key}.shards")
    folder.mkdir(parents=True, exist_ok=True)
    name = re.compile(rf"\.{re.escape(output.name)}\.[0-9a-f]{{16}}\.shards")
    for other in output.parent.iterdir():
        if name.fullmatch(other.name) and other.name != folder.name:
            shutil.rmtree(other)
    return folder


def encode(job, where, shards):
    """The posteriors ({split}.mean, {split}.std) of all pictures, and the VAE's scaling factor."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from safetensors.torch import load_file, save_file

    vae = AutoencoderKL.from_pretrained(job.model, subfolder="vae", torch_dtype=torch.float32)
    vae.to(where).eval().requires_grad_(False)
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    if job.resolution % factor:
        raise UserError(f"--resolution {job.resolution} is no multiple of the VAE's {factor}")
    moments = {}
    for split in SPLITS:
        paths = []
        pictures = batches(job.dataset, split, ["image"], SHARD)
        count = -(-len(read(job.dataset, split, ["id"])) // SHARD)
        for rows in bar(pictures, total=count, unit="shards", label=f"encode {split}"):
            paths.append(shards / f"{split}-{len(paths):05d}.safetensors")
            if paths[-1].exists():
                continue
            flips = 1 + (job.random_flip and split == "train")
            data = [held(row) for row in rows]
            parts = [
                posterior(vae, data[start : start + BATCH], job.resolution, flips, where)
                for start in range(0, len(data), BATCH)
            ]
            mean, std = (torch.cat(tensors) for tensors in zip(*parts))
            with files.replacing(paths[-1]) as temporary:
                save_file({"mean": mean, "std": std}, temporary)
        loaded = [load_file(path) for path in paths] or [nothing(vae, job.resolution // factor)]
        for name in ("mean", "std"):
            moments[f"{split}.{name}"] = torch.cat([shard[name] for shard in loaded])
    return moments, vae.config.scaling_factor


def nothing(vae, edge):
    """The moments of a split without pictures."""
    empty = torch.empty(0, 1, vae.config.latent_channels, edge, edge)
    return {"mean": empty, "std": empty}


@torch.no_grad()
def posterior(vae, data, resolution, flips, where):
    """Mean and standard deviation (B, flips, C, H, W) of some pictures (bytes)."""
    pixels = torch.stack([to_pixels(picture, resolution) for picture in filled(data, BATCH)])
    views = [pixels, pixels.flip(3)][:flips]
    found = [vae.encode(view.to(where)).latent_dist for view in views]
    return tuple(
        torch.stack([getattr(view, name).cpu()[: len(data)] for view in found], dim=1)
        for name in ("mean", "std")
    )


@torch.no_grad()
def embed(captions, model, where):
    """The text encoder's last hidden states and token ids, padded and cut to its length.

    Also returns how many tokens each caption has before it is cut.
    """
    from transformers.models.clip.modeling_clip import CLIPTextModel
    from transformers.models.clip.tokenization_clip import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(model, subfolder="tokenizer")
    encoder = CLIPTextModel.from_pretrained(model, subfolder="text_encoder", dtype=torch.float32)
    encoder.to(where).eval()
    longest = tokenizer.model_max_length
    whole = tokenizer(captions, verbose=False).input_ids
    full = filled(captions, -(-len(captions) // TEXTS) * TEXTS)
    ids = tokenizer(
        full, max_length=longest, padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
    starts = range(0, len(captions), TEXTS)
    parts = [
        encoder(ids[start : start + TEXTS].to(where)).last_hidden_state.cpu()
        for start in bar(starts, unit="batches", label="embed captions")
    ]
    tensors = {"embeddings": torch.cat(parts), "input_ids": ids}
    tensors = {name: tensor[: len(captions)].clone() for name, tensor in tensors.items()}
    return tensors, [len(tokens) for tokens in whole]


def write_index(path, texts, number, lengths, longest):
    """Write which picture and caption each row is, and tell of captions that are cut."""
    import pyarrow as pa
    import pyarrow.parquet as pq

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
    }
    pq.write_table(pa.table(table), path)
    if cut := sum(table["cut"]):
        first = table["id"][table["cut"].index(True)]
        said = (
            f"{cut} of {len(flat)} captions have more than {longest} tokens: the text encoder "
            f"does not see the rest (first: {first})"
        )
        print(said)
        tell(said)


def describe(job):
    """manifest.json's part on what the cache is made from."""
    digest = hashlib.sha256()
    counts = dict.fromkeys(SPLITS, 0)
    for split in SPLITS:
        for rows in batches(job.dataset, split, ["id", "image", "text"], SHARD):
            counts[split] += len(rows)
            for row in rows:
                picture = hashlib.sha256(held(row)).hexdigest()
                digest.update(json.dumps([split, row["id"], row["text"], picture]).encode())
    model = Path(job.model)
    parts = [
        path
        for part in ("vae", "text_encoder", "tokenizer")
        for path in sorted((model / part).iterdir())
        if path.is_file()
    ]
    return {
        "dataset": digest.hexdigest(),
        "model": {str(path.relative_to(model)): files.sha256(path) for path in parts},
        "resolution": job.resolution,
        "random_flip": bool(job.random_flip),
        **counts,
    }
