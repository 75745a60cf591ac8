"""The captions stage: a table (id, caption) for the pictures of a source, one captioner each."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emaki.files import replacing

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


def read(path):
    """The (id, caption or None) pairs of a table of captions."""
    table = pq.read_table(path, columns=["id", "caption"])
    return list(zip(*(column.to_pylist() for column in table.columns)))


def write(pairs, path):
    """Write (id, caption or None) pairs as a table of captions."""
    rows = [{"id": identifier, "caption": caption} for identifier, caption in pairs]
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), temporary)
