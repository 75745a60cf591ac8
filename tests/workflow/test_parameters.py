"""Parameters are text that is compared, and a command has room for them."""

import shlex

import pytest

from emaki.common.arguments import from_json
from emaki.workflow.parameters import LONGEST, as_json


@pytest.mark.parametrize(
    "value",
    [
        {"b": [1, 2.5, None], "a": "日"},
        [f"shard-{number:06d}" for number in range(100_000)],
        "'" * (LONGEST // 3),  # a shell writes each in five letters
        "日" * (LONGEST // 2),
    ],
)
def test_a_script_reads_what_a_rule_wrote(tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    text = as_json(value)
    assert len(shlex.quote(text).encode()) <= LONGEST
    assert from_json(text) == value
    assert as_json(value) == text


def test_another_value_is_another_parameter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    long = "a" * 2 * LONGEST
    assert as_json({"a": 1, "b": 2}) == as_json({"b": 2, "a": 1}) == '{"a": 1, "b": 2}'
    assert as_json(long) != as_json(f"{long}b")
