"""The captions that a source itself has."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from emaki.captioners import Captioner
from emaki.data.picture import Caption


class Alt(Captioner):
    """The source's own captions."""

    type: Literal["alt"] = "alt"

    def caption_pictures(self, images: Path, below: list[Caption]) -> Iterable[Caption]:
        """The source's own captions, as the images stage has kept them."""
        from emaki.data.captions import read_captions

        return read_captions(images / "metadata.parquet")
