"""Files that are a shard each, as a source's `path` names them. Imports nothing heavy."""

import os
import re
from collections.abc import Iterable, Iterator

from emaki.common.errors import UserError

MOST = 100_000  # shards of a source
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"  # as of the config's entries, since paths are made of it


def expand_numbers(path: str) -> Iterator[str]:
    """`path` once for each number of the first {N..M} in it, with as many digits as N has."""
    match = re.search(r"\{(\d+)\.\.(\d+)\}", path)
    if not match:
        yield path
        return
    first, last = match.groups()
    for number in range(int(first), int(last) + 1):
        numbered = f"{path[: match.start()]}{number:0{len(first)}d}{path[match.end() :]}"
        yield from expand_numbers(numbered)


def name_shards(paths: Iterable[str], endings: tuple[str, ...]) -> dict[str, str]:
    """{name of a shard: its path}: the file's without its ending, which must be one of `endings`.

    Raises UserError, a sentence that goes on after the path's key.
    """
    found: dict[str, str] = {}
    for path in paths:
        name, ending = os.path.splitext(os.path.basename(path))
        if ending not in endings:
            raise UserError(
                f"has {path}, which is not named {' or '.join(endings)}; "
                "a compressed one must be unpacked"
            )
        if not re.fullmatch(NAME, name) or re.search("[{}]", path):
            raise UserError(f"has {path}: name it with letters, digits and . _ - only")
        if name in found:
            raise UserError(f"has {found[name]} and {path}: two shards of one name")
        found[name] = path
    return found
