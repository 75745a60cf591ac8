"""What is made of the shards of a dataset, as one: not copied, but told where each picture is."""

import contextlib
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from emaki.common import digests, parquet_files, parquet_images, png_files
from emaki.common.errors import UserError
from emaki.common.files import replacing, sha256
from emaki.data import SPLITS, contact_sheet, dataset_card, dataset_files, decoding
from emaki.data.images import read_notes
from emaki.data.settings import Dataset

# Of a shard's manifest of latents, the same in all.
KEPT = ("model", "resolution", "random_flip", "scaling_factor", "shift_factor")


def gather_dataset(name: str, dataset: Dataset, shards: list[str], output: str | Path) -> None:
    """Write what `dataset_files.write` does into the folder `output`, of a dataset in `shards`.

    These are the names, in order, of what `shards.write_dataset` wrote into shards/{name} there.
    The files in data/ hold no pictures but where they are: columns id, text, shard and row
    (of the shard's file of that split). A picture that an earlier shard has is set aside, though
    it stays in its shard's file. Raises UserError if no picture is left to train on, or none is
    held out.
    """
    output = Path(output)
    table, rejects = _read(output, shards)
    table, doubles = _without_doubles(table)
    rejects += doubles
    if not len(table):
        raise dataset_files.explain_empty(name, rejects)
    held_out = pc.sum(pc.equal(table["split"], "validation")).as_py()
    if held_out == len(table) or (dataset.validation > 0 and not held_out):
        raise UserError(
            f"dataset {name} has {len(table)} pictures, of which {held_out} are held out by the "
            "hashes of their names or by their folders: take more, another `validation`, or no "
            "shards"
        )
    for part in SPLITS:
        index = table.filter(pc.equal(table["split"], part)).select(["id", "text", "shard", "row"])
        with replacing(output / "data" / f"{part}.parquet") as temporary:
            parquet_files.write(index, temporary)
    chosen = pc.any(table["chosen"]).as_py()
    notes = read_notes(parquet_files.read_schema(output / "shards" / shards[0] / "rows.parquet"))
    about = dataset_card.describe(name, dataset, table, rejects, held_out, notes, chosen)
    dataset_files.say(about["summary"])
    dataset_files.say_too_few(name, len(table) - held_out)
    content: dict[str, Any] = {part: sha256(output / "data" / f"{part}.parquet") for part in SPLITS}
    content["shards"] = {
        shard: digests.digest_of_json(output / "shards" / shard / "content.json")
        for shard in shards
    }
    folders = [f"shards/{shard}/data" for shard in shards]
    for file, told in (("content.json", content), ("card.json", about)):
        with replacing(output / file) as temporary:
            digests.write_json(temporary, told)
    with replacing(output / "README.md") as temporary:
        text = dataset_card.to_markdown(about, folders, _has_places(output / folders[0]))
        temporary.write_text(text, "utf-8")
    with replacing(output / "contact_sheet.png") as temporary:
        png_files.write(contact_sheet.draw(_shown(table, output / "shards")), temporary)


def gather_latents(dataset: str | Path, shards: list[str], output: str | Path) -> None:
    """Write the folder `output` of latents that are in shards: index.parquet and manifest.json.

    `dataset` is the folder of the gathered dataset. The index has the columns of a shard's, and of
    each picture its shard, as a number in the manifest's list of their folders, and the row there.
    """
    output = Path(output)
    # latents/{dataset}/shards/{shard}/{model}/{transform} for latents/{dataset}/{model}/{transform}
    folders = [f"../../shards/{shard}/{output.parent.name}/{output.name}" for shard in shards]
    tables = []
    for split in SPLITS:
        kept = _kept_rows(Path(dataset) / "data" / f"{split}.parquet")
        for number, (shard, folder) in enumerate(zip(shards, folders)):
            rows = parquet_files.read(
                Path(os.path.normpath(output / folder), "index.parquet"),
                filters=[("split", "=", split)],
            )
            if shard in kept:  # columns of a shard without pictures have no type
                table = rows.take(kept[shard])
                table = table.append_column("shard", pa.array([number] * len(table), pa.int32()))
                tables.append(table.append_column("row", kept[shard]))
    table = pa.concat_tables(tables)
    paths = [Path(os.path.normpath(output / folder), "manifest.json") for folder in folders]
    first = digests.read_json(paths[0])
    manifest = {
        **{key: first[key] for key in KEPT if key in first},
        **{split: table["split"].to_pylist().count(split) for split in SPLITS},
        "dataset": digests.digest_of_json(Path(dataset) / "content.json"),
        "shards": [
            {"folder": folder, "manifest.json": digests.digest_of_json(path)}
            for folder, path in zip(folders, paths)
        ],
    }
    with replacing(output / "index.parquet") as temporary:
        parquet_files.write(table, temporary)
    with replacing(output / "manifest.json") as temporary:
        digests.write_json(temporary, manifest)


