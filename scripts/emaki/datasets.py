"""The dataset stage: pictures joined with captions, split, and described by a card."""

import argparse
import hashlib
import json
import statistics
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emaki import contact_sheet, parquet, pictures
from emaki.archives import PLACE
from emaki.errors import UserError, friendly
from emaki.files import replacing, sha256
from emaki.progress import bar
from emaki.rejects import explain

SCHEMA = parquet.schema(id="string", image="image", text="string")
PLACES = parquet.schema(id="string", text="string", sha256="string", **PLACE)
GROUP_BYTES = 64 << 20  # of pictures in a row group: bounds the memory of writer and reader
SPLITS = ("train", "validation")
LONGEST_LIST = 50
WHERE = (
    "The pictures stay where they are: `offset` and `size` say where in the `archive`, in bytes of "
    "a tar; of a Parquet file `offset` is the row."
)
LICENCES = {  # the identifiers that the card's header may use
    "CC0 1.0": "cc0-1.0",
    "CC BY 4.0": "cc-by-4.0",
    "CC BY-SA 4.0": "cc-by-sa-4.0",
    "MIT": "mit",
    "Apache-2.0": "apache-2.0",
}


@friendly
def main(write, description):
    """The command of a rule's script: `write` (as below) a dataset, or what does a shard of one."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--name", required=True)
    parser.add_argument("--dataset", type=json.loads, required=True, help="its mapping as JSON")
    parser.add_argument("--images", required=True, help="folder images/{source}, or of its shard")
    parser.add_argument("--captions", required=True, help="captions/{source}/{captioner}.parquet")
    parser.add_argument(
        "--output", required=True, help="folder datasets/{dataset}, or of its shard"
    )
    args = parser.parse_args()
    write(args.name, args.dataset, args.images, args.captions, args.output)


def write(name, dataset, images, captions, output):
    """Write the folder `output` of dataset `name`.

    `dataset` is its mapping (source, captions, validation: the fraction held out); `images` a
    folder of the images stage and `captions` a table of its captions. Written are
    data/train.parquet and data/validation.parquet (columns id, image, text; `validation` may have
    no rows), README.md, card.json, contact_sheet.png and content.json, the SHA-256 of both parts:
    a small file that changes when the data do. A picture without a caption becomes a reject.
    Raises UserError if no picture is left.
    """
    rows, rejects = join(images, captions, dataset["captions"])
    if not rows:
        raise empty(name, rejects)
    held_out = split([row["id"] for row in rows], dataset.get("validation", 0))
    folder = Path(images) / "pictures"
    with replacing(output) as stage:
        write_data(name, parts(rows, held_out), images, stage)
        about = card(name, dataset, pa.Table.from_pylist(rows), rejects, len(held_out))
        (stage / "card.json").write_text(as_json(about), "utf-8")
        (stage / "README.md").write_text(readme(about), "utf-8")
        shown = contact_sheet.choose(rows)
        contact_sheet.draw([(folder / row["file"], row["text"]) for row in shown]).save(
            stage / "contact_sheet.png"
        )


def empty(name, rejects):
    """The UserError for a dataset without pictures."""
    return UserError(
        f"dataset {name} is empty: {explain(rejects)}. Pictures without captions need some "
        "beside them, or a captioner of type blip"
    )


def as_json(value):
    """The text of a JSON file."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def join(images, captions, captioner):
    """Rows of the images' metadata with their caption as `text`, and the rejects of both."""
    metadata = pq.read_table(Path(images) / "metadata.parquet").to_pylist()
    rejects = pq.read_table(Path(images) / "rejects.parquet").to_pylist()
    texts = {row["id"]: row["caption"] for row in pq.read_table(captions).to_pylist()}
    rows = []
    for row in metadata:
        if text := texts.get(row["id"]):
            rows.append(row | {"text": text})
        else:
            reason = f"no caption from {captioner!r}"
            rejects.append({"file": row["origin"], "reason": reason})
    return rows, rejects


def split(ids, fraction):
    """The set of ids that are held out: those whose hash is under `fraction` of its range.

    An id's side does not depend on the other ids, so adding pictures moves none; only where the
    rule would leave a side empty, the nearest id goes there (validation needs a second picture).
    """
    ranked = sorted((share(identifier), identifier) for identifier in ids)
    count = sum(place < fraction for place, _ in ranked)
    least = 1 if fraction > 0 else 0
    count = min(max(count, least), len(ranked) - 1)
    return {identifier for _, identifier in ranked[:count]}


def share(identifier):
    """A number in 0..1 by the hash of an id: it is held out where that is below the fraction."""
    return int.from_bytes(hashlib.sha256(identifier.encode()).digest()[:8]) / 2**64


def parts(rows, held_out):
    """{split: its rows, in their order}, given the ids that are held out."""
    found = {part: [] for part in SPLITS}
    for row in rows:
        found["validation" if row["id"] in held_out else "train"].append(row)
    return found


def write_data(name, parts, images, folder):
    """Write the rows of each split as data/{split}.parquet, and their digests as content.json.

    Pictures in an archive are not copied: the files say where they are (see emaki.archives).
    """
    (folder / "data").mkdir(parents=True)
    archived = "archive" in pq.read_schema(Path(images) / "metadata.parquet").names
    for part, rows in parts.items():
        path = folder / "data" / f"{part}.parquet"
        if archived:
            pq.write_table(pa.Table.from_pylist(rows, PLACES), path)
        else:
            _write_part(rows, images, path, f"{name} {part}")
    content = {part: sha256(folder / "data" / f"{part}.parquet") for part in SPLITS}
    (folder / "content.json").write_text(as_json(content), "utf-8")


