"""Parquet files between jobs, of which any damage is noticed when they are read.

Pages have checksums, which Parquet knows, and the footer has its SHA-256 before it, in a gap that
no reader looks at: the files are Parquet like any other. Those of others are read as they are.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emaki.common.errors import UserError

MARK = b"emaki: SHA-256 of the footer "
TAIL = 8  # bytes after the footer: its length and Parquet's own mark
DAMAGE = (pa.ArrowException, OSError, ValueError)


def write(table: pa.Table, path: str | Path) -> None:
    """Write a table as a Parquet file."""
    with writer(path, table.schema) as file:
        file.write_table(table)


@contextlib.contextmanager
def writer(path: str | Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """Yield a `ParquetWriter`, for a file that is written a part at a time."""
    with pq.ParquetWriter(path, schema, write_page_checksum=True) as file:
        yield file
    _seal(path)


class ParquetFile(pq.ParquetFile):
    """A Parquet file that is read a part at a time. Raises UserError where it is damaged."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        with _naming(path):
            _check_footer(path)
            super().__init__(path, page_checksum_verification=True)

    def read_row_group(self, *args: Any, **kwargs: Any) -> pa.Table:
        with _naming(self.path):
            return super().read_row_group(*args, **kwargs)

    def iter_batches(self, *args: Any, **kwargs: Any) -> Iterator[pa.RecordBatch]:
        with _naming(self.path):
            yield from super().iter_batches(*args, **kwargs)


def read(path: str | Path, columns: Sequence[str] | None = None, filters: Any = None) -> pa.Table:
    """The table at `path`, as `pyarrow.parquet.read_table`. Raises UserError if it is damaged."""
    with _naming(path):
        _check_footer(path)
        return pq.read_table(
            path,
            columns=None if columns is None else list(columns),
            filters=filters,
            page_checksum_verification=True,
        )


def read_schema(path: str | Path) -> pa.Schema:
    """The schema of the file at `path`. Raises UserError if it is damaged."""
    with _naming(path):
        _check_footer(path)
        return pq.read_schema(path)


@contextlib.contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    """Turn what pyarrow says about a damaged file into a UserError that names it."""
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except DAMAGE as error:
        reason = " ".join(str(error).split(". ")[0].split())
        raise UserError(
            f"{path} is damaged ({reason}): delete it and give the same command again, which makes "
            "it anew"
        ) from None


def _footer(file: Any) -> tuple[int, bytes]:
    """Where the footer of an open Parquet file begins, and its bytes with what comes after."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - TAIL))
    length = int.from_bytes(file.read(TAIL)[:4], "little") + TAIL
    if length > size:
        raise ValueError("it has no Parquet footer")
    file.seek(size - length)
    return size - length, file.read()


def _seal(path: str | Path) -> None:
    """Put the SHA-256 of the footer before it. Offsets in a footer are of what is further up."""
    with open(path, "rb+") as file:
        start, footer = _footer(file)
        file.seek(start)
        file.write(MARK + hashlib.sha256(footer).digest() + footer)


def _check_footer(path: str | Path) -> None:
    """Raise ValueError where a footer has its SHA-256 before it, but another."""
    with open(path, "rb") as file:
        start, footer = _footer(file)
        file.seek(max(0, start - len(MARK) - 32))
        mark, digest = file.read(len(MARK)), file.read(32)
    if mark == MARK and digest != hashlib.sha256(footer).digest():
        raise ValueError("its footer is not the one that was written")
