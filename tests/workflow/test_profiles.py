"""The profiles, as far as they can be looked at without GPUs and without a cluster."""

import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
import yte
from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "tests/workflow/small.yaml"
PARTS = ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources")
PARTS += ("lambda", "slurm")
NO_CONDA = ("--software-deployment-method", "env-modules")  # there are none, so it does nothing
WITH_A_MODEL = {
    *(
        "caption_by_model",
        "latents",
        "train",
        "train_newest",
        "sample",
        "calibrate",
        "calibrate_real",
        "score",
        "reference",
    )
}


def plan(folder, profile, *arguments, config=None):
    """The jobs of a dry run: [(rule, {resource: value})]."""
    for part in PARTS:
        (folder / part).symlink_to(ROOT / part)
    (folder / "small.yaml").write_text(config or CONFIG.read_text())
    shutil.copy(CONFIG.with_name("edits.csv"), folder)
    command = [sys.executable, "-m", "snakemake", "results/report.html", "--profile", profile]
    command += ["--configfile", "small.yaml", "-n", "--quiet", "host", *arguments]
    path = f"{folder}/bin:{os.environ['PATH']}"
    shown = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    text = shown.stdout + shown.stderr
    assert shown.returncode == 0, text
    blocks = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", text, re.MULTILINE)
    return [
        (rule, dict(re.findall(r"(\w+)=([^,\s]+)", re.search(r"resources: (.*)", block)[1])))
        for rule, block in blocks
    ]


@pytest.fixture
def two_gpus(tmp_path):
    program = tmp_path / "bin/nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: a)'\necho 'GPU 1: A (UUID: b)'\n")
    program.chmod(0o755)


def test_on_a_gpu_machine_jobs_with_a_model_ask_for_gpus(tmp_path, two_gpus):
    study = CONFIG.read_text()
    assert study.count("steps: 6") == 1
    study = study.replace("steps: 6", "steps: 6\n    num_processes: 2")
    jobs = plan(tmp_path, "lambda", *NO_CONDA, config=study)
    assert {rule for rule, asked in jobs if asked.get("gpu", "0") != "0"} == WITH_A_MODEL
    assert {asked["gpu"] for rule, asked in jobs if rule.startswith("train")} == {"2"}
    assert {asked["gpu"] for rule, asked in jobs if rule == "sample"} == {"1"}


def test_here_nothing_asks_for_gpus(tmp_path):
    jobs = plan(tmp_path, "profiles/local")
    assert {asked.get("gpu", "0") for _, asked in jobs} == {"0"}


def test_on_a_cluster_jobs_that_ask_for_gpus_go_where_they_are(tmp_path):
    jobs = plan(tmp_path, "slurm", *NO_CONDA)  # a dry run needs no cluster
    assert {rule for rule, asked in jobs if asked.get("gpu") == "1"} == WITH_A_MODEL
    # a training must be told to end: a signal for all, since a group's jobs have to agree on it
    assert {asked["slurm_extra"] for _, asked in jobs} == {"--signal=TERM@120"}


@pytest.mark.parametrize(("gpus", "partition"), [(0, "cpu"), (1, "gpu"), (8, "gpu")])
def test_the_executor_finds_a_partition_by_the_gpus_of_a_job(gpus, partition):
    partitions = read_partition_file(ROOT / "profiles/slurm/partitions.yaml")
    resources = {"gpu": gpus, "mem_mb": 4000, "runtime": 60}
    job = SimpleNamespace(name="sample", threads=1, resources=resources)
    logger = logging.getLogger("partitions")
    assert get_best_partition(partitions, job, logger) == partition


def test_the_profile_names_the_file_of_partitions():
    profile = yte.process_yaml((ROOT / "profiles/slurm/config.yaml").read_text())
    assert profile["slurm-partition-config"] == "profiles/slurm/partitions.yaml"
    assert not any("partition" in key for key in profile["default-resources"])


def test_trainings_ask_for_the_gpu_memory_and_time_that_they_are_reckoned_to_need(tmp_path):
    asked = {}
    for name, models in (("tiny", "{a10: 24, a100: 40}"), ("none", "{}")):
        machine = f"machine={{gpu: A10, gpu_models: {models}}}"
        (folder := tmp_path / name).mkdir()
        jobs = plan(folder, "slurm", *NO_CONDA, "--config", machine)
        asked[name] = [resources for rule, resources in jobs if rule.startswith("train")]
    assert {job["gpu_model"] for job in asked["tiny"]} == {"a10"}
    assert not any("gpu_model" in job for job in asked["none"])
    assert all(1500 < int(job["gpu_mb"]) < 2000 for job in asked["tiny"])
    assert {job["runtime"] for job in asked["tiny"]} == {"18"}  # a start, and three times a minute


def test_a_machine_that_is_not_known_is_told(tmp_path):
    with pytest.raises(AssertionError, match=r"machine\.gpu is 'A11', but must be one of"):
        plan(tmp_path, "slurm", *NO_CONDA, "--config", "machine={gpu: A11}")


def test_environments_have_one_absolute_place():
    for name in ("lambda", "slurm"):
        text = (ROOT / f"profiles/{name}/config.yaml").read_text()
        settings = yte.process_yaml(text, require_use_yte=True)
        assert settings["software-deployment-method"] == "conda"
        assert Path(settings["conda-prefix"]).is_absolute()
        assert (ROOT / name).resolve() == ROOT / "profiles" / name
    assert "conda" not in yaml.safe_load((ROOT / "profiles/local/config.yaml").read_text())
