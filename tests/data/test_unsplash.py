"""The Unsplash source against a server on loopback that fails for some."""

import csv
import io
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from emaki.common.errors import UserError
from emaki.data.picture import Picture
from emaki.data.sources import KIND


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


def test_too_few_and_no_dataset(source, tmp_path):
    with pytest.raises(UserError, match="has 5 photographs of 512 pixels"):
        list(KIND.read({**source, "count": 6}).pictures())
    (tmp_path / "keywords.tsv000").unlink()
    with pytest.raises(UserError, match=r"has no keywords.tsv000: accept the licence"):
        list(KIND.read(source).pictures())
