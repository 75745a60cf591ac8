"""The dataset stage: pictures joined with captions, split, and described by a card."""

import argparse
import functools
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from emaki.common import digests, parquet_files, parquet_images, png_files
from emaki.common.arguments import read_settings
from emaki.common.errors import UserError
from emaki.common.files import replacing, sha256
from emaki.common.progress import bar, tell
from emaki.data import SPLITS, contact_sheet, dataset_card, decoding
from emaki.data.archives import PLACE
from emaki.data.images import read_notes
from emaki.data.picture import explain
from emaki.data.settings import Dataset

SCHEMA = parquet_images.schema(id="string", image="image", text="string")
PLACES = parquet_images.schema(id="string", text="string", sha256="string", **PLACE)
GROUP_BYTES = 64 << 20  # of pictures in a row group: bounds the memory of writer and reader

Row = dict[str, Any]


def parse_arguments(description: str) -> argparse.Namespace:
    """The arguments of the scripts that write a dataset or a shard of one: those of `write`."""
    parser = argparse.ArgumentParser(description=description)
    add_dataset(parser)
    parser.add_argument("--images", required=True, help="folder images/{source}, or of its shard")
    parser.add_argument("--captions", required=True, help="captions/{source}/{captioner}.parquet")
    parser.add_argument(
        "--output", required=True, help="folder datasets/{dataset}, or of its shard"
    )
    return parser.parse_args()


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which dataset it is: its name and its settings."""
    parser.add_argument("--name", required=True)
    parser.add_argument(
        "--dataset",
        type=functools.partial(read_settings, "--dataset", Dataset),
        required=True,
        help="its mapping as JSON",
    )


def write(
    name: str,
    dataset: Dataset,
    images: str | Path,
    captions: str | Path,
    output: str | Path,
) -> None:
    """Write the folder `output` of dataset `name`.

    `images` is a folder of the images stage and `captions` a table of its captions. Written are
    data/train.parquet and data/validation.parquet (columns id, image, text; `validation` may have
    no rows), README.md, card.json, contact_sheet.png and content.json, the SHA-256 of both parts:
    a small file that changes when the data do. A picture without a caption becomes a reject.
    Raises UserError if no picture is left.
    """
    rows, rejects = join(images, captions, dataset.captions)
    if not rows:
        raise explain_empty(name, rejects)
    chosen = any(row["split"] for row in rows)
    held_out = (
        {row["id"] for row in rows if row["split"] == "validation"}
        if chosen
        else choose_held_out([row["id"] for row in rows], dataset.validation)
    )
    if len(held_out) == len(rows):
        raise UserError(f"dataset {name} has no picture to train on: all are in validation folders")
    folder = Path(images) / "pictures"
    with replacing(output) as stage:
        write_data(name, split_rows(rows, held_out), images, stage)
        notes = read_notes(parquet_files.read_schema(Path(images) / "metadata.parquet"))
        table = pa.Table.from_pylist(rows)
        about = dataset_card.describe(name, dataset, table, rejects, len(held_out), notes, chosen)
        digests.write_json(stage / "card.json", about)
        (stage / "README.md").write_text(dataset_card.to_markdown(about), "utf-8")
        shown = contact_sheet.choose(rows)
        sheet = contact_sheet.draw([(folder / row["file"], row["text"]) for row in shown])
        png_files.write(sheet, stage / "contact_sheet.png")
    say(about["summary"])
    say_too_few(name, len(rows) - len(held_out))


def say_too_few(name: str, train: int) -> None:
    """Tell what cannot be measured with a single picture to train on."""
    if train == 1:
        say(
            f"dataset {name}: with one picture to train on no distance from the real pictures can "
            "be measured (KID, CMMD): those verdicts will be left out"
        )


def say(summary: str) -> None:
    """Write the summary of a dataset to the log and to the user's terminal."""
    print(summary, flush=True)
    tell(summary)


def explain_empty(name: str, rejects: list[Row]) -> UserError:
    """The UserError for a dataset without pictures."""
    return UserError(
        f"dataset {name} is empty: {explain(rejects)}. Pictures without captions need some "
        "beside them, or a captioner of type blip"
    )


def join(images: str | Path, captions: str | Path, captioner: str) -> tuple[list[Row], list[Row]]:
    """Rows of the images' metadata with their caption as `text`, and the rejects of both."""
    metadata = parquet_files.read(Path(images) / "metadata.parquet").to_pylist()
    rejects = parquet_files.read(Path(images) / "rejects.parquet").to_pylist()
    texts = {row["id"]: row["caption"] for row in parquet_files.read(captions).to_pylist()}
    rows = []
    for row in metadata:
        if text := texts.get(row["id"]):
            rows.append(row | {"text": text})
        else:
            reason = f"no caption from {captioner!r}"
            rejects.append({"file": row["origin"], "reason": reason})
    return rows, rejects


def choose_held_out(ids: Iterable[str], fraction: float) -> set[str]:
    """The set of ids that are held out: those whose hash is under `fraction` of its range.

    An id's side does not depend on the other ids, so adding pictures moves none; only where the
    rule would leave a side empty, the nearest id goes there (validation needs a second picture).
    """
    ranked = sorted((hash_to_share(identifier), identifier) for identifier in ids)
    count = sum(place < fraction for place, _ in ranked)
    least = 1 if fraction > 0 else 0
    count = min(max(count, least), len(ranked) - 1)
    return {identifier for _, identifier in ranked[:count]}


def hash_to_share(identifier: str) -> float:
    """A number in 0..1 by the hash of an id: it is held out where that is below the fraction."""
    return int.from_bytes(hashlib.sha256(identifier.encode()).digest()[:8]) / 2**64


def split_rows(rows: Iterable[Row], held_out: set[str]) -> dict[str, list[Row]]:
    """{split: its rows, in their order}, given the ids that are held out."""
    found: dict[str, list[Row]] = {part: [] for part in SPLITS}
    for row in rows:
        found["validation" if row["id"] in held_out else "train"].append(row)
    return found


def write_data(name: str, parts: Mapping[str, list[Row]], images: str | Path, folder: Path) -> None:
    """Write the rows of each split as data/{split}.parquet, and their digests as content.json.

    Pictures in an archive are not copied: the files say where they are (see emaki.data.archives).
    """
    (folder / "data").mkdir(parents=True)
    archived = "archive" in parquet_files.read_schema(Path(images) / "metadata.parquet").names
    for part, rows in parts.items():
        path = folder / "data" / f"{part}.parquet"
        if archived:
            parquet_files.write(pa.Table.from_pylist(rows, PLACES), path)
        else:
            _write_part(rows, images, path, f"{name} {part}")
    content = {part: sha256(folder / "data" / f"{part}.parquet") for part in SPLITS}
    digests.write_json(folder / "content.json", content)


def _write_part(rows, images, path, label):
    group, size = [], 0
    with parquet_files.writer(path, SCHEMA) as writer:
        for row in bar(rows, unit="pictures", label=f"dataset {label}"):
            data = decoding.read_stored_bytes(images, row)
            image = {"bytes": data, "path": row["file"]}
            group.append({"id": row["id"], "image": image, "text": row["text"]})
            size += len(data)
            if size >= GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(group, SCHEMA))
                group, size = [], 0
        if group:
            writer.write_table(pa.Table.from_pylist(group, SCHEMA))
