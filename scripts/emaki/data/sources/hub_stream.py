"""Files of a dataset of the hub, a shard each: brought for a job that reads one, and not kept.

Options: `repo`, `revision` (a commit hash); `path`, which files of it, tars or Parquet files:
`{00000..00099}` counts; `caption_column` ("text"; null: none), the column of the captions, or the
key in a tar's `.json`; `min_size`; `licence` and `credit`, where no column of that name tells: else
those are what the dataset's card says, and the repository.
"""

import importlib
from pathlib import Path

from emaki.data.picture import Reject
from emaki.data.sources import webdataset

KINDS = (".tar", ".parquet")


def shards(source):
    """{name of a shard: its path in the repository}, in order. Imports nothing heavy.

    Raises UserError, a sentence that goes on after the path's key.
    """
    return webdataset.named_after(webdataset.counted(source["path"]), KINDS)


def pictures(source):
    """Yield an `ArchivedPicture` or a `Reject` for every picture of the files.

    Raises UserError for what cannot be had or is damaged.
    """
    # by name, so that reports, which ask for the shards alone, do not depend on it
    about = importlib.import_module("emaki.common.hub_client").card(
        source["repo"], source["revision"]
    )
    general = {"licence": str(about.get("license") or "unknown"), "credit": source["repo"]}
    for archive in _archives(source):
        if archive.endswith(".tar"):
            yield from webdataset.pictures_in(general | source, archive)
        else:
            yield from _rows(general | source, archive)


def total(source):
    """How many pictures there are to read, good or bad."""
    from emaki.data.archives import opened
    from emaki.data.tables import open_parquet

    count = 0
    for archive in _archives(source):
        if archive.endswith(".tar"):
            count += webdataset.total_in(archive)
        else:
            with opened(archive) as file:
                count += open_parquet(archive, file).metadata.num_rows
    return count


def _archives(source):
    repository = f"hf://datasets/{source['repo']}@{source['revision']}"
    return [f"{repository}/{path}" for path in shards(source).values()]


def _rows(source, archive):
    from emaki.data.archives import opened
    from emaki.data.sources.folder import rows_inside

    with opened(archive) as file:
        for row, item in rows_inside(source, Path(archive).stem, archive, file):
            if isinstance(item, Reject):
                yield item
            else:
                place = {"archive": archive, "offset": row, "size": None}
                yield webdataset.ArchivedPicture(**vars(item), **place)
