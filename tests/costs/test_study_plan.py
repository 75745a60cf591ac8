"""The plan of a study."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emaki.config import load
from emaki.config.machine import Machine
from emaki.config.settings import Model
from emaki.costs import study_plan
from emaki.data.sources.hub import Hub
from emaki.evaluation.measures.clip_score import ClipScore

ROOT = Path(__file__).parents[2]
SD14 = Model(repo="CompVis/stable-diffusion-v1-4", non_ema_revision="0" * 40)


@pytest.fixture
def config(monkeypatch):
    monkeypatch.chdir(ROOT)
    return load("config/config.yaml").replace(study="never-run")


def change_runs(config, **values):
    """The study with other values in all runs."""
    runs = {name: run.model_copy(update=values) for name, run in config.runs.items()}
    return config.replace(runs=runs)


@pytest.fixture
def folder(tmp_path):
    """The project with the small study's files."""
    for part in ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources"):
        (tmp_path / part).symlink_to(ROOT / part)
    for file in ("small.yaml", "edits.csv"):
        shutil.copy(ROOT / "tests/workflow" / file, tmp_path)
    return tmp_path


def test_the_jobs_are_those_that_snakemake_counts(folder):
    command = [sys.executable, "scripts/tools/plan.py", "--config", "small.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE))
    assert (count["train"], count["train_newest"], count["total"]) == ("8", "3", "55")
    # 4 jobs draw 16 times two prompts with two seeds each
    assert "drawing 64 pictures" in done.stdout


def test_at_full_size_the_gpu_the_disk_and_the_cost_are_told(config):
    clip = {"repo": "openai/clip-vit-large-patch14", "revision": "0" * 40}
    rooms = Hub(repo="somebody/rooms", revision="0" * 40)
    config = config.replace(
        models={"tiny": SD14},
        machine=Machine(gpu="T4", price_per_hour=0.5, disk_gb=1),
        measures={"clip_score": ClipScore(type="clip-score", model=clip)},
        sources=config.sources | {"rooms": rooms},
    )
    config = change_runs(
        config, resolution=512, mixed_precision="fp16", gradient_checkpointing=True
    )
    text = study_plan.plan(config, [], 0)
    assert re.search(r"full-8bit: .* fits 16, smallest GPU: T4 \(16 GB\)", text)
    assert re.search(r"critters-compvis: .* DOES NOT FIT 16, smallest GPU: .*24 GB", text)
    assert "it DOES NOT FIT: 1 GB (machine.disk_gb)" in text
    assert re.search(r"cost \d+\.\d\d: x 0.5 an hour", text)
    assert "openai/clip-vit-large-patch14: 1.71 GB" in text
    assert "CompVis/stable-diffusion-v1-4: 7.70 GB" in text
    assert "somebody/rooms: size not known" in text


def test_the_profile_says_on_what(folder):
    command = [sys.executable, "scripts/tools/plan.py", "--config", "small.yaml"]
    command += ["--profile", "profiles/lambda"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Machine: A6000, 48 GB (profiles/lambda)" in done.stdout
    assert re.search(r"cost \d+\.\d\d: x 0.8 an hour", done.stdout)
    assert "it fits: 1000 GB (machine.disk_gb)" in done.stdout


def test_further_trainings_cost_what_they_train_keep_and_draw(config):
    run = config.runs["lora-r64"]
    seeds = run.model_copy(update={"seeds": [0, 1, 2], "keep": [run.steps]})
    runs = config.runs | {"lora-r64": seeds}
    once = config.replace(runs=runs | {"lora-r64": seeds.model_copy(update={"seeds": None})})
    thrice = config.replace(runs=runs)
    text = study_plan.plan(thrice, [], 0)
    assert re.search(r"lora-r64: 3 trainings of 150 steps in .* each", text)
    assert "lora-r64+seed1" not in text
    more = study_plan.hours(thrice) - study_plan.hours(once)
    drawn = study_plan.pictures(thrice, 0) - study_plan.pictures(once, 0)
    assert drawn == 2 * (128 + 128)  # two further trainings draw both sets up to the first look
    assert more > 2 * run.steps * 0.1 / 3600
    assert study_plan.disk(thrice)["checkpoints"].value > study_plan.disk(once)["checkpoints"].value


def test_half_precision_halves_what_is_kept(config):
    whole = study_plan.disk(config)
    half = study_plan.disk(change_runs(config, save_precision="fp16"))
    assert half["checkpoints"].value == whole["checkpoints"].value / 2
    assert half["states"] == whole["states"]


def test_a_study_that_does_not_fit_is_refused_before_it_starts(folder):
    with open(folder / "small.yaml", "a") as file:
        file.write("\nmachine: {disk_gb: 0.01}\n")
    command = [sys.executable, "-m", "snakemake", "results/report.html"]
    command += ["--profile", "profiles/local", "--configfile", "small.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert re.search(r"^error: the study takes .* but machine.disk_gb is 0.01", done.stderr, re.M)
    assert not (folder / "results/small").exists()
    dry = subprocess.run([*command, "-n"], cwd=folder, capture_output=True, text=True)
    assert dry.returncode == 0, dry.stderr


def test_pictures_are_counted_up_to_the_first_look_and_to_the_last(config):
    first, most = study_plan.pictures(config, 0), study_plan.pictures(config)
    assert first < most
    assert "if nothing is decided before the last" in study_plan.plan(config, [], 0)
    once = config.evaluation.model_copy(update={"until": "all"})
    text = study_plan.plan(config.replace(evaluation=once), [], 0)
    assert f"drawing {most:,} pictures" in text
    assert "before the last" not in text
