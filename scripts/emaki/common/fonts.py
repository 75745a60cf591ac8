"""The letters of pictures that are made for people.

DejaVu Sans comes with matplotlib, so that pictures are the same everywhere. It has no Chinese,
Japanese or Korean: those are drawn in a font that is installed on this machine.
"""

import functools
from collections.abc import Iterable, Iterator
from importlib.resources import files
from itertools import groupby
from pathlib import Path

from PIL import ImageDraw, ImageFont

from emaki.common.progress import tell

# Where systems keep fonts, those of the user first.
FOLDERS = (
    *("~/.local/share/fonts", "~/.fonts", "/usr/local/share/fonts", "/usr/share/fonts"),
    *("~/Library/Fonts", "/Library/Fonts", "/System/Library/Fonts"),
)
SUFFIXES = {".ttf", ".otf", ".ttc"}
NO_LETTER = "\U0010ffff"  # what a font has no letter for, it draws as it draws this


class Letters:
    """Letters of one size in pixels: of DejaVu Sans, and of another font those that it lacks."""

    def __init__(self, size: int, folders: Iterable[str] = FOLDERS) -> None:
        path = files("matplotlib") / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        self.fonts = [ImageFont.truetype(str(path), size)]
        self.lacking: set[str] = set()
        """Letters that no font here has: boxes in the picture."""
        self._others = _open(folders, size)
        self._known: dict[str, ImageFont.FreeTypeFont] = {}

    def getlength(self, text: str) -> float:
        """How many pixels wide a line is."""
        return sum(font.getlength(part) for font, part in self._parts(text))

    def draw(
        self, pen: ImageDraw.ImageDraw, corner: tuple[float, float], text: str, ink: str
    ) -> None:
        """Draw a line, its top left at `corner`."""
        left, top = corner
        ascent = self.fonts[0].getmetrics()[0]
        for font, part in self._parts(text):
            pen.text((left, top + ascent - font.getmetrics()[0]), part, ink, font)
            left += font.getlength(part)

    def tell_lacking(self, label: str) -> None:
        """Say on the terminal which letters are boxes, and what helps."""
        if self.lacking:
            shown = "".join(sorted(self.lacking)[:12])
            tell(
                f"{label}: no font on this machine has {shown} ({len(self.lacking)} letters), "
                "which are boxes in its pictures: install one, such as Noto Sans CJK"
            )

    def _parts(self, text: str) -> Iterator[tuple[ImageFont.FreeTypeFont, str]]:
        for font, part in groupby(text, self._font):
            yield font, "".join(part)

    def _font(self, letter: str) -> ImageFont.FreeTypeFont:
        if letter not in self._known:
            self._known[letter] = self._find(letter)
        return self._known[letter]

    def _find(self, letter: str) -> ImageFont.FreeTypeFont:
        for font in self.fonts:
            if has(font, letter):
                return font
        for font in self._others:
            self.fonts.append(font)
            if has(font, letter):
                return font
        self.lacking.add(letter)
        return self.fonts[0]


def has(font: ImageFont.FreeTypeFont, letter: str) -> bool:
    """Whether a font has a letter."""
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask(NO_LETTER))


def _open(folders: Iterable[str], size: int) -> Iterator[ImageFont.FreeTypeFont]:
    for path in _installed(tuple(folders)):
        try:
            yield ImageFont.truetype(path, size)
        except OSError:  # none for this size, or damaged
            continue


@functools.cache
def _installed(folders: tuple[str, ...]) -> list[str]:
    """The fonts of this machine: those for many scripts first, each regular before bold."""
    found = [
        str(path)
        for folder in folders
        for path in Path(folder).expanduser().rglob("*")
        if path.suffix.lower() in SUFFIXES
    ]
    return sorted(found, key=_rank)


def _rank(path: str) -> tuple[bool, bool, bool, str]:
    name = Path(path).name.lower()
    return "cjk" not in name, "noto" not in name, "regular" not in name, name
