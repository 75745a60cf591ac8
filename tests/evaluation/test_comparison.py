"""Effects that were put in come out, in numbers and in words."""

import itertools
import json

import numpy as np
import pyarrow as pa
import pytest
import study

from emaki.common import parquet_groups
from emaki.common.errors import UserError
from emaki.common.parts import Part
from emaki.config.comparisons import comparisons, grids, plans
from emaki.evaluation import values
from emaki.evaluation.answers import _clause
from emaki.evaluation.calibration import find_margins, read_calibration
from emaki.evaluation.comparison import compare, judge, read_reference, read_scores, undecided
from emaki.evaluation.measures import KIND
from emaki.evaluation.metrics import metrics_of
from emaki.workflow.evaluation_files import EvaluationFiles


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("study")
    return place / study.FOLDER, study.build(place)


def answers(made, name):
    return compare(*material(made, name))


def material(made, name):
    """What `compare` takes: plan, measures, scores, real pictures' features, calibrations."""
    folder, config = made
    files, place = EvaluationFiles(config), folder.parents[1]
    return (
        files.plans[name],
        config.measures,
        {
            key: read_scores(*(part.below(place) for part in parts))
            for key, parts in files.scores(name).items()
        },
        {k: read_reference(place / path) for k, path in files.references(name).items()},
        {k: read_calibration(place / path) for k, path in files.calibrations(name).items()},
    )


def headline(made, name):
    return [pair for pair in answers(made, name)["pairs"] if pair["family"] == "headline"]


def verdicts(pair):
    return [metric["verdict"] for metric in pair["metrics"].values()]


def test_a_true_improvement_is_better(made):
    (pair,) = headline(made, "lora")
    assert verdicts(pair) == ["better", "better", "the same"]
    assert pair["verdict"] == "better"
    (answer,) = answers(made, "lora")["answers"]
    assert answer["sentence"] == (
        "This run of lora-r4 against tiny: its pictures follow the prompts better and look more"
        " like the real pictures; unrelated prompts come out just as well, so nothing is forgotten."
    )
    score = pair["metrics"]["domain_clip_score"]
    assert score["low"] < 6 < score["high"]
    assert (score["pictures"], score["prompts"]) == (256, 128)
    assert (score["wins"], score["lost"], score["lost_beyond"]) == (1, 0, 10)
    assert score["difference"] == pytest.approx(score["ours"] - score["theirs"], abs=1e-5)


def test_equals_are_the_same(made):
    against_base, against_equal = headline(made, "rank")
    assert against_base["verdict"] == "better"
    assert against_equal["name"] == "lora-r4"
    assert set(verdicts(against_equal)) == {against_equal["verdict"]} == {"the same"}
    assert 0.3 < against_equal["metrics"]["domain_clip_score"]["wins"] < 0.7
    (_, answer) = answers(made, "rank")["answers"]
    assert answer["sentence"].startswith("This run of lora-r64 against that of lora-r4: its")


def test_a_loss_is_worse_and_forgets(made):
    (pair,) = headline(made, "full")
    assert verdicts(pair) == ["worse", "worse", "worse"]
    unrelated = pair["metrics"]["unrelated_clip_score"]
    assert 0 < unrelated["lost"] < 64  # it falls by 9, and 10 are a failure
    (answer,) = answers(made, "full")["answers"]
    assert answer["sentence"].endswith("unrelated prompts come out worse, which is forgetting.")


def test_comparisons_that_come_out_alike_share_a_sentence(made):
    folder, config = made
    changes = {"runs": ["lora-r4", "lora-r64", "full"], "baselines": ["tiny"], "claims": []}
    entry = config.experiments["rank"].model_copy(update=changes)
    found = answers((folder, config.replace(experiments={"all": entry})), "all")["answers"]
    assert [answer["models"] for answer in found] == [["lora-r4", "lora-r64"], ["full"]]
    assert found[0]["sentence"].startswith("These runs of lora-r4 and lora-r64 against tiny: their")


def test_a_merge_is_judged_against_the_whole_fine_tune(made):
    pairs = [pair for pair in answers(made, "full")["pairs"] if pair["family"] == "scale"]
    assert [pair["variant"] for pair in pairs] == ["full/000060/raw/0.25", "full/000060/raw/0.5"]
    assert {pair["baseline"] for pair in pairs} == {"full/000060/raw/1.0"}
    assert pairs[0]["metrics"]["unrelated_clip_score"]["verdict"] == "better"
    (found,) = answers(made, "full")["scales"]
    assert found["sentence"] == (
        "At alpha 0.25 and 0.5 instead of 1, full: the prompts are followed better; likeness to"
        " the real pictures is better; unrelated prompts come out better."
    )


