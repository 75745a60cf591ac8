"""Tables of pictures and of their scores."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from emaki.common import parquet_files, parquet_groups
from emaki.common.errors import UserError
from emaki.common.files import replacing
from emaki.common.parts import Part

BATCH = 16  # pictures that a model judges at once


def read_images(part: Part) -> tuple[pa.Table, list[Image.Image]]:
    """A part of the samples, and its `image` column as RGB pictures."""
    table = parquet_groups.read(part)
    return table, [decode(row["bytes"]) for row in table["image"].to_pylist()]


def decode(data: bytes) -> Image.Image:
    """The RGB picture in a file's bytes."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def write(columns: dict[str, Any], output: str | Path) -> None:
    """Write columns as parquet; of `value`, what a measure gave, vectors are kept as float32.

    Raises UserError where that is not one number or vector for each picture.
    """
    kept = as_values(columns["value"], len(next(iter(columns.values()))))
    column = pa.array(list(kept), pa.list_(pa.float32())) if kept.ndim == 2 else pa.array(kept)
    with replacing(output) as temporary:
        parquet_files.write(pa.table({**columns, "value": column}), temporary)


def as_values(values: Any, rows: int) -> np.ndarray:
    """What a measure gave for so many pictures: (n,) of float64, or (n, d) of float32.

    Raises UserError where that is not one number or vector for each.
    """
    found = np.asarray(values)
    if len(found) != rows or found.ndim not in (1, 2):
        shape = " x ".join(map(str, found.shape))
        raise UserError(
            f"a measure must give a number or a vector for each of {rows} pictures, not {shape}"
        )
    return found.astype(np.float64 if found.ndim == 1 else np.float32)
