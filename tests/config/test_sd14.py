"""config/sd14.yaml, with only models, pictures, sizes and steps replaced."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emaki.config import load

ROOT = Path(__file__).parents[2]
# The whole difference. 500 steps become one, so that no list of checkpoints changes its meaning.
PATCH = """\
extends: sd14-steps.yaml
study: sd14
models:
  sd14: {path: resources/tiny-sd}
evaluators: {clip: resources/tiny-clip, features: efficientnet-lite0}
sampling: {resolution: 64, steps: 2}
sources:
  rooms: {type: rooms, count: 24, captions: sparse}
  rooms-v2: {type: rooms, count: 24, seed: 2, captions: sparse}
  pokemon: {type: dicebear, style: critters, count: 24}
captions:
  blip: {type: blip, model: resources/tiny-blip, preset: kohya_gui}
"""
STEPS = r"(?:(?<=steps: )|(?<=checkpoint_every: )|(?<=[\[ ]))(\d+_?000|500)(?=[,\]\n]| #)"


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A copy of the project with sd14-small.yaml beside sd14.yaml."""
    for part in ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources"):
        source = ROOT / part
        if part == "resources":
            (tmp_path / part).symlink_to(source)
        else:
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, tmp_path / part)
    text = (ROOT / "config/sd14.yaml").read_text()
    text = re.sub(STEPS, lambda match: str(int(match[0]) // 500), text)
    text = text.replace("resolution: 512", "resolution: 64")
    text = text.replace("mixed_precision: fp16", "mixed_precision: bf16")
    (tmp_path / "config/sd14-steps.yaml").write_text(text)
    (tmp_path / "config/sd14-small.yaml").write_text(PATCH)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(config):
    command = [sys.executable, "-m", "snakemake", "-n", "results/report.html"]
    command += ["--profile", "profiles/local", "--configfile", config, "--quiet", "host"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def dry_run(config):
    return dict(re.findall(r"^(\w+) +(\d+)$", shown(config), re.MULTILINE))


def test_every_run_has_30_checkpoints_and_the_jobs_follow(workplace):
    config = load("config/sd14-small.yaml")
    assert len(config["experiments"]) == 10
    jobs = dry_run("config/sd14-small.yaml")
    trained = sum(int(count) for rule, count in jobs.items() if rule.startswith("train"))
    assert trained == 30 * len(config["runs"])
    assert int(jobs["compare"]) == 10


def test_the_flags_are_the_logs(workplace):
    flags = load("config/sd14-small.yaml")["runs"]["rooms-v3"]
    said = {
        "steps": 30,  # x 500
        "checkpoint_every": 1,
        "batch_size": 8,
        "gradient_accumulation_steps": 1,
        "gradient_checkpointing": True,
        "learning_rate": 1e-4,
        "max_grad_norm": 1.0,
        "lr_scheduler": "constant",
        "lr_warmup_steps": 0,
        "random_flip": True,
        "train_init": "non_ema",
    }
    assert {key: flags[key] for key in said} == said
    assert flags["ema"]["preset"] == "diffusers"


def test_the_two_studies_write_to_folders_of_their_own(workplace):
    for config, study in (("sd14-small", "sd14"), ("config", "miniature")):
        written = re.findall(r"^    output: (.*)$", shown(f"config/{config}.yaml"), re.MULTILINE)
        files = {file.split(" ")[0] for line in written for file in line.split(", ")}
        assert len(files) > 100
        # what comes from the hub is the same for all studies
        own = (f"results/{study}/", "results/hub/")
        shared = {file for file in files if not file.startswith(own)}
        assert shared == {"results/report.html"}  # a copy: always that of the config in use
