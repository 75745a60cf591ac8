"""How far each model is drawn: until its comparisons are decided."""

import json
import shutil

import pytest

from emaki.common.parquet_groups import keys, read
from emaki.common.parts import Part
from emaki.config import load
from emaki.config.blocks import blocks, cuts, looks
from emaki.config.comparisons import plans
from emaki.config.settings import Claim
from emaki.evaluation.settings import Evaluation
from emaki.sampling.settings import PromptSet
from emaki.workflow.drawing_files import DrawingFiles
from emaki.workflow.evaluation_files import EvaluationFiles
from emaki.workflow.looks import Looks
from emaki.workflow.parts import score_part
from emaki.workflow.variant_files import VariantFiles

ANSWERS = [f"results/looks/experiments/{name}.json" for name in ("ruined", "gentle")]
PASSING = "train_passing looks/runs/ruined+seed1/000001"
BASE, GENTLE, HALF = "base/tiny", "gentle/000002/raw/1.0", "gentle/000002/raw/0.5"


@pytest.fixture
def study(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    return load("tests/workflow/looks.yaml")


def sized(study, size, **settings):
    prompts = {"some": PromptSet(texts=[str(number) for number in range(size)])}
    return study.replace(prompts=prompts, evaluation=Evaluation(**settings))


@pytest.mark.parametrize(
    ("size", "settings", "ends", "looked"),
    [
        (512, {}, [32, 128, 192, 256], [128, 192, 256]),
        (512, {"at_most": 512}, [32, 128, 192, 256, 384, 512], [128, 192, 256, 384, 512]),
        (183, {}, [32, 128, 183], [128, 183]),
        (100, {}, [32, 100], [100]),
        (16, {}, [16], [16]),
        (512, {"at_most": 300}, [32, 128, 192, 256, 300], [128, 192, 256, 300]),
        (40, {"looks": [16, 8]}, [8, 16, 40], [8, 16, 40]),
    ],
)
def test_where_blocks_end(study, size, settings, ends, looked):
    study = sized(study, size, **settings)
    assert cuts(study, "some") == ends
    assert looks(study, "some") == looked


def test_blocks_have_the_names_of_their_prompts(study):
    study = sized(study, 20_000, at_most=10_000, looks=[128, 10_000])
    assert blocks(study, "some") == ["0000-0032", "0032-0128", "0128-10000"]
    assert blocks(study, "some", 128) == ["0000-0032", "0032-0128"]


def found(**undecided):
    """What a look has found, by the variants' short names."""
    names = {"whole": (GENTLE, BASE), "half": (HALF, GENTLE)}
    return {
        "gentle": [
            {"variant": names[name][0], "baseline": names[name][1], "undecided": roles}
            for name, roles in undecided.items()
        ]
    }


def ends(study, *after):
    """How far the experiment `gentle` is drawn where looks have found this."""
    reached = Looks(study, plans(study), lambda number: after[number - 1]).ends("gentle")
    return {variant: reached[variant, "domain"] for variant in (BASE, GENTLE, HALF)}


def test_only_what_is_not_decided_goes_on(study):
    nothing = found(whole=[], half=[])
    assert ends(study, nothing) == {BASE: 8, GENTLE: 8, HALF: 8}
    half = found(whole=[], half=["domain"])
    assert ends(study, half, nothing) == {BASE: 8, GENTLE: 16, HALF: 16}
    both = found(whole=["domain"], half=["domain"])
    assert ends(study, both, found(whole=["domain"])) == {BASE: 20, GENTLE: 20, HALF: 16}


def test_other_prompts_alone_go_on(study):
    reached = Looks(study, plans(study), lambda number: found(whole=["unrelated"])).ends("gentle")
    assert reached[GENTLE, "domain"] == 8
    assert reached[GENTLE, "unrelated"] == 6  # all that there are


def test_the_way_of_a_training_is_drawn_with_one_block(study):
    looked = Looks(study, plans(study), lambda number: found(whole=["domain"]))
    assert looked.ends("gentle")["gentle/000001/raw/1.0", "domain"] == 8
    assert looked.numbers() == [1, 2]  # the third is the last


def test_what_a_claim_is_about_is_drawn_further_with_its_prompts_alone(study):
    about = {"prompts": "unrelated", "against": "first checkpoint", "says": "worse"}
    claim = Claim(words="It forgets", measure="clip_score", **about)
    entry = study.experiments["gentle"].model_copy(update={"claims": [claim]})
    texts = [str(number) for number in range(60)]
    study = study.replace(
        experiments={"gentle": entry},
        prompts={name: PromptSet(texts=texts) for name in study.prompts},
        evaluation=Evaluation(looks=[40, 50], at_most=50),
    )
    looked = Looks(study, plans(study), lambda number: found())
    reached, first = looked.ends("gentle"), "gentle/000001/raw/1.0"
    assert (reached[first, "unrelated"], reached[first, "domain"]) == (40, 32)
    assert (reached[GENTLE, "unrelated"], reached[GENTLE, "domain"]) == (40, 40)


def test_all_at_once_asks_for_no_look(study):
    every = study.replace(evaluation=study.evaluation.model_copy(update={"until": "all"}))
    assert ends(every) == {BASE: 20, GENTLE: 20, HALF: 20}
    assert Looks(every, plans(every), lambda number: {}).numbers() == []


def test_it_asks_for_no_more_looks_than_it_needs(study):
    looked = Looks(study, plans(study), {1: found(whole=[], half=[])}.__getitem__)
    assert looked.asked("gentle") == [1]


@pytest.fixture(scope="module")
def looked(new_study):
    """A study of two questions, both compared: one is answered at once."""
    study = new_study("looks.yaml")
    study.snakemake(*ANSWERS)
    return study


def drawn(study):
    """{(file, key): rows} of the samples and scores of a study."""
    folder = study.folder / "results/looks"
    files = [path for part in ("samples", "scores") for path in (folder / part).rglob("*.parquet")]
    parts = {(str(path.relative_to(folder)), key) for path in files for key in keys(path)}
    return {(path, key): read(Part(str(folder / path), key)).to_pylist() for path, key in parts}


def test_a_question_that_is_answered_is_not_drawn_further(looked):
    shown = [key for path, key in drawn(looked) if path.startswith("samples/")]
    assert shown.count(("ruined/000002/raw/1.0", "rooms")) == 1
    assert shown.count((GENTLE, "rooms")) > 1
    assert shown.count(("gentle/000001/raw/1.0", "rooms")) == 1
    assert looked.jobs(*ANSWERS) == []


def test_what_is_drawn_of_a_block_is_what_the_comparisons_read(study):
    """Whatever the looks find, each part that a comparison reads is in what its owner is asked."""
    for after in ([], ["domain"], ["domain", "unrelated"]):
        evaluation = EvaluationFiles(study, lambda number, after=after: found(whole=after, half=[]))
        evaluation.read_look = evaluation.looks.find
        drawing = DrawingFiles(evaluation, VariantFiles(study))
        read = {part for parts in evaluation.scores("gentle").values() for part in parts}
        read |= {part for parts in evaluation.look_scores(1)["gentle"].values() for part in parts}
        asked = {
            score_part(evaluation.folder, "evaluation", *scored, int(block))
            for block in "0123"
            for owner in drawing.owners
            for scored in drawing.scored("evaluation", owner, block)
        }
        assert read <= asked
        further = [part for part in asked - read if not part.path.endswith("/0.parquet")]
        assert further == []


@pytest.mark.slow
def test_stopped_between_looks_and_drawn_at_once_give_the_same_bytes(looked, tmp_path):
    study = copied(looked, tmp_path)
    for part in ("samples", "scores", "looks", "experiments", "pictures", "values"):
        shutil.rmtree(study.folder / "results/looks" / part)
    study.snakemake("results/looks/looks/1.json")
    stopped = drawn(study)
    assert stopped.items() < drawn(looked).items()
    study.snakemake(*ANSWERS)
    assert drawn(study) == drawn(looked)
    study.change("looks: [8, 16, 24]", "looks: [8, 16, 24], until: all")
    study.snakemake(*ANSWERS)
    assert drawn(looked).items() < drawn(study).items()
    for answers in ANSWERS:
        assert (study.folder / answers).read_text() == (looked.folder / answers).read_text()


def test_more_prompts_leave_the_blocks_that_there_are(looked, tmp_path):
    study = copied(looked, tmp_path)
    study.change("count: 20", "count: 24")
    jobs = study.jobs(*ANSWERS)
    assert "look looks/looks/1" in jobs  # other looks are planned
    assert not [job for job in jobs if job.startswith(("prompts", "sample", "score"))]


@pytest.mark.slow
def test_a_report_waits_for_looks_that_are_taken_again(looked, tmp_path):
    study = copied(looked, tmp_path)
    report = "results/looks/report.html"
    study.snakemake(report)
    study.change("margin: 0.001", "margin: 0.01")
    study.snakemake(report)
    assert study.jobs(report) == []


@pytest.mark.slow
def test_a_seed_that_is_added_trains_and_draws_its_own_training_alone(looked, tmp_path):
    study = copied(looked, tmp_path)
    before = drawn(study)
    study.change("learning_rate: 1.0e-2}", "learning_rate: 1.0e-2, seeds: [0, 1]}")
    jobs = study.jobs(*ANSWERS)
    trained = [job for job in jobs if job.startswith("train")]
    assert trained == ["train_newest looks/runs/ruined+seed1/000002", PASSING]
    made = [job for job in jobs if job.startswith(("prompts", "latents", "sample", "score"))]
    assert made
    assert all("/ruined+seed1/" in job for job in made)
    study.snakemake(*ANSWERS)
    assert before.items() < drawn(study).items()
    pairs = json.loads((study.folder / ANSWERS[0]).read_text())["pairs"]
    (trainings,) = [pair["trainings"] for pair in pairs if "trainings" in pair]
    assert [training["seed"] for training in trainings] == [0, 1]
    weights = [study.folder / f"results/looks/runs/ruined{name}" for name in ("", "+seed1")]
    one, other = (next(path.glob("000002/weights/raw/*.safetensors")) for path in weights)
    assert one.read_bytes() != other.read_bytes()
    assert study.jobs(*ANSWERS) == []


def copied(study, place):
    """A copy of a study, dates included, to be changed."""
    return type(study)(shutil.copytree(study.folder, place / "study", symlinks=True), study.config)
