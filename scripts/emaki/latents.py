"""The cache of VAE posteriors and text embeddings.

A folder: moments.safetensors ({split}.mean and {split}.std (N, F, C, H, W) float32, not scaled,
F = 2 with the flipped pictures; {split}.captions (N,)), text.safetensors (embeddings (K, T, D)
and input_ids (K, T) of the distinct captions, the empty one first), index.parquet (split, id,
text, caption, tokens) and manifest.json: hashes of all that made them.
"""

import hashlib
import io
import json
from pathlib import Path

import torch

from emaki import files
from emaki.errors import UserError
from emaki.progress import bar

SPLITS = ("train", "validation")
BATCH = 8


def encode_dataset(job):
    """Encode both splits of `job.dataset` (see scripts/latents.py's arguments)."""
    from safetensors.torch import save_file

    from emaki.training.models import device

    torch.set_num_threads(job.threads)
    where = device(job.device)
    rows = {split: read_split(Path(job.dataset), split) for split in SPLITS}
    captions = ["", *sorted({row["text"] for split in rows.values() for row in split} - {""})]
    number = {caption: index for index, caption in enumerate(captions)}
    text = embed(captions, job.model, where)
    moments, scaling_factor = encode(rows, job, where)
    for split in SPLITS:
        moments[f"{split}.captions"] = torch.tensor(
            [number[row["text"]] for row in rows[split]], dtype=torch.int64
        )
    with files.replacing(job.output) as folder:
        folder.mkdir()
        save_file(moments, folder / "moments.safetensors")
        save_file(text, folder / "text.safetensors")
        write_index(folder / "index.parquet", rows, number, text["input_ids"])
        manifest = describe(job, rows, scaling_factor)
        for name in ("moments.safetensors", "text.safetensors"):
            manifest[name] = files.sha256(folder / name)
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def read_split(dataset, split):
    """The rows of data/{split}.parquet: dicts with id, text and the picture's bytes."""
    import pyarrow.parquet as pq

    path = dataset / f"data/{split}.parquet"
    if not path.exists():
        raise UserError(f"{path} is not there: {dataset} is not a dataset folder")
    table = pq.read_table(path, columns=["id", "image", "text"])
    return [
        {"id": row["id"], "text": row["text"], "image": row["image"]["bytes"]}
        for row in table.to_pylist()
    ]


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


@torch.no_grad()
def encode(rows, job, where):
    """The posteriors ({split}.mean, {split}.std) of all pictures, and the VAE's scaling factor."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    vae = AutoencoderKL.from_pretrained(job.model, subfolder="vae", torch_dtype=torch.float32)
    vae.to(where).eval().requires_grad_(False)
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    if job.resolution % factor:
        raise UserError(f"--resolution {job.resolution} is no multiple of {factor}")
    edge = job.resolution // factor
    moments = {}
    for split in SPLITS:
        flips = 1 + (job.random_flip and split == "train")
        shape = (len(rows[split]), flips, vae.config.latent_channels, edge, edge)
        mean, std = torch.empty(shape), torch.empty(shape)
        starts = range(0, len(rows[split]), BATCH)
        for start in bar(starts, unit="batches", label=f"encode {split}"):
            part = rows[split][start : start + BATCH]
            pixels = torch.stack([to_pixels(row["image"], job.resolution) for row in part])
            for flip in range(flips):
                view = pixels.flip(3) if flip else pixels
                posterior = vae.encode(view.to(where)).latent_dist
                mean[start : start + BATCH, flip] = posterior.mean.cpu()
                std[start : start + BATCH, flip] = posterior.std.cpu()
        moments |= {f"{split}.mean": mean, f"{split}.std": std}
    return moments, vae.config.scaling_factor


@torch.no_grad()
def embed(captions, model, where):
    """The text encoder's last hidden states and token ids, padded and cut to its length."""
    from transformers.models.clip.modeling_clip import CLIPTextModel
    from transformers.models.clip.tokenization_clip import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(model, subfolder="tokenizer")
    encoder = CLIPTextModel.from_pretrained(model, subfolder="text_encoder", dtype=torch.float32)
    encoder.to(where).eval()
    ids = tokenizer(
        captions,
        max_length=tokenizer.model_max_length,
        padding="max_length",
        truncation=True,
        return_tensors="pt",
    ).input_ids
    starts = range(0, len(captions), 4 * BATCH)
    parts = [
        encoder(ids[start : start + 4 * BATCH].to(where)).last_hidden_state.cpu()
        for start in bar(starts, unit="batches", label="embed captions")
    ]
    return {"embeddings": torch.cat(parts), "input_ids": ids}


def write_index(path, rows, number, input_ids):
    """Write which picture and caption each row is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    flat = [(split, row) for split in SPLITS for row in rows[split]]
    table = {
        "split": [split for split, _ in flat],
        "id": [row["id"] for _, row in flat],
        "text": [row["text"] for _, row in flat],
        "caption": [number[row["text"]] for _, row in flat],
    }
    pq.write_table(pa.table(table), path)


def describe(job, rows, scaling_factor):
    """manifest.json: what the cache was made from."""
    digest = hashlib.sha256()
    for split in SPLITS:
        for row in rows[split]:
            picture = hashlib.sha256(row["image"]).hexdigest()
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
        "scaling_factor": scaling_factor,
        "train": len(rows["train"]),
        "validation": len(rows["validation"]),
    }
