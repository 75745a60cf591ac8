"""Each change, and exactly the jobs that it costs."""

import ast
import os
import shutil
import time

import pytest

from emaki.workflow import accepting

END = ["publish report.html", "report small/report.html"]
BALLOT = "ballot small/votes.html"  # of pictures that headline comparisons have
OWNERS = ["base/tiny", "lora", "keyword", "full"]  # each draws one block
REAL = [
    "calibrate_real kid/rooms",
    "calibrate_real kid/rooms-keyword",
    "calibrate_real kid/rooms-blip",
]
CALIBRATIONS = ["calibrate clip_score/tiny/rooms", "calibrate clip_score/tiny/unrelated"]
GRIDS = {
    "lora": ["lora-raw-000006", "lora-raw-scales"],
    "keyword": ["keyword-raw-000002"],
    "merging": ["full-ema-000003", "full-ema-alphas", "full-raw-000003", "full-raw-alphas", "runs"],
}


def pictures(*owners):
    """Drawing and scoring what these ask."""
    return [*(f"sample {owner}/0" for owner in owners), *scores(*owners)]


def scores(*owners):
    return [f"score evaluation/{owner}/0" for owner in owners]


def answers(*experiments):
    """Grids, comparison, ballot and report of experiments."""
    drawn = [f"grid {e}/{grid}" for e in experiments for grid in GRIDS[e]]
    return [*drawn, *(f"compare {e}" for e in experiments), BALLOT, *END]


def train(run, first, last):
    steps = range(first, last + 1)
    return [f"train{'_newest' if n == last else ''} {run}/{n:06d}" for n in steps]


def assert_jobs(study, expected):
    assert study.jobs() == sorted(expected)


def test_nothing_changed(study):
    assert_jobs(study, [])


def test_files_touched(study):
    now = time.time() + 10
    for folder in ("scripts", "rules", "config", "resources", "results/small/datasets"):
        for path in (study.folder / folder).rglob("*"):
            os.utime(path, (now, now))
    assert_jobs(study, [])


def test_git_clone_with_results_copied_along(study, finished):
    for part in ("scripts", "rules", "config", "resources"):  # a checkout: all dates are new
        shutil.rmtree(study.folder / part)
        shutil.copytree(finished.folder / part, study.folder / part, copy_function=shutil.copyfile)
    assert_jobs(study, [])


def test_a_comment_in_the_config(study):
    study.change("study: small", "study: small # a remark")
    assert_jobs(study, [])


def test_a_caption_keyword(study):
    study.change("keyword: interior design", "keyword: home decor")
    expected = ["caption rooms/keyword", "dataset rooms-keyword"]
    expected += ["latents rooms-keyword/tiny/64-flip", "reference kid/rooms-keyword"]
    expected += ["calibrate_real kid/rooms-keyword"]
    expected += [
        "config small/config",
        *train("keyword", 1, 2),
        *pictures("keyword"),
        *answers("keyword"),
    ]
    assert_jobs(study, expected)


def test_an_edited_caption_runs_no_captioning_model(study):
    study.edit("edits.csv", "that somebody looked at", "that somebody looked at twice")
    expected = ["caption rooms/edited", "dataset rooms-blip"]
    expected += ["latents rooms-blip/tiny/64-flip", "reference kid/rooms-blip"]
    expected += ["calibrate_real kid/rooms-blip"]
    expected += [*train("full", 1, 3), *pictures("full"), *answers("merging")]
    assert_jobs(study, expected)


def test_the_learning_rate_of_one_run(study):
    study.change(
        "dataset: rooms-keyword, steps: 2}",
        "dataset: rooms-keyword, steps: 2, learning_rate: 2.0e-3}",
    )
    expected = [
        "config small/config",
        *train("keyword", 1, 2),
        *pictures("keyword"),
        *answers("keyword"),
    ]
    assert_jobs(study, expected)


def test_a_run_extended_from_6_to_9_segments(study):
    study.change("steps: 6", "steps: 9")
    expected = [*train("lora", 7, 9), *pictures("lora"), "config small/config", BALLOT, *END]
    expected += ["grid lora/lora-raw-000009", "grid lora/lora-raw-scales", "compare lora"]
    expected += ["grid keyword/keyword-raw-000002", "compare keyword"]  # its baseline is longer
    assert_jobs(study, expected)


