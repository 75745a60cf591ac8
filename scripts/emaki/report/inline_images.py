"""Pictures inside the page: WebP as data URIs."""

import base64
import functools
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from emaki.common import png_files
from emaki.config.pages import WIDEST
from emaki.report.grids import layout_of

QUALITY, METHOD = 82, 2  # of WebP; method 4, the usual, takes twice the time for 4 % fewer bytes


def embed(image: Image.Image) -> dict[str, Any]:
    """An RGB image as {"src": data URI, "width", "height"}."""
    if image.width > WIDEST:
        size = (WIDEST, round(image.height * WIDEST / image.width))
        image = image.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "WEBP", quality=QUALITY, method=METHOD)
    text = base64.b64encode(buffer.getvalue()).decode()
    return {
        "src": f"data:image/webp;base64,{text}",
        "width": image.width,
        "height": image.height,
    }


def grid(path: str | Path) -> dict[str, Any]:
    """A grid for the page: as `embed`, with `title`, `across` (cells in its width) and `alt`."""
    image, layout = _read(path)
    prompts = "; ".join(row["prompt"] for row in layout["rows"])
    return {
        **embed(image),
        "title": layout["title"],
        "across": round(image.width / layout["cell"]),
        "alt": f"{layout['title']}. Columns: {', '.join(layout['columns'])}. Rows: {prompts}.",
    }


def cells(path: str | Path, number: int, variants: Sequence[str]) -> dict[str, Any]:
    """{"prompt", "pictures": one per variant} from a row of a grid.

    `number` counts the rows, again from the first after the last of the first set of prompts.
    """
    image, layout = _read(path)
    rows = _first_rows(layout)
    return _cells(image, layout, rows[number % len(rows)], variants)


def rows_of(path: str | Path, most: int, variants: Sequence[str]) -> list[dict[str, Any]]:
    """As `cells`, of the first rows of a grid, at most so many."""
    image, layout = _read(path)
    return [_cells(image, layout, row, variants) for row in _first_rows(layout)[:most]]


def _read(path):
    return _decode(path, Path(path).stat().st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _decode(path, _written):
    """A grid's picture and layout: an entry shows parts of one that it shows as a whole."""
    with png_files.opened(path) as image:
        return image.convert("RGB"), layout_of(image)


def _first_rows(layout):
    """The rows of the first set of prompts."""
    return [row for row in layout["rows"] if row["set"] == layout["rows"][0]["set"]]


def _cells(image, layout, row, variants):
    found = []
    for variant in variants:
        left, top = row["corners"][layout["variants"].index(variant)]
        side = layout["cell"]
        found.append(embed(image.crop((left, top, left + side, top + side))))
    return {"prompt": row["prompt"], "pictures": found}
