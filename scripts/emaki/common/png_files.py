"""PNG pictures between jobs, grids and contact sheets, of which any damage is noticed when opened.

PNG has checksums; a text inside says where in the study a picture was written, so that another one
in its place is noticed too.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from PIL import Image, PngImagePlugin

from emaki.common import digests
from emaki.common.errors import UserError
from emaki.common.files import place_in_study

PLACE = "emaki.path"  # the name of that text
DAMAGE = (OSError, SyntaxError, ValueError)  # Pillow's words for a broken file


def write(
    image: Image.Image, path: str | Path, texts: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Write a picture as PNG with `texts` inside, {name: text}. `path` may be from `replacing`."""
    about = PngImagePlugin.PngInfo()
    place = place_in_study(path)
    for name, text in (dict(texts) | ({PLACE: place} if place else {})).items():
        about.add_itxt(name, text)
    image.save(path, optimize=True, pnginfo=about)


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """Yield the picture of a file. Raises UserError where it is damaged or of another place.

    What others wrote has no place and is opened as it is.
    """
    try:
        with Image.open(path) as image:
            image.verify()
        shown = Image.open(path)
        shown.load()
        place = getattr(shown, "text", {}).get(PLACE, "")
    except (FileNotFoundError, PermissionError):
        raise
    except DAMAGE as error:
        raise UserError(f"{path} is damaged ({error}): delete it {digests.ANEW}") from None
    with shown:
        digests.check_place(path, place)
        yield shown