def test_a_noisy_metric_leaves_the_intervals_of_the_others_alone(made):
    plan, measures, found, real, calibrations = material(made, "lora")
    rng = np.random.default_rng(0)
    wild = {
        (name, *rest): side | {"value": side["value"] * rng.lognormal(0, 2, side["value"].shape)}
        for (name, *rest), side in found.items()
        if name == "kid"
    }
    sides = (
        compare(plan, measures, each, real, calibrations)["pairs"] for each in (found, found | wild)
    )
    for calm, noisy in zip(*sides):
        assert calm["metrics"].pop("domain_kid") != noisy["metrics"].pop("domain_kid")
        assert calm["metrics"] == noisy["metrics"]


def test_the_trajectory_of_a_training_has_intervals_and_no_verdict(made):
    pairs = [pair for pair in answers(made, "lora")["pairs"] if pair["family"] == "trajectory"]
    assert pairs
    for pair in pairs:
        for metric in pair["metrics"].values():
            assert metric["verdict"] is None
            assert metric["prompts"] == 32  # the first block
            assert metric["low"] < metric["difference"] < metric["high"]


def test_a_comparison_comes_out_the_same_in_every_experiment(made):
    """`full` asks eleven verdicts, `merging` six: both have what the larger one needs."""
    found = [headline(made, name)[0] for name in ("full", "merging")]
    assert found[0] == found[1]
    assert found[0]["errors"] == dict.fromkeys(found[0]["metrics"], 0.05 / 11)


def test_a_verdict_is_that_of_the_first_look_that_gives_one(made):
    plan, measures, found, real, calibrations = material(made, "rank")
    margins = find_margins(plan, measures, real, calibrations)
    early = {**plan, "fewest": 32, "looks": {role: [32, 64, 128] for role in plan["looks"]}}
    short = {
        key: {name: values[:64] for name, values in side.items()} for key, side in found.items()
    }
    whole, part = (judge(early, measures, scores, real, margins) for scores in (found, short))
    assert whole == part  # 32 prompts decide, whatever else is drawn
    assert [undecided(pair) for pair in whole] == [[] for _ in whole]
    for pair in judge(plan, measures, short, real, margins):
        # fewer than 128 decide nothing
        assert sorted(undecided(pair)) == sorted(pair.get("errors", {}))
        told = [metric.get("to_decide") for metric in pair["metrics"].values()]
        assert all(told) == ("errors" in pair)


def test_a_model_against_itself_is_the_same_whatever_the_margin(made):
    """A LoRA at scale 0 draws what its base draws."""
    plan, measures, found, real, _ = material(made, "lora")
    base = {(n, "base/tiny", r): side for (n, v, r), side in found.items() if v == "base/tiny"}
    again = {(n, v, r): base[n, "base/tiny", r] for n, v, r in found}
    (pair,) = [pair for pair in plan["pairs"] if pair["family"] == "headline"]
    calm = {name: measure.model_copy(update={"margin": 1e-9}) for name, measure in measures.items()}
    answer = compare({**plan, "pairs": [pair]}, calm, again, real, {})
    assert answer["pairs"][0]["verdict"] == "the same"


def test_the_headline_is_the_last_checkpoint_at_scale_1(made):
    _, config = made
    for name in config.experiments:
        pairs = comparisons(config, name)["pairs"]
        headline = {pair["variant"] for pair in pairs if pair["family"] == "headline"}
        assert all(variant.endswith("/000060/raw/1.0") for variant in headline)


def test_the_same_scores_give_the_same_bytes(made):
    texts = {json.dumps(answers(made, "lora"), sort_keys=True) for _ in range(2)}
    assert len(texts) == 1
    assert "NaN" not in next(iter(texts))


def test_plans_name_only_variants_that_are_sampled(made):
    _, config = made
    for name in config.experiments:
        plan = comparisons(config, name)
        for pair in plan["pairs"]:
            assert {pair["variant"], pair["baseline"]} <= plan["variants"].keys()
        for grid in grids(config, name).values():
            assert {column["variant"] for column in grid["columns"]} <= plan["variants"].keys()


def test_a_model_among_runs_and_baselines_is_one_column(made):
    _, config = made
    entry = config.experiments["rank"].model_copy(update={"runs": ["lora-r64", "lora-r4"]})
    both = config.replace(experiments={"both": entry})
    found = grids(both, "both")
    assert "runs" in found
    for grid in found.values():
        columns = [(column["variant"], column["seed"]) for column in grid["columns"]]
        assert len(columns) == len(set(columns))
    assert all(p["variant"] != p["baseline"] for p in comparisons(both, "both")["pairs"])


