"""Drawn pictures beside the training pictures that are nearest to them, for the page."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from emaki.common import parquet_files
from emaki.report import inline_images

SIDE = 96  # pixels of a picture


def of_experiment(path: str | Path | None, answers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The models of an experiment with their pairs; none where no measure finds any.

    `path` is what scripts/nearest.py wrote. A list of {"model", "pairs": [{"drawn", "real" (as
    `inline_images.embed` has it), "prompt", "id", "above"}]}.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for row in parquet_files.read(path).to_pylist() if path else ():
        shown = {side: _small(row[side]) for side in ("drawn", "real")}
        told = {key: row[key] for key in ("prompt", "id", "above")}
        found.setdefault(row["variant"], []).append(shown | told)
    variants = answers["variants"]
    return [{"model": variants[v]["label"], "pairs": pairs} for v, pairs in found.items()]


def _small(data):
    with Image.open(io.BytesIO(data)) as image:
        return inline_images.embed(
            image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        )
