"""Runs by several seeds: their comparisons speak of recipes."""

import pytest
import study
from test_comparison import headline, material

from emaki.evaluation.calibration import find_margins
from emaki.evaluation.comparison import compare, find_spreads, judge
from emaki.evaluation.seeds import Spread
from emaki.evaluation.words import UNDECIDED
from emaki.workflow.evaluation_files import EvaluationFiles

RUNS = study.CONFIG["runs"]


def build(tmp_path_factory, **changes):
    place = tmp_path_factory.mktemp("study")
    experiments = {name: study.EXPERIMENTS[name] for name in ("lora", "rank")}
    return place / study.FOLDER, study.build(place, experiments=experiments, **changes)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A study whose LoRAs are trained three times each."""
    runs = RUNS | {"lora-r4": RUNS["lora-r4"] | {"seeds": [0, 1, 2]}}
    return build(tmp_path_factory, runs=runs)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A study whose second LoRA alone is trained several times."""
    return build(tmp_path_factory, runs=RUNS | {"lora-r64": RUNS["lora-r64"] | {"seeds": [0, 1]}})


def sentences(made, name):
    return [answer["sentence"] for answer in compare(*material(made, name))["answers"]]


def test_a_recipe_is_told_as_one(both):
    against_base, against_recipe = sentences(both, "rank")
    assert against_base.startswith("This recipe (3 trainings) of lora-r64 against tiny: its")
    assert against_recipe.startswith(
        "This recipe (3 trainings) of lora-r64 against that of lora-r4"
    )


def test_the_baseline_that_was_trained_once_is_the_same_for_all(one):
    _, against_run = sentences(one, "rank")
    assert against_run.startswith(
        "This recipe (2 trainings) of lora-r64 against one run of lora-r4"
    )
    _, pair = headline(one, "rank")
    assert {training["baseline"] for training in pair["trainings"]} == {"lora-r4/000060/raw/1.0"}
    own = [t["difference"] for t in pair["metrics"]["domain_clip_score"]["by_training"]]
    assert own[1] - own[0] == pytest.approx(study.APART, abs=0.3)


def test_trainings_by_the_same_seed_pair(both):
    """What a seed does to both recipes is no difference between them."""
    against_base, against_recipe = headline(both, "rank")
    score = "domain_clip_score"
    of_base = [t["difference"] for t in against_base["metrics"][score]["by_training"]]
    assert of_base == pytest.approx([6, 6 + study.APART, 6 + 2 * study.APART], abs=0.3)
    of_recipe = [t["difference"] for t in against_recipe["metrics"][score]["by_training"]]
    assert of_recipe == pytest.approx([0, 0, 0], abs=0.3)
    assert against_base["metrics"][score]["difference"] == pytest.approx(sum(of_base) / 3)
    assert [t["seed"] for t in against_base["trainings"]] == [0, 1, 2]


def test_the_interval_of_a_recipe_counts_how_far_its_trainings_lie_apart(both):
    (pair,) = headline(both, "lora")
    score = pair["metrics"]["domain_clip_score"]
    own = score["by_training"][0]
    assert score["high"] - score["low"] > 5 * (own["high"] - own["low"])
    assert score["low"] < 6.5 < score["high"]


def test_where_trainings_lie_apart_more_of_them_would_decide(both):
    plan, measures, scores, real, calibrations = material(both, "lora")
    for key in scores:
        if key[0] == "clip_score" and "+seed" in key[1]:
            scores[key]["value"] += 8 * int(key[1].partition("+seed")[2][0])
    (pair,) = [
        pair
        for pair in compare(plan, measures, scores, real, calibrations)["pairs"]
        if pair["family"] == "headline"
    ]
    score = pair["metrics"]["domain_clip_score"]
    assert score["verdict"] == UNDECIDED
    assert score["to_decide"] == score["prompts"] == 128
    assert 3 < score["trainings_to_decide"] < 20


def test_a_kind_of_recipe_has_one_spread(both):
    _, config = both
    files = EvaluationFiles(config)
    scores = {name: material(both, name)[2] for name in files.recipes}
    references = {name: material(both, name)[3] for name in files.recipes}
    spreads = find_spreads(files.recipes, config.measures, scores, references)
    read = files.spread_scores()
    assert {name for own in read.values() for name, _, _ in own} == set(config.measures)
    where = ("tiny", "domain_clip_score", "rooms", "rooms", "rooms")
    against_base = spreads["lora raw", *where]
    assert against_base.degrees == 4  # two recipes of three trainings
    assert against_base.variance == pytest.approx(study.APART**2, rel=0.3)
    paired = spreads["lora raw and lora raw", *where]
    assert paired.degrees == 2
    assert paired.variance < 0.1

    plan, measures, own, real, calibrations = material(both, "lora")
    widths = []
    for found in ({}, spreads):
        pairs = compare(plan, measures, own, real, calibrations, found)["pairs"]
        (score,) = [pair["metrics"]["domain_clip_score"] for pair in pairs if "trainings" in pair]
        widths.append(score["high"] - score["low"])
    assert widths[1] < 0.6 * widths[0]


def test_trainings_that_two_comparisons_share_count_once(one):
    _, config = one
    files = EvaluationFiles(config)
    plan, measures, scores, real, _ = material(one, "rank")
    assert [len(pair["trainings"]) for pair in files.recipes["rank"]["pairs"]] == [2, 2]
    spreads = find_spreads({"rank": plan}, measures, {"rank": scores}, {"rank": real})
    assert {spread.degrees for spread in spreads.values()} == {1}


def test_of_two_recipes_the_spreads_of_both_are_taken_where_more_is_known_of_them(both):
    plan, measures, scores, real, calibrations = material(both, "rank")
    where = ("tiny", "domain_clip_score", "rooms", "rooms", "rooms")

    def half_width(**spreads):
        found = {(kind.replace("_", " "), *where): spread for kind, spread in spreads.items()}
        pairs = compare(plan, measures, scores, real, calibrations, found)["pairs"]
        (pair,) = [p for p in pairs if "trainings" in p and p["name"] == "lora-r4"]
        score = pair["metrics"]["domain_clip_score"]
        return (score["high"] - score["low"]) / 2

    pairs, sides = {"lora_raw_and_lora_raw": Spread(8.0, 2)}, {"lora_raw": Spread(4.0, 4)}
    few = half_width(**pairs)
    assert half_width(**pairs, **sides) < 0.6 * few  # the same variance, twice the degrees
    assert half_width(**pairs, lora_raw=Spread(4.0, 2)) == few


def test_a_look_judges_recipes_as_the_answers_do(both):
    plan, measures, scores, real, calibrations = material(both, "rank")
    margins = find_margins(plan, measures, real, calibrations)
    judged = judge(plan, measures, scores, real, margins)
    assert judged == compare(plan, measures, scores, real, calibrations)["pairs"]
    del scores["clip_score", "lora-r64+seed2/000060/raw/1.0", "unrelated"]
    (pair, _) = [p for p in judge(plan, measures, scores, real, margins) if "trainings" in p]
    assert pair["metrics"].keys() == {"domain_clip_score", "domain_kid"}
