"""The card of a dataset: what there is to know about it, as JSON and as Markdown."""

import json
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emaki.data import SPLITS
from emaki.data.picture import count_reasons
from emaki.data.settings import Dataset

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_LIST = 50
WHERE = (
    "The pictures stay where they are: `offset` and `size` say where in the `archive`, in bytes of "
    "a tar; of a Parquet file `offset` is the row."
)
LICENCES = {  # the identifiers that the card's header may use
    "CC0 1.0": "cc0-1.0",
    "CC BY 4.0": "cc-by-4.0",
    "CC BY-SA 4.0": "cc-by-sa-4.0",
    "CC BY-NC-SA 4.0": "cc-by-nc-sa-4.0",
    "MIT": "mit",
    "Apache-2.0": "apache-2.0",
}


def describe(
    name: str,
    dataset: Dataset,
    rows: "pa.Table",
    rejects: list[dict[str, Any]],
    held_out: int,
    notes: Sequence[str] = (),
    chosen: bool = False,
) -> dict[str, Any]:
    """What there is to know about a dataset, as JSON values.

    `rows` is a table of its pictures with text, width, height, licence, credit and changes;
    `held_out` how many of them are, and `chosen` whether their owner has said which; `notes` what
    its source says of them, sentences.
    """
    changes = Counter(change for found in _values(rows, "changes") for change in found or ())
    words = [len(text.split()) for text in _values(rows, "text")]
    widths, heights = (list(_values(rows, side)) for side in ("width", "height"))
    sizes = Counter(f"{width} x {height}" for width, height in zip(widths, heights))
    return {
        "name": name,
        "summary": _summarise(name, len(rows), held_out, chosen, rejects, changes),
        "changes": dict(changes.most_common()),
        "source": dataset.source,
        "captions": dataset.captions,
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
    } | ({"notes": list(notes)} if notes else {})


def _summarise(name, count, held_out, chosen, rejects, changes):
    """All in one line: what is used, what is not and why, what was changed."""
    how = ", as their folders say" if chosen else ""
    aside = count_reasons(reject["reason"] for reject in rejects)
    return "; ".join(
        [
            f"dataset {name}: {count - held_out} pictures to train on, {held_out} held out{how}",
            f"{len(rejects)} set aside ({aside})" if rejects else "none set aside",
            *(f"{number} {change}" for change, number in changes.most_common()),
        ]
    )


def _values(table, name):
    """The values of a column, a chunk at a time in memory."""
    return (value for chunk in table[name].iterchunks() for value in chunk.to_pylist())


def _summary(numbers):
    return {
        "min": min(numbers),
        "median": statistics.median_low(numbers),
        "max": max(numbers),
    }


def to_markdown(
    about: Mapping[str, Any], folders: Sequence[str] = ("data",), places: bool = False
) -> str:
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
            f"{_plain(about['summary'])}.",
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
            *[f"- {_plain(note)}" for note in about.get("notes", ())],
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
