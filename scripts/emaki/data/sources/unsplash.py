"""Photographs of the Unsplash Lite dataset, chosen by keyword and size and then downloaded.

The dataset is its `photos.tsv000` and `keywords.tsv000`; whoever takes them there accepts its
licence.
"""

import csv
import hashlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Literal

from pydantic import Field

from emaki.common.errors import UserError
from emaki.common.files import replacing, sha256
from emaki.common.settings import Text, UniqueTexts
from emaki.data.picture import Reject
from emaki.data.picture_files import FilePicture
from emaki.data.sources import Count, DivisibleSource

TRIES = 5
PASSING = (408, 425, 429, 500, 502, 503, 504)  # what may be over at the next try

Photo = dict[str, str]  # a row of one of the dataset's tables


class Unsplash(DivisibleSource):
    """Photographs of the Unsplash Lite dataset, chosen by keyword and size and then downloaded."""

    type: Literal["unsplash"] = "unsplash"

    path: Text = Field(json_schema_extra={"value": "folder"})
    """Folder of the unpacked Unsplash Lite dataset."""

    keywords: UniqueTexts
    """A photograph has one of these or more."""

    count: Count
    """Number of pictures."""

    min_size: int = Field(512, ge=1)
    """Pictures with a shorter side, in pixels, are not chosen."""

    width: int = Field(1024, ge=64)
    """Width to download, in pixels."""

    connections: int = Field(8, ge=1, le=32)
    """Downloads at a time."""

    downloads: Text = "results/downloads/unsplash"
    """Folder that keeps what has arrived, with its SHA-256."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Whether the folder is there."""
        if not Path(self.path).expanduser().is_dir():
            advice = (
                "accept the licence of the Unsplash Lite dataset and name the folder where it lies"
            )
            yield "path", f"is {self.path}, which is no folder: {advice}"

    def inputs(self) -> list[str]:
        """The dataset's tables. Raises UserError where they are not."""
        folder = Path(self.path).expanduser()
        found = {stem: sorted(folder.glob(f"{stem}.tsv*")) for stem in ("photos", "keywords")}
        for stem, files in found.items():
            if not files:
                raise UserError(
                    f"{self.path} has no {stem}.tsv000: accept the licence of the Unsplash Lite "
                    "dataset, unpack it there and name that folder as the source's path"
                )
        return [str(path) for files in found.values() for path in files]

    def pictures(self) -> Iterator[FilePicture | Reject]:
        """Yield a picture, or a reject for what could not be had, per chosen photograph."""
        chosen = self.choose()
        with ThreadPoolExecutor(self.connections) as pool:
            arrived = pool.map(self._download, chosen)
            for photo, (data, problem) in zip(chosen, arrived, strict=True):
                name = photo["photo_id"]
                yield Reject(name, problem) if data is None else _read_picture(photo, data)

    def count_pictures(self) -> int:
        """`count`."""
        return self.count

    def choose(self) -> list[Photo]:
        """`count` rows of photos.tsv, by the SHA-256 of their ids: the same whatever their order.

        A greater count keeps those of a smaller one. Raises UserError where there are too few.
        """
        files = self.inputs()
        wanted = {keyword.casefold() for keyword in self.keywords}
        named = {
            row["photo_id"]
            for row in _read_rows(files, "keywords", ("photo_id", "keyword"))
            if row["keyword"].casefold() in wanted
        }
        columns = ("photo_id", "photo_image_url", "photo_width", "photo_height")
        found = {
            row["photo_id"]: row
            for row in _read_rows(files, "photos", columns)
            if row["photo_id"] in named and min(_sides(row)) >= self.min_size
        }
        if len(found) < self.count:
            raise UserError(
                f"{self.path} has {len(found)} photographs of {self.min_size} pixels with one of "
                f"the keywords, not {self.count}: take a smaller count or more keywords"
            )
        order = sorted(found, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        return [found[name] for name in order[: self.count]]

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


def _read_rows(files: list[str], stem: str, columns: tuple[str, ...]) -> Iterator[Photo]:
    for file in files:
        if Path(file).name.startswith(stem):
            with open(file, encoding="utf-8", newline="") as table:
                reader = csv.DictReader(table, delimiter="\t")
                missing = [name for name in columns if name not in (reader.fieldnames or ())]
                if missing:
                    raise UserError(f"{file} has no column {missing[0]}")
                yield from reader


def _sides(row: Photo) -> list[int]:
    sides = row["photo_width"], row["photo_height"]
    return [int(side) if side and side.isdigit() else 0 for side in sides]


def _try_to_get(url: str) -> tuple[bytes, str] | tuple[None, str]:
    """(what is there, ""), or (None, the problem), after as many TRIES as there is a point in."""
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
    request = urllib.request.Request(url, headers={"User-Agent": "emaki"})
    with urllib.request.urlopen(request, timeout=60) as answer:
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
