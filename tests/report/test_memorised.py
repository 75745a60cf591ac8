"""A copied training picture is found and shown beside the drawn one."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import screenshot
import study
from test_report import SCRIPTS

from emaki.common import parquet_groups
from emaki.data.decoding import to_png
from emaki.data.sources.rooms import Rooms
from emaki.workflow.drawing_files import DrawingFiles
from emaki.workflow.evaluation_files import EvaluationFiles
from emaki.workflow.nearest_files import NearestFiles
from emaki.workflow.variant_files import VariantFiles

VARIANT = "lora-r4/000060/raw/1.0"
COPIED = study.SETS["rooms"][2]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a study whose LoRA has copied a picture, from its samples to the report."""
    place = tmp_path_factory.mktemp("memorised")
    measures = {"copies": {"type": "memorisation", "decides": True, "margin": 1.0}}
    one = {"lora": study.EXPERIMENTS["lora"]}
    looks = {"looks": [8], "at_most": 8}  # all that is drawn
    built = study.build(place, measures=measures, experiments=one, evaluation=looks)
    folder, files = place / study.FOLDER, NearestFiles(built)
    samples = parquet_groups.read(files.samples("lora")[VARIANT].below(place)).to_pylist()
    (copied,) = (row["image"] for row in samples if (row["prompt"], row["seed"]) == (COPIED, 1))
    rooms = [to_png(room.image.resize((64, 64))) for room in Rooms(count=12).pictures()]
    shown = [copied, *({"bytes": data, "path": None} for data in rooms)]
    data = folder / "datasets/rooms/data"
    for split, part in (("train", shown[:9]), ("validation", shown[9:])):
        ids = [f"{split}-{number}" for number in range(len(part))]
        study.write(data / f"{split}.parquet", pa.table({"id": ids, "image": part}))
    entry = ["--measure", json.dumps(measures["copies"])]
    reference = place / files.reference("lora")
    reference.parent.mkdir(parents=True, exist_ok=True)
    splits = [data / f"{split}.parquet" for split in ("train", "validation")]
    more = ["--resolution", 64, "--output", reference]
    commands = [["reference.py", "--pictures", *splits, *entry, *more]]
    drawing = DrawingFiles(EvaluationFiles(built), VariantFiles(built))
    commands += study.scoring_commands(folder, drawing, ("base/tiny", "lora-r4"))
    (folder / "nearest").mkdir()
    asked = ["--study", folder / "config.json", "--experiment", "lora"]
    commands.append(["nearest.py", *asked, "--output", place / files.pairs("lora")])
    commands += study.commands(built)
    code = (
        "import json, runpy, sys\n"
        "for script, *arguments in json.load(sys.stdin):\n"
        "    sys.argv = [script, *arguments]\n"
        "    runpy.run_path(script, run_name='__main__')\n"
    )
    scripts = json.dumps([[str(SCRIPTS / script), *map(str, rest)] for script, *rest in commands])
    subprocess.run([sys.executable, "-c", code], input=scripts, text=True, check=True, cwd=place)
    return folder


def test_the_copied_picture_is_the_first_pair(made):
    rows = parquet.read_table(made / "nearest/lora.parquet").to_pylist()
    first, *others = rows
    assert {row["variant"] for row in rows} == {VARIANT}
    assert (first["prompt"], first["seed"], first["id"]) == (COPIED, 1, "train-0")
    assert first["drawn"] == first["real"]
    assert 0 < first["above"] == max(row["above"] for row in rows)
    assert [row["above"] for row in others] == sorted(
        (row["above"] for row in others), reverse=True
    )
    assert len({row["prompt"] for row in rows}) == len(rows) == 4


def test_the_page_shows_the_pairs(made):
    page = (made / "report.html").read_text("utf-8")
    assert page.count('<img loading="lazy"') == 8
    assert "Nearest training pictures" in page
    assert 'alt="training picture train-0"' in page


@pytest.mark.skipif(not screenshot.browser(), reason=screenshot.MISSING)
def test_nothing_is_wrong_with_them_on_a_wide_screen_and_on_a_phone(made):
    assert screenshot.problems(made / "report.html") == []
