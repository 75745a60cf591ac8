"""Pictures that stay where they are: in a tar, or in a tar or Parquet file of the hub.

The place of a picture is its `archive`, a path or hf://datasets/{repo}@{commit}/{path}, with
`offset` and `size`: bytes of a tar; in a Parquet file `offset` is the row, and `size` is null.
"""

import functools
import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow.parquet as pq

from emaki.common import parquet_images

PLACE = {"archive": "string", "offset": "int64", "size": "int64"}
HUB = "hf://"


@contextmanager
def open_archive(archive: str, whole: bool = True) -> Iterator[BinaryIO]:
    """An archive, open for reading at its beginning.

    One of the hub is brought first, checked, and kept until another is opened or the process ends;
    with `whole=False` only what is read of it is brought, unchecked. Raises UserError if it cannot
    be had, OSError for a path.
    """
    if not archive.startswith(HUB):
        with open(archive, "rb") as file:
            yield file
    else:
        file = _open_hub_file(archive, whole)
        file.seek(0)
        yield file


def read_archived_bytes(place: Mapping[str, Any], whole: bool = True) -> bytes:
    """The bytes of the picture at a place, a mapping; `whole` as for `open_archive`."""
    archive, offset, size = (place[name] for name in PLACE)
    if size is None:
        return _read_row(archive, offset, whole)
    with open_archive(archive, whole) as tar:
        tar.seek(offset)
        return tar.read(size)


@functools.lru_cache(1)
def _open_hub_file(archive, whole):
    # An import statement would make hub_client an input of every job that reads pictures (see
    # emaki.workflow.code_files); so a change in it invalidates only what is made of hub sources.
    hub_client = importlib.import_module("emaki.common.hub_client")
    return hub_client.download_file(archive) if whole else hub_client.open_remote_file(archive)


def _read_row(archive, row, whole):
    group, row = parquet_images.group_of(_table(archive, whole), row)
    value = _group(archive, group, whole)[row].as_py()
    return value["bytes"] if isinstance(value, dict) else value


@functools.lru_cache(1)
def _table(archive, whole):
    """A Parquet file of the hub, whose footer is read but once."""
    return pq.ParquetFile(_open_hub_file(archive, whole))


@functools.lru_cache(1)
def _group(archive, group, whole):
    """The pictures in a row group of a Parquet file."""
    table = _table(archive, whole)
    column = parquet_images.picture_column(archive, table.schema_arrow)
    return table.read_row_group(group, [column])[column]
