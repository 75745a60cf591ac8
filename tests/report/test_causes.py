"""A factorial experiment on the page: what each setting does, in words and as a table."""

import json

import pytest
import screenshot
import study
from test_report import run_scripts

RUNS = {name: run for name, run in study.CONFIG["runs"].items() if name in ("lora-r4", "full")}
MATRIX = {
    "run": "full",
    "axes": {
        "rate": {"slow": {"learning_rate": 2e-4}, "fast": {"learning_rate": 2e-3}},
        "decay": {"none": {}, "strong": {"weight_decay": 0.5}},
    },
}
# The run itself is the cell slow-none, and worse than the base by 6.
EFFECTS = {"causes-fast-none": (0, -9, 0.0), "causes-fast-strong": (0, -9, 0.0)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("study")
    entry = study.experiment(
        "2023-06-16", "Causes", [], ["tiny"], matrix=MATRIX, checkpoints="last"
    )
    del entry["runs"]
    slow = {"causes-slow-strong": study.EFFECTS["full"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "EFFECTS", study.EFFECTS | EFFECTS | slow)
        patch.setattr(study, "STEPS", dict.fromkeys(["full", *EFFECTS, *slow], 60))
        return run_scripts(place, study.build(place, runs=RUNS, experiments={"causes": entry}))


def test_the_setting_that_matters_is_told_and_the_other_is_not(made):
    effects = json.loads((made / "experiments/causes.json").read_text())["effects"]
    said = {one["what"]: one["metrics"]["domain_clip_score"]["verdict"] for one in effects}
    assert said == {
        "rate fast": "better",
        "decay strong": "the same",
        "rate fast with decay strong": "the same",
    }
    page = (made / "report.html").read_text("utf-8")
    assert "With rate fast instead of slow: the prompts are followed better" in page
    assert "trained once, so this speaks of these runs" in " ".join(page.split())
    assert "rate fast with decay strong" in page
    assert (
        "With rate fast instead of slow, the prompts are followed better and likeness to the real"
        " pictures is better; decay strong instead of none makes no difference." in page
    )


@pytest.mark.skipif(not screenshot.browser(), reason=screenshot.MISSING)
def test_nothing_is_wrong_on_a_wide_screen_and_on_a_phone(made):
    assert screenshot.problems(made / "report.html") == []
