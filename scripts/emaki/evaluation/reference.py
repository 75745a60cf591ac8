"""A dataset's real pictures as measures see them, read as they are needed."""

import functools
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from emaki.common import parquet_files, parquet_images
from emaki.data import decoding
from emaki.evaluation.measures import Measure
from emaki.evaluation.scoring import BATCH


class Squares(Sequence):
    """The middles of the pictures of a dataset's file, `pixels` wide and high.

    One row group is in memory at a time. The last picture is repeated to the end of a batch, so
    that sums are rounded in the same way whatever the number of pictures.
    """

    def __init__(self, path: str | Path, pixels: int) -> None:
        self.file, self.pixels = parquet_files.ParquetFile(path), pixels
        self.rows = self.file.metadata.num_rows
        self._group = functools.lru_cache(1)(lambda number: self.file.read_row_group(number))

    def __len__(self) -> int:
        return -(-self.rows // BATCH) * BATCH

    def __getitem__(self, part):
        rows = range(len(self))[part]
        return self._square(rows) if isinstance(rows, int) else [self._square(row) for row in rows]

    def _square(self, row):
        group, row = parquet_images.group_of(self.file, min(row, self.rows - 1))
        (found,) = self._group(group).slice(row, 1).to_pylist()
        data = decoding.read_dataset_bytes(found)
        with Image.open(io.BytesIO(data)) as image:
            return centre_square(image.convert("RGB"), self.pixels)


def read_square(path: str | Path, row: int, pixels: int) -> Image.Image:
    """The middle of one picture of a dataset's file, which of one in shards says where it is."""
    path = Path(path)
    if "shard" in parquet_files.read_schema(path).names:
        places = parquet_files.read(path, columns=["shard", "row"])
        shard, row = (places[key][row].as_py() for key in ("shard", "row"))
        path = path.parents[1] / "shards" / shard / "data" / path.name
    return Squares(path, pixels)[row]


def centre_square(image: Image.Image, pixels: int) -> Image.Image:
    """The largest square in the middle of a picture, `pixels` wide and high."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return square.resize((pixels, pixels), Image.Resampling.LANCZOS)


def columns(
    measure: Measure, paths: Iterable[str | Path], resolution: int, label: str
) -> dict[str, list]:
    """{"id", "value", "split"} of a dataset's pictures, as large as the samples (`resolution`).

    Each file is named after the split that it holds.
    """
    found: dict[str, list] = {"id": [], "value": [], "split": []}
    for path in paths:
        squares = Squares(path, resolution)
        found["id"] += parquet_files.read(path, columns=["id"])["id"].to_pylist()
        found["value"] += measure.score_reference(squares, label)[: squares.rows]
        found["split"] += [Path(path).stem] * squares.rows
    return found
