"""What a rule lists as its code is what its script imports."""

import subprocess
import sys

import pytest

from emaki.workflow.code_files import SCRIPTS, modules_of

ROOT = SCRIPTS.parent
SHOW = """
import runpy, sys
sys.path.insert(0, "scripts")
runpy.run_path(sys.argv[1], run_name="not main")
print(*(m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "emaki"), sep="\\n")
"""


@pytest.mark.parametrize("script", ["scripts/merge.py", "scripts/dataset.py", "scripts/report.py"])
def test_holds_every_module_that_the_interpreter_loads(script):
    command = [sys.executable, "-c", SHOW, script]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    loaded = {line.replace(f"{ROOT}/", "") for line in shown.split()}
    assert loaded
    assert loaded <= set(modules_of(script))


def test_a_module_that_only_the_scorer_imports():
    users = [
        script.name
        for script in SCRIPTS.glob("*.py")
        if uses(script, "emaki/evaluation/scoring.py")
    ]
    assert sorted(users) == ["calibrate.py", "nearest.py", "reference.py", "score.py"]


def test_a_named_module_is_followed_too():
    assert "scripts/emaki/data/sources/rooms.py" in modules_of("emaki.data.sources.rooms")


def uses(script, module):
    return f"scripts/{module}" in modules_of(f"scripts/{script.name}")
