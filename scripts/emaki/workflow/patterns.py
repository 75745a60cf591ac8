"""Patterns of the rules' wildcards: they match the names that a study has, and nothing else."""

import re
from collections.abc import Iterable

# A shard of a source or dataset is one by itself, and goes the same road by the same rules. (In
# brackets, lest Snakemake's linter takes it for an absolute path.)
SHARD = "[/]shards/[^/]+"


def any_of(names: Iterable[str]) -> str:
    """A pattern for one of the names, wherever it stands; for nothing where there are none."""
    return f"(?:{'|'.join(map(re.escape, names))})" if (names := list(names)) else "(?!)"


def shards_of(names: Iterable[str]) -> str:
    """A pattern for a shard of one of the names."""
    return any_of(names) + SHARD


def or_shard(names: Iterable[str]) -> str:
    """A pattern for one of the names or a shard of it."""
    return f"{any_of(names)}(?:{SHARD})?"
