"""The tables of Unsplash Lite from a hub on loopback."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
REPO = "image-search-2/unsplash_lite_image_dataset"
PHOTOS = "photo_id\tphoto_image_url\tphoto_width\tphoto_height\n" + "".join(
    f"{name}\thttp://127.0.0.1:9/{name}\t4000\t3000\n" for name in "abc"
)
KEYWORDS = "photo_id\tkeyword\na\tLiving Room\nb\tcouch\nc\ttree\n"
SHOW = """
import json, sys
from emaki.data.sources import KIND

source = KIND.read(json.loads(sys.argv[1]))
before = source.count_known()
chosen = sorted(row["photo_id"] for row in source.choose())
print(json.dumps([before, chosen, source.count_known()]))
"""


def test_only_the_tables_are_brought_and_from_then_on_the_plan_knows(hub, tmp_path):
    files = {"photos.tsv000": PHOTOS, "keywords.tsv000": KEYWORDS, "conversions.tsv000": "large"}
    commit = hub.add(REPO, {name: text.encode() for name, text in files.items()})
    source = {"type": "unsplash", "repo": REPO, "revision": commit, "count": 9}
    source["keywords"] = ["living room", "couch"]
    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", SHOW, json.dumps(source)]
    run = {"env": env | {"PYTHONPATH": str(ROOT / "scripts")}, "capture_output": True, "text": True}
    done = subprocess.run(command, **run)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [None, ["a", "b"], 2]
    taken = {path.rpartition("/")[2] for _, path, _ in hub.log if "/resolve/" in path}
    assert taken == {"photos.tsv000", "keywords.tsv000"}
