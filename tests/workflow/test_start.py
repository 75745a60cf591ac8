"""How Snakemake is started: in Emaki's own folder, with one of its two workflows."""

import subprocess
import sys
from pathlib import Path

import pytest

from emaki.common.errors import UserError
from emaki.config import load
from emaki.workflow.command_line import check_yaml

ROOT = Path(__file__).parents[2]
WRONG_PLACE = "error: start Snakemake in Emaki's own folder"


def snakemake(folder, *arguments):
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_in_another_folder_it_is_refused(tmp_path):
    status, shown = snakemake(tmp_path, "--snakefile", ROOT / "Snakefile")
    assert status
    assert WRONG_PLACE in shown


def test_as_a_module_of_another_workflow_it_is_refused(tmp_path):
    text = f'module emaki:\n    snakefile: "{ROOT}/Snakefile"\n\nuse rule * from emaki\n'
    (tmp_path / "Snakefile").write_text(text)
    snakefile = ["--snakefile", tmp_path / "Snakefile"]
    for folder in (tmp_path, ROOT):
        status, shown = snakemake(folder, *snakefile)
        assert status
        assert WRONG_PLACE in shown


def test_the_tiny_models_are_a_workflow_of_their_own():
    status, shown = snakemake(ROOT, "--snakefile", "rules/tiny.smk", "--forceall", "--quiet", "all")
    assert status == 0, shown
    for rule in ("tiny_corpus", "tiny_base", "tiny_card"):
        assert rule in shown
    assert "latents_gather" not in shown


def test_yaml_that_emaki_reads_and_snakemake_does_not_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    path = tmp_path / "my.yaml"
    path.write_text(
        f"extends: {ROOT}/config/config.yaml\nstudy: mine\n"
        "experiments: {lora: {title: A LoRA, question: Does it help?, runs: [lora-r4], "
        "baselines: [tiny], prompts: {domain: rooms}}}\n"
    )
    assert load(str(path)).experiments["lora"].question == "Does it help?"
    with pytest.raises(UserError, match=r"my.yaml:3: Snakemake cannot read this: .*but got '\?';"):
        check_yaml(str(path))
    check_yaml("config/config.yaml")
