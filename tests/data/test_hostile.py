"""Hostile pictures and captions go the whole way of a dataset: used, or set aside with reasons."""

import os
import re
import subprocess
import sys

import hostile
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from emaki.common.digests import read_json


@pytest.fixture(scope="module")
def way(tmp_path_factory):
    """The pictures by name, and the folder with what was made of them."""
    place = tmp_path_factory.mktemp("hostile")
    expected = hostile.write(place / "pictures", 1)
    here = os.getcwd()
    os.chdir(place)
    try:
        hostile.take_the_way(place / "pictures", place)
    finally:
        os.chdir(here)
    return expected, place


def test_each_picture_is_used_with_its_colours_or_set_aside_with_the_reason(way):
    expected, place = way
    assert len(expected) > 80
    found = hostile.judge(place, expected)
    assert [one for one in found if not one[2]] == []
    used = sum(said == hostile.USED for _, said, _ in found)
    assert 40 < used < len(found) - 40


def test_captions_are_kept_as_they_are_or_the_picture_has_none(way):
    _, place = way
    rows = pq.read_table(place / "images/metadata.parquet").to_pylist()
    found = {row["origin"]: row["caption"] for row in rows}
    for number, text in enumerate(hostile.CAPTIONS):
        caption = found[f"captioned-{number:02d}.png"]
        if number < len(hostile.CAPTIONS) - hostile.NONE:
            first = " ".join(text.decode("utf-8-sig").split())
            assert first.startswith(caption)
            assert caption
        else:
            assert caption is None


def test_nothing_was_executed_or_written_elsewhere(way):
    _, place = way
    made = {"pictures", "images", "alt.parquet", "dataset"}
    assert {path.name for path in place.iterdir()} == made
    assert not list(place.rglob("pwned*"))


def test_the_card_is_one_header_and_text(way):
    _, place = way
    card = (place / "dataset/README.md").read_text("utf-8")
    _, header, text = card.split("---\n", 2)
    assert yaml.safe_load(header)["pretty_name"] == "hostile"
    assert "<script" not in text.replace("\\<", "")
    about = read_json(place / "dataset/card.json")
    assert about["counts"]["rejected"] == len(about["rejects"])
    with Image.open(place / "dataset/contact_sheet.png") as sheet:
        assert sheet.size[0] < 1200


def test_memory_is_bounded():
    """In a process of its own, by another seed: what it takes beside its libraries."""
    done = subprocess.run(
        [sys.executable, hostile.__file__, "2"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    peak, before = re.search(r"(\d+) MiB, of which (\d+)", done.stdout).groups()
    assert int(peak) - int(before) < 500
