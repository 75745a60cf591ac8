"""The values of pictures by measures: each picture is scored once by each, and its value kept.

A value depends on its picture and prompt alone: measures are given full batches, in which sums are
rounded alike whatever else there is to score.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from emaki.common import parquet_files, parquet_groups
from emaki.common.batching import filled
from emaki.common.errors import UserError
from emaki.common.files import replacing, sha256
from emaki.common.parts import Part
from emaki.common.progress import tell
from emaki.evaluation.measures import Measure
from emaki.evaluation.scoring import BATCH, as_values, decode

CHUNK = 32 * BATCH  # pictures in memory at once, for which models are loaded
Scored = tuple[str, str, str]
"""(measure, variant, set of prompts)."""

SCHEMA = pa.schema(
    [
        ("measure", pa.string()),
        ("variant", pa.string()),
        ("prompts", pa.string()),
        ("prompt", pa.string()),
        ("seed", pa.int64()),
        ("held_out", pa.bool_()),  # null of prompts that are no captions
        ("value", pa.float64()),  # what a measure gave, a number ...
        ("vector", pa.list_(pa.float32())),  # ... or this
    ]
)
KEPT = pa.schema([("key", pa.string()), *(SCHEMA.field(name) for name in ("value", "vector"))])


class Store:
    """The values of a measure that are there, {key of a picture: number or vector (d,)}.

    They lie in `folder`, under the digest of what makes them (the measure's settings, its models,
    its `code`), in a file for each job, which `name` tells from others.
    """

    def __init__(self, folder: str | Path, measure: Measure, code: str, name: str) -> None:
        self.path = Path(folder, identity(measure, code), f"{name}.parquet")
        self.values: dict[str, Any] = {}
        try:
            table = parquet_files.read(self.path)
        except (FileNotFoundError, UserError):  # a damaged one is made anew
            return
        self.values = dict(zip(table["key"].to_pylist(), _values(table)))

    def add(self, keys: Sequence[str], values: Any) -> None:
        """Keep more values: one number or vector for each key. Raises UserError for others."""
        self.values |= zip(keys, as_values(values, len(keys)))
        with replacing(self.path) as temporary:
            table = pa.table([list(self.values), *_columns(self.values.values())], schema=KEPT)
            parquet_files.write(table, temporary)


def identity(measure: Measure, code: str) -> str:
    """A digest of all that a value depends on besides the picture; `code` is one of the code."""
    parts = [json.dumps(measure.scoring(), sort_keys=True), code, *map(sha256, measure.files())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def calibration_path(folder: str | Path, measure: Measure, code: str, keys: Sequence[str]) -> Path:
    """Where in the store the values of these pictures lie, as they are and damaged."""
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()
    return Path(folder, identity(measure, code), f"damaged-{digest}.parquet")


def score(
    samples: str | Path,
    scored: Iterable[Scored],
    measures: Mapping[str, Measure],
    stores: Mapping[str, Store],
    label: str = "",
) -> None:
    """Score by each measure the pictures of a samples file whose values are not in its store.

    A picture is decoded once for all measures.
    """
    wanted: dict[tuple[str, str], list[str]] = {}
    for name, *key in scored:
        wanted.setdefault((key[0], key[1]), []).append(name)
    counts = dict.fromkeys(measures, 0)
    for chunk in _chunks(samples, wanted, stores):
        images = {row["key"]: decode(row["image"]["bytes"]) for row, _ in chunk.values()}
        for name, measure in measures.items():
            rows = [row for row, names in chunk.values() if name in names]
            if rows:
                keys, prompts = ([row[column] for row in rows] for column in ("key", "prompt"))
                pictures = [images[key] for key in keys]
                values = score_whole(measure, pictures, prompts, f"{name} {label}")
                stores[name].add(keys, values)
                counts[name] += len(rows)
    told = ", ".join(f"{count} by {name}" for name, count in counts.items() if count)
    tell(f"{label}: pictures scored: {told or 'none, all values are kept'}")


def score_whole(
    measure: Measure, images: list[Image.Image], prompts: list[str], label: str
) -> list[Any]:
    """What a measure gives for these, asked with full batches."""
    size = -(-len(images) // BATCH) * BATCH
    return list(measure.score(filled(images, size), filled(prompts, size), label))[: len(images)]


def _chunks(
    samples: str | Path, wanted: Mapping[tuple[str, str], list[str]], stores: Mapping[str, Store]
) -> Iterator[dict[str, tuple[dict, set[str]]]]:
    """{key: (row of the samples, the measures whose value is missing)}, at most about CHUNK."""
    chunk: dict[str, tuple[dict, set[str]]] = {}
    for group, names in wanted.items():
        part = Part(str(samples), group)
        keys = parquet_groups.read(part, ["key"])["key"].to_pylist()
        missing = [{n for n in names if key not in stores[n].values} for key in keys]
        if not any(missing):
            continue
        table = parquet_groups.read(part, ["key", "prompt", "image"])
        for row, lacking in zip(table.to_pylist(), missing):
            if lacking:
                chunk.setdefault(row["key"], (row, set()))[1].update(lacking)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = {}
    if chunk:
        yield chunk


def write(
    samples: str | Path, scored: Iterable[Scored], stores: Mapping[str, Store], output: str | Path
) -> None:
    """Write the values of a samples file as parquet, a row group for each of `scored`."""

    def tables() -> Iterator[tuple[Scored, pa.Table]]:
        for name, variant, prompts in scored:
            columns = ["key", "prompt", "seed", "held_out"]
            drawn = parquet_groups.read(Part(str(samples), (variant, prompts)), columns)
            found = [stores[name].values[key] for key in drawn["key"].to_pylist()]
            names = [[said] * len(drawn) for said in (name, variant, prompts)]
            own = [drawn[column].combine_chunks() for column in columns[1:]]
            yield (
                (name, variant, prompts),
                pa.table([*names, *own, *_columns(found)], schema=SCHEMA),
            )

    with replacing(output) as temporary:
        parquet_groups.write(tables(), SCHEMA, temporary)


def _columns(values):
    """Numbers or vectors as the columns `value` and `vector`, one of which is empty."""
    found = list(values)
    numbers = not found or np.ndim(found[0]) == 0
    nothing = [None] * len(found)
    kinds = (pa.float64(), pa.list_(pa.float32()))
    own = (found, nothing) if numbers else (nothing, found)
    return [pa.array(column, kind) for column, kind in zip(own, kinds)]


def _values(table):
    """What `_columns` was made of."""
    name = "vector" if table["value"].null_count else "value"
    if name == "value":
        return table["value"].to_pylist()
    return [np.array(vector, np.float32) for vector in table["vector"].to_pylist()]
