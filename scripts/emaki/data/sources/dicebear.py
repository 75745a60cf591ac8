"""DiceBear avatars: drawings whose attributes, all known, make an exact caption."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Literal

from pydantic import Field

from emaki.data.picture import Picture
from emaki.data.sources import Count, DivisibleSource

# style: (what one calls it, the attributes that the caption lists and the noun of each)
STYLES = {
    "critters": ("critter", {"top": "", "pattern": "", "eyes": " eyes", "mouth": " mouth"}),
}
COLOURS = {
    "#c2410c": "orange",
    "#be123c": "red",
    "#1e293b": "black",
    "#0369a1": "blue",
    "#1d4ed8": "blue",
    "#4338ca": "indigo",
    "#6d28d9": "purple",
    "#a21caf": "magenta",
    "#be185d": "pink",
    "#b45309": "brown",
    "#047857": "green",
    "#0f766e": "teal",
    "#7dd3fc": "sky blue",
    "#a5b4fc": "blue",
    "#c4b5fd": "purple",
    "#f0abfc": "pink",
    "#fda4af": "rose",
    "#fca5a5": "salmon",
    "#fdba74": "orange",
    "#fcd34d": "yellow",
    "#bef264": "lime",
    "#6ee7b9": "mint",
    "#5eead4": "turquoise",
    "#e2e8f0": "white",
}


class DiceBear(DivisibleSource):
    """DiceBear avatars: drawings whose attributes, all known, make an exact caption."""

    type: Literal["dicebear"] = "dicebear"

    style: Literal["critters"]
    """The DiceBear style."""

    count: Count
    """Number of pictures."""

    first: int = Field(0, ge=0)
    """Number of the first picture: the seed of its avatar, of the next one more."""

    def pictures(self) -> Iterator[Picture]:
        """Yield `count` avatars of `style`; a longer source begins with those of a shorter one."""
        from dicebear import Avatar, Style

        from emaki.data.svg import SIZE, render

        file = files("dicebear_styles").joinpath(f"{self.style}.json")
        definition = json.loads(file.read_text("utf-8"))
        style = Style(definition)
        for number in range(self.first, self.first + self.count):
            options = {"seed": str(number), "size": SIZE, "animationVariant": ["none"]}
            avatar = Avatar(style, options)
            yield Picture(
                id=f"{self.style}-{number:06d}",
                image=render(avatar.to_string()),
                caption=describe(avatar.to_json()["options"], *STYLES[self.style]),
                licence=definition["meta"]["license"]["name"],
                credit="DiceBear, https://www.dicebear.com",
            )

    def count_pictures(self) -> int:
        """`count`."""
        return self.count


def describe(options: dict[str, Any], noun: str, attributes: dict[str, str]) -> str:
    """For example "a blue round critter with antenna, dots, happy eyes, smile mouth, ..."."""
    drawn = [
        _words(options[f"{key}Variant"]) + suffix
        for key, suffix in attributes.items()
        if options.get(f"{key}Variant")
    ]
    body = f"{COLOURS[options['bodyColor'][0]]} {_words(options['bodyVariant'])}"
    ground = f"{COLOURS[options['backgroundColor'][0]]} background"
    article = "an" if body[0] in "aeiou" else "a"
    return f"{article} {body} {noun} with {', '.join([*drawn, ground])}"


def _words(name: str) -> str:
    """camelCase as words: "bigPupils" becomes "big pupils"."""
    return re.sub(r"([A-Z])", r" \1", name).lower()
