"""A comment, a docstring or another layout is no change of code; all else is."""

import pytest

from emaki.common import python_code

CODE = '''"""A module."""

import os
from emaki.common import files


class Loop:
    """A loop."""

    steps: int = 3
    """How many steps."""

    def run(self, names):
        """Run it."""
        # why
        return [f"{name!r:>4} of {self.steps}" for name in names], {**os.environ, "a": (1, 2.0)}
'''
OTHERWISE = """import os  # a remark
from emaki.common import (
    files,
)
class Loop:
    steps: int = (3)
    def run(self, names):
        pass
        return [
            f'{name!r:>4} of {self.steps}'
            for name in names
        ], {**os.environ, 'a': (1, 2.0,)}
"""


@pytest.fixture
def meaning(tmp_path):
    def meaning(text):
        path = tmp_path / "code.py"
        path.write_text(text)
        return python_code.meaning(path)

    return meaning


def test_how_it_is_written_does_not_matter(meaning):
    assert meaning(CODE) == meaning(OTHERWISE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("= 3", "= 4"),
        ("2.0", "2"),
        ('"a"', '"b"'),
        ('"a"', 'b"a"'),
        ("!r", "!s"),
        (">4", ">5"),
        ("**os.environ, ", ""),
        ("in names]", "in names if name]"),
        ("(1, 2.0)", "[1, 2.0]"),
        ("import files", "import files as f"),
        ("Loop:", "Loop(int):"),
    ],
)
def test_what_it_does_matters(meaning, old, new):
    assert CODE.count(old) == 1
    assert meaning(CODE.replace(old, new)) != meaning(CODE)


def test_it_is_the_same_in_every_version_of_python(meaning):
    digest = "307fff70b657cf2ec46a3ae2e666c94159992e8b79d7c11599c7c14673fb78d4"
    assert meaning(CODE) == digest


def test_what_is_no_python_means_its_bytes(meaning):
    assert meaning("def (") != meaning("def (  # a remark")
    assert meaning(f"{'(' * 5000}1{')' * 5000}") != meaning("1")


def test_imports_are_every_name_that_may_be_a_module(tmp_path):
    path = tmp_path / "code.py"
    path.write_text(CODE)
    assert python_code.read(path).imports == ["emaki.common", "emaki.common.files", "os"]
