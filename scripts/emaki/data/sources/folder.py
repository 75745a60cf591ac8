"""A folder of somebody's own pictures, with captions in any of the customary places.

Captions come from `metadata.jsonl`, `metadata.csv` or `metadata.parquet` in any folder (Hugging
Face's imagefolder: `file_name` relative to the table, optional columns `licence` or `license` and
`credit`), else from a `.txt` or `.caption` file beside the picture, else from the name of a folder
like `10_sks dog` (both kohya's ways). Other Parquet files hold the pictures themselves, one in each
row. Folders or Parquet files `train` and `validation` (`val`, `test`) are kept apart as imagefolder
does. Hidden files and folders are not read; what else is there is named among the rejects.
"""

import dataclasses
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from emaki.common.errors import UserError
from emaki.common.files import is_special
from emaki.common.settings import Text
from emaki.data import conventions
from emaki.data.picture import Reject
from emaki.data.picture_files import (
    LARGEST,
    PICTURES,
    FilePicture,
    PictureReader,
    normalise_name,
    replace_half_characters,
)
from emaki.data.sources import DivisibleSource

BESIDE = (".txt", ".caption")
TABLES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
PARQUET = ".parquet"
SPECIAL = "no regular file, but a named pipe, a socket or a device"
SEVERAL_LINES = {
    "first": "with several lines of caption, of which the first is used (caption_lines)",
    "join": "with several lines of caption, joined into one",
}

# {name of a picture, as captions find it: its caption, licence and credit, as far as known}
About = dict[str, dict[str, str]]


class Folder(DivisibleSource):
    """A folder of your own pictures, with captions in any of the customary places."""

    type: Literal["folder"] = "folder"

    path: Text = Field(json_schema_extra={"value": "folder"})
    """Folder with your pictures."""

    caption_column: Text | None = "text"
    """Column of the captions in a table; null: none."""

    caption_lines: Literal["first", "join"] = "first"
    """Which of several lines in a `.txt` beside a picture: the first, as kohya does, or all."""

    min_size: int = Field(32, ge=1)
    """Pictures with a shorter side, in pixels, are set aside."""

    licence: str = "unknown"
    """Licence of the pictures, where a table does not tell."""

    credit: str = ""
    """Whom to credit, where a table does not tell."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Whether the folder is there."""
        path = Path(self.path).expanduser()
        if not os.path.isdir(path):  # pathlib raises for a name that is too long
            hint = "" if path.is_absolute() else f" (paths count from {Path.cwd()})"
            yield "path", f"is {self.path}, which is no folder{hint}"

    def list_files(self) -> list[str]:
        """The paths of all files that are read, sorted. Raises UserError without a folder."""
        return [path for path in self._walk() if _is_read(os.path.basename(path))]

    def _walk(self) -> list[str]:
        """The paths of all files that are not hidden, sorted."""
        paths, visited = [], set()
        for folder, subfolders, names in os.walk(self._top(), followlinks=True):
            real = os.path.realpath(folder)
            if real in visited:  # a link back to a folder above
                subfolders.clear()
                continue
            visited.add(real)
            subfolders[:] = sorted(name for name in subfolders if not _is_hidden(name))
            paths += [os.path.join(folder, name) for name in names if not _is_hidden(name)]
        return sorted(paths)

    def inputs(self) -> list[str]:
        """The files that can be inputs of a Snakemake rule.

        It fails at braces and undecodable bytes in names, broken links and unreadable files, and
        would read a named pipe or a device for ever.
        """
        return [path for path in self.list_files() if _is_input(path)]

    def stamps(self) -> dict[str, list[int]]:
        """{name: [size, time]} of the other files."""
        others = [path for path in self.list_files() if not _is_input(path)]
        found = [(ascii(path), os.lstat(path)) for path in others]
        return {name: [status.st_size, status.st_mtime_ns] for name, status in found}

    def pictures(self) -> Iterator[FilePicture | Reject]:
        """Yield a picture or a reject for every file or row.

        Raises UserError for a missing folder, a folder without pictures, a table that cannot be
        read (with the line) and a caption column that is not there.
        """
        top = self._top()
        every = self._walk()
        paths = [path for path in every if _is_read(os.path.basename(path))]
        special = [path for path in paths if is_special(path)]
        names = [os.path.relpath(path, top) for path in sorted({*paths} - {*special})]
        found = [name for name in names if _suffix(name) in PICTURES]
        tables = [name for name in names if os.path.basename(name) in TABLES]
        inside = [name for name in names if _suffix(name) == PARQUET and name not in tables]
        if not found and not inside and not special:
            raise UserError(
                f"{self.path} holds no picture: a folder source reads PNG, JPEG and WebP files "
                "and Parquet files with pictures inside"
            )
        for path in special:
            yield Reject(replace_half_characters(os.path.relpath(path, top)), SPECIAL)
        reader = PictureReader(self.min_size, self.licence, self.credit, self.caption_column)
        known = set(paths)
        if found:  # beside Parquet files lies what `datasets` writes
            unread = [os.path.relpath(path, top) for path in every if path not in known]
            yield from conventions.name_unread(map(replace_half_characters, unread))
        about = yield from _read_tables(reader, top, found, tables)
        beside = [name for name in names if _suffix(name) in BESIDE]
        yield from _read_beside(top, found, beside, about, self.caption_lines)
        splits = conventions.find_splits([*found, *inside])
        stems = {os.path.splitext(name)[0] for name in found}
        for name in found:
            item = (
                Reject(replace_half_characters(name), conventions.MASK)
                if conventions.is_mask(name, stems)
                else _read_file(reader, top, name, about.get(normalise_name(name), {}))
            )
            yield _put_into(splits.get(name), item)
        for name in inside:
            table = Path(top, name)
            with open(table, "rb") as file:
                for _, item in reader.read_parquet(name, table, file):
                    yield _put_into(splits.get(name), item)

    def count_pictures(self) -> int:
        """How many pictures there are to read, good or bad."""
        from emaki.data.tables import open_parquet

        paths = [path for path in self.list_files() if not is_special(path)]
        names = [path for path in paths if os.path.basename(path) not in TABLES]
        tables = [open_parquet(name) for name in names if _suffix(name) == PARQUET]
        rows = sum(table.metadata.num_rows for table in tables)
        return rows + sum(_suffix(name) in PICTURES for name in names)

    def _top(self) -> str:
        top = os.path.normpath(os.path.expanduser(self.path))  # Snakemake warns of ./ and //
        if not os.path.isdir(top):
            problem = "is a file, not a folder" if os.path.exists(top) else "does not exist"
            raise UserError(f"the folder of pictures {self.path} {problem}")
        return top


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_read(name: str) -> bool:
    known = _suffix(name) in (*PICTURES, *BESIDE, PARQUET) or name in TABLES
    return known and not _is_hidden(name)


