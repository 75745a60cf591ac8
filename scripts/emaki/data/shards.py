"""Shards: a source's pictures divided, and the dataset that is made of one of them.

A shard is a source, a dataset and latents of its own, made by the same code as those in one piece;
emaki.data.gather puts together what is made of them.
"""

import os
from pathlib import Path

import pyarrow as pa

from emaki.common import parquet_files
from emaki.common.errors import UserError
from emaki.common.files import replacing
from emaki.data import dataset_files
from emaki.data.images import REJECTS
from emaki.data.settings import Dataset

# What a shard of a dataset tells of its pictures.
ROWS = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "text", "split", "origin", "sha256")),
        *((name, pa.int32()) for name in ("row", "width", "height")),
        *((name, pa.string()) for name in ("licence", "credit")),
        ("changes", pa.list_(pa.string())),
        ("chosen", pa.bool_()),  # whether its owner has put it into that split
    ]
)


def scatter(images: str | Path, shards: list[str], output: str | Path) -> None:
    """Divide a folder of the images stage into such folders `output`/{shard}, `shards` their names.

    Each has as many pictures that follow each other, to within one; the first all the rejects.
    The pictures stay where they are. Raises UserError if there are fewer than shards.
    """
    metadata, rejects = (
        parquet_files.read(Path(images) / f"{name}.parquet") for name in ("metadata", "rejects")
    )
    if len(metadata) < len(shards):
        raise UserError(f"{images} has {len(metadata)} pictures, too few for {len(shards)} shards")
    edges = [len(metadata) * number // len(shards) for number in range(len(shards) + 1)]
    for number, (shard, start, stop) in enumerate(zip(shards, edges, edges[1:])):
        folder = Path(output, shard)
        with replacing(folder) as stage:
            stage.mkdir()
            parquet_files.write(metadata.slice(start, stop - start), stage / "metadata.parquet")
            parquet_files.write(rejects if number == 0 else rejects[:0], stage / "rejects.parquet")
            (stage / "pictures").symlink_to(os.path.relpath(Path(images, "pictures"), folder))


def write_dataset(
    name: str,
    dataset: Dataset,
    images: str | Path,
    captions: str | Path,
    output: str | Path,
) -> None:
    """Write the folder `output` of a dataset's shard: data/, content.json, rows.parquet and
    rejects.parquet. The arguments are those of `dataset_files.write`, of the shard.

    It may come out empty: whether enough is left is judged of all shards together.
    """
    rows, rejects = dataset_files.join(images, captions, dataset.captions)
    held_out = {
        row["id"]
        for row in rows
        if row["split"] == "validation"
        or (not row["split"] and dataset_files.hash_to_share(row["id"]) < dataset.validation)
    }
    parts = dataset_files.split_rows(rows, held_out)
    places = {
        row["id"]: {"split": part, "row": number}
        for part, members in parts.items()
        for number, row in enumerate(members)
    }
    with replacing(output) as stage:
        dataset_files.write_data(name, parts, images, stage)
        chosen = [row | places[row["id"]] | {"chosen": row["split"] is not None} for row in rows]
        told = pa.Table.from_pylist(chosen, ROWS)
        source = parquet_files.read_schema(Path(images) / "metadata.parquet")
        told = told.replace_schema_metadata(source.metadata)  # its notes
        parquet_files.write(told, stage / "rows.parquet")
        parquet_files.write(pa.Table.from_pylist(rejects, REJECTS), stage / "rejects.parquet")
