"""Pictures that stay where they are: in a tar, or in a tar or Parquet file of the hub.

The place of a picture is its `archive`, a path or hf://datasets/{repo}@{commit}/{path}, with
`offset` and `size`: bytes of a tar; in a Parquet file `offset` is the row, and `size` is null.
"""

import functools
import importlib
from contextlib import contextmanager

import pyarrow.parquet as pq

from emaki.common import parquet_images

PLACE = {"archive": "string", "offset": "int64", "size": "int64"}
HUB = "hf://"


@contextmanager
def opened(archive, whole=True):
    """An archive, open for reading at its beginning.

    One of the hub is brought first, checked, and kept until another is opened or the process ends;
    with `whole=False` only what is read of it is brought, unchecked. Raises UserError if it cannot
    be had, OSError for a path.
    """
    if not archive.startswith(HUB):
        with open(archive, "rb") as file:
            yield file
    else:
        file = _of_hub(archive, whole)
        file.seek(0)
        yield file


def read(place, whole=True):
    """The bytes of the picture at a place, a mapping; `whole` as for `opened`."""
    archive, offset, size = (place[name] for name in PLACE)
    if size is None:
        return _row(archive, offset, whole)
    with opened(archive, whole) as tar:
        tar.seek(offset)
        return tar.read(size)


@functools.lru_cache(1)
def _of_hub(archive, whole):
    # by name, so that a change in what speaks to the hub invalidates only what is brought from it
    hub = importlib.import_module("emaki.common.hub_client")
    return hub.borrowed(archive) if whole else hub.looked_into(archive)


def _row(archive, row, whole):
    group, row = parquet_images.group_of(_table(archive, whole), row)
    value = _group(archive, group, whole)[row].as_py()
    return value["bytes"] if isinstance(value, dict) else value


@functools.lru_cache(1)
def _table(archive, whole):
    """A Parquet file of the hub, whose footer is read but once."""
    return pq.ParquetFile(_of_hub(archive, whole))


@functools.lru_cache(1)
def _group(archive, group, whole):
    """The pictures in a row group of a Parquet file."""
    table = _table(archive, whole)
    column = parquet_images.picture_column(archive, table.schema_arrow)
    return table.read_row_group(group, [column])[column]
