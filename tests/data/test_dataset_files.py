"""A dataset that Hugging Face's `datasets` reads, with a card that hides nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from emaki.captioners.alt import Alt
from emaki.common import fonts
from emaki.common.errors import UserError
from emaki.common.files import sha256
from emaki.data import contact_sheet, dataset_card, dataset_files, images
from emaki.data.captions import write_captions
from emaki.data.picture import Picture, Reject
from emaki.data.settings import Dataset

ROOT = Path(__file__).parents[2]

DATASET = Dataset(source="squares", captions="alt", validation=0.2)


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """The images and captions of 40 squares, of which one has no caption, and two rejects."""
    folder = tmp_path_factory.mktemp("stages")
    items = [
        Picture(
            id=f"square-{number:03d}",
            image=Image.new("RGB", (40 + number % 3, 40), (5 * number, 90, 200)),
            caption=None
            if number == 7
            else f"a square of shade {number}" + " light" * (number % 4),
            licence="CC0 1.0" if number else "MIT",
            credit="" if number else "Ada <ada@example.org>",
        )
        for number in range(40)
    ]
    rejects = [Reject("a|b\n*c*.png", "empty file"), Reject("d.png", "broken picture: cut")]
    images.write([*items, *rejects], folder / "images")
    write_captions(Alt().caption_pictures(folder / "images", []), folder / "alt.parquet")
    return folder


@pytest.fixture(scope="module")
def dataset(stages):
    output = stages / "squares"
    dataset_files.write("squares", DATASET, stages / "images", stages / "alt.parquet", output)
    return output


def test_datasets_loads_it(dataset, tmp_path):
    from datasets import load_dataset

    loaded = load_dataset(str(dataset), cache_dir=str(tmp_path))
    assert set(loaded) == {"train", "validation"}
    assert loaded["train"].column_names == ["id", "image", "text"]
    rows = {row["id"]: row for part in loaded.values() for row in part}
    assert len(rows) == 39
    assert rows["square-009"]["text"] == "a square of shade 9 light"
    assert rows["square-009"]["image"].size == (40, 40)
    assert rows["square-009"]["image"].getpixel((3, 3)) == (45, 90, 200)
    file = str(dataset / "data" / "train.parquet")
    alone = load_dataset("parquet", data_files=file, cache_dir=str(tmp_path))["train"]
    assert isinstance(alone[0]["image"], Image.Image), "the file itself says what its columns are"


def test_without_validation_the_file_is_there_and_empty(stages, tmp_path):
    from datasets import load_dataset

    whole = DATASET.model_copy(update={"validation": 0.0})
    dataset_files.write("all", whole, stages / "images", stages / "alt.parquet", tmp_path / "all")
    assert pq.read_metadata(tmp_path / "all" / "data" / "validation.parquet").num_rows == 0
    loaded = load_dataset(str(tmp_path / "all"), cache_dir=str(tmp_path / "cache"))
    assert {part: len(rows) for part, rows in loaded.items()} == {"train": 39}


def test_the_card_as_json(dataset):
    card = json.loads((dataset / "card.json").read_text("utf-8"))
    held_out = pq.read_metadata(dataset / "data" / "validation.parquet").num_rows
    assert card["counts"] == {"train": 39 - held_out, "validation": held_out, "rejected": 3}
    assert 2 <= held_out <= 15
    assert card["rejects"] == [
        {"file": "a|b\n*c*.png", "reason": "empty file"},
        {"file": "d.png", "reason": "broken picture: cut"},
        {"file": "square-007", "reason": "no caption from 'alt'"},
    ]
    assert card["caption_words"] == {"min": 5, "median": 6, "max": 8}
    assert card["licences"] == {"CC0 1.0": 38, "MIT": 1}
    assert card["credits"] == ["Ada <ada@example.org>"]
    assert card["sizes"]["width"] == {"min": 40, "median": 41, "max": 42}
    assert (card["name"], card["source"], card["captions"]) == ("squares", "squares", "alt")


def test_the_card_as_markdown(dataset):
    text = (dataset / "README.md").read_text("utf-8")
    _, header, body = text.split("---\n", 2)
    header = yaml.safe_load(header)
    assert header["license"] == "other", "two licences have no one identifier"
    assert header["configs"][0]["data_files"][0] == {"split": "train", "path": "data/train.parquet"}
    assert "| a\\|b \\*c\\*.png | empty file |" in body
    assert "| square-007 | no caption from 'alt' |" in body
    assert "| words in a caption | 5 to 8, median 6 |" in body
    assert "\\<ada@example.org\\>" in body
    assert "contact_sheet.png" in body


def test_content_json_follows_the_data_only(stages, dataset, tmp_path):
    content = json.loads((dataset / "content.json").read_text())
    assert content["train"] == sha256(dataset / "data" / "train.parquet")
    other = DATASET.model_copy(update={"captions": "described otherwise"})
    dataset_files.write("x", other, stages / "images", stages / "alt.parquet", tmp_path / "x")
    assert json.loads((tmp_path / "x" / "content.json").read_text()) == content


def test_a_long_list_of_rejects_is_cut_in_the_text_only(dataset):
    card = json.loads((dataset / "card.json").read_text("utf-8"))
    card["rejects"] = [{"file": f"{n}.png", "reason": "empty file"} for n in range(60)]
    text = dataset_card.to_markdown(card)
    assert "49.png" in text
    assert "50.png" not in text
    assert "And 10 more: see `card.json`." in text


def test_the_same_bytes_again_by_the_script(stages, dataset, tmp_path):
    arguments = {
        "name": "squares",
        "dataset": DATASET.model_dump_json(),
        "images": stages / "images",
        "captions": stages / "alt.parquet",
        "output": tmp_path / "again",
    }
    command = [sys.executable, "scripts/dataset.py"]
    command += [str(part) for key, value in arguments.items() for part in (f"--{key}", value)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    files = {path.relative_to(dataset) for path in dataset.rglob("*") if path.is_file()}
    assert {str(path) for path in files} == {
        "README.md",
        "card.json",
        "content.json",
        "contact_sheet.png",
        "data/train.parquet",
        "data/validation.parquet",
    }
    for path in files:
        assert (tmp_path / "again" / path).read_bytes() == (dataset / path).read_bytes()


def test_adding_pictures_moves_none_to_the_other_side():
    few = [f"room-{number}" for number in range(200)]
    many = [*few, *(f"other-{number}" for number in range(800))]
    before, after = (
        dataset_files.choose_held_out(few, 0.1),
        dataset_files.choose_held_out(many, 0.1),
    )
    assert after & set(few) == before
    assert 70 <= len(after) <= 130
    assert before == dataset_files.choose_held_out(few[::-1], 0.1)
    assert before < dataset_files.choose_held_out(few, 0.2)


def test_neither_side_is_empty_where_that_can_be():
    assert dataset_files.choose_held_out(["a"], 0.5) == set()
    assert all(
        len(dataset_files.choose_held_out(["a", str(n)], share)) == 1
        for n in range(9)
        for share in (0.01, 0.5)
    )
    assert dataset_files.choose_held_out([str(n) for n in range(50)], 0) == set()


def test_an_empty_dataset_says_why(stages, tmp_path):
    write_captions([("square-001", None)], tmp_path / "none.parquet")
    with pytest.raises(UserError) as error:
        dataset_files.write(
            "x", DATASET, stages / "images", tmp_path / "none.parquet", tmp_path / "x"
        )
    assert str(error.value).startswith("dataset x is empty: 42 set aside (")
    assert "d.png: broken picture: cut; " in str(error.value)
    assert "no caption from 'alt'" in str(error.value)
    assert not (tmp_path / "x").exists()


def test_large_pictures_are_written_in_several_row_groups(stages, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_files, "GROUP_BYTES", 1000)
    dataset_files.write("x", DATASET, stages / "images", stages / "alt.parquet", tmp_path / "x")
    metadata = pq.read_metadata(tmp_path / "x" / "data" / "train.parquet")
    assert metadata.num_row_groups > 2
    assert metadata.num_rows + 1 <= 39


def test_the_contact_sheet(dataset):
    sheet = Image.open(dataset / "contact_sheet.png")
    across = contact_sheet.GAP + 6 * (contact_sheet.CELL + contact_sheet.GAP)
    assert sheet.size[0] == across
    middle = contact_sheet.GAP + contact_sheet.CELL // 2
    red, green, blue = sheet.getpixel((middle, middle))
    assert red % 5 == 0
    assert (green, blue) == (90, 200)
    below = (contact_sheet.GAP, contact_sheet.GAP + contact_sheet.CELL + 6)
    caption = sheet.crop((*below, below[0] + contact_sheet.CELL, below[1] + 18)).convert("L")
    assert caption.getextrema()[0] < 80, "dark letters on white"


def test_captions_are_wrapped_to_the_cell():
    font = fonts.Letters(contact_sheet.TEXT_SIZE)
    for text in ["short", "a longer caption " * 9, "unbroken" * 20, "two  words\nand a line"]:
        lines = contact_sheet.wrap(text, font, 176, 3)
        assert 1 <= len(lines) <= 3
        assert all(font.getlength(line) <= 176 for line in lines)
        whole = " ".join(text.split())
        assert "".join(lines).replace(" ", "") == whole.replace(" ", "") or lines[-1][-1] == "…"
    assert contact_sheet.wrap("", font, 176, 3) == []


def test_one_line_says_all(stages, tmp_path, monkeypatch, capsys):
    items = [
        Picture(f"p{n}", Image.new("RGB", (40, 40), (n, 0, 0)), "x", "", "", changes=("turned",))
        for n in range(3)
    ]
    bad = [Reject(f"{n}.png", f"{n} x 9 pixels: a side is under 32") for n in range(8)]
    images.write([*items, *bad, Reject("a.png", "empty file")], tmp_path / "images")
    write_captions(Alt().caption_pictures(tmp_path / "images", []), tmp_path / "alt.parquet")
    reader, writer = os.pipe()
    monkeypatch.setenv("EMAKI_TERMINAL", str(writer))
    folder = tmp_path / "x"
    dataset_files.write("x", DATASET, tmp_path / "images", tmp_path / "alt.parquet", folder)
    line = (
        "dataset x: 2 pictures to train on, 1 held out; 9 set aside (8 a side is under 32 pixels; "
        "1 empty file); 3 turned"
    )
    assert os.read(reader, 1000).decode() == f"{line}\n"
    assert capsys.readouterr().out.splitlines()[-1] == line
    assert json.loads((folder / "card.json").read_text())["summary"] == line
    assert f"{line}." in (folder / "README.md").read_text()


def test_what_its_owner_holds_out_is_held_out(tmp_path):
    items = [
        Picture(
            f"p{n}",
            Image.new("RGB", (40, 40), (n, 0, 0)),
            "x",
            "",
            "",
            split="validation" if n in (2, 5) else "train",
        )
        for n in range(20)
    ]
    images.write(items, tmp_path / "images")
    write_captions(Alt().caption_pictures(tmp_path / "images", []), tmp_path / "alt.parquet")
    none = DATASET.model_copy(update={"validation": 0.0})
    for name, dataset in (("x", DATASET), ("y", none)):
        folder = tmp_path / name
        dataset_files.write(name, dataset, tmp_path / "images", tmp_path / "alt.parquet", folder)
        held_out = pq.read_table(folder / "data" / "validation.parquet")["id"].to_pylist()
        assert held_out == ["p2", "p5"]
        summary = json.loads((folder / "card.json").read_text())["summary"]
        assert "18 pictures to train on, 2 held out, as their folders say" in summary


def test_a_picture_that_was_damaged_is_named(stages, tmp_path):
    shutil.copytree(stages / "images", tmp_path / "images")
    path = tmp_path / "images/pictures/square-009.png"
    path.write_bytes(path.read_bytes()[:-20] + bytes(20))
    with pytest.raises(UserError, match=r"square-009\.png is damaged.*delete .*/pictures and"):
        dataset_files.write(
            "x", DATASET, tmp_path / "images", stages / "alt.parquet", tmp_path / "x"
        )
    assert not (tmp_path / "x").exists()


def test_two_pictures_are_too_few_for_a_distance_which_is_said(tmp_path, capsys):
    pair = [Picture(n, Image.new("RGB", (8, 8), n), n, "CC0-1.0", "me") for n in ("red", "blue")]
    images.write(pair, tmp_path / "images")
    write_captions(Alt().caption_pictures(tmp_path / "images", []), tmp_path / "alt.parquet")
    folders = (tmp_path / "images", tmp_path / "alt.parquet", tmp_path / "out")
    dataset_files.write("two", DATASET, *folders)
    assert "with one picture to train on no distance from the real" in capsys.readouterr().out
    none_held_out = DATASET.model_copy(update={"validation": 0.0})
    dataset_files.write("two", none_held_out, *folders)
    assert "no distance" not in capsys.readouterr().out
