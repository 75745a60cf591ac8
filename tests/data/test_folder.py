"""A folder as people have it: captions in five places, and everything that can be wrong."""

import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from emaki.common.errors import UserError
from emaki.data import conventions, images
from emaki.data.picture import Picture, Reject
from emaki.data.sources import KIND
from emaki.data.sources.folder import Folder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path):
    return tmp_path / "my pictures"


def save(path, seed=0, size=(48, 40), **options):
    """A picture of its own noise, so that no two seeds are duplicates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def read(place, **options):
    """{file: picture} and {file: reason} of a folder."""
    items = list(KIND.read({"type": "folder", "path": str(place), **options}).pictures())
    good = {item.file: item for item in items if isinstance(item, Picture)}
    return good, {item.file: item.reason for item in items if isinstance(item, Reject)}


def captions(place, **options):
    return {name: picture.caption for name, picture in read(place, **options)[0].items()}


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def test_captions_in_metadata_jsonl(place):
    for seed, name in enumerate(["a.png", "b.jpg", "deep/er/c.webp"]):
        save(place / name, seed)
    rows = [
        {"file_name": "a.png", "text": "a red couch"},
        {"file_name": "b.jpg", "text": " two \n lamps ", "license": "CC0 1.0", "credit": "Ada"},
        {"file_name": "deep/er/c.webp", "text": "a rug"},
    ]
    write_jsonl(place / "metadata.jsonl", rows)
    good, bad = read(place, licence="mine", credit="me")
    assert {name: picture.caption for name, picture in good.items()} == {
        "a.png": "a red couch",
        "b.jpg": "two lamps",
        "deep/er/c.webp": "a rug",
    }
    assert not bad
    assert (good["a.png"].licence, good["a.png"].credit) == ("mine", "me")
    assert (good["b.jpg"].licence, good["b.jpg"].credit) == ("CC0 1.0", "Ada")


def test_captions_in_metadata_csv_of_a_subfolder(place):
    save(place / "train" / "a.png", 1)
    save(place / "train" / "b.png", 2)
    text = 'file_name,legend\r\na.png,"a couch, and\na lamp"\r\nb.png,été\r\n'
    (place / "train" / "metadata.csv").write_text("\ufeff" + text, "utf-8")
    found = captions(place, caption_column="legend")
    assert found == {"train/a.png": "a couch, and a lamp", "train/b.png": "été"}


def test_captions_beside_the_pictures(place):
    for seed, name in enumerate(["a.png", "b.jpg", "c.webp", "d.png"]):
        save(place / name, seed)
    (place / "a.txt").write_text("a couch,\n  red\n")
    (place / "b.caption").write_text("b")
    (place / "c.txt").write_text("from the text")
    (place / "c.caption").write_text("from the caption")
    (place / "d.txt").write_text("\n")
    (place / "readme.txt").write_text("hello")
    good, bad = read(place)
    assert {name: picture.caption for name, picture in good.items()} == {
        "a.png": "a couch,",
        "b.jpg": "b",
        "c.webp": "from the text",
        "d.png": None,
    }
    assert bad == {"readme.txt": "a text without a picture beside it"}


def test_a_table_wins_over_a_text_and_leaves_the_rest_to_it(place):
    save(place / "a.png", 1)
    save(place / "b.png", 2)
    rows = [
        {"file_name": ".\\a.png", "text": "table"},  # written on Windows
        {"file_name": "b.png", "text": " "},
    ]
    write_jsonl(place / "metadata.jsonl", rows)
    (place / "a.txt").write_text("text a")
    (place / "b.txt").write_text("text b")
    assert captions(place) == {"a.png": "table", "b.png": "text b"}


def png(seed, size=(48, 40)):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("plain", [True, False])
def test_pictures_inside_parquet(place, plain):
    place.mkdir()
    cells = [png(1), png(2), b"nonsense", None]
    if not plain:
        cells = [data and {"bytes": data, "path": f"{n}.png"} for n, data in enumerate(cells)]
    table = pa.table({"picture": cells, "caption": ["one", None, "three", "four"]})
    pq.write_table(table, place / "train-00000.parquet")
    good, bad = read(place, caption_column="caption")
    assert {name: picture.caption for name, picture in good.items()} == {
        "train-00000.parquet row 0": "one",
        "train-00000.parquet row 1": None,
    }
    assert "not a picture" in bad["train-00000.parquet row 2"]
    assert bad["train-00000.parquet row 3"] == "no picture in this row"
    assert Folder(path=str(place)).count_pictures() == 4


def test_a_dataset_that_datasets_wrote(place):
    import datasets

    place.mkdir()
    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    rows = {"image": [Image.new("RGB", (40, 40), c) for c in ("red", "blue")], "text": ["r", "b"]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(place / "data.parquet")
    assert captions(place) == {"data.parquet row 0": "r", "data.parquet row 1": "b"}


def test_metadata_parquet_is_a_table_of_captions(place):
    save(place / "a.png")
    table = pa.table({"file_name": ["a.png"], "text": ["a couch"]})
    pq.write_table(table, place / "metadata.parquet")
    assert captions(place) == {"a.png": "a couch"}


def test_everything_unusable_is_set_aside_with_its_reason(place, tmp_path):
    save(place / "good.jpg", 1)
    (place / "empty.png").write_bytes(b"")
    (place / "text.png").write_text("a couch")
    (place / "cut.jpg").write_bytes(save(place / "whole.jpg", 2).read_bytes()[:900])
    (place / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    save(place / "tiny.png", 3, size=(8, 60))
    save(place / "same.png", 1)  # the same pixels as the next
    save(place / "same-as.webp", 1, lossless=True)
    (place / "bad.txt").write_bytes(b"\xff\xfe\x00couch")
    save(place / "bad.png", 4)
    write_jsonl(
        place / "metadata.jsonl",
        [
            {"file_name": "good.jpg", "text": "first"},
            {"file_name": "good.jpg", "text": "second"},
            {"file_name": "gone.jpg", "text": "x"},
            {"file_name": "../../outside.png", "text": "x"},
        ],
    )
    source = {"type": "folder", "path": str(place)}
    images.write(KIND.read(source).pictures(), tmp_path / "out")
    rejects = pq.read_table(tmp_path / "out" / "rejects.parquet").to_pylist()
    reasons = {reject["file"]: reject["reason"] for reject in rejects}
    kept = pq.read_table(tmp_path / "out" / "metadata.parquet").to_pylist()
    assert len(kept) == len(os.listdir(tmp_path / "out" / "pictures")) == 4
    assert {row["caption"] for row in kept} == {"first", None}
    assert reasons == {
        "empty.png": "empty file",
        "text.png": "not a picture (PNG, JPEG, WEBP, GIF, BMP, TIFF, AVIF), or broken at its start",
        "phone.heic": "not a picture that can be read, but HEIC: save it as JPEG or PNG",
        "cut.jpg": reasons["cut.jpg"],
        "tiny.png": "8 x 60 pixels: a side is under 32",
        "same.png": "the same pixels as same-as.webp",
        "bad.txt": "a caption that is not UTF-8 text",
        "good.jpg": "named again in metadata.jsonl line 2: the first row is used",
        "gone.jpg": "named in metadata.jsonl line 3, but no such picture is there",
        "../../outside.png": "named in metadata.jsonl line 4, but no such picture is there",
    }
    assert reasons["cut.jpg"].startswith("broken picture: image file is truncated")


def test_min_size_is_an_option(place):
    save(place / "a.png", size=(8, 60))
    assert list(read(place, min_size=8)[0]) == ["a.png"]


def test_files_that_cannot_be_read(place):
    save(place / "a.png")
    (place / "b.png").symlink_to("nowhere.png")
    assert read(place)[1] == {"b.png": "cannot be read: No such file or directory"}


def test_names_in_any_encoding_and_form(place):
    save(place / "cafe\u0301.png", 1)  # as macOS stores it
    save(place / "部屋.png", 2)
    os.rename(save(place / "x.png", 3), os.fsencode(place) + b"/\xe9t\xe9.png")  # Latin-1
    write_jsonl(place / "metadata.jsonl", [{"file_name": "caf\u00e9.png", "text": "a café"}])
    found = captions(place)
    assert found == {"cafe\u0301.png": "a café", "部屋.png": None, "\ufffdt\ufffd.png": None}
    ids = [picture.id for picture in read(place)[0].values()]
    assert len(set(ids)) == 3
    assert all(identifier.isascii() for identifier in ids)


def test_names_that_snakemake_cannot_hold_are_watched_by_a_stamp(place):
    save(place / "a b's $(c)*.png", 1)
    save(place / "{d}.png", 2)
    os.rename(save(place / "x.png", 3), os.fsencode(place) + b"/\xe9.png")
    (place / "broken.png").symlink_to("nowhere.png")
    source = Folder(path=str(place))
    assert source.inputs() == [str(place / "a b's $(c)*.png")]
    before = source.stamps()
    assert len(before) == 3
    assert json.dumps(before).isascii()
    assert source.stamps() == before
    save(place / "{d}.png", 4, size=(64, 64))
    assert source.stamps() != before


def test_half_characters_in_json(place):
    save(place / "a.png")
    lines = ['{"file_name": "a.png", "text": "a \\ud83d couch"}']
    lines += ['{"file_name": "\\ud83d.png", "text": "x"}']
    (place / "metadata.jsonl").write_text("\n".join(lines))
    good, bad = read(place)
    assert good["a.png"].caption == "a \ufffd couch"
    assert list(bad) == ["\ufffd.png"]


def test_hugging_face_reads_the_same_captions_there(place, tmp_path):
    from datasets import load_dataset

    save(place / "train" / "a.png", 1)
    save(place / "train" / "deep" / "b.jpg", 2)
    rows = [{"file_name": "a.png", "text": "one"}, {"file_name": "deep/b.jpg", "text": "two"}]
    write_jsonl(place / "train" / "metadata.jsonl", rows)
    loaded = load_dataset("imagefolder", data_dir=str(place), cache_dir=str(tmp_path / "cache"))
    assert sorted(captions(place).values()) == sorted(loaded["train"]["text"]) == ["one", "two"]


def test_hidden_files_and_links_to_above(place):
    save(place / "a.png")
    save(place / ".thumbnails" / "a.png", 1)
    save(place / "__MACOSX" / "a.png", 2)
    (place / "._a.png").write_bytes(b"resource fork")
    (place / "loop").symlink_to(place)
    assert list(read(place)[0]) == ["a.png"]


def test_an_id_does_not_depend_on_the_other_pictures(place):
    save(place / "b.png", 1)
    before = read(place)[0]["b.png"].id
    save(place / "a.png", 2)
    assert read(place)[0]["b.png"].id == before
    assert before.startswith("b-png-")


def test_clean_files_stay_as_they_are_and_others_become_png(place, tmp_path):
    kept = save(place / "a.jpg", 1)
    save(place / "b.webp", 2)
    exif = Image.Exif()
    exif[0x0112] = 6
    save(place / "c.jpg", 3, exif=exif)
    images.write(KIND.read({"type": "folder", "path": str(place)}).pictures(), tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "metadata.parquet").to_pylist()
    stored = [tmp_path / "out" / "pictures" / row["file"] for row in rows]
    assert [path.suffix for path in stored] == [".jpg", ".png", ".png"]
    assert stored[0].read_bytes() == kept.read_bytes()
    assert [(row["width"], row["height"]) for row in rows] == [(48, 40), (48, 40), (40, 48)]
    assert [Image.open(path).size for path in stored] == [(48, 40), (48, 40), (40, 48)]


def test_files_lists_what_is_read_without_heavy_imports(place):
    for name in ["b.png", "a.jpg"]:
        save(place / name)
    for name in ["a.txt", "metadata.csv", "notes.md", "x.parquet", "other.jsonl"]:
        (place / name).write_text("")
    names = ["a.jpg", "a.txt", "b.png", "metadata.csv", "x.parquet"]
    assert Folder(path=str(place)).list_files() == [str(place / name) for name in names]
    code = (
        "import sys; sys.path.insert(0, 'scripts'); from emaki.data.sources import KIND;"
        f"source = KIND.read({{'type': 'folder', 'path': {str(place)!r}}}); source.list_files();"
        "print(sorted({'PIL', 'torch', 'numpy', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


MISTAKES = {
    "metadata.jsonl line 2 is not JSON": {"metadata.jsonl": '{"file_name": "a.png"}\n{oops\n'},
    "metadata.jsonl line 1 is not an object": {"metadata.jsonl": "[1, 2]\n"},
    "metadata.jsonl line 2 has no file_name": {
        "metadata.jsonl": '{"file_name": "a.png", "text": ""}\n\n{"text": "x"}'.replace(
            "\n\n", "\n"
        )
    },
    "metadata.jsonl has no column 'text', only file_name, texte; did you mean 'texte'": {
        "metadata.jsonl": '{"file_name": "a.png", "texte": "x"}'
    },
    "line 1: column 'text' holds a list": {
        "metadata.jsonl": '{"file_name": "a.png", "text": ["x", "y"]}'
    },
    "metadata.csv has a ';' between its columns: save it with commas": {
        "metadata.csv": "file_name;text\na.png;x\n"
    },
    "metadata.csv has a tab between its columns": {
        "metadata.csv": "file_name\ttext\na.png\tx, y\n"
    },
    "metadata.csv line 2 has more fields": {"metadata.csv": "file_name,text\na.png,red, blue\n"},
    "metadata.csv line 3 is not UTF-8": {"metadata.csv": b"file_name,text\n\n\xff,x\n"},
    "x.parquet is not a readable Parquet file": {"x.parquet": "PAR1"},
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes_are_explained(place, message):
    save(place / "a.png")
    for name, content in MISTAKES[message].items():
        (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as error:
        read(place)
    assert message in str(error.value)
    assert str(place) in str(error.value)
    assert "\n" not in str(error.value)


def test_no_caption_column_is_asked_for(place):
    save(place / "a.png")
    write_jsonl(place / "metadata.jsonl", [{"file_name": "a.png", "credit": "Ada"}])
    assert captions(place, caption_column=None) == {"a.png": None}


def test_parquet_without_pictures_is_set_aside(place):
    save(place / "a.png")
    pq.write_table(pa.table({"text": ["x"]}), place / "x.parquet")
    assert read(place)[1] == {"x.parquet": "no column with pictures, only text"}


def test_missing_and_empty_folders(place, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        Folder(path=str(place)).list_files()
    place.mkdir()
    (place / "notes.txt").write_text("x")
    with pytest.raises(UserError, match="holds no picture"):
        read(place)
    with pytest.raises(UserError, match="is a file, not a folder"):
        read(place / "notes.txt")
    save(place / "a.png", size=(8, 8))
    with pytest.raises(UserError, match=r"no usable picture; 2 set aside .*a.png: 8 x 8 pixels"):
        images.write(KIND.read({"type": "folder", "path": str(place)}).pictures(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_script_ends_with_one_line(place, tmp_path):
    save(place / "a.png")
    (place / "metadata.jsonl").write_text("{")
    script = [sys.executable, "scripts/images.py"]
    source = json.dumps({"type": "folder", "path": str(place)})
    command = [*script, "--source", source, "--output", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {place}/metadata.jsonl line 1 is not JSON")
    assert done.stderr.count("\n") == 1
    (place / "metadata.jsonl").unlink()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    first = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert first == {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert len(first) == 3


@pytest.mark.parametrize(
    "name", ["b.png", "metadata.jsonl", "a.txt", "rows.parquet", "deep/metadata.parquet"]
)
def test_what_is_no_regular_file_is_never_opened(place, name):
    save(place / "a.png")
    (place / "deep").mkdir()
    os.mkfifo(place / name)
    (place / "c.png").symlink_to("/dev/zero")
    (place / "d.jpg").symlink_to(place / name)
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(place)  # a socket's path has few characters
        server.bind("e.gif")
        os.chdir(here)
    source = Folder(path=str(place))
    assert source.inputs() == [str(place / "a.png")], "Snakemake would open them"
    assert source.count_pictures() == 1
    good, bad = read(place)
    assert list(good) == ["a.png"]
    assert set(bad) == {name, "c.png", "d.jpg", "e.gif"}
    assert {reason.split(",")[0] for reason in bad.values()} == {"no regular file"}


def test_a_folder_of_nothing_but_pipes_says_so(place, tmp_path):
    place.mkdir()
    os.mkfifo(place / "a.png")
    with pytest.raises(UserError, match=r"no usable picture.*a\.png: no regular file"):
        images.write(Folder(path=str(place)).pictures(), tmp_path / "images")


def test_of_several_lines_kohya_takes_the_first(place):
    save(place / "a.png")
    (place / "a.txt").write_text("\n a red  couch\n a couch in a room\n")
    good, _ = read(place)
    assert good["a.png"].caption == "a red couch"
    assert "several lines" in good["a.png"].changes[0]
    good, _ = read(place, caption_lines="join")
    assert good["a.png"].caption == "a red couch a couch in a room"
    assert "joined" in good["a.png"].changes[0]


def test_kohya_folders_caption_what_has_no_caption(place):
    for seed, name in enumerate(["10_sks dog/a.png", "10_sks dog/b.png", "2_other/c.png"]):
        save(place / name, seed)
    save(place / "2023_05_12" / "d.png", 4)
    (place / "10_sks dog" / "b.txt").write_text("a dog asleep")
    good, bad = read(place)
    assert not bad
    assert {name: picture.caption for name, picture in good.items()} == {
        "10_sks dog/a.png": "sks dog",
        "10_sks dog/b.png": "a dog asleep",
        "2_other/c.png": "other",
        "2023_05_12/d.png": None,
    }
    repeats, named = conventions.KOHYA_REPEATS, conventions.KOHYA_CAPTION
    assert good["10_sks dog/a.png"].changes == (repeats, named)
    assert good["10_sks dog/b.png"].changes == (repeats,)
    assert good["2023_05_12/d.png"].changes == ()


@pytest.mark.parametrize("other", ["validation", "val", "test"])
def test_the_splits_of_imagefolder_are_kept(place, other):
    for side, seed in (("train", 1), (other, 2)):
        save(place / side / "a.png", seed)
        write_jsonl(place / side / "metadata.jsonl", [{"file_name": "a.png", "text": side}])
    save(place / "b.png", 3)
    good, _ = read(place)
    splits = {name: picture.split for name, picture in good.items()}
    assert splits == {"train/a.png": "train", f"{other}/a.png": "validation", "b.png": "train"}


def test_one_side_alone_is_no_split(place):
    save(place / "test" / "a.png", 1)  # somebody's first try of a camera
    save(place / "b.png", 2)
    assert {picture.split for picture in read(place)[0].values()} == {None}


def test_parquet_files_of_two_splits_are_kept(place):
    (place / "data").mkdir(parents=True)
    for seed, side in enumerate(["train", "validation"]):
        table = pa.table({"image": [png(seed)], "text": [side]})
        pq.write_table(table, place / "data" / f"{side}-00000-of-00001.parquet")
    good, _ = read(place)
    assert {picture.caption: picture.split for picture in good.values()} == {
        "train": "train",
        "validation": "validation",
    }


def test_what_is_not_read_is_named(place):
    save(place / "a.png")
    save(place / "a-masklabel.png", 2)
    for name in ["metadata.json", "a.json", "a.npz", "b.PSD", "c.cr2", "d.svg", "README.md"]:
        (place / name).write_bytes(b"x")
    good, bad = read(place)
    assert list(good) == ["a.png"]
    for name, reason in {
        "b.PSD": ".psd, a format that is not read: save it as JPEG or PNG",
        "c.cr2": ".cr2, a format",
        "d.svg": ".svg, a format",
        "a-masklabel.png": "a mask",
        "a.json and 1 more": "files that are not read (.json): captions are read from metadata.j",
        "a.npz": "files that are not read (.npz)",
    }.items():
        assert bad.pop(name).startswith(reason)
    assert not bad


def test_a_path_without_bytes_in_parquet_says_what_to_do(place):
    place.mkdir()
    cells = [{"bytes": None, "path": "a.png"}]
    pq.write_table(pa.table({"image": cells, "text": ["x"]}), place / "rows.parquet")
    assert "only the path of a picture" in read(place)[1]["rows.parquet row 0"]


def test_a_relative_folder_says_from_where_it_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ((key, problem),) = Folder(path="pics").problems()
    assert (key, problem) == ("path", f"is pics, which is no folder (paths count from {tmp_path})")