def labels(config, entry, grid):
    found = grids(config.replace(experiments={"it": entry}), "it")[grid]["columns"]
    return [column["label"] for column in found]


def test_columns_go_forward_where_a_run_is_its_own_baseline(made):
    _, config = made
    baselines = {"baselines": ["lora-r4", "tiny"]}
    entry = config.experiments["lora"].model_copy(update=baselines)
    assert labels(config, entry, "lora-r4-raw-steps") == ["tiny", "step 20", "step 40", "step 60"]
    assert labels(config, entry, "lora-r4-raw-scales") == ["tiny", "scale 0.5", "scale 1"]


def test_a_grid_over_many_steps_shows_some_of_them(made):
    _, config = made
    longer = config.runs["lora-r4"].model_copy(update={"steps": 600})
    config = config.replace(runs=config.runs | {"lora-r4": longer})
    entry = config.experiments["lora"]
    shown = [int(label.split()[1]) for label in labels(config, entry, "lora-r4-raw-steps")[1:]]
    assert (len(shown), shown[0], shown[-1]) == (8, 20, 600)
    assert {later - earlier for earlier, later in itertools.pairwise(shown)} <= {80, 100}
    assert "lora-r4-raw-000040" in grids(config, "lora")


def test_too_few_unrelated_prompts_tell_nothing_about_forgetting(made):
    plan, measures, found, real, calibrations = material(made, "full")
    few = set(study.SETS["unrelated"][:100])
    for (_, _, role), side in found.items():
        if role == "unrelated":
            kept = [prompt in few for prompt in side["prompt"]]
            side |= {key: values[kept] for key, values in side.items()}
    (answer,) = compare(plan, measures, found, real, calibrations)["answers"]
    assert answer["sentence"].endswith(
        "; fewer than 128 unrelated prompts do not tell what is forgotten."
    )


@pytest.mark.parametrize(
    ("prompts", "value", "said"),
    [
        (["a", "b"], float("nan"), "a score is not a number"),
        (["a", "b", "a"], 50.0, "'a' with seed 0 is there twice"),
        (["a"], 50.0, "two pictures or more"),
    ],
)
def test_scores_are_checked(prompts, value, said, tmp_path):
    part = Part(str(tmp_path / "scores.parquet"), ("clip_score", "base/tiny", "rooms"))
    rows = [{"prompt": prompt, "seed": 0, "value": value} for prompt in prompts]
    table = pa.Table.from_pylist(rows, schema=values.SCHEMA)
    parquet_groups.write([(part.key, table)], values.SCHEMA, part.path)
    with pytest.raises(UserError, match=said):
        read_scores(part)


def test_pictures_that_do_not_pair_are_named(made):
    pair = {"variant": "a", "baseline": "b", "name": "b", "family": "headline", "model": "b"}
    pair["errors"] = {"domain_it": 0.05}
    plan = {
        "prompts": {"domain": "rooms"},
        "reference": "rooms",
        "methods": {},
        "variants": {"a": {"name": "a"}, "b": {"name": "b"}},
        "pairs": [pair],
        "fewest": 2,
        "looks": {"domain": [2]},
    }

    def side(prompts):
        count = len(prompts)
        return {
            "prompt": np.array(prompts, dtype=object),
            "seed": np.zeros(count, dtype=int),
            "value": np.ones(count),
        }

    measures = {"it": KIND.read({"type": "clip-score", "model": "clip", "margin": 3.0})}
    found = {("it", "a", "domain"): side(["x", "y"]), ("it", "b", "domain"): side(["x", "z"])}
    with pytest.raises(UserError, match=r"a and b do not pair: .* 'y' with seed 0"):
        compare(plan, measures, found, {}, {})


def judged(made, measures):
    """The headline's metrics and the sentence of an experiment that these measures judge."""
    plan, _, found, real, _ = material(made, "lora")
    _, config = made
    entry = config.experiments["lora"].model_copy(update={"claims": []})
    plan = plans(config.replace(measures=measures, experiments={"lora": entry}))["lora"]
    names = {
        name: "kid" if measure.compares_with_real else "clip_score"
        for name, measure in measures.items()
    }
    scores = {
        (name, variant, role): found[names[name], variant, role]
        for name, measure in measures.items()
        for variant in plan["variants"]
        for role in measure.texts
    }
    references = {name: real["kid"] for name in measures if names[name] == "kid"}
    answers = compare(plan, measures, scores, references, {})
    (pair,) = [pair for pair in answers["pairs"] if pair["family"] == "headline"]
    return pair["metrics"], answers["answers"][0]["sentence"]


