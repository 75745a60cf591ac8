"""A folder of somebody's own pictures, with captions in any of the customary places.

Options: `path`; `caption_column` ("text"; null: take no captions from tables); `min_size`, the
least length of a side in pixels (32); `licence` ("unknown") and `credit` ("") of all pictures.

Captions come from `metadata.jsonl`, `metadata.csv` or `metadata.parquet` in any folder (Hugging
Face's imagefolder: `file_name` relative to the table, optional columns `licence` or `license` and
`credit`), else from a `.txt` or `.caption` file beside the picture (kohya's way). Other Parquet
files hold the pictures themselves, one in each row. Hidden files and folders are not read.
"""

import hashlib
import os
import posixpath
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from emaki.common.errors import UserError
from emaki.data.picture import Picture, Reject

# Some of these Pillow cannot read; they are listed so that a reject says so.
PICTURES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
PICTURES += (".heic", ".heif", ".jxl")
BESIDE = (".txt", ".caption")
TABLES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
PARQUET = ".parquet"


@dataclass(frozen=True)
class FilePicture(Picture):
    """A picture from `file` (or its row); `data` are its bytes where they can stay as they are."""

    file: str
    data: bytes | None


def files(source):
    """The paths of all files that this source reads, sorted. Raises UserError without a folder.

    This, `inputs` and `stamps` import nothing heavy: the Snakefile calls them.
    """
    paths, visited = [], set()
    for folder, subfolders, names in os.walk(_top(source), followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:  # a link back to a folder above
            subfolders.clear()
            continue
        visited.add(real)
        subfolders[:] = sorted(name for name in subfolders if not _is_hidden(name))
        paths += [os.path.join(folder, name) for name in names if _is_read(name)]
    return sorted(paths)


def inputs(source):
    """The `files` that can be inputs of a Snakemake rule.

    It fails at braces and undecodable bytes in names, broken links and files that are not readable.
    """
    return [path for path in files(source) if _is_input(path)]


def stamps(source):
    """{name: [size, time]} of the other `files`, as a rule's parameter that changes with them."""
    others = [path for path in files(source) if not _is_input(path)]
    found = [(ascii(path), os.lstat(path)) for path in others]
    return {name: [status.st_size, status.st_mtime_ns] for name, status in found}


def pictures(source):
    """Yield a `FilePicture` or a `Reject` for every file or row. See the module for the options.

    Raises UserError for a missing folder, a folder without pictures, a table that cannot be read
    (with the line) and a caption column that is not there.
    """
    names = [os.path.relpath(path, _top(source)) for path in files(source)]
    found = [name for name in names if _suffix(name) in PICTURES]
    tables = [name for name in names if os.path.basename(name) in TABLES]
    inside = [name for name in names if _suffix(name) == PARQUET and name not in tables]
    if not found and not inside:
        raise UserError(
            f"{source['path']} holds no picture: a folder source reads PNG, JPEG and WebP files "
            "and Parquet files with pictures inside"
        )
    about = yield from _read_tables(source, found, tables)
    beside = [name for name in names if _suffix(name) in BESIDE]
    yield from _read_beside(source, found, beside, about)
    for name in found:
        try:
            data = Path(_top(source), name).read_bytes()
        except OSError as error:
            yield Reject(shown(name), f"cannot be read: {error.strerror}")
        else:
            yield picture(source, name, data, about.get(_key(name), {}))
    for name in inside:
        yield from _read_inside(source, name)


def total(source):
    """How many pictures there are to read, good or bad."""
    from emaki.data.tables import open_parquet

    names = [name for name in files(source) if os.path.basename(name) not in TABLES]
    rows = sum(open_parquet(name).metadata.num_rows for name in names if _suffix(name) == PARQUET)
    return rows + sum(_suffix(name) in PICTURES for name in names)


def _top(source):
    top = os.path.normpath(os.path.expanduser(source["path"]))  # Snakemake warns of ./ and //
    if not os.path.isdir(top):
        problem = "is a file, not a folder" if os.path.exists(top) else "does not exist"
        raise UserError(f"the folder of pictures {source['path']} {problem}")
    return top


def _is_hidden(name):
    return name.startswith(".") or name == "__MACOSX"


def _is_read(name):
    known = _suffix(name) in (*PICTURES, *BESIDE, PARQUET) or name in TABLES
    return known and not _is_hidden(name)


def _is_input(path):
    return not re.search("[{}\ud800-\udfff]", path) and os.access(path, os.R_OK)


def _suffix(name):
    return os.path.splitext(name)[1].lower()


def _key(name):
    """The name by which captions find a picture: macOS writes é as two characters."""
    return unicodedata.normalize("NFC", posixpath.normpath(name.replace(os.sep, "/")))


def shown(text):
    """Text that can be stored: a file's name may be any bytes, JSON may hold half characters."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _read_tables(source, found, tables):
    """Yield `Reject`s; return {key of a picture: what its row says}."""
    from emaki.data.tables import check_column, rows

    known, about = {_key(name) for name in found}, {}
    for table in tables:
        path = Path(_top(source), table)
        records = rows(path)
        if records:
            columns = set().union(*(record for _, record in records))
            check_column(path, columns, "file_name")
            _check_caption_column(source, path, columns)
        for place, record in records:
            name = record.get("file_name")
            if not isinstance(name, str) or not name:
                raise UserError(f"{path} {place} has no file_name")
            key = _key(os.path.join(os.path.dirname(table), name.replace("\\", "/")))
            if key not in known:
                yield Reject(shown(key), f"named in {table} {place}, but no such picture is there")
            elif key in about:
                yield Reject(shown(key), f"named again in {table} {place}: the first row is used")
            else:
                about[key] = described(source, record, f"{path} {place}")
    return about


def _check_caption_column(source, path, columns):
    from emaki.data.tables import check_column

    wanted = source.get("caption_column", "text")
    if wanted is not None:
        check_column(path, columns, wanted, " (the source's caption_column says which to read)")


def described(source, record, place):
    """Caption, licence and credit, as far as a row has them."""
    column = source.get("caption_column", "text")
    caption = record.get(column)
    if caption is not None and not isinstance(caption, str) and caption == caption:  # not a NaN
        kind = type(caption).__name__
        raise UserError(f"{place}: column {column!r} holds a {kind}, not a text")
    described = {
        "caption": " ".join(caption.split()) if isinstance(caption, str) else None,
        "licence": record.get("licence") or record.get("license"),
        "credit": record.get("credit"),
    }
    texts = {name: value for name, value in described.items() if isinstance(value, str)}
    return {name: shown(text) for name, text in texts.items() if text}


def _read_beside(source, found, beside, about):
    """Put captions from texts into `about` where no table has one; yield `Reject`s."""
    by_stem = {}
    for name in found:
        by_stem.setdefault(_key(os.path.splitext(name)[0]), []).append(_key(name))
    for name in sorted(beside, key=lambda name: BESIDE.index(_suffix(name))):
        keys = by_stem.get(_key(os.path.splitext(name)[0]))
        if not keys:
            yield Reject(shown(name), "a text without a picture beside it")
            continue
        try:
            caption = Path(_top(source), name).read_text("utf-8-sig")
        except OSError as error:
            yield Reject(shown(name), f"cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            yield Reject(shown(name), "a caption that is not UTF-8 text")
        else:
            for key in keys if caption.strip() else ():
                about.setdefault(key, {}).setdefault("caption", " ".join(caption.split()))


def _read_inside(source, name):
    path = Path(_top(source), name)
    with open(path, "rb") as file:
        for _, item in rows_inside(source, name, path, file):
            yield item


def rows_inside(source, name, path, file):
    """Yield (row, `FilePicture` or `Reject`) for the rows of a Parquet file with pictures inside.

    `file` is open; `name` is what the pictures are called after, and `path` stands in messages.
    """
    import pyarrow as pa

    from emaki.common.parquet_images import picture_column
    from emaki.data.tables import open_parquet, unreadable

    file = open_parquet(path, file)
    columns = set(file.schema_arrow.names)
    column = picture_column(path, file.schema_arrow)
    if column is None:
        yield 0, Reject(shown(name), f"no column with pictures, only {', '.join(sorted(columns))}")
        return
    _check_caption_column(source, path, columns)
    texts = {source.get("caption_column", "text"), "licence", "license", "credit"} & columns
    row = 0
    try:
        for batch in file.iter_batches(batch_size=16, columns=[column, *sorted(texts)]):
            for record in batch.to_pylist():
                value = record[column]
                data = value["bytes"] if isinstance(value, dict) else value
                place = f"{name} row {row}"
                if data is None:
                    yield row, Reject(shown(place), "no picture in this row")
                else:
                    about = described(source, record, f"{path} row {row}")
                    yield row, picture(source, place, data, about)
                row += 1
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from None


def picture(source, name, data, about):
    """A `FilePicture` or `Reject` from the bytes of a picture."""
    from emaki.data.decoding import BadPicture, decode, is_plain

    try:
        image = decode(data, source.get("min_size", 32))
    except BadPicture as reason:
        return Reject(shown(name), str(reason))
    return FilePicture(
        id=_id(name),
        image=image,
        caption=about.get("caption"),
        licence=about.get("licence") or source.get("licence", "unknown"),
        credit=about.get("credit") or source.get("credit", ""),
        file=shown(name),
        data=data if is_plain(data) else None,
    )


def _id(name):
    """Readable, safe as a file name, and the same however many pictures are added."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[-40:].strip("-")
    digest = hashlib.sha256(os.fsencode(_key(name))).hexdigest()[:8]
    return f"{slug or 'picture'}-{digest}"