def gather_references(
    indices: Iterable[str | Path], references: Mapping[str, str | Path], output: str | Path
) -> None:
    """Write one table of the pictures' features that are in shards.

    `indices` are the gathered dataset's files, each named after its split, `references` {shard:
    table of its files}.
    """
    with replacing(output) as temporary, contextlib.ExitStack() as stack:
        writer = None
        for index in indices:
            kept, own = _kept_rows(index), [("split", "=", Path(index).stem)]
            for shard in (shard for shard in references if shard in kept):
                table = parquet_files.read(references[shard], filters=own).take(kept[shard])
                writer = writer or stack.enter_context(
                    parquet_files.writer(temporary, table.schema)
                )
                writer.write_table(table)


def _kept_rows(index):
    """{shard: the rows of it, int32, that a file of the gathered dataset names}."""
    groups = parquet_files.read(index, columns=["shard", "row"]).group_by(
        "shard", use_threads=False
    )
    rows = groups.aggregate([("row", "list")])
    return {
        shard: pa.array(rows, pa.int32())
        for shard, rows in zip(*(rows[name].to_pylist() for name in ("shard", "row_list")))
    }


def _read(folder, shards):
    """One table of the shards' rows, with the column `shard`, and a list of all their rejects."""
    tables, rejects = [], []
    for shard in shards:
        rows = parquet_files.read(folder / "shards" / shard / "rows.parquet")
        tables.append(rows.append_column("shard", pa.array([shard] * len(rows), pa.string())))
        rejects += parquet_files.read(folder / "shards" / shard / "rejects.parquet").to_pylist()
    return pa.concat_tables(tables), rejects


def _without_doubles(table):
    """The rows whose pixels no earlier one has, and rejects for the others."""
    numbered = table.append_column("number", pa.array(range(len(table)), pa.int64()))
    firsts = numbered.group_by("sha256").aggregate([("number", "min")])["number_min"]
    is_first = pc.is_in(numbered["number"], firsts)
    doubles = numbered.filter(pc.invert(is_first)).select(["origin", "sha256"]).to_pylist()
    wanted = pa.array([row["sha256"] for row in doubles], pa.string())
    shown = table.filter(is_first)
    named = shown.filter(pc.is_in(shown["sha256"], wanted))
    earlier = dict(zip(named["sha256"].to_pylist(), named["origin"].to_pylist()))
    rejects = [
        {"file": row["origin"], "reason": f"the same pixels as {earlier[row['sha256']]}"}
        for row in doubles
    ]
    return shown, rejects


def _shown(table, folder):
    """The (picture, caption) pairs of a contact sheet, of which each shard has candidates."""
    columns = table.select(["id", "text", "split", "shard", "row"])
    candidates = []
    for shard in dict.fromkeys(table["shard"].to_pylist()):
        rows = columns.filter(pc.equal(columns["shard"], shard)).to_pylist()
        candidates += contact_sheet.choose(rows)
    return [(_picture(folder, row), row["text"]) for row in contact_sheet.choose(candidates)]


def _picture(folder, row):
    """A picture of a shard as a file in memory; of its data one row group is read."""
    data = parquet_files.ParquetFile(folder / row["shard"] / "data" / f"{row['split']}.parquet")
    group, number = parquet_images.group_of(data, row["row"])
    (found,) = data.read_row_group(group).slice(number, 1).to_pylist()
    whole = (
        found["image"]["bytes"]
        if "image" in found
        else decoding.read_archived_picture(found, whole=False)
    )
    return io.BytesIO(whole)


def _has_places(folder):
    """Whether a shard's files say where its pictures are instead of holding them."""
    return "archive" in parquet_files.read_schema(folder / "train.parquet").names
