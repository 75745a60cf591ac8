"""The pictures that a tiny model learns from, out of several sources."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from emaki.common.progress import bar
from emaki.data.sources import KIND

if TYPE_CHECKING:
    import torch

RESOLUTION = 64


def write(sources: Mapping[str, dict[str, Any]], path: str | Path) -> None:
    """Write all pictures of `sources`, RESOLUTION pixels square, to the parquet file `path`.

    Columns: id, source (its name, a key of `sources`), image (struct of PNG bytes and path, as
    the Hugging Face datasets library reads it) and text.
    """
    rows = []
    for name, entry in bar(sources.items(), unit="sources", label="draw the corpus"):
        source: Any = KIND.read(entry)
        for picture in source.pictures():
            small = picture.image.resize((RESOLUTION, RESOLUTION), Image.Resampling.LANCZOS)
            buffer = io.BytesIO()
            small.save(buffer, "PNG")
            image = {"bytes": buffer.getvalue(), "path": None}
            rows.append(
                {
                    "id": f"{name}-{picture.id}",
                    "source": name,
                    "image": image,
                    "text": picture.caption,
                }
            )
    image_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        [("id", pa.string()), ("source", pa.string()), ("image", image_type), ("text", pa.string())]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema), path)


def read(
    path: str | Path, sources: Collection[str] | None = None
) -> tuple[torch.Tensor, list[str], list[str]]:
    """Pictures (N, 3, 64, 64) uint8, their texts and their sources' names; of `sources` only."""
    rows = pq.read_table(path).to_pylist()
    rows = [row for row in rows if sources is None or row["source"] in sources]
    arrays = [np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))) for row in rows]
    import torch  # not where corpora are drawn

    pixels = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()
    return pixels, [row["text"] for row in rows], [row["source"] for row in rows]


def to_range(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 pixels as float in [-1, 1]."""
    return pixels.float() / 127.5 - 1


def pick_one_per_text(path: str | Path) -> dict[str, tuple[torch.Tensor, list[str]]]:
    """{source: (pixels, texts)} with one picture per text, for retrieval."""
    pixels, texts, sources = read(path)
    found: dict[str, dict[str, int]] = {}
    for number, (text, source) in enumerate(zip(texts, sources, strict=True)):
        found.setdefault(source, {}).setdefault(text, number)
    return {name: (pixels[list(at.values())], list(at)) for name, at in found.items()}
