"""How Snakemake is started: in Emaki's own folder, with one of its two workflows."""

import subprocess
import sys
from pathlib import Path

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
