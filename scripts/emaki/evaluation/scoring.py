"""Tables of pictures and of their scores."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from emaki.common import parquet_files
from emaki.common.errors import UserError
from emaki.common.files import replacing

BATCH = 16  # pictures that a model judges at once


def read_images(path: str | Path) -> tuple[pa.Table, list[Image.Image]]:
    """The table at `path` and its `image` column as RGB pictures."""
    table = parquet_files.read(path)
    rows = table["image"].to_pylist()
    return table, [Image.open(io.BytesIO(row["bytes"])).convert("RGB") for row in rows]


def write(columns: dict[str, Any], output: str | Path) -> None:
    """Write columns as parquet; of `value`, what a measure gave, vectors are kept as float32.

    Raises UserError where that is not one number or vector for each picture.
    """
    rows = len(next(iter(columns.values())))
    values = np.asarray(columns["value"])
    if len(values) != rows or values.ndim not in (1, 2):
        shape = " x ".join(map(str, values.shape))
        raise UserError(
            f"a measure must give a number or a vector for each of {rows} pictures, not {shape}"
        )
    kept = values.astype(np.float64 if values.ndim == 1 else np.float32)
    column = pa.array(list(kept), pa.list_(pa.float32())) if kept.ndim == 2 else pa.array(kept)
    with replacing(output) as temporary:
        parquet_files.write(pa.table({**columns, "value": column}), temporary)
