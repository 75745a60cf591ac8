"""The Unsplash source against a server on loopback that fails for some."""

import csv
import io
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from emaki.common.errors import UserError
from emaki.data.picture import Picture
from emaki.data.sources import KIND, unsplash


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.split("?")[0].strip("/")
            asked[name] += 1
            gone = name == "gone"
            busy = name == "busy" and asked[name] == 1
            cut = name == "cut" and asked[name] == 1
            data = b"no picture" if name == "broken" else jpeg(len(name) + ord(name[0]))
            self.send_response(404 if gone else 429 if busy else 200)
            self.send_header("Content-Length", len(data))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(data[:50] if cut else data)

        def log_message(self, *_):
            pass

    asked = Counter()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()


def jpeg(seed):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def write(folder, url, names):
    photos = [
        {
            "photo_id": name,
            "photo_url": f"page/{name}",
            "photo_image_url": f"{url}/{name}",
            "photo_width": 300 if name == "small" else 4000,
            "photo_height": 3000,
            "photo_description": "a couch\nand a lamp" if name == "good" else "",
            "photographer_first_name": "Ada",
            "photographer_last_name": "L",
            "ai_description": "a room",
        }
        for name in names
    ]
    keywords = [
        {"photo_id": name, "keyword": "tree" if name == "other" else "Living Room"}
        for name in names
    ]
    for stem, rows in (("photos", photos), ("keywords", keywords)):
        with open(folder / f"{stem}.tsv000", "w", newline="") as file:
            table = csv.DictWriter(file, rows[0], delimiter="\t")
            table.writeheader()
            table.writerows(rows)


@pytest.fixture
def source(server, tmp_path):
    write(tmp_path, server[0], ["good", "gone", "busy", "cut", "broken", "small", "other"])
    kept = str(tmp_path / "kept")
    given = {"path": str(tmp_path), "keywords": ["living room"], "count": 5, "downloads": kept}
    return {"type": "unsplash", **given}


def test_what_can_be_had_comes_and_the_rest_is_told(source, server):
    items = list(KIND.read(source).pictures())
    good = {item.file: item for item in items if isinstance(item, Picture)}
    assert set(good) == {"good", "busy", "cut"}
    assert good["good"].caption == "a couch and a lamp"
    assert good["busy"].caption == "a room"
    assert (good["cut"].credit, good["cut"].licence) == ("Ada L, page/cut", "Unsplash")
    bad = {item.file: item.reason for item in items if not isinstance(item, Picture)}
    assert bad["gone"] == "not downloaded: status 404"
    assert "not a picture" in bad["broken"]
    assert server[1] == {"good": 1, "gone": 1, "busy": 2, "cut": 2, "broken": 1}


def test_what_is_there_and_whole_is_kept(source, server, tmp_path):
    list(KIND.read(source).pictures())
    server[1].clear()
    (tmp_path / "kept" / "cut.jpg").write_bytes(b"damaged")
    list(KIND.read(source).pictures())
    assert set(server[1]) == {"gone", "cut"}


def test_the_choice_depends_on_ids_only(source, server, tmp_path):
    def ids(count):
        return [photo["photo_id"] for photo in KIND.read({**source, "count": count}).choose()]

    before = ids(3)
    assert ids(5)[:3] == before
    write(tmp_path, server[0], ["broken", "cut", "busy", "gone", "good"])
    assert ids(3) == before


def test_fewer_than_asked_for_are_taken_and_told(source, tmp_path, capsys):
    few = KIND.read({**source, "count": 9})
    assert len(list(few.pictures())) == few.count_pictures() == few.count_known() == 5
    (told,) = few.notes()[1:]
    assert "have one of the keywords living room; at most 9 were asked for" in told
    assert told in capsys.readouterr().err
    assert len(KIND.read(source).notes()) == 1
    with pytest.raises(UserError, match="with one of the keywords castle: take others"):
        list(KIND.read({**source, "keywords": ["castle"]}).pictures())
    (tmp_path / "keywords.tsv000").unlink()
    assert few.count_known() is None
    with pytest.raises(UserError, match=r"has no keywords.tsv000: accept the licence"):
        list(few.pictures())


def test_newer_tables_with_commas(source, tmp_path):
    before = [photo["photo_id"] for photo in KIND.read(source).choose()]
    for stem in ("photos", "keywords"):
        old = tmp_path / f"{stem}.tsv000"
        with open(old, newline="") as file, open(tmp_path / f"{stem}.csv000", "w") as other:
            csv.writer(other).writerows(csv.reader(file, delimiter="\t"))
        old.unlink()
    assert [photo["photo_id"] for photo in KIND.read(source).choose()] == before


@pytest.mark.parametrize("as_lists", [False, True])
def test_one_table_of_structs(source, tmp_path, as_lists):
    before = KIND.read(source).choose()
    by_photo = read_table(tmp_path / "keywords.tsv000")
    rows = [as_struct(row, by_photo) for row in read_table(tmp_path / "photos.tsv000").values()]
    if as_lists:  # as datasets' Sequence writes a list of structs
        for row in rows:
            row["keywords"] = {"keyword": [entry["keyword"] for entry in row["keywords"]]}
    for stem in ("photos", "keywords"):
        (tmp_path / f"{stem}.tsv000").unlink()
    (tmp_path / "data").mkdir()
    for number, part in enumerate((rows[:3], rows[3:])):
        pq.write_table(pa.Table.from_pylist(part), tmp_path / f"data/train-{number}.parquet")
    known = before[0].keys() & KIND.read(source).choose()[0].keys()
    assert "ai_description" in known
    for ours, theirs in zip(KIND.read(source).choose(), before, strict=True):
        assert {key: ours[key] for key in known} == {key: theirs[key] for key in known}


def read_table(path):
    with open(path, newline="") as file:
        return {row["photo_id"]: row for row in csv.DictReader(file, delimiter="\t")}


def as_struct(row, keywords):
    keyword = keywords[row["photo_id"]]["keyword"]
    return {
        "photo": {
            "id": row["photo_id"],
            "url": row["photo_url"],
            "image_url": row["photo_image_url"],
            "width": int(row["photo_width"]),
            "height": int(row["photo_height"]),
            "description": row["photo_description"] or None,
        },
        "photographer": {"username": "a", "first_name": "Ada", "last_name": "L"},
        "ai": {"description": row["ai_description"]},
        "keywords": [{"keyword": keyword, "suggested_by_user": False}],
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ("path", "is missing: give the folder of the Unsplash Lite dataset, or repo")),
        ({"path": ".", "repo": "a/b"}, ("repo", "goes without path")),
        ({"path": "nowhere"}, ("path", "is nowhere, which is no folder: accept the licence")),
    ],
)
def test_a_folder_or_a_repository(given, told):
    source = KIND.read({"type": "unsplash", "keywords": ["x"], "count": 1, **given})
    ((key, text),) = source.problems()
    assert (key, text[: len(told[1])]) == told


def test_an_address_of_this_machine_is_not_opened(tmp_path):
    (tmp_path / "secret.png").write_bytes(b"x")
    data, problem = unsplash._try_to_get((tmp_path / "secret.png").as_uri())
    assert data is None
    assert "is no address of the web" in problem
