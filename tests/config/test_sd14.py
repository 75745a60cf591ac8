"""config/sd14.yaml as it is: nothing is left to put in."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emaki.config import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A copy of the project."""
    folder = tmp_path_factory.mktemp("sd14")
    for part in ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources"):
        source = ROOT / part
        if part == "resources":
            (folder / part).symlink_to(source)
        else:
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / part)
    return folder


@pytest.fixture(autouse=True)
def _inside(workplace, monkeypatch):
    monkeypatch.chdir(workplace)


def run(*command):
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def shown(config):
    command = ["-m", "snakemake", "-n", "results/report.html", "--configfile", config]
    return run(*command, "--profile", "profiles/local", "--quiet", "host")


def test_the_plan_leaves_nothing_open_and_tells_licences():
    text = run("scripts/tools/plan.py", "--config", "config/sd14.yaml")
    assert "Left open" not in text
    assert "size not known" not in text
    assert "reach-vb/pokemon-blip-captions, licence CC BY-NC-SA 4.0" in text
    assert "at most 5,000 photographs (the tables will tell how many)" in text
    assert "licence Unsplash's, https://unsplash.com/data-terms" in text
    jobs = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)}
    trained = sum(count for rule, count in jobs.items() if rule.startswith("train"))
    assert trained == 10 * 15_000 / 500
    assert jobs["compare"] == 10
    assert (jobs["hub_pipeline"], jobs["hub_non_ema"], jobs["hub_model"]) == (1, 1, 5)
    assert re.search(r"full-8bit: .* 12\.1 GB of GPU memory fits 48, smallest GPU: T4", text)
    assert re.search(r"cost \d+\.\d\d: x 0.8 an hour", text)
    assert "it fits: 1000 GB (machine.disk_gb)" in text


def test_the_flags_are_the_logs():
    flags = load("config/sd14.yaml").runs["rooms-v3"].values()
    said = {
        "steps": 15_000,
        "checkpoint_every": 500,
        "batch_size": 8,
        "gradient_accumulation_steps": 1,
        "gradient_checkpointing": True,
        "learning_rate": 1e-4,
        "max_grad_norm": 1.0,
        "mixed_precision": "fp16",
        "lr_scheduler": "constant",
        "lr_warmup_steps": 0,
        "random_flip": True,
        "resolution": 512,
        "train_init": "non_ema",
    }
    assert {key: flags[key] for key in said} == said
    assert flags["ema"]["preset"] == "diffusers"


def test_the_two_studies_write_to_folders_of_their_own():
    pages = {"results/report"}  # large pictures: an index, and a page for each entry
    for config, study, more in (("sd14", "sd14", pages), ("config", "miniature", set())):
        written = re.findall(r"^    output: (.*)$", shown(f"config/{config}.yaml"), re.MULTILINE)
        files = {file.split(" ")[0] for line in written for file in line.split(", ")}
        assert len(files) > 100
        ours = (f"results/{study}/", "results/hub/")  # models by commit are for all studies
        shared = {file for file in files if not file.startswith(ours)}
        # copies: always those of the config in use
        assert shared == {"results/report.html", "results/votes.html"} | more
