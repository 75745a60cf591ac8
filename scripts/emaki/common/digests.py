"""Digests that are written with files and compared where these are read.

A JSON file holds its own, of its other entries, and those of large files beside it; and where in
the study it was written, so that another one in its place is noticed too. What has none, somebody
else's, is read as it is.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emaki.common.errors import UserError
from emaki.common.files import place_in_study, sha256

OWN = "sha256"  # key of a JSON file's own digest
PLACE = "path"  # key of where in its study it was written
ANEW = "and give the same command again, which makes it anew"


def write_json(path: str | Path, about: Mapping[str, Any]) -> None:
    """Write a mapping as JSON, with its place in the study and its own digest.

    The same mapping gives the same bytes in the same place. `path` may be from `replacing`.
    """
    plain = json.loads(json.dumps(about))  # keys are text then, and have one order
    if place := place_in_study(path):
        plain[PLACE] = place
    whole = plain | {OWN: _digest(plain)}
    text = json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False)
    Path(path).write_text(f"{text}\n", "utf-8")


def read_json(path: str | Path) -> dict[str, Any]:
    """What `write_json` wrote at `path`.

    Raises UserError where it is not there any more, is damaged or was made for another place.
    """
    try:
        about = json.loads(Path(path).read_text("utf-8"))
        own = about.pop(OWN, None)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, AttributeError, TypeError):
        raise UserError(f"{path} is damaged, it is not JSON: delete it {ANEW}") from None
    ours = own is not None or PLACE in about  # a bit may have been flipped in one of these names
    if ours and own != _digest(about):
        raise UserError(f"{path} is damaged, its content is not its SHA-256's: delete it {ANEW}")
    check_place(path, about.pop(PLACE, ""))
    return about


def digest_of_json(path: str | Path) -> str:
    """The hexadecimal SHA-256 of what a JSON file says. Raises UserError as `read_json` does."""
    return _digest(read_json(path))


def check_place(path: str | Path, written: str) -> None:
    """Raise UserError where a file of a study was `written` in another place of one.

    Neither "", of what was written outside of a study, nor a path outside of one says anything.
    """
    place = place_in_study(path)
    if written and place and written != place:
        raise UserError(f"{path} is damaged, it is a copy of {written}: delete it {ANEW}")


def check(folder: str | Path, digests: Mapping[str, str], written: Path, delete: Path) -> None:
    """Compare files in `folder` with their SHA-256 {name: digest}, which `written` holds.

    Raises UserError for the first that has another or is missing, with what to `delete`.
    """
    for name, digest in digests.items():
        path = Path(folder, name)
        whole = path.exists()
        if not whole or sha256(path) != digest:
            what = f"is damaged, its SHA-256 is not that in {os.path.normpath(written)}"
            raise UserError(
                f"{os.path.normpath(path)} {what if whole else 'is missing'}: "
                f"delete {os.path.normpath(delete)} {ANEW}"
            )


def check_weights(folder: str | Path) -> list[str]:
    """The digests of the weights in a folder, which are those in the checkpoint.json or merge.json
    that describes it. Raises UserError where one of its files is damaged.
    """
    folder = Path(folder)
    merge, checkpoint = folder / "merge.json", folder.parent.parent / "checkpoint.json"
    own: dict[str, str] = {}
    if merge.exists():
        files = read_json(merge)["files"]
        own = {f"{folder.name}/{name}": digest for name, digest in files.items()}
        check(folder.parent, own, merge, folder)
    elif checkpoint.exists():
        weights = read_json(checkpoint)["weights"]
        own = {name: digest for name, digest in weights.items() if _is_in(name, folder)}
        check(folder.parent, own, checkpoint, folder.parent)
    found = sorted(folder.rglob("*.safetensors"))
    return [own.get(str(file.relative_to(folder.parent))) or sha256(file) for file in found]


def _is_in(name: str, folder: Path) -> bool:
    """Whether a file of a checkpoint, such as raw/config.json, is in this folder of it."""
    return name.partition("/")[0] == folder.name


def _digest(about: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