def test_a_distance_alone(made):
    metrics, sentence = judged(made, {"near": KIND.read({"type": "kid", "margin": 20.0})})
    assert list(metrics) == ["domain_near"]
    assert sentence == (
        "This run of lora-r4 against tiny: its pictures look more like the real pictures."
    )


def test_a_measure_that_does_not_decide_is_shown_on_the_first_block(tmp_path):
    clip = {"type": "clip-score", "model": str(tmp_path / study.FOLDER / "clip"), "margin": 3.0}
    kid = {"type": "kid", "margin": 20.0, "decides": False}
    config = study.build(tmp_path, measures={"clip_score": clip, "kid": kid})
    files = EvaluationFiles(config)
    blocks = {name: set() for name in config.measures}
    for (name, _, _), paths in files.scores("lora").items():
        blocks[name].add(len(paths))
    assert blocks == {"clip_score": {1, 2}, "kid": {1}}
    assert {name for name, _, _ in files.look_scores(1)["lora"]} == {"clip_score"}

    (pair,) = headline((tmp_path / study.FOLDER, config), "lora")
    shown, decided = pair["metrics"]["domain_kid"], pair["metrics"]["domain_clip_score"]
    assert shown.keys() == decided.keys()
    assert (shown["verdict"], shown["error"], shown["prompts"]) == (None, None, 32)
    assert shown["low"] < shown["difference"] < shown["high"] < 0
    assert (decided["verdict"], decided["prompts"]) == ("better", 128)
    (answer,) = answers((tmp_path / study.FOLDER, config), "lora")["answers"]
    assert "real pictures" not in answer["sentence"]


def test_two_measures_of_a_type_are_told_apart(made):
    small, large = (
        KIND.read({"type": "clip-score", "model": name, "margin": 3.0}) for name in ("s", "l")
    )
    metrics, sentence = judged(made, {"small": small, "large": large})
    assert list(metrics) == ["domain_small", "domain_large", "unrelated_small", "unrelated_large"]
    assert sentence == (
        "This run of lora-r4 against tiny: its pictures follow the prompts better by small and"
        " follow the prompts better by large; by small unrelated prompts come out just as well, so"
        " nothing is forgotten and by large unrelated prompts come out just as well, so nothing is"
        " forgotten."
    )


def test_claims_are_answered_by_what_is_true(made):
    told = {
        name: [(claim["number"], claim["answer"]) for claim in answers(made, name)["claims"]]
        for name in study.CLAIMS
    }
    assert told == {
        "lora": [(0, "not reproduced")],  # it is better, and was said not to be
        "rank": [(0, "reproduced")],  # costs are not compared here
        "full": [(0, "reproduced"), (1, "reproduced"), (2, "reproduced")],
    }


def test_a_trajectory_is_its_last_checkpoint_against_its_first(made):
    trajectory, *_ = answers(made, "full")["claims"]
    assert (trajectory["variant"], trajectory["baseline"]) == (
        "full/000060/raw/1.0",
        "full/000020/raw/1.0",
    )
    assert trajectory["found"]["low"] < -6 * 40 / 60 < trajectory["found"]["high"]


def test_only_claimed_measures_judge_what_an_experiment_is_not_about(made):
    _, config = made
    pairs = plans(config)["full"]["pairs"]
    judged = {p["variant"]: set(p["errors"]) for p in pairs if p["family"] == "claim"}
    assert judged == {
        "full/000060/raw/1.0": {"domain_clip_score"},
        "full/000020/raw/1.0": {"unrelated_clip_score"},
    }
    shares = [share for pair in pairs for share in pair.get("errors", {}).values()]
    assert len(shares) == 3 * 3 + 2
    assert sum(shares) == pytest.approx(0.05)


def test_what_is_open_is_said_last_so_that_its_whether_takes_nothing_with_it():
    entries = {"clip_score": {"type": "clip-score", "model": "clip"}, "kid": {"type": "kid"}}
    metrics = metrics_of({name: KIND.read(entry) for name, entry in entries.items()})
    verdicts = {"domain_clip_score": "not decided yet", "domain_kid": "better"}
    assert _clause({"fewest": 128}, metrics, "domain", verdicts, 2) == (
        "their pictures look more like the real pictures, and do not tell yet whether they follow"
        " the prompts better or worse"
    )
