"""The captions of another captioner, some of them replaced by those of the user's own table."""

import difflib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from emaki.captioners import Captioner
from emaki.common.errors import UserError
from emaki.data.picture import Caption


class Table(Captioner):
    """Another captioner's captions, edited by a table."""

    type: Literal["table"] = "table"

    of: str = Field(json_schema_extra={"value": "captioner"})
    """Captioner whose captions are changed."""

    path: Annotated[
        str,
        Field(
            pattern=r"\.(csv|jsonl|parquet)$",
            json_schema_extra={"allowed": "a .csv, .jsonl or .parquet file", "value": "file"},
        ),
    ]
    """Your table of other captions, `.csv`, `.jsonl` or `.parquet`."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Whether the table is there."""
        if not os.path.isfile(self.path):
            yield "path", f"is {self.path}, which is no file"

    def files(self) -> list[str]:
        """The user's table."""
        return [self.path]

    def caption_pictures(self, images: Path, below: list[Caption]) -> Iterable[Caption]:
        """The captions `below` with those of the user's table in their place.

        The table has a row per picture that is captioned anew: its `file` (as its owner or the
        folder of the images stage calls it) or `id`, and the `text`; an empty one takes the caption
        away. Raises UserError, with file and row, for a picture that is not in `images` or that has
        two rows.
        """
        from emaki.common import parquet_files
        from emaki.data.tables import read_rows

        columns = ["id", "file", "origin"]
        metadata = parquet_files.read(images / "metadata.parquet", columns=columns).to_pylist()
        known = {
            "id": {row["id"]: row["id"] for row in metadata},
            "file": {row[name]: row["id"] for name in ("file", "origin") for row in metadata},
        }
        found = dict(below)
        places: dict[str, str] = {}
        for place, row in read_rows(self.path):
            identifier = _find_picture(row, known, f"{self.path} {place}")
            if (first := places.setdefault(identifier, place)) != place:
                raise UserError(f"{self.path} {place} captions {identifier!r} again, after {first}")
            found[identifier] = " ".join(row["text"].split()) or None
        return found.items()


def _find_picture(row: dict[str, Any], known: dict[str, dict[str, str]], where: str) -> str:
    """The id of the picture that a row of the table captions."""
    key = next((key for key in ("id", "file") if row.get(key)), None)
    if key is None or not isinstance(row.get("text"), str):
        raise UserError(f"{where} must have a picture's file or id, and its text")
    if row[key] not in known[key]:
        near = difflib.get_close_matches(str(row[key]), known[key], n=1, cutoff=0.5)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(f"{where} names {key} {row[key]!r}, but there is no such picture{guess}")
    return known[key][row[key]]
