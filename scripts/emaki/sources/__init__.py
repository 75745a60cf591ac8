"""Where pictures come from. Each module here has `pictures(source)`, a generator.

A source is a mapping from the config: its `type` names the module, the other keys are that
module's options. The same mapping gives the same pictures, byte for byte.
"""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emaki.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

TYPES = ("rooms", "openmoji", "dicebear", "folder", "unsplash", "hub", "hub_stream", "webdataset")
ARCHIVES = ("hub_stream", "webdataset")  # a file is a shard, and the pictures stay in it


@dataclass(frozen=True)
class Picture:
    """One picture: RGB, of any size; `caption` is what the source itself says, if it does."""

    id: str
    image: "Image.Image"
    caption: str | None
    licence: str
    credit: str


@dataclass(frozen=True)
class Reject:
    """A file that gave no picture, and why. `file` is relative to the source's folder."""

    file: str
    reason: str


def build(source):
    """Yield the `Picture`s (of files also `Reject`s) of a source mapping.

    Raises UserError if `source["type"]` is not one of TYPES.
    """
    kind = source.get("type")
    if kind not in TYPES:
        raise UserError(f"source type {kind!r} is unknown: use one of {', '.join(TYPES)}")
    return importlib.import_module(f"emaki.sources.{kind}").pictures(source)
