"""Picture files that somebody else wrote: what folders, tars, Parquet files and the hub share."""

import hashlib
import os
import posixpath
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from emaki.common.errors import UserError
from emaki.data.picture import Picture, Reject

LARGEST = 512 << 20  # bytes of a file that is read: as much as the pixels of a picture may take
# Some of these Pillow cannot read; they are listed so that a reject says so.
PICTURES: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".avif")
PICTURES += (".tif", ".tiff", ".heic", ".heif", ".jxl")


@dataclass(frozen=True)
class FilePicture(Picture):
    """A picture from `file` (or its row); `data` are its bytes where they can stay as they are."""

    file: str
    data: bytes | None


@dataclass(frozen=True)
class ArchivedPicture(FilePicture):
    """A picture that stays where it is (see emaki.data.archives)."""

    archive: str
    offset: int
    size: int | None


@dataclass(frozen=True)
class PictureReader:
    """Reads pictures and what is said about them.

    `min_size` is the least length of a side in pixels; `licence` and `credit` hold for pictures
    that do not say their own; `caption_column` is None where no captions are to be read.
    """

    min_size: int
    licence: str
    credit: str
    caption_column: str | None = None

    def read_picture(
        self, name: str, data: bytes, texts: Mapping[str, str | None]
    ) -> FilePicture | Reject:
        """The picture of a file's bytes, with the `texts` that `read_texts` found about it."""
        from emaki.data.decoding import BadPicture, decode_noting, is_plain

        try:
            image, changes = decode_noting(data, self.min_size)
        except BadPicture as reason:
            return Reject(replace_half_characters(name), str(reason))
        return FilePicture(
            id=make_id(name),
            image=image,
            caption=texts.get("caption"),
            licence=texts.get("licence") or self.licence,
            credit=texts.get("credit") or self.credit,
            file=replace_half_characters(name),
            data=data if is_plain(data) else None,
            changes=changes,
        )

    def read_texts(self, record: Mapping[str, Any], place: str) -> dict[str, str]:
        """Caption, licence and credit, as far as a row has them.

        Raises UserError, beginning with `place`, for a caption that is no text.
        """
        column = self.caption_column
        caption = None if column is None else record.get(column)
        if caption is not None and not isinstance(caption, str) and caption == caption:  # not a NaN
            kind = type(caption).__name__
            raise UserError(f"{place}: column {column!r} holds a {kind}, not a text")
        found = {
            "caption": " ".join(caption.split()) if isinstance(caption, str) else None,
            "licence": record.get("licence") or record.get("license"),
            "credit": record.get("credit"),
        }
        texts = {name: value for name, value in found.items() if isinstance(value, str)}
        return {name: replace_half_characters(text) for name, text in texts.items() if text}

    def check_caption_column(self, path: str | Path, columns: Collection[str]) -> None:
        """Raise UserError if a table of these columns lacks that of the captions."""
        from emaki.data.tables import check_column

        if self.caption_column is not None:
            hint = " (the source's caption_column says which to read)"
            check_column(path, columns, self.caption_column, hint)

    def read_parquet(
        self, name: str, path: str | Path, file: BinaryIO
    ) -> Iterator[tuple[int, FilePicture | Reject]]:
        """Yield (row, picture or reject) for the rows of a Parquet file with pictures inside.

        `file` is open; `name` is what the pictures are called after, and `path` stands in messages.
        """
        import pyarrow as pa

        from emaki.common.parquet_images import picture_column
        from emaki.data.tables import explain_unreadable, open_parquet

        table = open_parquet(path, file)
        columns = set(table.schema_arrow.names)
        column = picture_column(path, table.schema_arrow)
        if column is None:
            reason = f"no column with pictures, only {', '.join(sorted(columns))}"
            yield 0, Reject(replace_half_characters(name), reason)
            return
        self.check_caption_column(path, columns)
        texts = columns & {self.caption_column, "licence", "license", "credit"}
        row = 0
        try:
            for batch in table.iter_batches(batch_size=16, columns=[column, *sorted(texts)]):
                for record in batch.to_pylist():
                    value = record[column]
                    data = value["bytes"] if isinstance(value, dict) else value
                    place = f"{name} row {row}"
                    if data is None:
                        path_only = isinstance(value, dict) and value.get("path")
                        reason = (
                            "only the path of a picture: write the file with the pictures inside"
                            if path_only
                            else "no picture in this row"
                        )
                        yield row, Reject(replace_half_characters(place), reason)
                    else:
                        about = self.read_texts(record, f"{path} row {row}")
                        yield row, self.read_picture(place, data, about)
                    row += 1
        except (pa.ArrowException, OSError) as error:
            raise explain_unreadable(path, error) from None


def replace_half_characters(text: str) -> str:
    """Text that can be stored: a file's name may be any bytes, JSON may hold half characters."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def normalise_name(name: str) -> str:
    """The name by which captions find a picture: macOS writes é as two characters."""
    return unicodedata.normalize("NFC", posixpath.normpath(name.replace(os.sep, "/")))


def make_id(name: str) -> str:
    """Readable, safe as a file name, and the same however many pictures are added."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[-40:].strip("-")
    digest = hashlib.sha256(os.fsencode(normalise_name(name))).hexdigest()[:8]
    return f"{slug or 'picture'}-{digest}"
