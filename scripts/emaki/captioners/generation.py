"""What captioners share that write a text token by token with transformers' `generate`."""

import argparse
import hashlib
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import torch
from PIL import Image
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from emaki.captioners import captions as tables
from emaki.common.batching import filled
from emaki.common.errors import friendly
from emaki.common.progress import bar
from emaki.data.decoding import stored

BATCH = 16
SEED = 42  # kohya's
PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class SeededNoise(LogitsProcessor):
    """Noise that makes the greedy choice a draw from the softmax, each row with its own seed.

    The largest of logits plus independent Gumbel noise is distributed as the softmax says (Gumbel
    1954; Maddison et al., A* sampling, 2014). `generate` itself draws for all rows of a batch from
    one stream, so that what a picture is called would depend on its company. `keys` are the
    pictures' own texts.
    """

    def __init__(self, keys):
        self.generators = [torch.Generator().manual_seed(seed(key)) for key in keys]

    def __call__(self, input_ids, scores):
        waits = [torch.empty(scores.shape[1]).exponential_(generator=g) for g in self.generators]
        # minus the logarithm of an exponential variate is a Gumbel one
        return scores.float() - torch.stack(waits).clamp(min=1e-30).log().to(scores.device)


def nucleus(keys, top_p, top_k=None):
    """The processors that, with `do_sample=False`, sample from a nucleus: Holtzman et al. 2020."""
    cuts = [TopKLogitsWarper(top_k)] if top_k else []
    return LogitsProcessorList([*cuts, TopPLogitsWarper(top_p), SeededNoise(keys)])


def seed(key):
    """A seed of 63 bits for a text."""
    return int.from_bytes(hashlib.sha256(f"{SEED} {key}".encode()).digest()[:8]) >> 1


@friendly
def main(captioner, label, description):
    """The command of a rule's script: write the table of captions by a Captioner class."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--captioner", type=json.loads, required=True, help="its mapping as JSON")
    parser.add_argument("--images", required=True, help="folder images/{source}")
    parser.add_argument("--output", required=True, help="captions/{source}/{captioner}.parquet")
    args = parser.parse_args()
    options = {name: value for name, value in args.captioner.items() if name != "type"}
    tables.write(captions(args.images, captioner(**options), label), args.output)


def captions(images, captioner, label="captions"):
    """(id, caption or None) of the pictures of a folder of the images stage, in its order.

    `captioner.caption(images, keys)` takes a list of RGB pictures and their digests. Pictures of
    one size share a batch as far as possible, since a model that sees larger pictures in more
    tokens would pad the small ones. Batches are always full (the last one repeats a picture), so
    that the sums in a batch are rounded in the same way whatever the number of pictures.
    """
    rows = pq.read_table(Path(images) / "metadata.parquet").to_pylist()
    order = sorted(rows, key=lambda row: (row["height"], row["width"]))  # else as they are stored
    found = {}
    starts = range(0, len(order), BATCH)
    for start in bar(starts, unit="batches", label=label):
        batch = order[start : start + BATCH]
        full = filled(batch, BATCH)
        pictures = [_open(images, row) for row in full]
        texts = captioner.caption(pictures, [row["sha256"] for row in full])
        found |= {row["id"]: " ".join(text.split()) or None for row, text in zip(batch, texts)}
    return [(row["id"], found[row["id"]]) for row in rows]


def _open(images, row):
    with Image.open(io.BytesIO(stored(images, row))) as image:
        return image.convert("RGB")
