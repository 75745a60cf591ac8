"""The images stage: what a source gives, as PNG or JPEG files with one table about them."""

import pyarrow as pa
import pyarrow.parquet as pq

from emaki import pictures
from emaki.errors import UserError
from emaki.files import replacing
from emaki.sources import Reject, folder, openmoji

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
    ]
)
REJECTS = pa.schema([("file", pa.string()), ("reason", pa.string())])


def write(items, output):
    """Write the folder `output`: pictures/, metadata.parquet and rejects.parquet.

    `items` are `Picture`s and `Reject`s of `emaki.sources`. A picture with the same pixels as an
    earlier one becomes a reject. `sha256` in the metadata is that of the pixels. Raises UserError
    if no picture is left.
    """
    rows, rejects, seen = [], [], {}
    with replacing(output) as stage:
        (stage / "pictures").mkdir(parents=True)
        for item in items:
            if isinstance(item, Reject):
                rejects.append(vars(item))
                continue
            digest = pictures.sha256(item.image)
            name = getattr(item, "file", item.id)
            if digest in seen:
                rejects.append({"file": name, "reason": f"the same pixels as {seen[digest]}"})
                continue
            seen[digest] = name
            rows.append(_store(item, stage / "pictures") | {"sha256": digest})
        if not rows:
            raise UserError(f"no usable picture; {explain(rejects)}")
        pq.write_table(pa.Table.from_pylist(rows, METADATA), stage / "metadata.parquet")
        pq.write_table(pa.Table.from_pylist(rejects, REJECTS), stage / "rejects.parquet")


def explain(rejects, most=3):
    """One line about rejects: how many were set aside, and the first `most` with the reasons."""
    shown = "; ".join(f"{reject['file']}: {reject['reason']}" for reject in rejects[:most])
    more = f"; and {len(rejects) - most} more" if len(rejects) > most else ""
    return f"{len(rejects)} set aside ({shown}{more})" if rejects else "the source gave none"


def _store(picture, folder):
    """Write one picture (the source's own bytes where it kept them); its row of the metadata."""
    data = getattr(picture, "data", None)
    if data is None:
        data = pictures.to_png(picture.image)
    file = picture.id + (".png" if data.startswith(b"\x89PNG") else ".jpg")
    (folder / file).write_bytes(data)
    return {
        "id": picture.id,
        "file": file,
        "width": picture.image.width,
        "height": picture.image.height,
        "licence": picture.licence,
        "credit": picture.credit,
        "caption": picture.caption,
    }


def expected(source):
    """How many pictures a source mapping will give, for a progress bar."""
    if source["type"] == "folder":
        return folder.total(source)
    if source["type"] == "openmoji":
        return len(source.get("names") or openmoji.catalogue()) * source.get("views", 1)
    return source["count"]