def _is_input(path: str) -> bool:
    named = not re.search("[{}\ud800-\udfff]", path)
    return named and os.access(path, os.R_OK) and not is_special(path)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _read_tables(
    reader: PictureReader, top: str, found: list[str], tables: list[str]
) -> Generator[Reject, None, About]:
    """Yield `Reject`s; return what the tables say about the pictures that were found."""
    from emaki.data.tables import check_column, read_rows

    known, about = {normalise_name(name) for name in found}, {}
    for table in tables:
        path = Path(top, table)
        records = read_rows(path)
        if records:
            columns = set().union(*(record for _, record in records))
            check_column(path, columns, "file_name")
            reader.check_caption_column(path, columns)
        for place, record in records:
            name = record.get("file_name")
            if not isinstance(name, str) or not name:
                raise UserError(f"{path} {place} has no file_name")
            key = normalise_name(os.path.join(os.path.dirname(table), name.replace("\\", "/")))
            shown = replace_half_characters(key)
            if key not in known:
                yield Reject(shown, f"named in {table} {place}, but no such picture is there")
            elif key in about:
                yield Reject(shown, f"named again in {table} {place}: the first row is used")
            else:
                about[key] = reader.read_texts(record, f"{path} {place}")
    return about


def _read_file(
    reader: PictureReader, top: str, name: str, texts: dict[str, str]
) -> FilePicture | Reject:
    """A picture with what is known about it, or why there is none."""
    path, shown = Path(top, name), replace_half_characters(name)
    try:
        if path.stat().st_size > LARGEST:
            return Reject(shown, f"more than {LARGEST} bytes")
        data = path.read_bytes()
    except OSError as error:
        return Reject(shown, f"cannot be read: {error.strerror}")
    changes = [texts["change"]] if "change" in texts else []
    if said := conventions.kohya_caption(name):
        changes.append(conventions.KOHYA_REPEATS)
        if "caption" not in texts:
            changes.append(conventions.KOHYA_CAPTION)
            texts = {**texts, "caption": replace_half_characters(said)}
    item = reader.read_picture(name, data, texts)
    if isinstance(item, Reject):
        return item
    return dataclasses.replace(item, changes=(*item.changes, *changes))


def _put_into(split: str | None, item: FilePicture | Reject) -> FilePicture | Reject:
    return dataclasses.replace(item, split=split) if isinstance(item, FilePicture) else item


def _read_beside(
    top: str, found: list[str], beside: list[str], about: About, which: str
) -> Iterator[Reject]:
    """Put captions from texts into `about` where no table has one; yield `Reject`s."""
    by_stem: dict[str, list[str]] = {}
    for name in found:
        stem = normalise_name(os.path.splitext(name)[0])
        by_stem.setdefault(stem, []).append(normalise_name(name))
    for name in sorted(beside, key=lambda name: BESIDE.index(_suffix(name))):
        shown = replace_half_characters(name)
        keys = by_stem.get(normalise_name(os.path.splitext(name)[0]))
        if not keys:
            yield Reject(shown, "a text without a picture beside it")
            continue
        try:
            caption = Path(top, name).read_text("utf-8-sig")
        except OSError as error:
            yield Reject(shown, f"cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            yield Reject(shown, "a caption that is not UTF-8 text")
        else:
            lines = [" ".join(line.split()) for line in caption.splitlines() if line.strip()]
            for key in keys if lines else ():
                texts = about.setdefault(key, {})
                if "caption" in texts:
                    continue
                texts["caption"] = " ".join(lines) if which == "join" else lines[0]
                if len(lines) > 1:
                    texts["change"] = SEVERAL_LINES[which]
