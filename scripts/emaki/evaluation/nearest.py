"""Pairs of a drawn picture and the training picture that is nearest to it, to be looked at."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from emaki.common import parquet_files
from emaki.common.parts import Part
from emaki.data.decoding import to_png
from emaki.evaluation.comparison import read_reference, read_scores
from emaki.evaluation.measures import Measure
from emaki.evaluation.reference import read_square
from emaki.evaluation.scoring import read_images

MOST = 4  # pairs of a model: those that are nearest
COLUMNS = ("variant", "prompt", "seed", "above", "id")


def find_pairs(
    measure: Measure,
    scores: Mapping[str, Part],
    samples: Mapping[str, Part],
    reference: str | Path,
    training_pictures: str | Path,
    resolution: int,
) -> pa.Table:
    """The nearest MOST pairs of each variant, each of another prompt, the nearest first.

    `scores` and `samples` are {variant: part}, `reference` is what the measure made of the real
    pictures. Columns: those of COLUMNS, where `above` is how much nearer they are than fresh real
    pictures and `id` names the training picture; `drawn` and `real`, PNG bytes, as large as the
    samples (`resolution`).
    """
    rows = []
    real = read_reference(reference)
    table = parquet_files.read(reference, columns=["id", "split"])
    ids = table.filter(pc.equal(table["split"], "train"))["id"].to_pylist()
    places = parquet_files.read(training_pictures, columns=["id"])["id"].to_pylist()
    for variant, part in scores.items():
        own = read_scores(part)
        nearest, above = measure.nearest(own["value"], real)
        drawn = _pictures(samples[variant])
        for row in _first(above, own["prompt"]):
            key, found = (own["prompt"][row], int(own["seed"][row])), ids[nearest[row]]
            square = read_square(training_pictures, places.index(found), resolution)
            values = variant, *key, float(above[row]), found
            pair = {"drawn": drawn[key], "real": to_png(square)}
            rows.append(dict(zip(COLUMNS, values)) | pair)
    return pa.Table.from_pylist(rows)


def _first(above, prompts) -> list[int]:
    """The rows with the highest values, one of a prompt, at most MOST."""
    found: dict[str, int] = {}
    for row in sorted(range(len(above)), key=lambda row: -above[row]):
        found.setdefault(prompts[row], row)
    return list(found.values())[:MOST]


def _pictures(part) -> dict[tuple[str, int], Any]:
    """{(prompt, seed): PNG bytes}."""
    table, images = read_images(part)
    keys = zip(table["prompt"].to_pylist(), table["seed"].to_pylist())
    return {key: to_png(image) for key, image in zip(keys, images)}
