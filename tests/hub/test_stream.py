"""Datasets of a hub that are streamed: a job brings the file that it reads and leaves nothing."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from server import Hub

from emaki.common import digests
from emaki.data.decoding import to_png
from emaki.data.sources import KIND

ROOT = Path(__file__).parents[2]
REPO = "somebody/web"
CARD = b"---\nlicense: cc0-1.0\n---\n# Rooms\n"
PARTS = ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources")
STUDY = "results/small"
LATENTS = "tiny/64"
TARGETS = [
    f"{STUDY}/references/kid/tars.parquet",
    *(f"{STUDY}/runs/{run}/000002/checkpoint.json" for run in ("local", "tars", "rows")),
]


def tar(rooms):
    """A tar as the library webdataset writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as written:
        for room in rooms:
            for kind, data in (("png", to_png(room.image)), ("txt", room.caption.encode())):
                member = tarfile.TarInfo(f"{room.id}.{kind}")
                member.size = len(data)
                written.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def parquet(rooms):
    """A Parquet file of small row groups, as `push_to_hub` writes it."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pictures = pa.array([{"bytes": to_png(room.image), "path": None} for room in rooms], kind)
    buffer = io.BytesIO()
    table = pa.table({"image": pictures, "text": [room.caption for room in rooms]})
    pq.write_table(table, buffer, row_group_size=3)
    return buffer.getvalue()


class Study:
    """A folder with the project, whose sources are on `hub`."""

    def __init__(self, folder, hub):
        self.folder, self.hub = folder, hub
        rooms = list(KIND.read({"type": "rooms", "count": 14, "seed": 1}).pictures())
        halves = (rooms[:7], rooms[7:])
        files = {f"data/{number}.tar": tar(half) for number, half in enumerate(halves)}
        for name, data in files.items():
            path = folder / "web" / Path(name).name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        files |= {f"rows/{number}.parquet": parquet(half) for number, half in enumerate(halves)}
        self.commit = hub.add(REPO, {"README.md": CARD, **files})
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        config = Path(__file__).with_name("stream.yaml").read_text()
        (folder / "stream.yaml").write_text(config.replace("REVISION", self.commit))
        (folder / "temporary").mkdir()

    def snakemake(self, *arguments, check=True):
        command = [sys.executable, "-m", "snakemake", *arguments, "--profile", "profiles/local"]
        command += ["--configfile", "stream.yaml", "--cores", "2"]
        mine = {"HF_ENDPOINT": self.hub.url, "HF_HOME": str(self.folder / "cache")}
        mine |= {"TMPDIR": str(self.folder / "temporary")}
        done = subprocess.run(
            command, cwd=self.folder, env=os.environ | mine, capture_output=True, text=True
        )
        said = done.stdout + done.stderr
        assert not check or done.returncode == 0, said
        return said

    def read(self, path):
        return pq.read_table(self.folder / STUDY / path).to_pylist()

    def brought(self):
        """How often each file was brought, whole or from its beginning."""
        paths = [
            path.rpartition("/")[2]
            for method, path, part in self.hub.log
            if method == "GET" and "/resolve/" in path and not (part or "").strip("bytes=-")
        ]
        return {name: paths.count(name) for name in set(paths)}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    with Hub() as hub:
        study = Study(tmp_path_factory.mktemp("stream"), hub)
        study.snakemake(*TARGETS)
        yield study
        hub.shutdown()


def test_what_is_made_is_the_same_as_from_tars_on_the_disk(done):
    folders = [done.folder / STUDY / f"latents/{name}/shards" for name in ("local", "tars", "rows")]
    local, tars, rows = (
        [(folder / f"{n}/{LATENTS}/moments.safetensors").read_bytes() for n in range(2)]
        for folder in folders
    )
    assert local == tars
    assert len(rows) == 2
    tables = [f"captions/{name}/shards/{{}}/blip.parquet" for name in ("local", "tars", "rows")]
    captions = [
        [row["caption"] for n in range(2) for row in done.read(t.format(n))] for t in tables
    ]
    assert captions[0] == captions[1] == captions[2]
    local, tars = (
        done.folder / STUDY / f"runs/{name}/000002/checkpoint.json" for name in ("local", "tars")
    )
    assert digests.read_json(local) == digests.read_json(tars)


def test_no_picture_is_kept(done):
    kept = {path.suffix for path in (done.folder / STUDY / "images").rglob("*") if path.is_file()}
    assert kept == {".parquet"}
    kept = [path for path in (done.folder / "cache").rglob("*") if path.is_file()]
    assert [path.name for path in kept if path.name == "README.md"] == ["README.md"]
    assert sum(path.stat().st_size for path in kept) < 10_000
    assert list((done.folder / "temporary").rglob("*.tar")) == []
    row = done.read("datasets/rows/shards/1/data/train.parquet")[0]
    assert row["archive"] == f"hf://datasets/{REPO}@{done.commit}/rows/1.parquet"
    assert "The pictures stay where they are" in (
        done.folder / STUDY / "datasets/rows/README.md"
    ).read_text("utf-8")
    sheet = Image.open(done.folder / STUDY / "datasets/rows/contact_sheet.png")
    assert sheet.size == Image.open(done.folder / STUDY / "datasets/local/contact_sheet.png").size
    # for the table of pictures, the captions and the latents; of tars also for the features
    assert done.brought()["0.parquet"] == 3
    assert done.brought()["0.tar"] == 4


def test_who_made_them_is_told(done):
    row = done.read("images/tars/shards/0/metadata.parquet")[0]
    assert (row["licence"], row["credit"]) == ("cc0-1.0", REPO)
    about = json.loads((done.folder / STUDY / "datasets/tars/card.json").read_text())
    assert about["credits"] == [REPO]


def test_a_change_brings_what_it_needs(done):
    assert "Nothing to be done" in done.snakemake(*TARGETS, "-n")
    flipped = f"{STUDY}/latents/tars/{LATENTS}-flip/manifest.json"
    said = done.snakemake(flipped, "-n", "--quiet", "host")
    assert "rule latents:" in said
    assert "rule images_archive:" not in said
    assert "rule caption_by_model:" not in said


def pictures(hub, cache, commit, path):
    """The captions of the pictures of a source, or the sentence that it ended with."""
    source = {"type": "hub_stream", "repo": REPO, "revision": commit, "path": path}
    code = (
        "import json, sys\nfrom emaki.data.sources import KIND\n"
        "from emaki.common.errors import UserError\nsource = KIND.read(json.load(sys.stdin))\n"
        "try: print(json.dumps([item.caption for item in source.pictures()]))\n"
        "except UserError as error: print(json.dumps(str(error)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(source),
        env=os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(cache)},
        cwd=ROOT / "scripts",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_cannot_be_had_is_told(hub, tmp_path):
    commit = hub.add(REPO, {"data/0.tar": tar(KIND.read({"type": "rooms", "count": 1}).pictures())})
    for wrong, sentence in [
        ((commit, "data/1.tar"), f"{REPO} has no file data/1.tar at {commit}"),
        (("0" * 40, "data/0.tar"), f"{REPO} has no commit 0000"),
    ]:
        assert sentence in pictures(hub, tmp_path, *wrong)
    hub.fail("corrupt")
    told = pictures(hub, tmp_path, commit, "data/0.tar")
    assert "data/0.tar of somebody/web arrived with another checksum than the commit gives" in told
    hub.gated[REPO] = "secret"
    assert f"{REPO} is gated: accept its terms" in pictures(hub, tmp_path, commit, "data/0.tar")


def test_a_dropped_connection_is_tried_again(hub, tmp_path):
    rooms = list(KIND.read({"type": "rooms", "count": 2, "seed": 1}).pictures())
    commit = hub.add(REPO, {"data/0.tar": tar(rooms)})
    hub.fail("drop")
    assert pictures(hub, tmp_path, commit, "data/0.tar") == [room.caption for room in rooms]
    assert hub.faults_left == 0
