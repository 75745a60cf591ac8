"""The whole road at its smallest size, as a user walks it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
from PIL import Image
from screenshot import MISSING, browser, look, problems

CHECKPOINT = "results/small/runs/lora/000006/checkpoint.json"
SAMPLES = "results/small/samples/lora/0.parquet"


@pytest.mark.skipif(not browser(), reason=MISSING)
def test_the_report_opens_in_a_browser_without_a_complaint(finished, tmp_path):
    report = finished.folder / "results/report.html"
    assert problems(report) == []
    look(report, 1280, tmp_path / "wide.png")
    colours = Image.open(tmp_path / "wide.png").convert("RGB").getcolors(1 << 24)
    assert len(colours) > 500  # pictures, not a blank page


def test_the_report_answers_every_question(finished):
    text = (finished.folder / "results/report.html").read_text()
    for question in ("Does a LoRA help?", "Does a keyword help?", "Does a merge help?"):
        assert question in text
    for name in ("lora", "keyword", "merging"):
        answers = json.loads(
            (finished.folder / f"results/small/experiments/{name}.json").read_text()
        )
        assert answers["answers"]


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in finished.snakemake("results/report.html").stderr


@pytest.mark.slow
def test_the_bytes_are_the_same_without_the_warm_process(finished, study, monkeypatch):
    monkeypatch.setenv("EMAKI_WARM", "0")
    for folder in ("runs/lora/000006", "states/lora/000006", "pictures", "samples/lora"):
        shutil.rmtree(study.folder / "results/small" / folder)
    shutil.rmtree(study.folder / "results/small/runs/lora/000005")
    study.snakemake(SAMPLES)
    for file in (CHECKPOINT, SAMPLES):
        assert (study.folder / file).read_bytes() == (finished.folder / file).read_bytes()


def test_an_interrupted_run_goes_on(finished, study):
    shutil.rmtree(study.folder / "results/small/runs/lora")
    shutil.rmtree(study.folder / "results/small/states/lora")
    command = [sys.executable, "-m", "snakemake", CHECKPOINT, "--configfile", "small.yaml"]
    process = subprocess.Popen(
        [*command, "--profile", "profiles/local"],
        cwd=study.folder,
        start_new_session=True,
        # a test that runs in the background of a shell has been told to ignore Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(lambda: list(study.folder.glob("results/small/runs/lora/*/checkpoint.json")))
    os.killpg(process.pid, signal.SIGINT)  # Ctrl-C
    assert process.wait(120) != 0
    study.snakemake(CHECKPOINT)
    assert (study.folder / CHECKPOINT).read_bytes() == (finished.folder / CHECKPOINT).read_bytes()


def test_a_failure_says_which_line_matters(study):
    study.change("learning_rate: 1.0e-3", "learning_rate: 1.0e+30")
    failed = study.snakemake(CHECKPOINT, check=False)
    assert failed.returncode != 0
    assert re.search(r"^error: .*step \d", failed.stderr, re.MULTILINE)


def test_no_secret_of_the_environment_is_in_any_output(finished, study):
    """In results, report, cards, logs and Snakemake's notes; in what plan and preflight say; and
    where a job fails, whose log is shown."""
    study.change("learning_rate: 1.0e-3", "learning_rate: 1.0e+30")
    said = [study.snakemake(CHECKPOINT, check=False)]
    for tool in ("plan", "preflight"):
        command = [sys.executable, f"scripts/tools/{tool}.py", "--config", "small.yaml"]
        said.append(study.run(*command, "--profile", "profiles/local", check=False))
    assert "error: " in said[0].stderr
    assert [bool(done.stdout) for done in said[1:]] == [True, True]
    words = "".join(done.stdout + done.stderr for done in said).encode()
    files = [p for p in study.folder.rglob("*") if p.is_file() and not p.is_symlink()]
    assert len(files) > 500
    for token in study.tokens.values():
        found = [path for path in files if token.encode() in path.read_bytes()]
        assert found == []
        assert token.encode() not in words


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rank: 4", "rnk: 4", "did you mean 'rank'"),
        ("dataset: rooms-keyword", "dataset: room-keyword", "did you mean 'rooms-keyword'"),
    ],
)
def test_a_mistake_in_the_config_is_one_line(study, old, new, said):
    study.change(old, new)
    done = study.snakemake("results/report.html", "-n", check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: small.yaml:")
    assert said in line


@pytest.mark.parametrize(
    "target",
    [
        "runs/lora/000007/checkpoint.json",
        "runs/lora/6/checkpoint.json",
        "merges/lora/000006/raw/0.5/merge.json",
        "grids/lora/nothing.png",
    ],
)
def test_a_target_that_the_config_does_not_have(finished, target):
    done = finished.snakemake(f"results/small/{target}", "-n", check=False)
    assert f"No rule to produce results/small/{target}" in done.stdout + done.stderr


def test_a_key_on_the_command_line_is_not_ignored_in_silence(finished):
    done = finished.snakemake("results/report.html", "-n", "--config", "study=other", check=False)
    assert done.returncode != 0
    assert "error: --config study would be ignored" in done.stderr


def test_the_resolved_config_is_a_config(study):
    (study.folder / "more.yaml").write_text("extends: small.yaml\nstudy: more\n")
    study.config = "more.yaml"
    study.snakemake("results/more/config.json")
    study.config = "results/more/config.json"
    study.snakemake("results/more/report.html", "-n")


def test_own_pictures_with_a_broken_one(study):
    folder = study.folder / "my pictures"
    folder.mkdir()
    rooms = study.folder / "results/small/images/rooms"
    table = pq.read_table(rooms / "metadata.parquet").to_pylist()
    for row in table[:10]:
        shutil.copy(rooms / "pictures" / row["file"], folder)
        (folder / row["file"]).with_suffix(".txt").write_text(row["caption"])
    (folder / "broken.png").write_bytes(b"\x89PNG no more")
    study.change(
        "{type: rooms, count: 24, seed: 1, captions: full}",
        "{type: folder, path: my pictures}",
    )
    study.snakemake("results/small/datasets/rooms/card.json")
    card = json.loads((study.folder / "results/small/datasets/rooms/card.json").read_text())
    assert card["counts"]["train"] + card["counts"]["validation"] == 10
    assert [reject["file"] for reject in card["rejects"]] == ["broken.png"]


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def test_the_best_models_are_exported(study):
    """`make best`: with two prompts nothing is better, so one is exported as the config says."""
    study.change("lora_scales: [0.5]", "lora_scales: [0.5]\n    take: lora/000006/raw/0.5")
    targets = ["results/small/best/lora", "results/small/best/merging"]
    study.snakemake(*targets)
    best = study.folder / "results/small/best"
    files = [path for path in best.rglob("[!.]*") if path.is_file()]  # not Snakemake's own
    assert sorted(str(path.relative_to(best)) for path in files) == [
        "lora.json",
        "lora/README.md",
        "lora/pictures/lora-raw-scales.png",
        "lora/pytorch_lora_weights.safetensors",
        "lora/webui/small-lora.safetensors",
        "merging.json",
        "merging/README.md",
    ]
    assert "Nothing to be done" in study.snakemake(*targets).stderr
    command = [sys.executable, "scripts/tools/best.py", "--config", "small.yaml", "--tell"]
    told = [
        subprocess.run(
            [*command, "--experiment", name],
            cwd=study.folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in ("lora", "merging")
    ]
    assert "The config takes lora/000006/raw/0.5. It is in" in told[0]
    assert told[1].startswith("merging: Take tiny")
