"""Changed code is told with what it costs before it makes much again."""

import subprocess
import sys

import pytest

from emaki.common.errors import UserError
from emaki.workflow import remaking
from emaki.workflow.code_files import digest_of
from emaki.workflow.remaking import ALLOWED, Remade

LOOP = "scripts/emaki/training/loop.py"
SNAKEFILE = """
from pathlib import Path
from emaki.workflow import code_files, remaking
from emaki.workflow import snakemake_internals as internals
from emaki.common.errors import UserError

code_files.SCRIPTS = Path("scripts").resolve()

onstart:
    try:
        remaking.refuse(internals.remade_jobs(workflow))
    except UserError as error:
        sys.exit(str(error))

rule train:
    input: "words.txt", code=code_files.code_of("scripts/loop.py")
    output: "runs/weights.txt"
    benchmark: "benchmarks/runs/lora.tsv"
    shell: "cat scripts/loop.py words.txt > {output}"
"""


@pytest.fixture
def jobs(tmp_path):
    """A training of 90 minutes, pictures of 30, and what was never timed."""
    found = []
    for rule, place, seconds in (("train", "runs/a", 5400), ("sample", "samples/a", 1800)):
        path = tmp_path / f"benchmarks/{place}.tsv"
        path.parent.mkdir(parents=True)
        path.write_text(f"s\th:m:s\n{seconds}\t-\n")
        found.append(Remade(rule, str(path), []))
    return [*found, Remade("grid", "", [])]


def test_much_because_of_code_is_refused_with_its_cost(jobs):
    jobs[0] = jobs[0]._replace(updated=[digest_of(LOOP), "x/manifest.json"])
    with pytest.raises(UserError) as caught:
        remaking.refuse(jobs, {})
    told = str(caught.value)
    assert "2.0 hours of results would be made again (sample 0.5 h, train 1.5 h), because" in told
    assert f"because {LOOP} changed: to have that, set EMAKI_REMAKE=1" in told
    remaking.refuse(jobs, {ALLOWED: "1"})
    remaking.refuse(jobs, {ALLOWED: "8000"})
    remaking.refuse(jobs[1:], {})


def test_what_the_config_or_data_change_is_asked_for(jobs):
    jobs[0] = jobs[0]._replace(updated=["x/manifest.json"])
    remaking.refuse(jobs, {})


def test_little_is_made_again_without_a_word(jobs):
    remaking.refuse([jobs[1]._replace(updated=[digest_of(LOOP)])], {})


def test_snakemake_is_stopped_before_its_first_job_and_accepts_what_is_touched(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/loop.py").write_text("1\n")
    (tmp_path / "words.txt").write_text("a\n")

    def snakemake(*more):
        command = [sys.executable, "-m", "snakemake", "--cores", "1", *more]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert snakemake().returncode == 0
    weights, benchmark = tmp_path / "runs/weights.txt", tmp_path / "benchmarks/runs/lora.tsv"
    header, *_ = benchmark.read_text().splitlines()
    benchmark.write_text(f"{header}\n7200\t2:00:00{header.count(chr(9)) * chr(9)}\n")
    (tmp_path / "scripts/loop.py").write_text("1  # a remark\n")
    assert "Nothing to be done" in snakemake().stderr
    (tmp_path / "scripts/loop.py").write_text("2\n")
    refused = snakemake()
    assert refused.returncode != 0
    assert "2.0 hours of results would be made again (train 2.0 h)" in refused.stderr
    assert "because scripts/loop.py changed" in refused.stderr
    assert weights.read_text() == "1\na\n"
    assert snakemake("--touch").returncode == 0
    assert weights.read_text() == "1\na\n"
    assert "Nothing to be done" in snakemake().stderr
