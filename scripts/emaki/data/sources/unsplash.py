"""Photographs of the Unsplash Lite dataset, chosen by keyword and size and then downloaded.

The dataset's tables are `photos.tsv000` and `keywords.tsv000`, as Unsplash publishes them, or
Parquet files that have both in one. Whoever takes them accepts Unsplash's terms.
"""

import csv
import hashlib
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from emaki.common import hub_client
from emaki.common.errors import UserError
from emaki.common.files import replacing, sha256
from emaki.common.progress import tell
from emaki.common.settings import Commit, Maybe, RepositoryName, Text, UniqueTexts
from emaki.data.picture import Reject
from emaki.data.picture_files import FilePicture
from emaki.data.sources import Count, DivisibleSource

TERMS = "https://unsplash.com/data-terms"
TABLES = ("photos", "keywords")
PATTERNS = ["photos.?sv*", "keywords.?sv*", "*.parquet"]  # of what is brought of a repository
TRIES = 5
PASSING = (408, 425, 429, 500, 502, 503, 504)  # what may be over at the next try

Photo = dict[str, str]  # a row of photos.tsv


class Unsplash(DivisibleSource):
    """Photographs of the Unsplash Lite dataset, chosen by keyword and size and then downloaded."""

    type: Literal["unsplash"] = "unsplash"

    path: Maybe[Text] = Field(None, json_schema_extra={"value": "folder"})
    """Folder of the unpacked Unsplash Lite dataset."""

    repo: Maybe[RepositoryName] = None
    """Instead of `path`: a dataset on the Hugging Face hub that has the tables."""

    revision: Maybe[Commit] = None
    """With `repo`: which commit; `make pin` prints it."""

    keywords: UniqueTexts
    """A photograph has one of these or more."""

    count: Count
    """Number of pictures, at most: fewer where no more have a keyword."""

    min_size: int = Field(512, ge=1)
    """Pictures with a shorter side, in pixels, are not chosen."""

    width: int = Field(1024, ge=64)
    """Width to download, in pixels."""

    connections: int = Field(8, ge=1, le=32)
    """Downloads at a time."""

    downloads: Text = "results/downloads/unsplash"
    """Folder that keeps what has arrived, with its SHA-256."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Whether there is a folder or a repository, and not both."""
        if self.path is None:
            if self.repo is None:
                yield "path", "is missing: give the folder of the Unsplash Lite dataset, or repo"
            return
        if self.repo is not None or self.revision is not None:
            key = "repo" if self.repo is not None else "revision"
            yield key, "goes without path: the dataset is in a folder or on the hub"
        elif not os.path.isdir(Path(self.path).expanduser()):
            advice = (
                "accept the licence of the Unsplash Lite dataset and name the folder where it lies"
            )
            yield "path", f"is {self.path}, which is no folder: {advice}"

    def terms(self) -> str:
        """Where Unsplash's terms are."""
        return f"Unsplash's, {TERMS}"

    def inputs(self) -> list[str]:
        """The dataset's tables in a folder of the user's. Raises UserError where they are not."""
        if self.path is None:
            return []
        found = _find_tables(Path(self.path).expanduser())
        if isinstance(found, str):
            raise UserError(
                f"{self.path} has no {found}.tsv000: accept the licence of the Unsplash Lite "
                "dataset, unpack it there and name that folder as the source's path"
            )
        return found

    def pictures(self) -> Iterator[FilePicture | Reject]:
        """Yield a picture, or a reject for what could not be had, per chosen photograph."""
        print(f"Whoever takes these photographs accepts {TERMS}", file=sys.stderr)
        chosen = self.choose()
        for note in self._explain_count(len(chosen)):
            print(note, file=sys.stderr)
            tell(note)
        with ThreadPoolExecutor(self.connections) as pool:
            arrived = pool.map(self._download, chosen)
            for photo, (data, problem) in zip(chosen, arrived, strict=True):
                name = photo["photo_id"]
                yield Reject(name, problem) if data is None else _read_picture(photo, data)

    def count_pictures(self) -> int:
        """How many are chosen."""
        return len(self.choose())

    def notes(self) -> list[str]:
        """Whose photographs they are, and whether they are fewer than asked for."""
        told = f"The photographs are under the terms of Unsplash's datasets, {TERMS}."
        return [told, *self._explain_count(len(self.choose()))]

    def count_known(self) -> int | None:
        """How many are chosen; None where the tables are not on this machine yet, or say none."""
        try:
            return len(self._choose(self.inputs() if self.path else self._find_local()))
        except UserError:
            return None

    def choose(self) -> list[Photo]:
        """At most `count` rows of photos.tsv, by the SHA-256 of their ids, whatever their order.

        A greater count keeps those of a smaller one. Raises UserError where there is none.
        """
        return self._choose(self.inputs() if self.path else self._fetch())

    def _choose(self, files: list[str]) -> list[Photo]:
        wanted = {keyword.casefold() for keyword in self.keywords}
        read = _read_parquet if files[0].endswith(".parquet") else _read_tables
        found = {
            row["photo_id"]: row for row in read(files, wanted) if min(_sides(row)) >= self.min_size
        }
        if not found:
            words = ", ".join(self.keywords)
            raise UserError(
                f"{self.path or self.repo} has no photograph of {self.min_size} pixels with one of "
                f"the keywords {words}: take others"
            )
        order = sorted(found, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        return [found[name] for name in order[: self.count]]

    def _explain_count(self, there: int) -> list[str]:
        if there == self.count:
            return []
        words = ", ".join(self.keywords)
        return [
            f"{there:,} photographs of {self.path or self.repo} have one of the keywords {words}; "
            f"at most {self.count:,} were asked for."
        ]

    def _fetch(self) -> list[str]:
        """The tables of the repository, which are brought. Raises UserError where it has none."""
        folder = hub_client.fetch(self.repo or "", self.revision or "", PATTERNS, "dataset")
        found = _find_tables(folder)
        if isinstance(found, str):
            raise UserError(
                f"{self.repo} at {self.revision} has neither {found}.tsv000 nor Parquet files: "
                "it is not the Unsplash Lite dataset"
            )
        return found

    def _find_local(self) -> list[str]:
        """The tables of the repository in the hub's cache. Raises UserError without them."""
        folder = hub_client.find_local(self.repo or "", self.revision or "", "dataset")
        found = "tables" if folder is None else _find_tables(folder)
        if isinstance(found, str):
            raise UserError(f"{self.repo} is not here yet")
        return found

    def _download(self, photo: Photo) -> tuple[bytes, str] | tuple[None, str]:
        """(bytes, "") of a photograph, from the disk if it is whole there, or (None, problem)."""
        path = Path(self.downloads) / f"{photo['photo_id']}.jpg"
        digest = path.with_suffix(".sha256")
        if path.is_file() and digest.is_file() and digest.read_text() == sha256(path):
            return path.read_bytes(), ""
        data, problem = _try_to_get(f"{photo['photo_image_url']}?w={self.width}&fm=jpg")
        if data is None:
            return None, problem
        with replacing(path) as temporary:
            temporary.write_bytes(data)
        digest.write_text(hashlib.sha256(data).hexdigest())
        return data, ""


def _find_tables(folder: Path) -> list[str] | str:
    """The files of the tables in a folder, or which of them is not there."""
    found = {stem: sorted(folder.glob(f"{stem}.[ct]sv*")) for stem in TABLES}
    parquet = sorted(folder.rglob("*.parquet"))
    if not any(found.values()) and parquet:
        return list(map(str, parquet))
    for stem, files in found.items():
        if not files:
            return stem
    return [str(path) for files in found.values() for path in files]


def _read_tables(files: list[str], wanted: set[str]) -> Iterator[Photo]:
    """The rows of photos.tsv with one of the keywords."""
    named = {
        row["photo_id"]
        for row in _read_rows(files, "keywords", ("photo_id", "keyword"))
        if row["keyword"].casefold() in wanted
    }
    columns = ("photo_id", "photo_image_url", "photo_width", "photo_height")
    for row in _read_rows(files, "photos", columns):
        if row["photo_id"] in named:
            yield row


def _read_rows(files: list[str], stem: str, columns: tuple[str, ...]) -> Iterator[Photo]:
    for file in files:
        if Path(file).name.startswith(stem):
            with open(file, encoding="utf-8", newline="") as table:
                # Newer downloads of the dataset are called .csv000 instead.
                delimiter = "\t" if "\t" in table.readline() else ","
                table.seek(0)
                reader = csv.DictReader(table, delimiter=delimiter)
                missing = [name for name in columns if name not in (reader.fieldnames or ())]
                if missing:
                    raise UserError(f"{file} has no column {missing[0]}")
                yield from reader


def _read_parquet(files: list[str], wanted: set[str]) -> Iterator[Photo]:
    """As rows of photos.tsv the photographs of version 1.2.1 in one table of structs."""
    from emaki.data.tables import check_column, open_parquet

    columns = ["photo", "photographer", "ai", "keywords"]
    for file in files:
        table = open_parquet(file)
        for name in columns:
            check_column(file, table.schema_arrow.names, name)
        for batch in table.iter_batches(batch_size=256, columns=columns):
            for row in batch.to_pylist():
                if any(word and word.casefold() in wanted for word in _words(row["keywords"])):
                    yield _as_photo(row)


def _words(keywords: Any) -> list[str]:
    """The keywords of a photograph: a list of structs, or a struct of lists, as `datasets` has."""
    if isinstance(keywords, dict):
        return keywords["keyword"] or []
    return [entry["keyword"] for entry in keywords or ()]


def _as_photo(row: dict[str, Any]) -> Photo:
    photo, photographer = row["photo"], row["photographer"] or {}
    values = {
        "photo_id": photo["id"],
        "photo_url": photo["url"],
        "photo_image_url": photo["image_url"],
        "photo_width": photo["width"],
        "photo_height": photo["height"],
        "photo_description": photo["description"],
        "photographer_first_name": photographer.get("first_name"),
        "photographer_last_name": photographer.get("last_name"),
        "ai_description": (row["ai"] or {}).get("description"),
    }
    return {name: "" if value is None else str(value) for name, value in values.items()}


def _sides(row: Photo) -> list[int]:
    sides = row["photo_width"], row["photo_height"]
    return [int(side) if side and side.isdigit() else 0 for side in sides]


def _try_to_get(url: str) -> tuple[bytes, str] | tuple[None, str]:
    """(what is there, ""), or (None, the problem), after as many TRIES as there is a point in."""
    if not url.startswith(("https://", "http://")):  # file: would read this machine
        return None, f"not downloaded: {url!r} is no address of the web"
    problem = ""
    for attempt in range(TRIES):
        wait = 2**attempt
        try:
            return _get(url), ""
        except urllib.error.HTTPError as error:
            problem = f"not downloaded: status {error.code}"
            if error.code not in PASSING:
                return None, problem
            after = error.headers.get("Retry-After", "")
            wait = min(int(after), 300) if after.isdigit() else wait
        except (OSError, HTTPException, ValueError) as error:
            problem = f"not downloaded: {error}"
        if attempt < TRIES - 1:
            time.sleep(wait)
    return None, f"{problem}, {TRIES} times"


def _get(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "emaki"})  # noqa: S310 - of the web
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return answer.read()  # raises HTTPException where less arrives than was announced


def _read_picture(photo: Photo, data: bytes) -> FilePicture | Reject:
    from emaki.data.decoding import BadPicture, decode, is_plain

    try:
        image = decode(data)
    except BadPicture as problem:
        return Reject(photo["photo_id"], str(problem))
    caption = photo.get("photo_description") or photo.get("ai_description") or ""
    names = (photo.get(f"photographer_{part}_name") or "" for part in ("first", "last"))
    return FilePicture(
        id=f"unsplash-{photo['photo_id']}",
        image=image,
        caption=" ".join(caption.split()) or None,
        licence="Unsplash",
        credit=", ".join(filter(None, [" ".join(filter(None, names)), photo.get("photo_url")])),
        file=photo["photo_id"],
        data=data if is_plain(data) else None,
    )
