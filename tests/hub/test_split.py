"""Datasets of a hub on loopback, found and read by the real library `datasets`."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
REPO = "somebody/creatures"
RUN = """
import json, sys
from emaki.data import images
from emaki.data.sources import KIND
from emaki.common.errors import UserError
for number, source in enumerate(json.load(sys.stdin)):
    try:
        source = KIND.read(source)
        source.count_pictures()
        images.write(source.pictures(), f"{sys.argv[1]}/{number}")
        print("null")
    except UserError as error:
        print(json.dumps(str(error)))
"""
CARD = b"---\nlicense: cc0-1.0\n---\n# Creatures\n"


@pytest.fixture
def images(hub, tmp_path):
    """The images stage on hub sources, each given by what it has beside a repository and a commit:
    its table and rejects, or the sentence that it ended with. One process, as imports take long."""

    def run(commit, *options):
        env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "cache")}
        given = {"type": "hub", "repo": REPO, "revision": commit}
        command = [sys.executable, "-c", RUN, tmp_path / "images"]
        sources = json.dumps([given | option for option in options or [{}]])
        done = subprocess.run(
            command, input=sources, env=env, cwd=ROOT / "scripts", capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        told = map(json.loads, done.stdout.splitlines())
        return [sentence or made(tmp_path / "images" / str(n)) for n, sentence in enumerate(told)]

    return run


def made(folder):
    return [
        pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("metadata", "rejects")
    ]


def png(number, size=40):
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), (number, 20, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def parquet(pictures, texts, **columns):
    """A Parquet file as `push_to_hub` writes it."""
    rows = [data and {"bytes": data, "path": None} for data in pictures]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(rows, kind), "text": texts, **columns})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def repository():
    """Two shards of a split with a broken, a missing and a small picture, and another split."""
    first = parquet([png(1), png(2), b"no picture"], ["a  red\ncreature", None, "x"])
    second = parquet([None, png(4, 8), png(5)], ["y", "z", "a blue one"])
    return {
        "README.md": CARD,
        "data/train-00000-of-00002.parquet": first,
        "data/train-00001-of-00002.parquet": second,
        "data/test-00000-of-00001.parquet": parquet([png(9)], ["held out"]),
    }


def test_rows_become_pictures_with_captions_and_the_rest_is_told(hub, images, tmp_path):
    commit = hub.add(REPO, repository())
    (rows, rejects), (first, _) = images(commit, {}, {"count": 2, "licence": "mine"})
    assert [row["id"] for row in rows] == [f"creatures-00000{n}" for n in (0, 1, 5)]
    assert [row["caption"] for row in rows] == ["a red creature", None, "a blue one"]
    assert {(row["licence"], row["credit"]) for row in rows} == {("cc0-1.0", REPO)}
    assert rows[2]["origin"] == "train row 5"
    assert (tmp_path / "images/0/pictures/creatures-000000.png").read_bytes() == png(1)
    assert first == [row | {"licence": "mine"} for row in rows[:2]]
    reasons = {reject["file"]: reject["reason"] for reject in rejects}
    assert set(reasons) == {"train row 2", "train row 3", "train row 4"}
    assert "a side is under 32" in reasons["train row 4"]
    assert not [path for _, path, _ in hub.log if "data/test" in path and "resolve" in path]


def test_a_folder_of_pictures_with_metadata(hub, images):
    lines = [
        {"file_name": f"[{n}].png", "caption": f"creature {n}", "credit": "Ada"} for n in (1, 2)
    ]
    files = {f"train/[{n}].png": png(n) for n in (1, 2)} | {"test/3.png": png(3)}
    text = "\n".join(map(json.dumps, lines))
    commit = hub.add(REPO, {**files, "train/metadata.jsonl": text.encode()})
    ((rows, rejects),) = images(commit, {"text_column": "caption"})
    assert [row["caption"] for row in rows] == ["creature 1", "creature 2"]
    assert [row["credit"] for row in rows] == ["Ada", "Ada"]
    assert rejects == []


def test_a_split_in_tars(hub, images):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in (("a.png", png(1)), ("a.txt", b"red"), ("b.png", png(2)), ("b.txt", b"")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    commit = hub.add(REPO, {"train-0.tar": buffer.getvalue()})
    ((rows, rejects),) = images(commit, {"image_column": "png", "text_column": "txt"})
    assert [row["caption"] for row in rows] == ["red", None]
    assert rejects == []


def test_what_is_not_there_is_told_with_what_is(hub, images, tmp_path):
    commit = hub.add(REPO, repository())
    script = f"open({str(tmp_path / 'ran')!r}, 'w')"
    scripted = hub.add("somebody/scripted", repository() | {"scripted.py": script.encode()})
    wrong = [
        ({"split": "trian"}, f"{REPO} has no split 'trian', only test, train"),
        ({"text_column": "txt"}, "no column 'txt', only image, text; did you mean 'text'?"),
        ({"image_column": "text"}, "column of pictures holds a str"),
        ({"count": 9}, "has 6 rows, not 9: take a smaller count"),
        ({"config": "large"}, "BuilderConfig 'large' not found. Available: ['default']"),
        ({"revision": "0" * 40}, f"{REPO} has no commit 0000"),
        ({"repo": "nobody/gone"}, "nobody/gone is not on the hub, or is private"),
        ({"repo": "somebody/scripted", "revision": scripted}, "its code, if it has any, is never"),
    ]
    told = images(commit, *(option for option, _ in wrong))
    for sentence, (_, expected) in zip(told, wrong, strict=True):
        assert expected in sentence
    for alternative in ("type: hub", "type: folder", "type: dicebear"):
        assert alternative in told[6]
    assert not (tmp_path / "ran").exists()


def test_a_wrong_checksum_is_told(hub, images):
    commit = hub.add(REPO, repository())
    hub.fail("corrupt")
    assert "arrived with another checksum than the commit gives" in images(commit)[0]
