"""Tars as people have them: captions in two places, odd names, and everything that can be wrong."""

import io
import json
import tarfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from emaki.common.errors import UserError
from emaki.data import decoding, images
from emaki.data.picture import Reject
from emaki.data.sources import KIND
from emaki.data.sources.webdataset import WebDataset


def picture(seed, kind="PNG", size=(48, 40), **options):
    """The bytes of a picture of its own noise."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def write(path, members):
    """A tar of (name, bytes, or a link's target) pairs."""
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            if isinstance(data, str):
                member.type, member.linkname = tarfile.SYMTYPE, data
                tar.addfile(member)
            else:
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return path


def read(path, **options):
    """{file: picture} and {file: reason} of tars."""
    items = list(KIND.read({"type": "webdataset", "path": str(path), **options}).pictures())
    good = {item.file: item for item in items if not isinstance(item, Reject)}
    return good, {item.file: item.reason for item in items if isinstance(item, Reject)}


def test_captions_in_texts_and_json(tmp_path):
    about = {"legend": "from JSON", "license": "CC0 1.0", "credit": "Ada"}
    members = [
        ("a.png", picture(1)),
        ("a.txt", b" a couch,\n red"),
        ("deep.er/b.v2.cls", b"7"),
        ("deep.er/b.JPG", picture(2, "JPEG")),
        ("deep.er/b.json", json.dumps(about).encode()),
        ("c.json", json.dumps(about).encode()),
        ("c.webp", picture(3, "WEBP", lossless=True)),
        ("c.txt", b"from the text"),
        ("d.png", picture(4)),
    ]
    good, bad = read(write(tmp_path / "x.tar", members), caption_column="legend", credit="me")
    assert {name: (p.caption, p.licence, p.credit) for name, p in good.items()} == {
        "x/a.png": ("a couch, red", "unknown", "me"),
        "x/deep.er/b.JPG": ("from JSON", "CC0 1.0", "Ada"),
        "x/c.webp": ("from the text", "CC0 1.0", "Ada"),
        "x/d.png": (None, "unknown", "me"),
    }
    assert bad == {}


def test_what_cannot_be_used_is_set_aside_with_the_reason(tmp_path):
    members = [
        ("._a.png", b"what a Mac leaves"),
        ("a.png", picture(1)[:300]),
        ("a.txt", b"a broken picture"),
        ("b.png", picture(2)),
        ("b.txt", b"\xff\xfe\xff"),
        ("c.png", picture(3)),
        ("c.json", b'{"text": '),
        ("d.png", picture(4)),
        ("d.json", b'{"text": 7}'),
        ("e.txt", b"alone"),
        ("f.png", picture(5)),
        ("f.webp", picture(6, "WEBP")),
        ("g.png", "/etc/passwd"),
        ("b.png", picture(7)),
        ("h.png", picture(8, size=(48, 9))),
    ]
    good, bad = read(write(tmp_path / "x.tar", members))
    assert [(p.file, p.caption) for p in good.values()] == [
        (f"x/{name}.png", None) for name in "bcdf"
    ]
    assert bad.pop("x/a.png").startswith("broken picture: ")
    assert bad.pop("x/c.json").startswith("not JSON: ")
    assert bad == {
        "x/b.txt": "a caption that is not UTF-8 text",
        "x/d.json": "its JSON: column 'text' holds a int, not a text",
        "x/e": "a caption without a picture beside it",
        "x/f.webp": "a second picture beside f.png",
        "x/g.png": "a link or another special file",
        "x/b": "members of this name are elsewhere in the tar too",
        "x/h.png": "48 x 9 pixels: a side is under 32",
    }


def test_names_that_are_no_good_paths_do_no_harm(tmp_path):
    names = ["../../out.png", "/etc/in.png", "été {n} 絵.png", "\udcff.png", "x" * 300 + ".png"]
    members = [(name, picture(seed)) for seed, name in enumerate(names)]
    path = write(tmp_path / "x.tar", members)
    good, bad = read(path)
    assert not bad
    assert list(good)[2] == "x/été {n} 絵.png"
    images.write(
        KIND.read({"type": "webdataset", "path": str(path)}).pictures(), tmp_path / "images", True
    )
    rows = pq.read_table(tmp_path / "images/metadata.parquet").to_pylist()
    assert len({row["id"] for row in rows}) == len(names)
    assert all(row["file"].isascii() and len(row["file"]) < 60 for row in rows)
    there = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")}
    assert there == {"x.tar", "images", "images/metadata.parquet", "images/rejects.parquet"}


def test_pictures_are_found_again_in_the_tar(tmp_path):
    turned = Image.Exif()
    turned[decoding.ORIENTATION] = 6
    members = [
        ("a.png", picture(1)),
        ("a.txt", b"a"),
        ("b.jpg", picture(2, "JPEG", exif=turned)),
        ("c.webp", picture(3, "WEBP")),
    ]
    path = write(tmp_path / "x.tar", members)
    items = list(KIND.read({"type": "webdataset", "path": str(path)}).pictures())
    images.write(items, tmp_path / "images", True)
    rows = pq.read_table(tmp_path / "images/metadata.parquet").to_pylist()
    stored = [decoding.read_stored_bytes(tmp_path / "images", row) for row in rows]
    assert stored[0] == members[0][1]
    assert [row["file"].split(".")[1] for row in rows] == ["png", "png", "png"]
    for data, item in zip(stored, items, strict=True):
        assert Image.open(io.BytesIO(data)).tobytes() == item.image.tobytes()


def test_a_tar_that_is_cut_off_is_told(tmp_path):
    path = write(tmp_path / "x.tar", [(f"{n}.png", picture(n)) for n in range(3)])
    whole, size = path.read_bytes(), 512 + -(-len(picture(0)) // 512) * 512
    cuts = {2 * size + 700: "2.png", 2 * size: "1.png", size + 9: "0.png"}
    damaged = {whole[:cut]: name for cut, name in cuts.items()}
    damaged[whole[:size] + b"rubbish" + whole[size + 7 :]] = "0.png"
    for data, name in damaged.items():
        path.write_bytes(data)
        with pytest.raises(
            UserError, match=rf"x\.tar is damaged or cut off at {name} or after it: "
        ):
            read(path)


def test_what_is_no_tar_is_told(tmp_path):
    path = tmp_path / "x.tar"
    for data in (b"", b"hello", picture(1)):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"x.tar is no uncompressed tar"):
            read(path)


def test_shards_are_in_the_order_of_their_numbers_or_names(tmp_path):
    for name in ("a-08", "a-09", "a-10", "b-1", "b-10", "b-9"):
        (tmp_path / f"{name}.tar").touch()

    def named(path):
        return list(WebDataset(path=f"{tmp_path}/{path}").archives())

    assert named("a-{08..10}.tar") == ["a-08", "a-09", "a-10"]
    assert named("b-{9..10}.tar") == ["b-9", "b-10"]
    assert named("b*.tar") == ["b-1", "b-10", "b-9"]
    assert named("a-[01]{8..9}.tar") == ["a-08", "a-09"]
    with pytest.raises(
        UserError, match=r"of which 2 of 5 files are not there; the first is .*a-11"
    ):
        named("a-{08..12}.tar")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b-1.tar").touch()
    with pytest.raises(UserError, match=r"b-1.tar and .*sub/b-1.tar: two shards of one name"):
        WebDataset(path=f"{tmp_path}/**/b-1.tar").archives()
