"""Tables that somebody else wrote: JSON lines, CSV and Parquet, with errors that say where."""

import csv
import difflib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from emaki.common.errors import UserError


def read_rows(path: str | Path) -> list[tuple[str, dict[str, Any]]]:
    """The rows of a .jsonl, .csv or .parquet file as (place such as "line 3", mapping) pairs.

    Raises UserError, with the line, for a file that is not what its name says.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        records = open_parquet(path).read().to_pylist()
        return [(f"row {number}", record) for number, record in enumerate(records)]
    text = _text(path)
    return list(_csv_rows(text, path) if path.suffix == ".csv" else _json_rows(text, path))


def check_column(path: str | Path, columns: Iterable[str], name: str, hint: str = "") -> None:
    """Raise UserError, naming those that there are and the nearest, if column `name` is missing."""
    if name in columns:
        return
    there = sorted(column for column in columns if column)
    near = difflib.get_close_matches(name, there, 1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    raise UserError(f"{path} has no column {name!r}, only {', '.join(there)}{guess}{hint}")


def open_parquet(path: str | Path, file: BinaryIO | None = None) -> pq.ParquetFile:
    """A `pyarrow.parquet.ParquetFile` of a path, or of an open file; UserError if it is none."""
    try:
        return pq.ParquetFile(file or path)
    except (pa.ArrowException, OSError) as error:
        raise explain_unreadable(path, error) from None


def explain_unreadable(path: str | Path, error: Exception) -> UserError:
    """The UserError for what pyarrow said about a Parquet file."""
    reason = str(error).split(". ")[0]
    return UserError(f"{path} is not a readable Parquet file: {reason}")


def _text(path):
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path} line {line} is not UTF-8 text") from None


def _json_rows(text, path):
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path} line {number} is not JSON: {error.msg}") from None
        if not isinstance(row, dict):
            raise UserError(f"{path} line {number} is not an object with file_name")
        yield f"line {number}", row


def _csv_rows(text, path):
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = reader.fieldnames or []
        if len(columns) == 1 and (other := next((c for c in ";\t|" if c in columns[0]), None)):
            mark = "a tab" if other == "\t" else f"a {other!r}"
            raise UserError(
                f"{path} has {mark} between its columns: save it with commas, or as JSON lines "
                "(.jsonl)"
            )
        for row in reader:
            if None in row:
                raise UserError(
                    f"{path} line {reader.line_num} has more fields than the first line: "
                    "put a caption with commas in quotation marks"
                )
            yield f"line {reader.line_num}", row
    except csv.Error as error:
        raise UserError(f"{path} line {reader.line_num} is not CSV: {error}") from None
