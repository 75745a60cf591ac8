"""Files of a dataset of the hub, a shard each: brought for a job that reads one, and not kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from emaki.common import hub_client
from emaki.common.settings import Commit, Maybe, RepositoryName, Text
from emaki.data.picture import Reject
from emaki.data.picture_files import ArchivedPicture, PictureReader
from emaki.data.shard_names import expand_numbers, name_shards
from emaki.data.sources import Source
from emaki.data.tars import count_tar_pictures, read_tar


class HubStream(Source):
    """Files of a dataset of the hub, a shard each: brought for a job that reads one, not kept."""

    type: Literal["hub_stream", "hub-stream"] = "hub_stream"

    repo: RepositoryName
    """A dataset on the Hugging Face hub."""

    revision: Maybe[Commit] = None
    """Which commit; `make pin` prints it."""

    path: Text
    """Which files of it, tars or Parquet files: `{00000..00099}` counts."""

    caption_column: Text | None = "text"
    """Column of the captions, or key in a tar's `.json`; null: none."""

    min_size: int = Field(32, ge=1)
    """Pictures with a shorter side, in pixels, are set aside."""

    licence: str | None = None
    """Licence of the pictures, where no column tells; null: what the dataset's card says."""

    credit: str | None = None
    """Whom to credit, where no column tells; null: the repository."""

    def archives(self) -> dict[str, str]:
        """The files' paths in the repository by their names."""
        return name_shards(expand_numbers(self.path), (".tar", ".parquet"))

    def pictures(self) -> Iterator[ArchivedPicture | Reject]:
        """Yield a picture or a reject for every picture of the files.

        Raises UserError for what cannot be had or is damaged.
        """
        reader = self._reader()
        for archive in self._urls():
            if archive.endswith(".tar"):
                yield from read_tar(reader, archive)
            else:
                yield from _read_rows(reader, archive)

    def count_pictures(self) -> int:
        """How many pictures there are to read, good or bad."""
        from emaki.data.archives import open_archive
        from emaki.data.tables import open_parquet

        count = 0
        for archive in self._urls():
            if archive.endswith(".tar"):
                count += count_tar_pictures(archive)
            else:
                with open_archive(archive) as file:
                    count += open_parquet(archive, file).metadata.num_rows
        return count

    def _urls(self) -> list[str]:
        repository = f"hf://datasets/{self.repo}@{self.revision}"
        return [f"{repository}/{path}" for path in self.archives().values()]

    def _reader(self) -> PictureReader:
        licence, credit = self.licence, self.credit
        assert self.revision, "the check of a config asks for it"
        card = hub_client.read_card(self.repo, self.revision)
        return PictureReader(
            self.min_size,
            str(card.get("license") or "unknown") if licence is None else licence,
            self.repo if credit is None else credit,
            self.caption_column,
        )


def _read_rows(reader: PictureReader, archive: str) -> Iterator[ArchivedPicture | Reject]:
    from emaki.data.archives import open_archive

    with open_archive(archive) as file:
        for row, item in reader.read_parquet(Path(archive).stem, archive, file):
            if isinstance(item, Reject):
                yield item
            else:
                yield ArchivedPicture(**vars(item), archive=archive, offset=row, size=None)
