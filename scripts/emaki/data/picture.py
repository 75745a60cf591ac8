"""What a source gives: pictures, and rejects, which are never set aside in silence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

Caption = tuple[str, str | None]  # a picture's id and what is said of it, if anything is


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


def explain(rejects: Sequence[Mapping[str, str]], most: int = 3) -> str:
    """One line about rejects: how many were set aside, and the first `most` with the reasons."""
    shown = "; ".join(f"{reject['file']}: {reject['reason']}" for reject in rejects[:most])
    more = f"; and {len(rejects) - most} more" if len(rejects) > most else ""
    return f"{len(rejects)} set aside ({shown}{more})" if rejects else "the source gave none"
