"""The captions stage: a table (id, caption) for the pictures of a source, one captioner each."""

import difflib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emaki.common.errors import UserError
from emaki.common.files import replacing
from emaki.data import tables

SCHEMA = pa.schema([("id", pa.string()), ("caption", pa.string())])
SEPARATOR = ", "


def alt(images):
    """Yield (id, the source's own caption or None) for a folder of the images stage."""
    table = pq.read_table(Path(images) / "metadata.parquet", columns=["id", "caption"])
    yield from zip(*(column.to_pylist() for column in table.columns))


def keyword(captions, keyword, position="suffix", separator=SEPARATOR):
    """Yield (id, caption) of `captions`, such pairs, with `keyword` before or after each.

    A caption that has it there already is left alone, so that a second time changes nothing. A
    picture without a caption keeps None: a keyword alone says nothing about it.
    """
    for identifier, caption in captions:
        yield identifier, caption and add_keyword(caption, keyword, position, separator)


def add_keyword(caption, keyword, position="suffix", separator=SEPARATOR):
    """`caption` with `keyword` at its "prefix" or "suffix", once.

    >>> add_keyword("a red couch", "interior design")
    'a red couch, interior design'
    >>> add_keyword("a red couch, interior design", "interior design")
    'a red couch, interior design'
    """
    keyword = keyword.strip()
    parts = [keyword, caption] if position == "prefix" else [caption, keyword]
    glue = separator.strip()
    here, there = caption.casefold(), keyword.casefold()
    rest = here.removeprefix(there) if position == "prefix" else here.removesuffix(there)
    # "designs" does not begin with the keyword "design": what follows it must not be a letter
    edge = rest[:1] if position == "prefix" else rest[-1:]
    present = rest != here and not edge.isalnum()
    return caption if present else separator.join(part.strip().strip(glue) for part in parts)


def edited(captions, edits, images):
    """Return the (id, caption) pairs `captions` with those of the table `edits` in their place.

    `edits` is a CSV, JSON lines or Parquet file with a row per picture that is captioned anew: its
    `file` (as its owner or the folder of the images stage calls it) or `id`, and the `text`; an
    empty one takes the caption away. Raises UserError, with file and row, for a picture that is
    not in `images`, a folder of the images stage, or that has two rows.
    """
    metadata = pq.read_table(
        Path(images) / "metadata.parquet", columns=["id", "file", "origin"]
    ).to_pylist()
    known = {
        "id": {row["id"]: row["id"] for row in metadata},
        "file": {row[name]: row["id"] for name in ("file", "origin") for row in metadata},
    }
    found, places = dict(captions), {}
    for place, row in tables.rows(edits):
        identifier = _edited_picture(row, known, f"{edits} {place}")
        if (first := places.setdefault(identifier, place)) != place:
            raise UserError(f"{edits} {place} captions {identifier!r} again, after {first}")
        found[identifier] = " ".join(row["text"].split()) or None
    return list(found.items())


def _edited_picture(row, known, where):
    """The id of the picture that a row of a table of edits captions."""
    key = next((key for key in ("id", "file") if row.get(key)), None)
    if key is None or not isinstance(row.get("text"), str):
        raise UserError(f"{where} must have a picture's file or id, and its text")
    if row[key] not in known[key]:
        near = difflib.get_close_matches(str(row[key]), known[key], n=1, cutoff=0.5)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(f"{where} names {key} {row[key]!r}, but there is no such picture{guess}")
    return known[key][row[key]]


def read(path):
    """The (id, caption or None) pairs of a table of captions."""
    table = pq.read_table(path, columns=["id", "caption"])
    return list(zip(*(column.to_pylist() for column in table.columns)))


def write(pairs, path):
    """Write (id, caption or None) pairs as a table of captions."""
    rows = [{"id": identifier, "caption": caption} for identifier, caption in pairs]
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), temporary)
