"""Parquet files of several tables of one schema, each in a row group of its own and found by a key.

To other readers such a file is one table: columns of it say what the keys say.
"""

import functools
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from emaki.common import digests, parquet_files
from emaki.common.errors import UserError
from emaki.common.parts import Key, Part

INDEX = b"emaki groups"  # in the footer: [[*key, rows], ...] in the order of the file


def write(tables: Iterable[tuple[Key, pa.Table]], schema: pa.Schema, path: str | Path) -> None:
    """Write tables of a schema with their keys as one file; one that is empty is there, too."""
    index = []
    with parquet_files.writer(path, schema) as file:
        for key, table in tables:
            if len(table):
                file.write_table(table, row_group_size=len(table))
            index.append([*key, len(table)])
        file.add_key_value_metadata({INDEX.decode(): json.dumps(index)})


def keys(path: str | Path) -> list[Key]:
    """The keys of the tables in a file, in their order."""
    return list(_open(path)[1])


def read(part: Part, columns: Sequence[str] | None = None) -> pa.Table:
    """A table of a file. Raises UserError where it has none of that key, or is damaged."""
    file, groups = _open(part.path)
    if part.key not in groups:
        raise UserError(f"{part.path} has no {' '.join(part.key)}: delete it {digests.ANEW}")
    wanted = None if columns is None else list(columns)
    group = groups[part.key]
    if group is None:
        empty = file.schema_arrow.empty_table()
        return empty if wanted is None else empty.select(wanted)
    return file.read_row_group(group, columns=wanted)


def _open(path):
    return _opened(os.fspath(path), os.stat(path).st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _opened(path, _written):
    """A file and {key: its row group, None of an empty table}: one is read part by part."""
    file = parquet_files.ParquetFile(path)
    index = json.loads((file.metadata.metadata or {}).get(INDEX, b"[]"))
    groups, number = {}, 0
    for *key, rows in index:
        groups[tuple(key)] = number if rows else None
        number += bool(rows)
    return file, groups
