"""What captioners share that ask a model of transformers."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import Field

from emaki.captioners import Captioner
from emaki.common.settings import ModelFolder
from emaki.data.picture import Caption

if TYPE_CHECKING:
    from PIL import Image

BATCH = 16


class LoadedModel(Protocol):
    """A model in memory."""

    def caption(self, images: list["Image.Image"], keys: list[str]) -> list[str]:
        """The captions of RGB images, "" where the model says nothing.

        `keys` are the pictures' own digests: what is drawn at random depends on nothing else, so
        that what a picture is called does not depend on its company.
        """


class ModelCaptioner(Captioner):
    """Captions by a model of transformers."""

    environment: ClassVar[str] = "captioning"
    needs_gpu: ClassVar[bool] = True

    model: ModelFolder
    """A model of transformers with its processor."""

    num_beams: int = Field(1, ge=1, le=100)
    """Beams of the search for the likeliest caption; not where it is sampled."""

    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    """Of the model's weights and sums; halves save memory and time on a GPU."""

    def load(self) -> LoadedModel:
        """The model, on the GPU where there is one. Raises UserError if the folder holds none."""
        raise NotImplementedError

    def caption_pictures(self, images: Path, below: list[Caption]) -> Iterable[Caption]:
        """(id, caption or None) of the pictures, in the order of the images stage.

        Pictures of one size share a batch as far as possible, since a model that sees larger
        pictures in more tokens would pad the small ones. Batches are always full (the last one
        repeats a picture), so that the sums in a batch are rounded in the same way whatever the
        number of pictures.
        """
        from emaki.common import parquet_files
        from emaki.common.batching import filled
        from emaki.common.progress import bar

        model = self.load()
        rows = parquet_files.read(images / "metadata.parquet").to_pylist()
        order = sorted(rows, key=lambda row: (row["height"], row["width"]))  # else as stored
        found: dict[str, str | None] = {}
        starts = range(0, len(order), BATCH)
        for start in bar(starts, unit="batches", label=f"captions {self.type}"):
            batch = order[start : start + BATCH]
            full = filled(batch, BATCH)
            pictures = [_open_picture(images, row) for row in full]
            texts = model.caption(pictures, [row["sha256"] for row in full])
            found |= {row["id"]: " ".join(text.split()) or None for row, text in zip(batch, texts)}
        return [(row["id"], found[row["id"]]) for row in rows]


def _open_picture(images: Path, row: dict[str, Any]) -> "Image.Image":
    import io

    from PIL import Image

    from emaki.data.decoding import read_stored_bytes

    with Image.open(io.BytesIO(read_stored_bytes(images, row))) as image:
        return image.convert("RGB")
