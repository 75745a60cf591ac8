"""A study that has been run for real, and copies of it to change."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources")
CONFIG = "small.yaml"
# What the environment of a user may hold; no output has any of it.
TOKENS = {
    "HF_TOKEN": "hf_plantedforthetest0001",
    "HUGGING_FACE_HUB_TOKEN": "hf_plantedforthetest0002",
    "WANDB_API_KEY": "plantedforthetest0003",
    "AWS_ACCESS_KEY_ID": "AKIAPLANTED0004",
    "AWS_SECRET_ACCESS_KEY": "planted/for/the/test0005",
    "LAMBDA_API_KEY": "secret_plantedforthetest0006",
    "RUNPOD_API_KEY": "plantedforthetest0007",
    "HTTPS_PROXY": "http://somebody:plantedforthetest0008@127.0.0.1:9",
}
# Snakemake's bookkeeping; a rule named here does no work of its own
TARGET_RULES = {"all"}


class Study:
    """A folder with the project, a config and what was made from it."""

    tokens = TOKENS

    def __init__(self, folder, config=CONFIG):
        self.folder, self.config = folder, config
        self.prepare = None  # what a process does before it becomes the command

    def snakemake(self, *arguments, check=True):
        command = [sys.executable, "-m", "snakemake", *arguments, "--profile", "profiles/local"]
        command += ["--configfile", self.config, "--cores", "2"]
        return self.run(*command, check=check)

    def environment(self):
        """That of a user with secrets in it; what is run is the study's own copy of the code."""
        return {**os.environ, **TOKENS, "PYTHONPATH": str(self.folder / "scripts")}

    def run(self, *command, check=True):
        """A command in the study's folder, by such a user."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            preexec_fn=self.prepare,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def jobs(self, *targets):
        """The jobs that a dry run lists: "rule" and, where it has one, its output's short name."""
        shown = self.snakemake(*(targets or ["results/report.html"]), "-n", "--quiet", "host")
        blocks = re.findall(
            r"^(?:local)?(?:rule|checkpoint) (\w+):\n((?:    .*\n)*)",
            shown.stdout + shown.stderr,
            re.MULTILINE,
        )
        return sorted(_name(rule, text) for rule, text in blocks if rule not in TARGET_RULES)

    def edit(self, file, old, new):
        """Replace the one place in a file where `old` stands."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new))

    def change(self, old, new):
        self.edit(self.config, old, new)


@pytest.fixture(scope="session")
def new_study(tmp_path_factory):
    """Make a Study of a config that lies here, with `files` beside it; nothing has run yet."""

    def make(config, *files):
        folder = tmp_path_factory.mktemp(Path(config).stem)
        for part in PARTS:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / part)
        for file in (config, *files):
            shutil.copy(Path(__file__).with_name(file), folder)
        return Study(folder, config)

    return make


@pytest.fixture(scope="session")
def finished(new_study):
    """The small study, run from nothing to its report. Not to be changed."""
    study = new_study(CONFIG, "edits.csv")
    study.snakemake("results/report.html")
    return study


@pytest.fixture
def study(finished, tmp_path):
    """A copy of the finished study, dates included, to be changed."""
    folder = tmp_path / "study"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Study(folder)


def _name(rule, text):
    output = re.search(r"^    output: (\S+?),?(?: |$)", text, re.MULTILINE)
    return f"{rule} {_short(output[1])}" if output else rule


def _short(path):
    """What tells a job from the others of its rule: lora/000007 for a checkpoint."""
    path = re.sub(r"^results/(small/\w+/)?", "", path)
    path = re.sub(r"/(checkpoint\.json|metadata\.parquet|manifest\.json|merge\.json)$", "", path)
    return re.sub(r"(/data/train)?\.(parquet|json|png)$", "", path)
