"""Parquet files between jobs, of which any damage is noticed when they are read.

Pages have checksums, which Parquet knows. Before the footer, in a gap that no reader looks at, lies
a seal: where in the study the file was written, so that another one in its place is noticed too,
and the SHA-256 of that and the footer. The files are Parquet like any other, and those of others
are read as they are.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emaki.common import digests
from emaki.common.errors import UserError
from emaki.common.files import place_in_study

MARK = b"emaki: place, SHA-256 of it and the footer "
LENGTH = 2  # bytes of the length of a place
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
            _check_seal(path)
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
        _check_seal(path)
        return pq.read_table(
            path,
            columns=None if columns is None else list(columns),
            filters=filters,
            page_checksum_verification=True,
        )


def read_schema(path: str | Path) -> pa.Schema:
    """The schema of the file at `path`. Raises UserError if it is damaged."""
    with _naming(path):
        _check_seal(path)
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
    """Put the seal before the footer. Offsets in a footer are of what is further up."""
    place = place_in_study(path).encode()
    with open(path, "rb+") as file:
        start, footer = _footer(file)
        file.seek(start)
        digest = hashlib.sha256(place + footer).digest()
        file.write(place + len(place).to_bytes(LENGTH) + MARK + digest + footer)


def _check_seal(path: str | Path) -> None:
    """Raise ValueError where what lies before a footer is its seal, but another.

    Raises UserError where it is whole and was written for another place.
    """
    with open(path, "rb") as file:
        start, footer = _footer(file)
        file.seek(max(0, start - len(MARK) - 32 - LENGTH))
        length, mark = int.from_bytes(file.read(LENGTH)), file.read(len(MARK))
        digest = file.read(32)
        if mark != MARK:
            return
        file.seek(max(0, start - len(MARK) - 32 - LENGTH - length))
        place = file.read(length)
    if digest != hashlib.sha256(place + footer).digest():
        raise ValueError("its footer is not the one that was written")
    digests.check_place(path, place.decode())
