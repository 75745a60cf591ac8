"""DiceBear avatars: drawings whose attributes, all known, make an exact caption.

Options: `style` (a key of STYLES), `count`, and `first` (the number of the first, default 0).
A number is the seed of its avatar, so a longer source begins with the pictures of a shorter one.
"""

import json
import re
from importlib.resources import files

from emaki.common.errors import UserError
from emaki.data.picture import Picture
from emaki.data.svg import SIZE, render

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


def pictures(source):
    """Yield `count` avatars of `style`. Raises UserError for a style that has no captions here."""
    from dicebear import Avatar, Style

    name = source["style"]
    if name not in STYLES:
        raise UserError(f"DiceBear style {name!r} has no captions: use one of {', '.join(STYLES)}")
    definition = json.loads(files("dicebear_styles").joinpath(f"{name}.json").read_text("utf-8"))
    style = Style(definition)
    first = source.get("first", 0)
    for number in range(first, first + source["count"]):
        options = {"seed": str(number), "size": SIZE, "animationVariant": ["none"]}
        avatar = Avatar(style, options)
        yield Picture(
            id=f"{name}-{number:06d}",
            image=render(avatar.to_string()),
            caption=describe(avatar.to_json()["options"], *STYLES[name]),
            licence=definition["meta"]["license"]["name"],
            credit="DiceBear, https://www.dicebear.com",
        )


def describe(options, noun, attributes):
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


def _words(name):
    """camelCase as words: "bigPupils" becomes "big pupils"."""
    return re.sub(r"([A-Z])", r" \1", name).lower()
