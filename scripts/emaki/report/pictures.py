"""Pictures inside the page: WebP as data URIs."""

import base64
import io

from PIL import Image

from emaki.grids import layout_of

QUALITY = 82
WIDEST = 1400  # pixels; a wider grid is made smaller


def embed(image):
    """An RGB image as {"src": data URI, "width", "height"}."""
    if image.width > WIDEST:
        size = (WIDEST, round(image.height * WIDEST / image.width))
        image = image.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "WEBP", quality=QUALITY, method=4)
    text = base64.b64encode(buffer.getvalue()).decode()
    return {
        "src": f"data:image/webp;base64,{text}",
        "width": image.width,
        "height": image.height,
    }


def grid(path):
    """A grid for the page: as `embed`, with `title`, `columns` (their number) and `alt`."""
    with Image.open(path) as image:
        layout = layout_of(image)
        alt = f"{layout['title']}. Columns: {', '.join(layout['columns'])}. Rows: "
        return {
            **embed(image),
            "title": layout["title"],
            "columns": len(layout["columns"]),
            "alt": f"{alt}{'; '.join(layout['rows'])}.",
        }


def first_cells(path, row):
    """The first and the second picture in a row of a grid, with their prompt and labels.

    `row` is taken modulo the rows of the grid's first set of prompts. None where there is no
    second column.
    """
    with Image.open(path) as image:
        layout = layout_of(image)
        if len(layout["columns"]) < 2:
            return None
        row %= layout["sets"].count(layout["sets"][0])
        cells = []
        for column in (0, 1):
            left, top, side = layout["lefts"][column], layout["tops"][row], layout["cell"]
            cell = image.crop((left, top, left + side, top + side))
            label = layout["columns"][column].partition(", seed")[0]
            cells.append({**embed(cell), "label": label})
        return {"prompt": layout["rows"][row], "cells": cells}
