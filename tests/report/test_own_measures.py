"""Measures of the user's own, each a .py file outside the package, from pictures to the page."""

import json
import subprocess
import sys

import pyarrow as pa
import pytest
import study
from test_report import SCRIPTS, run_scripts

from emaki.common.errors import UserError
from emaki.evaluation import scoring
from emaki.workflow.drawing_files import DrawingFiles
from emaki.workflow.evaluation_files import EvaluationFiles
from emaki.workflow.variant_files import VariantFiles

BRIGHTNESS = '''
"""How bright pictures are."""

from emaki.evaluation.measures import Measure, Texts


class Brightness(Measure):
    """How bright a picture is."""

    white: float = 1.0
    """What a white picture has."""

    texts = {
        "domain": Texts(
            title="Is bright",
            short="Bright",
            unit="mean of all pixels",
            phrases={
                "better": "are brighter",
                "worse": "are darker",
                "the same": "are as bright",
                "not decided yet": "may be brighter or darker",
            },
            subject="brightness is",
            explanation="The mean of <all> pixels, of which a white one has {white}.",
        ),
    }

    def score(self, images, prompts, label):
        greys = [image.convert("L").resize((1, 1), 4).getpixel((0, 0)) for image in images]
        return [self.white * grey / 255 for grey in greys]
'''
COLOURS = '''
"""How near the colours of pictures are to those of the real ones."""

from emaki.evaluation.distance import Distance
from emaki.evaluation.measures import Texts


class Colours(Distance):
    """How near the walls of pictures are to those of the real ones."""

    texts = {
        "domain": Texts(
            title="Has the colours",
            short="Colours",
            unit="distance of colours × 1000",
            phrases={
                "better": "have more of the real pictures' colours",
                "worse": "have less of the real pictures' colours",
                "the same": "have as much of the real colours",
                "not decided yet": "may have more or less of the real colours",
            },
            subject="likeness of colours is",
            explanation="The distance between walls.",
        ),
    }

    def encode(self, images, label):
        corners = [image.getpixel((0, 0)) for image in images]  # the wall
        return [[value / 255 for value in corner] for corner in corners]

    def kernel(self, X, Y):
        return (X @ Y.T + 1) ** 3
'''


def run(place, commands):
    """Run scripts in one interpreter, as importing torch is most of the time."""
    code = (
        "import json, runpy, sys\n"
        "for script, *arguments in json.load(sys.stdin):\n"
        "    sys.argv = [script, *arguments]\n"
        "    runpy.run_path(script, run_name='__main__')\n"
    )
    scripts = json.dumps([[str(SCRIPTS / script), *map(str, rest)] for script, *rest in commands])
    subprocess.run([sys.executable, "-c", code], input=scripts, text=True, check=True, cwd=place)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a study with both measures, from its samples to the report."""
    place = tmp_path_factory.mktemp("own")
    measures = {}
    for name, code in {"brightness": BRIGHTNESS, "colours": COLOURS}.items():
        path = place / f"{name}.py"
        path.write_text(code)
        measures[name] = {"type": str(path)}
    measures["brightness"]["white"] = 2.0
    measures["colours"]["margin"] = 1.0
    one = {"lora": study.EXPERIMENTS["lora"]}
    looks = {"looks": [8], "at_most": 8}  # all that is drawn
    built = study.build(place, measures=measures, experiments=one, evaluation=looks)
    folder = place / study.FOLDER
    real = [study.picture(prompt, 0, 0.9) for prompt in study.SETS["rooms"]]
    pictures = [{"bytes": data, "path": None} for data in real]
    table = pa.table({"id": [str(n) for n in range(len(real))], "image": pictures})
    study.write(folder / "datasets/rooms/data/train.parquet", table)
    run(place, list(scoring_commands(folder, built, measures["colours"])))
    run_scripts(place, built)
    return folder


def scoring_commands(folder, built, colours):
    """The arguments of score.py and reference.py."""
    drawing = DrawingFiles(EvaluationFiles(built), VariantFiles(built))
    yield from study.scoring_commands(folder, drawing, ("base/tiny", "lora-r4"))
    output = folder / "references/colours/rooms.parquet"
    output.parent.mkdir(parents=True)
    data = folder / "datasets/rooms/data/train.parquet"
    more = ["--measure", json.dumps(colours), "--resolution", 64, "--output", output]
    yield ["reference.py", "--pictures", data, *more]


def test_a_number_a_picture_is_compared_and_told(made):
    answers = json.loads((made / "experiments/lora.json").read_text())
    pair = next(pair for pair in answers["pairs"] if pair["family"] == "headline")
    assert set(pair["metrics"]) == {"domain_brightness", "domain_colours"}
    assert pair["metrics"]["domain_brightness"]["verdict"] == "worse"  # the wall is darker
    assert 1 < pair["metrics"]["domain_brightness"]["theirs"] < 2
    page = (made / "report.html").read_text("utf-8")
    assert "Is bright" in page
    assert "The mean of &lt;all&gt; pixels, of which a white one has <code>2.0</code>." in page
    assert "This run of lora-r4 against tiny: its pictures are darker and" in page


def test_a_distance_from_the_real_pictures_is_compared_and_told(made):
    answers = json.loads((made / "experiments/lora.json").read_text())
    pair = next(pair for pair in answers["pairs"] if pair["family"] == "headline")
    assert pair["metrics"]["domain_colours"]["verdict"] == "better"
    assert answers["real_pictures"] == {"train": len(study.SETS["rooms"])}
    page = (made / "report.html").read_text("utf-8")
    assert "have more of the real pictures&#39; colours." in page
    assert "No margin: it tells better from worse" in page
    assert "distance of colours × 1000, lower is better" in page
    assert "only pairs of different prompts count in a distance" in page


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"domain": Texts', '"elsewhere": Texts', "which must have texts for domain or unrelated"),
        ('"worse": ', '"bad": ', "whose texts for domain have no phrase for 'worse'"),
    ],
)
def test_texts_that_the_page_could_not_tell(old, new, told, tmp_path):
    path = tmp_path / "odd.py"
    path.write_text(BRIGHTNESS.replace(old, new))
    with pytest.raises(UserError, match=f"measures.odd.type is {path}, {told}"):
        study.build(tmp_path, measures={"odd": {"type": str(path)}})


@pytest.mark.parametrize("values", [[0.5], [[[1.0]], [[2.0]]]])
def test_values_that_are_not_one_for_each_picture(values, tmp_path):
    with pytest.raises(UserError, match=r"for each of 2 pictures, not [12]"):
        scoring.write({"id": ["a", "b"], "value": values}, tmp_path / "scores.parquet")
