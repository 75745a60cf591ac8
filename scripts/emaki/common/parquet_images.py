"""Parquet files with pictures: schemas that the `datasets` library decodes, and where a row is."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from emaki.common.errors import UserError

ARROW = {
    "string": pa.string(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
}


def schema(**columns: str) -> pa.Schema:
    """The schema of columns whose types are in ARROW, as datasets.Features writes it."""
    features = {
        name: {"_type": "Image"} if type == "image" else {"dtype": type, "_type": "Value"}
        for name, type in columns.items()
    }
    return pa.schema(
        [(name, ARROW[type]) for name, type in columns.items()],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )


def group_of(file: Any, row: int) -> tuple[int, int]:
    """(row group, row in it) of a row of a `ParquetFile`. Raises IndexError if it has fewer."""
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        if row < count:
            return group, row
        row -= count
    raise IndexError(f"{row} rows too far")


def picture_column(path: str | Path, schema: pa.Schema) -> str | None:
    """The column of pictures: `image`, or the only one of binaries or {bytes, path}; or None.

    Raises UserError, naming `path`, if there are several and none is called `image`.
    """

    def holds_bytes(kind: pa.DataType) -> bool:
        if pa.types.is_struct(kind):
            return kind.get_field_index("bytes") >= 0
        return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)

    columns = [field.name for field in schema if holds_bytes(field.type)]
    if len(columns) > 1 and "image" not in columns:
        raise UserError(
            f"{path} has several columns that may hold pictures, {', '.join(columns)}: "
            "name the right one 'image'"
        )
    return "image" if "image" in columns else next(iter(columns), None)
