"""A dataset's real pictures as the evaluators see them, read as they are needed."""

import functools
import io

import pyarrow.parquet as pq
from PIL import Image

from emaki.common import parquet_images
from emaki.data import decoding
from emaki.evaluation import scoring


class Squares:
    """The middles of the pictures of a dataset's file, `pixels` wide and high: a sequence to slice.

    One row group is in memory at a time. The last picture is repeated to the end of a batch, so
    that sums are rounded in the same way whatever the number of pictures.
    """

    def __init__(self, path, pixels):
        self.file, self.pixels = pq.ParquetFile(path), pixels
        self.count = self.file.metadata.num_rows
        self._group = functools.lru_cache(1)(lambda number: self.file.read_row_group(number))

    def __len__(self):
        return -(-self.count // scoring.BATCH) * scoring.BATCH

    def __getitem__(self, part):
        return [self._square(min(row, self.count - 1)) for row in range(part.start, part.stop)]

    def _square(self, row):
        group, row = parquet_images.group_of(self.file, row)
        (found,) = self._group(group).slice(row, 1).to_pylist()
        data = decoding.held(found)
        with Image.open(io.BytesIO(data)) as image:
            return scoring.centre_square(image.convert("RGB"), self.pixels)


def columns(path, resolution, encoder, clip=None):
    """{column: values} of a dataset's file of pictures: id, features and, with a CLIPModel's
    folder `clip`, embedding, of the pictures in the `resolution` of the samples."""
    squares = Squares(path, resolution)
    found = {
        "id": pq.read_table(path, columns=["id"])["id"].to_pylist(),
        "features": scoring.features(squares, encoder, "reference"),
    }
    if clip:
        found["embedding"] = scoring.embeddings(squares, clip, "reference CLIP")
    return {name: values[: squares.count] for name, values in found.items()}
