"""The real pictures of a dataset that a calibration damages."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from emaki.common import parquet_files
from emaki.evaluation.calibration import set_aside
from emaki.evaluation.reference import read_square


def read_set_aside(
    paths: Sequence[str | Path], resolution: int
) -> tuple[list[Image.Image], list[str]]:
    """Those of a dataset's pictures that a calibration damages, and their names.

    Each file is named after the split that it holds; those of a dataset in shards say where each
    picture is.
    """
    tables = {Path(path).stem: parquet_files.read(path, columns=["id"]) for path in paths}
    own, held_out = set_aside(*(len(tables.get(split, [])) for split in ("train", "validation")))
    images, names = [], []
    for path in paths:
        ids = tables[Path(path).stem]["id"].to_pylist()
        is_train = Path(path).stem == "train"
        rows = range(len(ids) - own, len(ids)) if is_train else range(held_out)
        images += [read_square(path, row, resolution) for row in rows]
        names += [ids[row] for row in rows]
    return images, names
