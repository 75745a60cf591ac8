"""Digests that are written with files and compared where these are read.

A JSON file holds its own, of its other entries, and those of large files beside it. What has none,
somebody else's, is read as it is.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emaki.common.errors import UserError
from emaki.common.files import sha256

OWN = "sha256"  # key of a JSON file's own digest
ANEW = "and give the same command again, which makes it anew"


def to_json(about: Mapping[str, Any]) -> str:
    """A mapping as JSON, with its own digest; the same mapping gives the same text."""
    plain = json.loads(json.dumps(about))  # keys are text then, and have one order
    whole = plain | {OWN: _digest(plain)}
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write_json(path: str | Path, about: Mapping[str, Any]) -> None:
    """Write `to_json` of a mapping."""
    Path(path).write_text(to_json(about), "utf-8")


def read_json(path: str | Path) -> dict[str, Any]:
    """What `to_json` made. Raises UserError where it is not there any more or is damaged."""
    try:
        about = json.loads(Path(path).read_text("utf-8"))
        own = about.pop(OWN, None)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, AttributeError, TypeError):
        raise UserError(f"{path} is damaged, it is not JSON: delete it {ANEW}") from None
    if own is not None and own != _digest(about):
        raise UserError(f"{path} is damaged, its content is not its SHA-256's: delete it {ANEW}")
    return about


def check(folder: str | Path, digests: Mapping[str, str], written: Path, delete: Path) -> None:
    """Compare files in `folder` with their SHA-256 {name: digest}, which `written` holds.

    Raises UserError for the first that has another, with what to `delete`. Missing ones are left to
    who reads them.
    """
    for name, digest in digests.items():
        path = Path(folder, name)
        if path.exists() and sha256(path) != digest:
            raise UserError(
                f"{os.path.normpath(path)} is damaged, its SHA-256 is not that in "
                f"{os.path.normpath(written)}: delete {os.path.normpath(delete)} {ANEW}"
            )


def check_weights(folder: str | Path) -> None:
    """Compare a folder of weights with the checkpoint.json or merge.json that describes it.

    Raises UserError where one of its files is damaged.
    """
    folder = Path(folder)
    merge, checkpoint = folder / "merge.json", folder.parent.parent / "checkpoint.json"
    if merge.exists():
        check(folder, read_json(merge)["files"], merge, folder)
    elif checkpoint.exists():
        weights = read_json(checkpoint)["weights"]
        own = {name: digest for name, digest in weights.items() if _is_in(name, folder)}
        check(folder.parent, own, checkpoint, folder.parent)


def _is_in(name: str, folder: Path) -> bool:
    """Whether a file of a checkpoint, such as raw/config.json, is in this folder of it."""
    return name.partition("/")[0] == folder.name


def _digest(about: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
