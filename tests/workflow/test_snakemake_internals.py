"""The installed Snakemake still has what Emaki uses of it without its documentation saying so."""

import json
import subprocess
import sys

import pytest

from emaki.workflow.snakemake_internals import job_table

SNAKEFILE = """
import json
from pathlib import Path
from emaki.workflow import snakemake_internals as internals

Path("told.json").write_text(json.dumps({
    "files": internals.config_files(workflow),
    "arguments": internals.config_arguments(workflow),
    "gpu": internals.offers(workflow, "gpu"),
    "mem_mb": internals.offers(workflow, "mem_mb"),
}))

onstart:
    before = workflow.scheduler.job_rate_limiter
    internals.lift_job_rate_limit(workflow)
    Path("started.json").write_text(json.dumps({
        "limited": [before is not None, workflow.scheduler.job_rate_limiter is not None],
        "targets": sorted(internals.requested_targets(workflow)),
        "jobs": sorted(internals.jobs_to_run(workflow), key=str),
        "elsewhere": internals.runs_elsewhere(workflow),
    }))

rule all:
    input: "a.txt", "b.txt"

rule letter:
    output: "{letter}.txt"
    shell: "touch {output}"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "study.yaml").write_text("{study: mine, seeds: [0, 1]}")
    profile = tmp_path / "profile/config.yaml"
    profile.parent.mkdir()
    profile.write_text(
        "{configfile: study.yaml, cores: 1, resources: {gpu: 2}, config: {machine: {gpu: A10}}}"
    )
    return tmp_path


def snakemake(folder, *arguments):
    """Run Snakemake; return what it told of itself and what it printed."""
    command = [sys.executable, "-m", "snakemake", *arguments, "--profile", "profile"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "told.json").read_text()), done.stdout + done.stderr


def started(folder):
    """What `onstart` told."""
    return json.loads((folder / "started.json").read_text())


def test_what_the_profile_says(folder):
    told, _ = snakemake(folder, "-n")
    assert [path.rpartition("/")[2] for path in told["files"]] == ["study.yaml"]
    assert told["arguments"] == {"machine": {"gpu": "A10"}}  # without what the file says
    assert (told["gpu"], told["mem_mb"]) == (True, False)


def test_what_the_command_line_says(folder):
    (folder / "other.yaml").write_text("study: other")
    more = ["--configfile", "other.yaml", "study.yaml", "--config", "seed=3"]
    told, _ = snakemake(folder, "-n", *more)
    assert [path.rpartition("/")[2] for path in told["files"]] == ["other.yaml", "study.yaml"]
    assert told["arguments"]["seed"] == 3


def test_the_limit_of_jobs_a_second_is_lifted(folder):
    snakemake(folder)
    assert started(folder)["limited"] == [True, False]
    assert (folder / "b.txt").exists()


def test_the_targets(folder):
    snakemake(folder)
    assert started(folder)["targets"] == []
    for letter in "ab":
        (folder / f"{letter}.txt").unlink()
    snakemake(folder, "b.txt", "a.txt")
    assert started(folder)["targets"] == ["a.txt", "b.txt"]


def test_the_jobs_that_a_start_will_run_and_where(folder):
    snakemake(folder, "b.txt")
    assert started(folder)["jobs"] == [["letter", {"letter": "b"}]]
    snakemake(folder)
    assert started(folder)["jobs"] == [["all", {}], ["letter", {"letter": "a"}]]
    assert started(folder)["elsewhere"] is False


def test_the_table_of_jobs(folder):
    _, shown = snakemake(folder, "-n", "--quiet", "all")
    header, *rows = (line.split() for line in job_table(shown))
    assert header == ["job", "count"]
    assert rows[-1] == ["total", "3"]
    assert sorted(rows[1:-1]) == [["all", "1"], ["letter", "2"]]


def test_no_table_where_nothing_is_to_be_done(folder):
    snakemake(folder)
    _, shown = snakemake(folder, "-n", "--quiet", "all")
    assert job_table(shown) == []
