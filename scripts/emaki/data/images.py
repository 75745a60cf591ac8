"""The images stage: what a source gives, as PNG or JPEG files with one table about them."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from emaki.common import parquet_files, parquet_images
from emaki.common.errors import UserError
from emaki.common.files import replacing
from emaki.data import decoding
from emaki.data.archives import PLACE
from emaki.data.picture import Picture, Reject, explain

REJECTS = pa.schema([("file", pa.string()), ("reason", pa.string())])
METADATA = pa.schema(
    [
        ("id", pa.string()),
        ("file", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("sha256", pa.string()),
        ("licence", pa.string()),
        ("credit", pa.string()),
        ("caption", pa.string()),
        ("origin", pa.string()),  # what the source's owner calls it: the name of their file
        ("split", pa.string()),  # where the owner has put it, if they have
        ("changes", pa.list_(pa.string())),
        ("file_sha256", pa.string()),  # of the bytes in pictures/
    ]
)


NOTES = b"emaki.notes"  # key in the metadata of a table: sentences for the cards, as JSON


def write(
    items: Iterable[Picture | Reject],
    output: str | Path,
    archived: bool = False,
    notes: Callable[[], list[str]] = list,
) -> None:
    """Write the folder `output`: pictures/, metadata.parquet and rejects.parquet.

    A picture with the same pixels as an earlier one becomes a reject. `sha256` in the metadata is
    that of the pixels. Pictures in an archive are not copied: the metadata say where they are, and
    `file` what they would be called. `notes` gives, once the pictures are there, what the cards of
    datasets are to say of them. Raises UserError if no picture is left, but of an archive:
    that is judged of all together.
    """
    rows, rejects = [], []
    seen: dict[str, str] = {}
    with replacing(output) as stage:
        stage.mkdir()
        for item in items:
            if isinstance(item, Reject):
                rejects.append(vars(item))
                continue
            digest = decoding.sha256(item.image)
            if digest in seen:
                reason = f"the same pixels as {seen[digest]}"
                rejects.append({"file": origin(item), "reason": reason})
                continue
            seen[digest] = origin(item)
            rows.append(_store(item, stage / "pictures") | {"sha256": digest})
        if not rows and not archived:
            raise UserError(f"no usable picture; {explain(rejects)}")
        schema = METADATA
        for name, kind in PLACE.items() if archived else ():
            schema = schema.append(pa.field(name, parquet_images.ARROW[kind]))
        if told := notes():
            schema = schema.with_metadata({NOTES: json.dumps(told)})
        parquet_files.write(pa.Table.from_pylist(rows, schema), stage / "metadata.parquet")
        parquet_files.write(pa.Table.from_pylist(rejects, REJECTS), stage / "rejects.parquet")


def read_notes(schema: pa.Schema) -> list[str]:
    """What the cards are to say, from the schema of a table about the pictures."""
    return json.loads((schema.metadata or {}).get(NOTES, b"[]"))


def origin(picture: Picture) -> str:
    """The name by which the owner of a source knows a picture: of its file, or its id."""
    return getattr(picture, "file", picture.id)


def _store(picture: Picture, folder: Path) -> dict[str, Any]:
    """Write one picture (the source's own bytes where it kept them); its row of the metadata."""
    data = getattr(picture, "data", None)
    jpeg = data is not None and not data.startswith(b"\x89PNG")
    file = picture.id + (".jpg" if jpeg else ".png")
    place = {name: getattr(picture, name) for name in PLACE if hasattr(picture, name)}
    digest = None
    if not place:
        folder.mkdir(exist_ok=True)
        whole = decoding.to_png(picture.image) if data is None else data
        (folder / file).write_bytes(whole)
        digest = hashlib.sha256(whole).hexdigest()
    return place | {
        "file_sha256": digest,
        "id": picture.id,
        "file": file,
        "width": picture.image.width,
        "height": picture.image.height,
        "licence": picture.licence,
        "credit": picture.credit,
        "caption": picture.caption,
        "origin": origin(picture),
        "split": picture.split,
        "changes": list(picture.changes),
    }
