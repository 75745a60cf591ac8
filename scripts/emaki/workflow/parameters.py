"""Parameters of rules: values as text that are compared by content, and folders of files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def as_json(value: Any) -> str:
    """A plain value as a parameter: the same text for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def folder_of(name: str) -> Callable[..., str]:
    """A parameter: the folder that holds the named output."""
    return lambda wildcards, output: str(Path(output[name]).parent)


def folder_of_input(name: str) -> Callable[..., str]:
    """A parameter: the folder that holds the named input."""
    return lambda wildcards, input: str(Path(input[name]).parent)
