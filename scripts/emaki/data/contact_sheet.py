"""A sheet of pictures with their captions, to see a dataset at a glance."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageDraw, ImageOps

from emaki.common import fonts

COLUMNS = 6
MOST = 36
CELL = 176  # pixels; a picture fits a square of this side
GAP = 12
TEXT_SIZE = 13
LINES = 4
LINE_HEIGHT = 17
PAPER, INK, MOUNT = "#ffffff", "#222222", "#f0f0f0"


def choose(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """At most MOST of the rows (mappings with an `id`), chosen by hash, in their own order."""
    ranked = sorted(rows, key=lambda row: hashlib.sha256(row["id"].encode()).digest())
    chosen = {row["id"] for row in ranked[:MOST]}
    return [row for row in rows if row["id"] in chosen]


def draw(pictures: Sequence[tuple[str | Path | BinaryIO, str]]) -> Image.Image:
    """An RGB sheet of pictures (paths, or files in memory) with captions, COLUMNS in a row."""
    columns = min(COLUMNS, len(pictures))
    height = CELL + GAP // 2 + LINES * LINE_HEIGHT + GAP
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (GAP + columns * (CELL + GAP), GAP + rows * height), PAPER)
    pen = ImageDraw.Draw(sheet)
    letters = fonts.Letters(TEXT_SIZE)
    for number, (path, caption) in enumerate(pictures):
        corner = (GAP + number % columns * (CELL + GAP), GAP + number // columns * height)
        sheet.paste(_mount(path), corner)
        top = corner[1] + CELL + GAP // 2
        for line in wrap(caption, letters, CELL, LINES):
            letters.draw(pen, (corner[0], top), line, INK)
            top += LINE_HEIGHT
    letters.tell_lacking("contact sheet")
    return sheet


def wrap(text: str, font: fonts.Letters, width: int, most: int) -> list[str]:
    """`text` in at most `most` lines of `width` pixels; an ellipsis says that some is missing."""
    lines: list[str] = []
    # a letter has a pixel or more: of the longest caption only what might fit is measured
    rest = " ".join(text.split())[: most * width + 1]
    while rest and len(lines) < most:
        if len(lines) == most - 1 and font.getlength(rest) > width:
            fit = _count_fitting(rest, font, width - font.getlength("…"))
            return [*lines, rest[:fit].rstrip() + "…"]
        fit = _count_fitting(rest, font, width)
        space = rest.rfind(" ", 0, fit + 1)
        fit = space if fit < len(rest) and space > 0 else fit
        lines.append(rest[:fit].rstrip())
        rest = rest[fit:].lstrip()
    return lines


def _count_fitting(text, font, width):
    """How many characters of `text`, at least one, are no wider than `width` pixels."""
    fit, most = 1, len(text)
    while fit < most:
        middle = (fit + most + 1) // 2
        if font.getlength(text[:middle]) <= width:
            fit = middle
        else:
            most = middle - 1
    return fit


def _mount(path):
    """An RGB picture, enlarged or reduced to fit, in the middle of a square."""
    with Image.open(path) as image:
        image.draft("RGB", (2 * CELL, 2 * CELL))  # lets a large JPEG be decoded small
        small = ImageOps.contain(image, (CELL, CELL), Image.Resampling.BICUBIC)
    return ImageOps.pad(small, (CELL, CELL), Image.Resampling.BICUBIC, MOUNT)
