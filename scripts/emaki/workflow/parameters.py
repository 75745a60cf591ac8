"""Parameters of rules: values as text that are compared by content, and folders of files."""

import hashlib
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emaki.common.files import replacing

LONGEST = 16_384  # bytes of a parameter in a command, for which Linux has room for 131,072


def as_json(value: Any) -> str:
    """A plain value as a parameter: the same text for the same value.

    For a long one, for which a command has no room, "@" and the path of a file that holds the text.
    A script reads both by `emaki.common.arguments.from_json`.
    """
    text = _to_text(value)
    if len(text) < LONGEST // 5 or len(shlex.quote(text).encode()) <= LONGEST:
        return text
    return f"@{keep_plan(value)}"


def keep_plan(plan: Any, folder: str = ".snakemake/emaki/plans") -> str:
    """Write what a job is to do, which a command has no room for; return the JSON file.

    Its name has the digest of its content, so as a parameter it says whether the job is another.
    One that is damaged is written again.
    """
    text = _to_text(plan)
    path = Path(folder, f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json")
    if not path.exists() or path.read_bytes() != text.encode():
        with replacing(path) as temporary:
            temporary.write_text(text, "utf-8")
    return str(path)


def folder_of(name: str) -> Callable[..., str]:
    """A parameter: the folder that holds the named output."""
    return lambda wildcards, output: str(Path(output[name]).parent)


def folder_of_input(name: str) -> Callable[..., str]:
    """A parameter: the folder that holds the named input."""
    return lambda wildcards, input: str(Path(input[name]).parent)


def _to_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
