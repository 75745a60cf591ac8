"""Snakemake creates an environment from its file and runs a rule in it, with a stand-in for conda.

The stand-in (standin/bin/conda) makes a venv of the interpreter that runs the tests and gives the
file's `pip:` section to pip, hashes and all. No conda channel is reached.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources", "lambda")
# A rule that tells what its environment is and can do
SNAKEFILE = """
rule probe:
    output: "{{role}}.json"
    log: "{{role}}.log"
    conda: "{envs}/{{role}}.yaml"
    shell: "python {probe} {{wildcards.role}} > {{output}} 2> {{log}}"
"""


def snakemake(folder, *arguments, programs=()):
    """Run Snakemake with the stand-in for conda, and with those of other folders."""
    command = [sys.executable, "-m", "snakemake", *arguments, "-c1", "--sdm", "conda"]
    env = {**os.environ, "STANDIN_CONDA_PYTHON": sys.executable}
    env["PATH"] = ":".join([*map(str, programs), f"{ROOT}/tests/envs/standin/bin", env["PATH"]])
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def deploy(role, folder):
    """What tests/envs/probe.py says in the environment of a role, and its folder."""
    probe = ROOT / "tests/envs/probe.py"
    (folder / "Snakefile").write_text(SNAKEFILE.format(envs=ROOT / "envs", probe=probe))
    done = snakemake(folder, f"{role}.json")
    log = folder / f"{role}.log"
    assert done.returncode == 0, done.stderr[-3000:] + (log.read_text() if log.exists() else "")
    return json.loads((folder / f"{role}.json").read_text())


@pytest.mark.slow
def test_the_standin_deploys_the_report_environment_and_a_rule_runs_in_it(tmp_path):
    told = deploy("report", tmp_path)
    assert told["prefix"].startswith(str(tmp_path / ".snakemake/conda"))
    assert told["report"] == "imported"
    assert "torch" not in told["packages"]


@pytest.mark.skipif("EMAKI_TEST_ENVS" not in os.environ, reason="make test-envs: some minutes")
def test_the_standin_deploys_the_training_environment_and_it_trains(tmp_path):
    told = deploy("training", tmp_path)
    assert told["prefix"].startswith(str(tmp_path / ".snakemake/conda"))
    assert told["moved"]
    assert told["uint8_state"]
    assert told["lora_read_back"]
    assert told["caption"]


@pytest.mark.skipif("EMAKI_TEST_ENVS" not in os.environ, reason="make test-envs: some minutes")
def test_the_lambda_profile_makes_a_report_from_nothing(tmp_path):
    """With every environment made anew, and two GPUs that are names only: the jobs use the CPU."""
    for part in PARTS:
        (tmp_path / part).symlink_to(ROOT / part)
    shutil.copy(ROOT / "tests/slurm/study.yaml", tmp_path)
    program = tmp_path / "bin/nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: a)'\necho 'GPU 1: A (UUID: b)'\n")
    program.chmod(0o755)
    wanted = ["results/report.html", "--profile", "lambda", "--configfile", "study.yaml"]
    wanted += ["--conda-prefix", tmp_path / "conda"]
    done = snakemake(tmp_path, *wanted, programs=[program.parent])
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "results/report.html").is_file()
    assert "Nothing to be done" in snakemake(tmp_path, *wanted, programs=[program.parent]).stderr


def test_only_a_run_with_xformers_has_its_environment(tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text(
        f"extends: {ROOT / 'config/config.yaml'}\nstudy: attention\n"
        "runs:\n  fast: {extends: lora-r4, attention: xformers}\n"
    )
    wanted = {}
    for run in ("fast", "lora-r4"):
        wanted[run] = environments(run, study, tmp_path)
    assert "envs/training-xformers.yaml" in wanted["fast"]
    assert "envs/training-xformers.yaml" not in wanted["lora-r4"]
    assert "envs/training.yaml" in wanted["lora-r4"]


def environments(run, study, prefix):
    """The environments that a dry run says a run's first checkpoint would need."""
    shown = snakemake(
        ROOT,
        *("--configfile", study, "--conda-prefix", prefix, "--nolock", "-n"),
        f"results/attention/runs/{run}/000100/checkpoint.json",
    )
    return set(re.findall(r"envs/[\w-]+\.yaml", shown.stdout + shown.stderr))
