"""config/sd14.yaml as it is, but for the three things that its user puts in."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emaki.common.errors import UserError
from emaki.config import load
from emaki.config.reading import parse

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A copy of the project with an (empty) Unsplash dataset."""
    folder = tmp_path_factory.mktemp("sd14")
    for part in ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources"):
        source = ROOT / part
        if part == "resources":
            (folder / part).symlink_to(source)
        else:
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / part)
    (folder / "unsplash").mkdir()
    for stem in ("photos", "keywords"):
        (folder / f"unsplash/{stem}.tsv000").touch()
    (folder / "config/mine.yaml").write_text(json.dumps(with_inputs()))
    return folder


@pytest.fixture(autouse=True)
def _inside(workplace, monkeypatch):
    monkeypatch.chdir(workplace)


def with_inputs():
    """What config/sd14.yaml says, with its user's three inputs."""
    config = parse((ROOT / "config/sd14.yaml").read_text(), "config/sd14.yaml").data
    config["models"]["sd14"]["non_ema_revision"] = COMMIT
    for name in ("rooms", "rooms-v2"):
        config["sources"][name]["path"] = "unsplash"
    config["sources"]["pokemon"]["revision"] = COMMIT
    return config


def run(*command):
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def shown(config):
    command = ["-m", "snakemake", "-n", "results/report.html", "--configfile", config]
    return run(*command, "--profile", "profiles/local", "--quiet", "host")


def test_what_its_user_puts_in_is_told_at_once():
    with pytest.raises(UserError) as caught:
        load("config/sd14.yaml")
    lines = str(caught.value).splitlines()
    assert [re.search(r"\d+: (\S+)", line)[1] for line in lines] == [
        "sources.rooms.path",
        "sources.rooms-v2.path",
        "models.sd14.non_ema_revision",
        "sources.pokemon.revision",
    ]
    assert all("accept the licence" in line for line in lines[:2])
    assert all("`make pin CONFIG=config/sd14.yaml` prints" in line for line in lines[2:])
    assert "if lambdalabs/pokemon-blip-captions is gone" in lines[3]


def test_the_plan_is_made_without_them():
    text = run("scripts/tools/plan.py", "--config", "config/sd14.yaml")
    assert "sources.pokemon.revision, a commit of lambdalabs/pokemon-blip-captions" in text
    jobs = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)}
    trained = sum(count for rule, count in jobs.items() if rule.startswith("train"))
    assert trained == 10 * 15_000 / 500
    assert jobs["compare"] == 10
    assert (jobs["hub_pipeline"], jobs["hub_non_ema"], jobs["hub_model"]) == (1, 1, 4)
    for repo in ("clip-vit-large-patch14", "PickScore_v1", "dinov2-base", "captioning-large"):
        assert re.search(rf"{repo}: \d\.\d\d GB", text)
    assert re.search(r"full-8bit: .* 12\.1 GB of GPU memory fits 48, smallest GPU: T4", text)
    assert re.search(r"cost \d+\.\d\d: x 0.8 an hour", text)
    assert "it fits: 1000 GB (machine.disk_gb)" in text


def test_the_flags_are_the_logs():
    flags = load("config/mine.yaml").runs["rooms-v3"].values()
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
    for config, study in (("mine", "sd14"), ("config", "miniature")):
        written = re.findall(r"^    output: (.*)$", shown(f"config/{config}.yaml"), re.MULTILINE)
        files = {file.split(" ")[0] for line in written for file in line.split(", ")}
        assert len(files) > 100
        ours = (f"results/{study}/", "results/hub/")  # models by commit are for all studies
        shared = {file for file in files if not file.startswith(ours)}
        assert shared == {"results/report.html"}  # a copy: always that of the config in use
