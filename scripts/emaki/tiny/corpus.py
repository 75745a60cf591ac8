"""The pictures that a tiny model learns from, out of several sources."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from emaki.common.progress import bar
from emaki.data.sources import build

RESOLUTION = 64


def write(sources, path):
    """Write all pictures of `sources`, RESOLUTION pixels square, to the parquet file `path`.

    Columns: id, source (its name, a key of `sources`), image (struct of PNG bytes and path, as
    the Hugging Face datasets library reads it) and text.
    """
    rows = []
    for name, source in bar(sources.items(), unit="sources", label="draw the corpus"):
        for picture in build(source):
            small = picture.image.resize((RESOLUTION, RESOLUTION), Image.Resampling.LANCZOS)
            buffer = io.BytesIO()
            small.save(buffer, "PNG")
            image = {"bytes": buffer.getvalue(), "path": None}
            rows.append(
                {
                    "id": f"{name}-{picture.id}",
                    "source": name,
                    "image": image,
                    "text": picture.caption,
                }
            )
    image_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        [("id", pa.string()), ("source", pa.string()), ("image", image_type), ("text", pa.string())]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema), path)


def read(path, sources=None):
    """Pictures (N, 3, 64, 64) uint8, their texts and their sources' names; of `sources` only."""
    rows = pq.read_table(path).to_pylist()
    rows = [row for row in rows if sources is None or row["source"] in sources]
    arrays = [np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))) for row in rows]
    import torch  # not where corpora are drawn

    pixels = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()
    return pixels, [row["text"] for row in rows], [row["source"] for row in rows]


def to_range(pixels):
    """uint8 pixels as float in [-1, 1]."""
    return pixels.float() / 127.5 - 1


def distinct(path):
    """{source: (pixels, texts)} with one picture per text, for retrieval."""
    pixels, texts, sources = read(path)
    found = {}
    for number, (text, source) in enumerate(zip(texts, sources, strict=True)):
        found.setdefault(source, {}).setdefault(text, number)
    return {name: (pixels[list(at.values())], list(at)) for name, at in found.items()}
