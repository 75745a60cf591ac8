"""A second Snakemake in one folder is told the truth about the first."""

import os
import subprocess
import sys

from emaki.workflow import at_work

CODE = """
import sys
from emaki.workflow import at_work
at_work.register("first", sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_living_one_is_found_and_a_dead_one_is_not(tmp_path, monkeypatch):
    folder = tmp_path / "at-work"
    assert list(at_work.find_others(folder)) == []
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "scripts"},
    )
    assert process.stdout.readline() == b"ready\n"
    assert list(at_work.find_others(folder)) == [(process.pid, "first")]
    monkeypatch.setenv(at_work.INHERITED, "1")  # its own jobs do not tell of it
    assert list(at_work.find_others(folder)) == []
    monkeypatch.delenv(at_work.INHERITED)
    process.kill()
    process.communicate()
    assert list(at_work.find_others(folder)) == []
    assert list(folder.iterdir()) == []


def test_what_is_said():
    other = at_work.explain(7, "first", "second")
    assert "results/second/report.html as target, and both studies run at once" in other
    assert "Wait until it has ended" in at_work.explain(7, "second", "second")
