"""Living rooms, drawn as SVG from a few attributes, so that the truth about each is known."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from emaki.data.picture import Picture
from emaki.data.sources import Count, DivisibleSource

COLOURS = {
    "red": "#c0392f",
    "orange": "#e08a2e",
    "yellow": "#e5bd3a",
    "green": "#4f8a4c",
    "blue": "#3b66ad",
    "pink": "#e093ac",
    "brown": "#7d4d2c",
    "black": "#333338",
    "grey": "#8b8f96",
    "white": "#f4f1ea",
}
# style: (colours of the wall, colour of the floor)
STYLES = {
    "modern": (["#e4e7ea", "#d5dde3"], "#aeb2b6"),
    "rustic": (["#c99f6c", "#b98d5c"], "#6b4427"),
    "industrial": (["#b5654a", "#a3573f"], "#7f7f80"),
    "plain": (["#cfe0d2", "#ecd9cf", "#d3daec", "#efe6c8"], "#b98f60"),
}
EXTRAS = ("window", "painting", "rug", "lamp", "plant")
OUTLINE = 'stroke="#0004" stroke-width=".8"'


@dataclass(frozen=True)
class Room:
    """What is to be seen. `rug` is a key of COLOURS or None; the other extras are there or not.

    `window` and `painting` hang left and right of the middle, or the other way about if `turned`.
    """

    style: str
    couch: str
    wall: str
    window: bool
    painting: bool
    rug: str | None
    lamp: bool
    plant: bool
    turned: bool

    def extras(self) -> list[str]:
        """The extras that are there, as words without article, in a fixed order."""
        phrases = {name: name for name in EXTRAS if getattr(self, name)}
        if self.rug:
            phrases["rug"] = f"{self.rug} rug"
        return list(phrases.values())


class Rooms(DivisibleSource):
    """Living rooms, drawn from a few attributes, so that the truth about each is known."""

    type: Literal["rooms"] = "rooms"

    count: Count
    """Number of pictures."""

    seed: int = Field(0, ge=0)
    """Another seed draws other pictures."""

    captions: Literal["full", "partial", "sparse"] = "full"
    """Everything that is to be seen, some of it, or as vague as on a stock site."""

    def pictures(self) -> Iterator[Picture]:
        """Yield `count` rooms."""
        from emaki.data.svg import render

        caption = CAPTIONS[self.captions]
        for number in range(self.count):
            chance = random.Random(f"{self.seed}-{number}")
            room = furnish(chance)
            yield Picture(
                id=f"rooms-{number:06d}",
                image=render(draw(room)),
                caption=caption(room, chance),
                licence="MIT",
                credit="drawn by Emaki",
            )

    def count_pictures(self) -> int:
        """`count`."""
        return self.count


def furnish(chance: random.Random) -> Room:
    """A `Room` whose attributes are independent of each other."""
    style = chance.choice(list(STYLES))
    return Room(
        style=style,
        couch=chance.choice(list(COLOURS)),
        wall=chance.choice(STYLES[style][0]),
        window=chance.random() < 0.5,
        painting=chance.random() < 0.35,
        rug=chance.choice(list(COLOURS)) if chance.random() < 0.45 else None,
        lamp=chance.random() < 0.45,
        plant=chance.random() < 0.45,
        turned=chance.random() < 0.5,
    )


def full_caption(room: Room, _chance: random.Random) -> str:
    """For example "a rustic living room with a red couch, a window and a blue rug"."""
    return _sentence(room, room.extras())


def partial_caption(room: Room, chance: random.Random) -> str:
    """A full caption without some of the extras."""
    return _sentence(room, [extra for extra in room.extras() if chance.random() < 0.5])


def sparse_caption(room: Room, chance: random.Random) -> str:
    """One or two attributes in a wording that varies, or none at all."""
    extra = _with_article(chance.choice(room.extras() or ["wall"]))
    seat = chance.choice(["couch", "sofa", "couch"])
    return chance.choice(
        [
            "living room",
            "a living room with furniture",
            f"{room.couch} {seat}",
            f"{room.couch} {seat} in a room",
            f"{seat} near {extra}",
            f"{room.couch} {seat} beside {extra}",
            f"a room with {extra}",
            f"{room.style} living room" if room.style != "plain" else "an empty living room",
            f"a living room with a {seat} and {extra}",
            "photo of a room",
        ]
    )


CAPTIONS = {"full": full_caption, "partial": partial_caption, "sparse": sparse_caption}


def draw(room: Room) -> str:
    """The room as SVG text on a 64 x 64 canvas."""
    left, right = (40, 6) if room.turned else (6, 40)
    parts = [_walls(room)]
    if room.window:
        parts.append(_window(left))
    if room.painting:
        parts.append(_painting(right))
    if room.rug:
        rug = f'cx="32" cy="57" rx="25" ry="5.5" fill="{COLOURS[room.rug]}"'
        parts.append(f"<ellipse {rug} {OUTLINE}/>")
    parts.append(_couch(room))
    if room.lamp:
        parts.append(_lamp(right))
    if room.plant:
        parts.append(_plant(left))
    body = "".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">{body}</svg>'


def _walls(room):
    floor = STYLES[room.style][1]
    parts = [
        f'<rect width="64" height="43" fill="{room.wall}"/>',
        f'<rect y="43" width="64" height="21" fill="{floor}"/>',
    ]
    if room.style == "rustic":  # planks under a beam
        for x in range(8, 64, 8):
            parts.append(f'<path d="M{x} 4V43" stroke="#7d5430" stroke-width="1"/>')
        parts.append('<rect width="64" height="5" fill="#54341a"/>')
    elif room.style == "industrial":  # bricks
        for row, y in enumerate(range(0, 43, 6)):
            parts.append(f'<path d="M0 {y}H64" stroke="#dcc0b0" stroke-width=".8"/>')
            for x in range(6 if row % 2 else 0, 64, 12):
                parts.append(f'<path d="M{x} {y}V{y + 6}" stroke="#dcc0b0" stroke-width=".8"/>')
    elif room.style == "modern":  # a white stripe of light along the ceiling
        parts.append('<rect width="64" height="3" fill="#fff"/>')
    parts.append('<path d="M0 43H64" stroke="#0005" stroke-width="1"/>')
    return "".join(parts)


def _couch(room):
    colour = COLOURS[room.couch]
    round_ = 1 if room.style in ("modern", "industrial") else 4
    boxes = [(14, 30, 36, 14), (14, 39, 36, 10), (10, 35, 7, 14), (47, 35, 7, 14)]
    legs = "".join(f'<rect x="{x}" y="48" width="2" height="4" fill="#3a2a1c"/>' for x in (13, 49))
    shapes = (
        f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="{round_}" fill="{colour}" {OUTLINE}/>'
        for x, y, w, h in boxes
    )
    return legs + "".join(shapes) + f'<path d="M32 40V48" {OUTLINE}/>'


def _window(x):
    return (
        f'<rect x="{x}" y="8" width="18" height="18" fill="#fff" {OUTLINE}/>'
        f'<rect x="{x + 2}" y="10" width="14" height="14" fill="#8fc8f2"/>'
        f'<path d="M{x + 9} 9V25M{x + 1} 17H{x + 17}" stroke="#fff" stroke-width="1.6"/>'
    )


def _painting(x):
    return (
        f'<rect x="{x}" y="10" width="17" height="14" fill="#6b4a2a"/>'
        f'<rect x="{x + 2}" y="12" width="13" height="10" fill="#f6e7b4"/>'
        f'<path d="M{x + 2} 22L{x + 7} 15L{x + 10} 19L{x + 12} 17L{x + 15} 22Z" fill="#5d8f6b"/>'
    )


def _lamp(side):
    x = 59 if side > 32 else 5
    return (
        f'<path d="M{x} 22V50M{x - 3} 50H{x + 3}" stroke="#3c3c3c" stroke-width="1.4"/>'
        f'<path d="M{x - 5} 24L{x - 2.5} 15H{x + 2.5}L{x + 5} 24Z" fill="#ffd968" {OUTLINE}/>'
    )


def _plant(side):
    x = 58 if side > 32 else 6
    leaves = "".join(
        f'<ellipse cx="{x}" cy="34" rx="2.6" ry="8" fill="#3c8c48"'
        f' transform="rotate({angle} {x} 42)"/>'
        for angle in (-38, 38, 0)
    )
    return leaves + f'<path d="M{x - 4} 42H{x + 4}L{x + 3} 51H{x - 3}Z" fill="#b8602f" {OUTLINE}/>'


def _sentence(room, extras):
    style = "" if room.style == "plain" else f"{room.style} "
    things = [_with_article(thing) for thing in [f"{room.couch} couch", *extras]]
    return f"{_with_article(style + 'living room')} with {_listing(things)}"


def _with_article(words):
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _listing(things):
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"