@pytest.mark.slow
def test_a_run_that_starts_from_a_checkpoint_of_another(study):
    start = "{run: full, step: 2, weights: ema}"
    study.change(
        "experiments:\n  lora:",
        f"  more: {{extends: full, steps: 2, train_init: {start}}}\n\nexperiments:\n  lora:",
    )
    target = "results/small/runs/more/000002/checkpoint.json"
    assert study.jobs(target) == train("more", 1, 2)
    study.snakemake(target)
    assert study.jobs(target) == []
    study.change("steps: 3, ema", "steps: 4, ema")  # a longer first run: the checkpoint stays
    assert study.jobs(target) == []
    study.change("steps: 4, ema", "steps: 3, weight_decay: 0.1, ema")
    assert study.jobs(target) == sorted([*train("full", 1, 3)[:2], *train("more", 1, 2)])


@pytest.mark.slow
def test_a_text_encoder_that_is_trained_too_is_merged_and_drawn_with(study):
    full = "{extends: lora, method: full, dataset: rooms-blip, steps: 3"
    study.change(full, f"{full}, train_text_encoder: true")
    expected = ["config small/config", *train("full", 1, 3), *pictures("full")]
    assert_jobs(study, [*expected, *answers("merging")])
    target = "results/small/samples/full/0.parquet"
    before = (study.folder / target).read_bytes()
    study.snakemake(target)
    assert (study.folder / target).read_bytes() != before
    merge = "results/small/merges/full/000003/ema/0.5"
    assert study.jobs(f"{merge}/merge.json") == ["merge_text_encoder full/000003/ema/0.5"]
    study.snakemake(f"{merge}/merge.json")
    assert (study.folder / merge / "text_encoder/model.safetensors").is_file()


def test_a_new_alpha(study):
    study.change("merge_alphas: [0.5]", "merge_alphas: [0.25, 0.5]")
    assert_jobs(study, [*pictures("full"), "config small/config", *answers("merging")])
    before = drawn(study)
    told = study.snakemake("results/small/scores/evaluation/full/0.parquet").stderr
    assert len(drawn(study)) == len(before) + 2 * 2 * 4  # of both kinds, sets and seeds
    assert "full/0: pictures scored: 16 by clip_score, 8 by kid\n" in told


def test_a_new_prompt_draws_only_its_own_pictures(study):
    before, damaged = drawn(study), list(study.folder.glob("results/small/values/*/damaged*"))
    study.change("[pig, red heart]", "[pig, red heart, umbrella]")
    block = "unrelated/0000-0003"
    everything = [*pictures(*OWNERS), f"prompts {block}", "config small/config", *CALIBRATIONS]
    assert_jobs(study, [*everything, *answers("lora", "keyword", "merging")])
    rooms = "results/small/calibrations/clip_score/tiny/rooms.parquet"
    told = study.snakemake("results/small/scores/evaluation/base/tiny/0.parquet", rooms).stderr
    assert len(drawn(study)) == len(before) + 2  # two seeds
    assert before.items() <= drawn(study).items()
    assert "base/tiny/0: pictures scored: 2 by clip_score\n" in told
    assert list(study.folder.glob("results/small/values/*/damaged*")) == damaged


def drawn(study):
    """{picture: when it was written}."""
    store = study.folder / "results/small/pictures"
    return {path: path.stat().st_mtime_ns for path in store.rglob("*.png")}


def test_a_new_experiment_on_existing_runs(study):
    text = (study.folder / "small.yaml").read_text()
    question = text[text.index("  keyword:\n    date") : text.index("  merging:")]
    (study.folder / "small.yaml").write_text(text + question.replace("  keyword:", "  again:", 1))
    assert_jobs(
        study, ["compare again", "grid again/keyword-raw-000002", "config small/config", *END]
    )


def test_a_run_that_no_experiment_asks_for(study):
    first = "experiments:\n  lora:"
    study.change(first, f"  idle: {{extends: lora, seed: 1}}\n\n{first}")
    assert_jobs(study, ["config small/config", *END])


def test_the_report_template(study):
    template = sorted((study.folder / "scripts/emaki/report/templates").glob("*.html*"))[0]
    template.write_text(template.read_text() + "<!-- a remark -->")
    assert_jobs(study, END)
    shutil.rmtree(study.folder / "results/small/benchmarks")  # as where only results were copied
    assert_jobs(study, END)
    study.snakemake("results/report.html")


def test_code_that_is_only_written_otherwise(study):
    for path in (study.folder / "scripts").rglob("*.py"):
        path.write_text(f"# a remark\n\n{ast.unparse(ast.parse(path.read_bytes()))}\n")
    assert_jobs(study, [])


