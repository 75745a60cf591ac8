"""A source and a captioner of the user's own, each a .py file outside the package."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emaki.common.errors import UserError
from emaki.data.captions import read_captions
from emaki.data.sources import KIND

ROOT = Path(__file__).parents[2]
SQUARES, SHOUTING = "tests/workflow/squares.py", "tests/workflow/shouting.py"


def run(script, *arguments):
    command = [sys.executable, f"scripts/{script}.py", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_pictures_and_captions_of_files_outside_the_package(tmp_path):
    source = {"type": SQUARES, "colours": ["red", "blue"], "side": 40}
    images = tmp_path / "images"
    done = run("images", "--source", json.dumps(source), "--output", images)
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(images / "metadata.parquet").to_pylist()
    assert [(row["id"], row["width"], row["licence"]) for row in rows] == [
        ("red", 40, "CC0 1.0"),
        ("blue", 40, "CC0 1.0"),
    ]
    alt, loud = tmp_path / "alt.parquet", tmp_path / "loud.parquet"
    for captioner, more in [
        ({"type": "alt"}, ["--output", alt]),
        ({"type": SHOUTING, "of": "alt"}, ["--of", alt, "--output", loud]),
    ]:
        done = run("caption", "--captioner", json.dumps(captioner), "--images", images, *more)
        assert done.returncode == 0, done.stderr
    assert read_captions(loud) == [("red", "A RED SQUARE!"), ("blue", "A BLUE SQUARE!")]


def test_settings_of_a_file_are_checked_as_the_package_s_own():
    source = KIND.read({"type": SQUARES, "colours": ["red"], "shards": 2})
    assert source.shard_names() == ["00000", "00001"]
    assert source.model_dump(exclude={"shards"}) == {
        "type": SQUARES,
        "colours": ["red"],
        "side": 32,
    }
    with pytest.raises(ValueError, match="has 'red' twice"):
        KIND.read({"type": SQUARES, "colours": ["red", "red"]})


def test_a_file_that_is_no_source_is_told(tmp_path):
    with pytest.raises(UserError, match=r"gone.py, which is no file$"):
        KIND.find(str(tmp_path / "gone.py"))
    told = r"shouting.py, which has 0 classes derived from Source: it must have one$"
    with pytest.raises(UserError, match=told):
        KIND.find(SHOUTING)