def _write_part(rows, images, path, label):
    group, size = [], 0
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for row in bar(rows, unit="pictures", label=f"dataset {label}"):
            data = pictures.stored(images, row)
            image = {"bytes": data, "path": row["file"]}
            group.append({"id": row["id"], "image": image, "text": row["text"]})
            size += len(data)
            if size >= GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(group, SCHEMA))
                group, size = [], 0
        if group:
            writer.write_table(pa.Table.from_pylist(group, SCHEMA))


def card(name, dataset, rows, rejects, held_out):
    """What there is to know about a dataset, as JSON values.

    `rows` is a table of its pictures with text, width, height, licence and credit; `held_out` how
    many of them are.
    """
    words = [len(text.split()) for text in _values(rows, "text")]
    widths, heights = (list(_values(rows, side)) for side in ("width", "height"))
    sizes = Counter(f"{width} x {height}" for width, height in zip(widths, heights))
    return {
        "name": name,
        "source": dataset["source"],
        "captions": dataset["captions"],
        "counts": {
            "train": len(rows) - held_out,
            "validation": held_out,
            "rejected": len(rejects),
        },
        "rejects": rejects,
        "caption_words": _summary(words),
        "distinct_captions": len(set(_values(rows, "text"))),
        "sizes": {
            "width": _summary(widths),
            "height": _summary(heights),
            "most_common": [[size, count] for size, count in sizes.most_common(5)],
        },
        "licences": dict(sorted(Counter(_values(rows, "licence")).items())),
        "credits": sorted(set(_values(rows, "credit")) - {"", None}),
    }


def _values(table, name):
    """The values of a column, a chunk at a time in memory."""
    return (value for chunk in table[name].iterchunks() for value in chunk.to_pylist())


def _summary(numbers):
    return {
        "min": min(numbers),
        "median": statistics.median_low(numbers),
        "max": max(numbers),
    }


def readme(about, folders=("data",), places=False):
    """The dataset's card as Markdown with the YAML header that Hugging Face reads.

    `folders` are where the files of its splits are, which hold the pictures or their `places`.
    """
    counts, words, sizes = about["counts"], about["caption_words"], about["sizes"]
    common = ", ".join(f"{size} ({count})" for size, count in sizes["most_common"])
    return "\n".join(
        [
            *_header(about, folders),
            f"# {_plain(about['name'])}",
            "",
            f"Pictures of the source `{about['source']}` with captions by `{about['captions']}`, "
            "put together by Emaki.",
            "",
            "| | |",
            "|---|---|",
            f"| pictures to train on | {counts['train']} |",
            f"| pictures held out for validation | {counts['validation']} |",
            f"| set aside | {counts['rejected']} |",
            f"| words in a caption | {_range(words)} |",
            f"| distinct captions | {about['distinct_captions']} |",
            f"| width in pixels | {_range(sizes['width'])} |",
            f"| height in pixels | {_range(sizes['height'])} |",
            f"| most common sizes | {common} |",
            "",
            *([WHERE, ""] if places else []),
            "![Some of the pictures with their captions](contact_sheet.png)",
            "",
            "## Licences",
            "",
            *[f"- {_plain(name)}: {count} pictures" for name, count in about["licences"].items()],
            *[f"- Credit: {_plain(credit)}" for credit in about["credits"]],
            "",
            "## Set aside",
            "",
            *_rejects(about["rejects"]),
            "",
        ]
    )


def _header(about, folders):
    # datasets refuses a split without rows
    parts = [part for part in SPLITS if about["counts"][part]]
    licences = {LICENCES.get(licence, "other") for licence in about["licences"]}
    return [
        "---",
        f"pretty_name: {json.dumps(about['name'])}",
        f"license: {licences.pop() if len(licences) == 1 else 'other'}",
        "task_categories: [text-to-image]",
        "configs:",
        "- config_name: default",
        "  data_files:",
        *[f"  - {{split: {part}, path: {_paths(folders, part)}}}" for part in parts],
        "---",
        "",
    ]


def _paths(folders, part):
    paths = [f"{folder}/{part}.parquet" for folder in folders]
    return paths[0] if len(paths) == 1 else json.dumps(paths)


def _rejects(rejects):
    if not rejects:
        return ["Nothing was set aside."]
    lines = ["| file | reason |", "|---|---|"]
    for reject in rejects[:LONGEST_LIST]:
        lines.append(f"| {_plain(reject['file'])} | {_plain(reject['reason'])} |")
    if len(rejects) > LONGEST_LIST:
        lines += ["", f"And {len(rejects) - LONGEST_LIST} more: see `card.json`."]
    return lines


def _range(summary):
    low, middle, high = summary["min"], summary["median"], summary["max"]
    return str(low) if low == high else f"{low} to {high}, median {middle}"


def _plain(text):
    """Text that Markdown shows as it is, in one line."""
    return "".join(
        f"\\{mark}" if mark in "\\`*_[]<>|#" else mark for mark in " ".join(text.split())
    )