def test_a_constant_in_the_code_is_told_as_the_reason(study):
    module = "scripts/emaki/evaluation/by_prompt.py"
    edit_code(study, module)
    shown = study.snakemake("results/report.html", "-n", "--quiet", "host")
    assert (
        f"Updated input files: .snakemake/emaki/code/{module}.code" in shown.stdout + shown.stderr
    )


def test_the_code_of_the_trainer(study):
    edit_code(study, "scripts/train.py")
    trained = [*train("lora", 1, 6), *train("keyword", 1, 2), *train("full", 1, 3)]
    shown = pictures("lora", "keyword", "full")
    assert_jobs(study, [*trained, *shown, *answers("lora", "keyword", "merging")])


def test_a_module_that_only_the_scorer_imports(study):
    edit_code(study, "scripts/emaki/evaluation/scoring.py")
    references = [f"reference kid/{name}" for name in ("rooms", "rooms-keyword", "rooms-blip")]
    compared = [f"compare {name}" for name in ("lora", "keyword", "merging")]
    again = [*scores(*OWNERS), *CALIBRATIONS, *REAL, *references]
    assert_jobs(study, [*again, *compared, *END])


def test_of_code_that_is_accepted_only_the_answers_are_made_again(study, monkeypatch):
    edit_code(study, "scripts/emaki/evaluation/scoring.py")
    monkeypatch.setenv(accepting.ASKED, "1")
    study.snakemake("results/report.html")
    monkeypatch.delenv(accepting.ASKED)
    assert_jobs(study, [*(f"compare {name}" for name in ("lora", "keyword", "merging")), *END])


def test_another_measure_scores_alone(study):
    study.change(
        "  kid: {type: kid}",
        "  kid: {type: kid}\n  preference: {type: preference, model: resources/tiny-clip}",
    )
    more = [*scores(*OWNERS), "calibrate preference/tiny/rooms"]
    compared = [f"compare {name}" for name in ("lora", "keyword", "merging")]
    assert_jobs(study, [*more, *compared, "config small/config", *END])
    told = study.snakemake("results/small/scores/evaluation/lora/0.parquet").stderr
    assert "lora/0: pictures scored: 8 by preference\n" in told


def test_the_code_of_one_measure(study):
    edit_code(study, "scripts/emaki/evaluation/measures/kid.py")
    references = [f"reference kid/{name}" for name in ("rooms", "rooms-keyword", "rooms-blip")]
    compared = [f"compare {name}" for name in ("lora", "keyword", "merging")]
    assert_jobs(study, [*scores(*OWNERS), *REAL, *references, *compared, *END])
    told = study.snakemake("results/small/scores/evaluation/lora/0.parquet").stderr
    assert "lora/0: pictures scored: 8 by kid\n" in told


def test_a_deleted_middle_checkpoint(study):
    """The report stands without it; to have it again, the chain is trained up to it, not beyond."""
    shutil.rmtree(study.folder / "results/small/runs/lora/000003")
    assert_jobs(study, [])
    about = "results/small/runs/lora/000003/checkpoint.json"
    assert study.jobs(about) == train("lora", 1, 4)[:3]


def test_a_deleted_sample_is_put_together_from_the_kept_pictures(study):
    (study.folder / "results/small/samples/base/tiny/0.parquet").unlink()
    done = study.snakemake("results/small/samples/base/tiny/0.parquet")
    assert "0 pictures drawn, 4 kept" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("step", ["000001", "000006"])
def test_a_lost_checkpoint_comes_back_the_same(study, finished, step):
    about = f"results/small/runs/lora/{step}/checkpoint.json"
    shutil.rmtree((study.folder / about).parent)
    study.snakemake(about)
    assert (study.folder / about).read_bytes() == (finished.folder / about).read_bytes()


def edit_code(study, file):
    path = study.folder / file
    path.write_text(path.read_text() + "\nCHANGED = True\n")


@pytest.mark.slow
def test_keep_removes_weights_and_a_second_run_has_nothing_to_do(study):
    study.change("dataset: rooms-keyword, steps: 2}", "dataset: rooms-keyword, steps: 2, keep: []}")
    assert_jobs(study, ["config small/config", *END])  # what is done is not done again
    study.change("steps: 2, keep: []}", "steps: 3, checkpoint_every: 1, seed: 1, keep: []}")
    study.snakemake("results/report.html")
    run = study.folder / "results/small/runs/keyword"
    assert [path.parent.name for path in sorted(run.glob("*/weights"))] == ["000003"]
    assert len(list(run.glob("*/metrics.parquet"))) == 3
    assert_jobs(study, [])
