"""Changed code is told with what it costs before it makes much again."""

import os
import re
import shutil
import subprocess
import sys
from datetime import date

import pytest

from emaki.common.errors import UserError
from emaki.workflow import accepting, remaking
from emaki.workflow.remaking import ALLOWED, Remade

LOOP = "scripts/emaki/training/loop.py"
SNAKEFILE = """
import os, sys
from pathlib import Path
from emaki.workflow import accepting, code_files, remaking
from emaki.workflow import snakemake_internals as internals
from emaki.common.errors import UserError

code_files.SCRIPTS = Path("scripts").resolve()

onstart:
    if accepting.ASKED in os.environ:
        print(accepting.note("results/a", internals.accept_code(workflow)), file=sys.stderr)
        sys.exit(0)
    try:
        remaking.refuse(internals.remade_jobs(workflow))
    except UserError as error:
        sys.exit(str(error))

rule page:
    input: "runs/weights.txt", code=code_files.code_of("scripts/page.py")
    output: "page.txt"
    shell: "cat {input[0]} > {output}"

rule train:
    input: "words.txt",
        script=ancient("scripts/loop.py"), code=code_files.code_of("scripts/loop.py")
    output: "runs/weights.txt"
    benchmark: "benchmarks/runs/lora.tsv"
    params: rate=Path("rate.txt").read_text()
    shell: "cat {input.script} words.txt > {output}"

rule words:
    input: code=code_files.code_of("scripts/words.py")
    output: "words.txt"
    shell: "echo a > {output}"
"""

LOOKS = f"""
{SNAKEFILE[: SNAKEFILE.index("rule page")]}
rule report:
    input: lambda w: checkpoints.look.get() and ["samples/a/0.txt", "samples/a/1.txt"]
    output: "report.txt"
    shell: "touch {{output}}"

checkpoint look:
    input: "samples/a/0.txt"
    output: "look.txt"
    shell: "touch {{output}}"

rule sample:
    input: code=code_files.code_of("scripts/draw.py")
    output: "samples/a/{{block}}.txt"
    benchmark: "benchmarks/samples/a/{{block}}.tsv"
    shell: "touch {{output}}"
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
    jobs[0] = jobs[0]._replace(code=[LOOP])
    with pytest.raises(UserError) as caught:
        remaking.refuse(jobs, {})
    told = str(caught.value)
    assert "2.0 hours of results would be made again (sample 0.5 h, train 1.5 h), because" in told
    assert f"because {LOOP} changed: to have that, set EMAKI_REMAKE=1" in told
    remaking.refuse(jobs, {ALLOWED: "1"})
    remaking.refuse(jobs, {ALLOWED: "8000"})
    remaking.refuse(jobs[1:], {})


class Folder:
    """A workflow of words, a training of two hours and a page."""

    def __init__(self, path):
        self.path = path

    def write(self, name, text):
        (self.path / name).write_text(text)

    def snakemake(self, *more, check=True, **environment):
        command = [sys.executable, "-m", "snakemake", "--cores", "1", *more]
        done = subprocess.run(
            command, cwd=self.path, capture_output=True, text=True, env=os.environ | environment
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def jobs(self):
        """What a start would run."""
        return sorted(set(re.findall(r"^(?:local)?rule (\w+):", self.snakemake("-n"), re.M)))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """It has run. Not to be changed."""
    folder = Folder(tmp_path_factory.mktemp("finished"))
    (folder.path / "scripts").mkdir()
    for name in ("words", "loop", "page"):
        folder.write(f"scripts/{name}.py", "1\n")
    folder.write("rate.txt", "1")
    folder.write("Snakefile", SNAKEFILE)
    folder.snakemake()
    benchmark = folder.path / "benchmarks/runs/lora.tsv"
    header, *_ = benchmark.read_text().splitlines()
    benchmark.write_text(f"{header}\n7200\t2:00:00{header.count(chr(9)) * chr(9)}\n")
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    return Folder(shutil.copytree(finished.path, tmp_path / "folder"))


def test_snakemake_is_stopped_before_its_first_job(folder):
    folder.write("scripts/loop.py", "1  # a remark\n")
    assert folder.jobs() == []
    folder.write("scripts/words.py", "2\n")
    folder.write("Snakefile", SNAKEFILE.replace("cat {input.script}", "cat  {input.script}"))
    refused = folder.snakemake(check=False)
    assert "2.0 hours of results would be made again (train 2.0 h)" in refused
    assert "because scripts/words.py, the rule train changed" in refused
    assert (folder.path / "runs/weights.txt").read_text() == "1\na\n"


def test_what_later_looks_had_drawn_is_in_the_sum(tmp_path):
    folder = Folder(tmp_path)
    (tmp_path / "scripts").mkdir()
    folder.write("scripts/draw.py", "1\n")
    folder.write("Snakefile", LOOKS)
    folder.snakemake()
    for block in (0, 1):
        benchmark = tmp_path / f"benchmarks/samples/a/{block}.tsv"
        header, *_ = benchmark.read_text().splitlines()
        benchmark.write_text(f"{header}\n2400\t0:40:00{header.count(chr(9)) * chr(9)}\n")
    folder.write("scripts/draw.py", "2\n")
    refused = folder.snakemake(check=False)
    assert "1.3 hours of results would be made again (sample 1.3 h)" in refused


def test_what_the_config_changes_too_is_asked_for(folder):
    folder.write("scripts/loop.py", "2\n")
    folder.write("rate.txt", "2")
    folder.snakemake()
    assert (folder.path / "runs/weights.txt").read_text() == "2\na\n"


def test_what_is_accepted_is_kept_and_told(folder):
    folder.write("scripts/words.py", "2\n")
    folder.write("scripts/loop.py", "2\n")
    folder.write("scripts/page.py", "2\n")
    told = folder.snakemake(**{accepting.ASKED: "1"})
    assert "Kept as made by the code that is there: 1 train, 1 words." in told
    (entry,) = accepting.read(folder.path / "results/a")
    assert entry["code"] == ["scripts/loop.py", "scripts/words.py"]
    assert entry["results"] == {"train": 1, "words": 1}
    assert folder.jobs() == ["page"]
    folder.write("rate.txt", "2")
    assert folder.jobs() == ["page", "train"]


def test_results_from_before_code_was_compared_by_what_it_does_can_be_accepted(folder):
    new = 'script=ancient("scripts/loop.py"), code=code_files.code_of("scripts/loop.py")'
    folder.write("Snakefile", SNAKEFILE.replace(new, 'script="scripts/loop.py"'))
    folder.snakemake("--forceall")
    folder.write("Snakefile", SNAKEFILE)
    folder.snakemake(**{accepting.ASKED: "1"})
    assert folder.jobs() == []


def test_days_are_told_apart(tmp_path):
    jobs = [Remade("train", "", [LOOP]), Remade("sample", "", [])]
    accepting.note(tmp_path, jobs, date(2026, 1, 2))
    accepting.note(tmp_path, jobs[:1], date(2026, 1, 2))
    assert accepting.note(tmp_path, [], date(2026, 1, 3)) == ""
    accepting.note(tmp_path, jobs[1:], date(2026, 1, 4))
    first, second = accepting.read(tmp_path)
    assert first == {"date": "2026-01-02", "code": [LOOP], "results": {"train": 2, "sample": 1}}
    assert second["date"] == "2026-01-04"
