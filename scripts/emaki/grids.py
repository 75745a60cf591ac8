"""Grids: rows are prompts, columns are variants, and a row has the same seed in every column.

A grid is drawn large and with large letters, so that it can be read on a phone.
"""

import io
import json

import pyarrow.parquet as parquet
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from emaki.errors import UserError

SMALLEST_CELL, LARGEST_CELL = 128, 256  # pixels
GAP = 6
MARGIN = 14
TEXT = 19
LINE = 24
PAPER, INK, FAINT = "#fdfcf8", "#1f1d1a", "#6d675e"
TEXT_CHUNK = "emaki"  # the name of the PNG text that tells what is where


def read_samples(path):
    """{prompt: {seed: PNG bytes}} in the order of the file.

    Raises UserError where a picture has no bytes.
    """
    samples = {}
    for row in parquet.read_table(path, columns=["prompt", "seed", "image"]).to_pylist():
        if not row["image"] or not row["image"]["bytes"]:
            raise UserError(f"{path}: no picture of {row['prompt']!r}; draw these samples again")
        samples.setdefault(row["prompt"], {})[row["seed"]] = row["image"]["bytes"]
    return samples


def draw(plan, samples):
    """The grid of a plan of emaki.plans.grids: (RGB image, layout).

    `samples` is {(variant, set): as read_samples returns}. The layout, a dict, has the title, the
    columns' labels, the rows' prompts and the corner and side of every cell, in pixels.
    """
    columns = _columns(plan, samples)
    rows = _rows(plan, samples)
    font = ImageFont.load_default(TEXT)
    cell = _cell_side(samples)
    width = 2 * MARGIN + len(columns) * (cell + GAP) - GAP
    heads = [_wrap(column["label"], font, cell) for column in columns]
    prompts = [_wrap(prompt, font, width - 2 * MARGIN) for _, prompt in rows]
    top = MARGIN + LINE * max(map(len, heads)) + GAP
    height = top + sum(LINE * len(lines) + cell + 3 * GAP for lines in prompts) + MARGIN
    image = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(image)
    lefts = [MARGIN + number * (cell + GAP) for number in range(len(columns))]
    for left, lines in zip(lefts, heads):
        _write(pen, (left, MARGIN), lines, font, INK)
    tops = []
    for (prompt_set, prompt), lines in zip(rows, prompts):
        _write(pen, (MARGIN, top), lines, font, FAINT)
        tops.append(top + LINE * len(lines) + GAP)
        for left, column in zip(lefts, columns):
            data = _picture(samples[column["variant"], prompt_set], prompt, column["seed"])
            image.paste(_fit(data, cell), (left, tops[-1]))
        top = tops[-1] + cell + 2 * GAP
    layout = {
        "title": plan["title"],
        "columns": [column["label"] for column in columns],
        "rows": [prompt for _, prompt in rows],
        "sets": [prompt_set for prompt_set, _ in rows],
        "lefts": lefts,
        "tops": tops,
        "cell": cell,
    }
    return image, layout


def save(image, layout, path):
    """Write a grid as PNG with its layout as text inside."""
    about = PngImagePlugin.PngInfo()
    about.add_itxt(TEXT_CHUNK, json.dumps(layout, sort_keys=True, ensure_ascii=False))
    image.save(path, optimize=True, pnginfo=about)


def layout_of(image):
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


def _rows(plan, samples):
    variant = plan["columns"][0]["variant"]
    return [
        (prompt_set, prompt)
        for prompt_set, number in plan["rows"]
        for prompt in list(samples[variant, prompt_set])[:number]
    ]


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
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _write(pen, corner, lines, font, colour):
    for number, line in enumerate(lines):
        pen.text((corner[0], corner[1] + number * LINE), line, colour, font)
