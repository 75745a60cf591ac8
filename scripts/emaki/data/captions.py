"""Tables of captions (id, caption), as the captions stage writes them."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from emaki.common import parquet_files
from emaki.common.files import replacing
from emaki.data.picture import Caption

SCHEMA = pa.schema([("id", pa.string()), ("caption", pa.string())])


def read_captions(path: str | Path) -> list[Caption]:
    """The (id, caption or None) pairs of a table with these columns."""
    table = parquet_files.read(path, columns=["id", "caption"])
    return list(zip(*(column.to_pylist() for column in table.columns)))


def write_captions(captions: Iterable[Caption], path: str | Path) -> None:
    """Write (id, caption or None) pairs as a table of captions."""
    rows = [{"id": identifier, "caption": caption} for identifier, caption in captions]
    with replacing(path) as temporary:
        parquet_files.write(pa.Table.from_pylist(rows, SCHEMA), temporary)
