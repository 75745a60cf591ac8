"""Grids show the right picture in the right place, and say what is where."""

import io

import hostile
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from emaki.common import parquet_groups
from emaki.common.errors import UserError
from emaki.common.parts import Part
from emaki.report.grids import draw, layout_of, read_samples, save

COLOURS = {("base/tiny", 0): "#ff0000", ("base/tiny", 1): "#00ff00", ("run", 0): "#0000ff"}
PROMPTS = ["a rustic living room with a red couch and a very long description of it", "pig"]


def png(colour):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(buffer, "PNG")
    return buffer.getvalue()


def samples(variant):
    colours = [COLOURS.get((variant, seed), "#ffff00") for seed in (0, 1)]
    return {prompt: {10: png(colours[0]), 11: png(colours[1])} for prompt in PROMPTS}


def grid(columns, rows=(("rooms", 2),)):
    plan = {"title": "a run over steps", "rows": rows, "columns": columns}
    variants = {column["variant"] for column in columns}
    return draw(plan, {(v, name): samples(v) for v in variants for name, _ in rows})


def column(variant, seed=0):
    return {"variant": variant, "label": f"the {variant}", "seed": seed}


def test_every_cell_has_its_picture():
    image, layout = grid([column("base/tiny"), column("run"), column("base/tiny", 1)])
    assert [row["prompt"] for row in layout["rows"]] == PROMPTS
    for row in layout["rows"]:
        centres = [(left + 60, top + 60) for left, top in row["corners"]]
        found = [image.getpixel(centre) for centre in centres]
        assert found == [(255, 0, 0), (0, 0, 255), (0, 255, 0)]
    assert layout["columns"] == [
        "the base/tiny, seed 10",
        "the run, seed 10",
        "the base/tiny, seed 11",
    ]


def test_sets_stand_side_by_side_where_there_is_room():
    rows = [("rooms", 2), ("unrelated", 2)]
    narrow, _ = grid([column("base/tiny"), column("run")], rows)
    wide, layout = grid([column("base/tiny"), *[column("run")] * 6], rows)
    assert narrow.width > narrow.height
    assert wide.width < 1200
    tops = [row["corners"][0][1] for row in layout["rows"]]
    assert tops == sorted(set(tops))


def test_letters_stay_inside_and_apart_from_pictures():
    image, layout = grid([column("base/tiny")])
    pixels = np.asarray(image).astype(int)
    written = abs(pixels - pixels[0, 0]).sum(axis=2) > 40
    assert not written[:, -8:].any()
    assert not written[-8:].any()
    left, top = layout["rows"][0]["corners"][0]
    assert not written[top - 2 : top, left : left + layout["cell"]].any()


@pytest.mark.parametrize(
    "label", ["critters-ema-start (EMA)", "a" * 30, "no breaks/at/all/in/here"]
)
def test_a_long_label_stays_over_its_own_column(label):
    plan = {"title": "", "rows": [["rooms", 1]], "columns": [column("run"), column("base/tiny")]}
    plan["columns"][0]["label"], plan["columns"][1]["label"] = label, ""
    pig = {"pig": samples("run")["pig"]}
    image, layout = draw(plan, {(v, "rooms"): pig for v in ("run", "base/tiny")})
    row = layout["rows"][0]
    head = np.asarray(image.crop((0, 45, image.width, row["corners"][0][1] - 30))).astype(int)
    written = (abs(head - head[0, 0]).sum(axis=2) > 40).any(axis=0)
    assert written[: layout["cell"]].any()
    assert not written[row["corners"][1][0] :].any()


def test_a_prompt_like_a_book_is_cut():
    """A caption may be a prompt, and may be of any length."""
    for text in (hostile.CAPTIONS[34], hostile.CAPTIONS[35]):
        samples_ = {text.decode(): samples("run")["pig"]}
        plan = {"title": "", "rows": [["rooms", 1]], "columns": [column("run")]}
        image, layout = draw(plan, {("run", "rooms"): samples_})
        assert image.height < 1200
        assert layout["rows"][0]["prompt"] == text.decode()


def test_accents_are_drawn():
    """A letter that the font lacks is a box, the same for each."""
    heads = []
    for label in "éß":
        drawn, layout = grid([{"variant": "run", "label": label, "seed": 0}], [("rooms", 1)])
        heads.append(drawn.crop((0, 30, drawn.width, layout["rows"][0]["corners"][0][1])).tobytes())
    assert heads[0] != heads[1]


def test_layout_travels_in_the_file(tmp_path):
    image, layout = grid([column("base/tiny"), column("run")])
    save(image, layout, tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as read:
        assert layout_of(read) == layout


def test_seeds_that_do_not_exist_have_no_column():
    _, layout = grid([column("base/tiny", seed) for seed in range(4)])
    assert len(layout["columns"]) == 2


def test_a_missing_picture_is_named():
    plan = {"title": "", "rows": [["rooms", 2]], "columns": [column("base/tiny"), column("run")]}
    without = {prompt: {10: png("#000000")} for prompt in PROMPTS[:1]}
    with pytest.raises(UserError, match="no picture of 'pig' with seed 10"):
        draw(plan, {("base/tiny", "rooms"): samples("base/tiny"), ("run", "rooms"): without})


def test_samples_without_bytes_are_refused(tmp_path):
    rows = [{"prompt": "pig", "seed": 0, "image": {"bytes": None, "path": "pig.png"}}]
    part, table = Part(str(tmp_path / "0.parquet"), ("run", "rooms")), pa.Table.from_pylist(rows)
    parquet_groups.write([(part.key, table)], table.schema, part.path)
    with pytest.raises(UserError, match="no picture of 'pig'"):
        read_samples(part)
