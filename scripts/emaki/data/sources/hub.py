"""A split of a dataset of the Hugging Face hub, by commit. No code of a dataset is ever run.

The library `datasets` finds the split's files and reads them: Parquet, folders of pictures with
metadata, tar files. They are brought and checked as models are (emaki.common.hub_client).
"""

import dataclasses
import functools
import glob
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from emaki.common import hub_client
from emaki.common.errors import UserError
from emaki.common.settings import Commit, Maybe, RepositoryName, Text
from emaki.data.picture import Reject
from emaki.data.picture_files import FilePicture, PictureReader
from emaki.data.sources import Count, DivisibleSource


class Hub(DivisibleSource):
    """A split of a dataset of the Hugging Face hub, by commit."""

    type: Literal["hub"] = "hub"

    repo: RepositoryName
    """A dataset on the Hugging Face hub."""

    revision: Maybe[Commit] = None
    """Which commit; `make pin` prints it."""

    config: Text | None = None
    """Which of the dataset's configurations, where it has several."""

    split: Text = "train"
    """Which of its splits."""

    image_column: Text = "image"
    """Column of the pictures."""

    text_column: Text | None = "text"
    """Column of the captions; null: none."""

    count: Count | None = None
    """Number of pictures: the first rows; null: all."""

    min_size: int = Field(32, ge=1)
    """Pictures with a shorter side, in pixels, are set aside."""

    licence: str | None = None
    """Licence of the pictures, where no column tells; null: what the dataset's card says."""

    credit: str | None = None
    """Whom to credit, where no column tells; null: the repository."""

    def pictures(self) -> Iterator[FilePicture | Reject]:
        """Yield a picture or a reject for every row.

        Raises UserError where the dataset, its split or a column is not there, with what there is.
        """
        from datasets import load_dataset

        kind, files, card = self._download()
        data = {"split": [str(path) for path in files]}
        dataset = load_dataset(kind, data_files=data, split="split", streaming=True)
        reader = PictureReader(
            self.min_size,
            str(self.licence or card.get("license") or "unknown"),
            self.credit or self.repo,
        )
        read = 0
        for read, row in enumerate(itertools.islice(iter(dataset.decode(False)), self.count), 1):
            if read == 1:
                self._check_columns(row)
            yield self._read_row(reader, read - 1, row)
        if self.count and read < self.count:
            raise UserError(f"{self.repo} has {read} rows, not {self.count}: take a smaller count")

    def count_pictures(self) -> int:
        """How many rows there are, or files where that is not known."""
        from emaki.data.tables import open_parquet

        if self.count:
            return self.count
        _, files, _ = self._download()
        parquet = [path for path in files if path.suffix == ".parquet"]
        rows = sum(open_parquet(path).metadata.num_rows for path in parquet)
        return rows + len(files) - len(parquet)

    def _download(self) -> tuple[str, list[Path], dict[str, Any]]:
        return _download_split(self.repo, self.revision, self.config, self.split)

    def _check_columns(self, row: dict[str, Any]) -> None:
        from emaki.data.tables import check_column

        for key in ("image_column", "text_column"):
            if (name := getattr(self, key)) is not None:
                check_column(self.repo, row, name, f" (the source's {key} says which to read)")

    def _read_row(
        self, reader: PictureReader, number: int, row: dict[str, Any]
    ) -> FilePicture | Reject:
        place = f"{self.split} row {number}"
        texts = {name: value for name, value in row.items() if isinstance(value, str)}
        column = self.text_column
        if column is not None and row[column] is not None and column not in texts:
            kind = type(row[column]).__name__
            raise UserError(f"{self.repo} {place}: column {column!r} holds a {kind}, not a text")
        data = self._read_bytes(place, row[self.image_column])
        if data is None:
            return Reject(place, "no picture in this row")
        own = {
            "caption": " ".join((texts.get(column, "") if column else "").split()) or None,
            "licence": texts.get("licence") or texts.get("license"),
            "credit": texts.get("credit"),
        }
        made = reader.read_picture(place, data, own)
        if isinstance(made, Reject):
            return made
        return dataclasses.replace(made, id=f"{self.repo.split('/')[1]}-{number:06d}")

    def _read_bytes(self, place: str, value: Any) -> bytes | None:
        """The bytes of a picture; a column holds them, or a mapping with them or their path."""
        if value is None:
            return None
        if isinstance(value, dict) and {"bytes", "path"} <= value.keys():
            value = value["bytes"] or Path(value["path"]).read_bytes()
        if not isinstance(value, bytes):
            raise UserError(
                f"{self.repo} {place}: the column of pictures holds a {type(value).__name__}: "
                "name another one as image_column"
            )
        return value


@functools.cache
def _download_split(
    repo: str, revision: str, config: str | None, split: str
) -> tuple[str, list[Path], dict[str, Any]]:
    """Download a split: (datasets' name for its format, the files' paths, what its card says)."""
    about = hub_client.read_card(repo, revision)
    builder = _find_builder(repo, revision, config)
    splits = builder.config.data_files
    if split not in splits:
        raise UserError(f"{repo} has no split {split!r}, only {', '.join(sorted(splits))}")
    root = f"hf://datasets/{repo}@{revision}/"
    names = sorted(url.removeprefix(root) for url in splits[split])
    folder = hub_client.fetch(repo, revision, [glob.escape(name) for name in names], "dataset")
    return builder.name, [folder / name for name in names], about


def _find_builder(repo: str, revision: str, config: str | None) -> Any:
    from datasets import exceptions, load_dataset_builder

    known = (ValueError, RuntimeError, FileNotFoundError, ConnectionError, exceptions.DatasetsError)
    try:
        with hub_client.explain_hub_errors(repo, revision, "dataset"):
            return load_dataset_builder(
                repo, config, revision=revision, token=hub_client.read_token()
            )
    except known as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{repo} at {revision} cannot be read as a dataset (its code, if it has any, is never "
            f"run): {reason}"
        ) from None
