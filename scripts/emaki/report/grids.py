"""Grids: rows are prompts, columns are variants, and a row has the same seed in every column.

Each set of prompts is a block of rows; the blocks stand side by side where there is room. Letters
are large, so that a grid can be read on a phone.
"""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from emaki.common import fonts, parquet_groups, png_files
from emaki.common.errors import UserError
from emaki.common.parts import Part
from emaki.config.comparisons import LARGEST_CELL, SMALLEST_CELL

WIDEST = 1200  # pixels: blocks side by side are not wider
GAP = 6
MARGIN = 14
BETWEEN = 34  # pixels between two blocks
TEXT = 19
LINE = 24
MOST_LINES = 24  # of a prompt: a caption may be a whole book
PAPER, INK, FAINT, ACCENT = "#fdfcf8", "#1f1d1a", "#6d675e", "#b8412c"
TEXT_CHUNK = "emaki"  # the name of the PNG text that tells what is where

Samples = dict[str, dict[int, bytes]]
"""PNG bytes by prompt and seed."""


def read_samples(*parts: Part) -> Samples:
    """{prompt: {seed: PNG bytes}} in the order of these parts, one for each block of prompts.

    Raises UserError where a picture has no bytes.
    """
    samples: Samples = {}
    for part in parts:
        for row in parquet_groups.read(part, ["prompt", "seed", "image"]).to_pylist():
            if not row["image"] or not row["image"]["bytes"]:
                raise UserError(
                    f"{part.path}: no picture of {row['prompt']!r}; draw these samples again"
                )
            samples.setdefault(row["prompt"], {})[row["seed"]] = row["image"]["bytes"]
    return samples


def draw(
    plan: dict[str, Any], samples: Mapping[tuple[str, str], Samples]
) -> tuple[Image.Image, dict[str, Any]]:
    """The grid of a plan of emaki.config.comparisons.grids: (RGB image, layout).

    `samples` is {(variant, set): as read_samples returns}. The layout, a dict, has `title`;
    `columns` and `variants`, one per column; `rows`, a list of {"set", "prompt", "corners": [[left,
    top] of each cell]}; `cell`, the side of a cell in pixels. Raises UserError where a picture
    is missing.
    """
    columns, cell = _columns(plan, samples), _cell_side(samples)
    width = len(columns) * (cell + GAP) - GAP
    font = fonts.Letters(TEXT)
    heads = [_wrap(column["label"], font, cell) for column in columns]
    blocks = [_rows(samples[columns[0]["variant"], s], n, font, width) for s, n in plan["rows"]]
    head = LINE * (1 + max(map(len, heads)))
    heights = [head + sum(LINE * len(lines) + cell + 3 * GAP for _, lines in b) for b in blocks]
    beside = len(blocks) * (width + BETWEEN) - BETWEEN + 2 * MARGIN
    if beside <= WIDEST:
        size = beside, max(heights) + 2 * MARGIN
        corners = [(MARGIN + n * (width + BETWEEN), MARGIN) for n in range(len(blocks))]
    else:
        size = width + 2 * MARGIN, sum(heights) + BETWEEN * (len(blocks) - 1) + 2 * MARGIN
        corners = [(MARGIN, MARGIN + sum(heights[:n]) + BETWEEN * n) for n in range(len(blocks))]
    image = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(image)
    layout = {
        "title": plan["title"],
        "columns": [column["label"] for column in columns],
        "variants": [column["variant"] for column in columns],
        "rows": [],
        "cell": cell,
    }
    for (prompt_set, _), block, (left, top) in zip(plan["rows"], blocks, corners):
        lefts = [left + number * (cell + GAP) for number in range(len(columns))]
        _write(pen, (left, top), [prompt_set], font, ACCENT)
        for x, lines in zip(lefts, heads):
            _write(pen, (x, top + LINE), lines, font, INK)
        top += head
        for prompt, lines in block:
            _write(pen, (left, top), lines, font, FAINT)
            top += LINE * len(lines) + GAP
            for x, column in zip(lefts, columns):
                data = _picture(samples[column["variant"], prompt_set], prompt, column["seed"])
                image.paste(_fit(data, cell), (x, top))
            cells = [[x, top] for x in lefts]
            layout["rows"].append({"set": prompt_set, "prompt": prompt, "corners": cells})
            top += cell + 2 * GAP
    font.tell_lacking(f"grid {plan['title']}")
    return image, layout


def save(image: Image.Image, layout: dict[str, Any], path: str | Path) -> None:
    """Write a grid as PNG with its layout as text inside."""
    text = json.dumps(layout, sort_keys=True, ensure_ascii=False)
    png_files.write(image, path, {TEXT_CHUNK: text})


def layout_of(image: Image.Image) -> Any:
    """The layout inside an opened PNG; None for a picture that `save` did not write."""
    text = getattr(image, "text", {}).get(TEXT_CHUNK)
    return json.loads(text) if text else None


def _columns(plan, samples):
    """The plan's columns with the seeds that there are, instead of their numbers."""
    first = samples[plan["columns"][0]["variant"], plan["rows"][0][0]]
    seeds = list(next(iter(first.values())))
    several = {column["seed"] for column in plan["columns"]} & set(range(len(seeds))) != {0}
    return [
        {
            "variant": column["variant"],
            "label": column["label"] + (f", seed {seeds[column['seed']]}" if several else ""),
            "seed": seeds[column["seed"]],
        }
        for column in plan["columns"]
        if column["seed"] < len(seeds)
    ]


def _rows(samples, number, font, width):
    """The first prompts of a set, each with the lines that it takes."""
    return [(prompt, _wrap(prompt, font, width)) for prompt in list(samples)[:number]]


def _picture(samples, prompt, seed):
    try:
        return samples[prompt][seed]
    except KeyError:
        raise UserError(
            f"no picture of {prompt!r} with seed {seed}; draw all samples of a grid with the same"
            " prompts and seeds"
        ) from None


def _cell_side(samples):
    data = next(iter(next(iter(next(iter(samples.values())).values())).values()))
    with Image.open(io.BytesIO(data)) as image:
        return min(max(image.width, SMALLEST_CELL), LARGEST_CELL)


def _fit(data, side):
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)


def _wrap(text, font, width):
    """Lines of at most `width` pixels, broken at spaces, after hyphens, or anywhere at need.

    They are MOST_LINES at most; an ellipsis says that some is missing.
    """
    lines = [""]
    # a letter has a pixel or more
    for piece in re.findall(r"[^\s-]*-+|[^\s-]+\s*|\s+", text[: (MOST_LINES + 1) * width]):
        if font.getlength((lines[-1] + piece).rstrip()) <= width:
            lines[-1] += piece
        elif font.getlength(piece.rstrip()) <= width:
            lines.append(piece)
        else:
            for character in piece:
                if font.getlength(lines[-1] + character) > width:
                    lines.append("")
                lines[-1] += character
    found = [line.strip() for line in lines if line.strip()] or [""]
    if len(found) > MOST_LINES:
        found[MOST_LINES - 1 :] = [found[MOST_LINES - 1][:-1] + "…"]
    return found


def _write(pen, corner, lines, font, colour):
    for number, line in enumerate(lines):
        font.draw(pen, (corner[0], corner[1] + number * LINE), line, colour)
