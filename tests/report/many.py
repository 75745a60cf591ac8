"""A study of many entries: those of one that has run, again and again under other names.

Each has runs, answers, pictures, losses and timings of its own, so that a report has as much to do
as if all had been trained.
"""

import json
import os
import re
import struct
import zlib
from pathlib import Path

import pyarrow as pa

from emaki.common import digests, parquet_files
from emaki.common.png_files import PLACE
from emaki.config import read_saved
from emaki.config.settings import Study
from emaki.report.grids import TEXT_CHUNK

NAME = "many"
# What has names of datasets, sets of prompts and methods, which may be called as a run is.
KEPT = {"dataset", "margins", "method", "methods", "prompts", "real_pictures", "reference"}


def multiply(folder: Path, place: Path, count: int) -> Study:
    """Write a study with so many entries, made of those in `folder`, into results/ of a place."""
    written = json.loads((folder / "config.json").read_text())
    target = place / "results" / NAME
    (target / "experiments").mkdir(parents=True)
    (target / "datasets").symlink_to((folder / "datasets").resolve())
    runs, entries, first = {}, {}, list(written["experiments"])
    for number in range(count):
        copy, place_in_copy = divmod(number, len(first))
        rename = Renaming(written["runs"], f"-{copy:03d}")
        if not place_in_copy:
            runs |= rename.all(written["runs"])
            bring_files(folder, target, rename)
        name = first[place_in_copy]
        entries[f"{name}-{copy:03d}"] = rename.all(written["experiments"][name]) | {
            "title": f"{written['experiments'][name]['title']}, {copy + 1}"
        }
        bring_entry(folder, target, name, f"{name}-{copy:03d}", rename)
    config = written | {"study": NAME, "runs": runs, "experiments": entries}
    (target / "config.json").write_text(json.dumps(config))
    return read_saved(target / "config.json")


def bring_entry(folder, target, name, again, rename):
    """Answers and pictures of an entry."""
    answers = digests.read_json(folder / f"experiments/{name}.json")
    digests.write_json(target / f"experiments/{again}.json", rename.all(answers))
    (target / "grids" / again).mkdir(parents=True)
    for grid in (folder / "grids" / name).iterdir():
        path = target / "grids" / again / rename.file(grid.name)
        path.write_bytes(with_other_layout(grid.read_bytes(), rename))
    if (nearest := folder / f"nearest/{name}.parquet").exists():
        table = parquet_files.read(nearest)
        place = table.schema.get_field_index("variant")
        variants = pa.array(rename.all(table["variant"].to_pylist()))
        (target / "nearest").mkdir(exist_ok=True)
        path = target / f"nearest/{again}.parquet"
        parquet_files.write(table.set_column(place, "variant", variants), path)


class Renaming:
    """Runs get a suffix, wherever they are named."""

    def __init__(self, runs, suffix):
        self.suffix = suffix
        names = "|".join(sorted(map(re.escape, runs), key=len, reverse=True))
        self.whole = re.compile(rf"(?<![\w-])({names})(?![\w-])")
        self.stem = re.compile(rf"^({names})(?=[+-])")

    def all(self, value, key=None):
        if key in KEPT:
            return value
        if isinstance(value, dict):
            return {self.text(k): self.all(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [self.all(inner, key) for inner in value]
        return self.text(value) if isinstance(value, str) else value

    def text(self, text):
        return self.whole.sub(rf"\1{self.suffix}", text)

    def file(self, name):
        """A grid of a run is called {run}-{weights}-..., a folder of a training {run}+seed1."""
        return self.stem.sub(rf"\1{self.suffix}", name)


def bring_files(folder, target, rename):
    """Losses of all trainings, and timings of what has them in their paths."""
    for path in [*folder.glob("runs/*/*/metrics.parquet"), *folder.glob("benchmarks/**/*.tsv")]:
        parts = path.relative_to(folder).parts
        again = target.joinpath(*(rename.text(part) for part in parts))
        if again.exists():
            continue
        again.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":  # which says where it was written
            parquet_files.write(parquet_files.read(path), again)
        else:
            os.symlink(path.resolve(), again)


def with_other_layout(png, rename):
    """The bytes of a grid's PNG with the names of variants in it changed, and without its place."""
    found, at = [png[:8]], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length
        if kind == b"iTXt" and data.startswith(f"{PLACE}\0".encode()):
            continue
        if kind == b"iTXt" and data.startswith(f"{TEXT_CHUNK}\0".encode()):
            head, _, text = data.partition(b"\0\0\0\0\0")  # no compression, language or translation
            layout = rename.all(json.loads(text))
            data = head + b"\0\0\0\0\0" + json.dumps(layout, ensure_ascii=False).encode()
        body = kind + data
        found.append(struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body)))
    return b"".join(found)
