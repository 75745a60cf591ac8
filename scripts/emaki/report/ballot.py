"""The page on which people vote: two pictures of a prompt, and no word of who drew them."""

import base64
import hashlib
import io
import json
import random
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2
from PIL import Image

from emaki.common import parquet_groups
from emaki.common.parts import Part
from emaki.config.contests import Contest
from emaki.evaluation.votes import picture_id

PARTS = Path(__file__).parent / "ballot_parts"
SIDE, QUALITY = 256, 82  # pixels at most, and of WebP
REPEATED = 8  # one pair in so many is shown again
APART = 5  # pairs at least between the two


class Picture(NamedTuple):
    """A drawn picture, and its id on the page."""

    id: str
    png: bytes


Pictures = Mapping[str, Picture]
"""By prompt."""


class Pair(NamedTuple):
    """Two pictures of one prompt by their ids."""

    prompt: str
    left: str
    right: str


def read_prompts(parts: Iterable[Part]) -> list[str]:
    """The prompts of samples, a part for each block, in their order."""
    tables = (parquet_groups.read(part, ["prompt"]) for part in parts)
    return list(dict.fromkeys(prompt for table in tables for prompt in table["prompt"].to_pylist()))


def read_pictures(parts: Iterable[Part], prompts: Container[str]) -> dict[str, Picture]:
    """Of samples, a part for each block, the first picture of each of these prompts."""
    found: dict[str, Picture] = {}
    for part in parts:
        for row in parquet_groups.read(part, ["prompt", "image", "key"]).to_pylist():
            if row["prompt"] in prompts:
                picture = Picture(picture_id(row["key"]), row["image"]["bytes"])
                found.setdefault(row["prompt"], picture)
    return found


def render(
    contests: Iterable[tuple[Contest, Sequence[str]]], samples: Mapping[tuple[str, str], Pictures]
) -> str:
    """The page as HTML, with all its pictures inside.

    `contests` have the prompts that they ask; `samples` are {(variant, set of prompts): the
    pictures of these}. Order and sides are random by a seed made of the pictures: the same pictures
    give the same bytes.
    """
    asked = [pair for contest, prompts in contests for pair in _pairs(contest, prompts, samples)]
    pictures = {one.id: one.png for _, *sides in asked for one in sides}
    seed = hashlib.sha256("\n".join(sorted(pictures)).encode()).hexdigest()
    data = {
        "ballot": seed[:16],
        "pairs": arrange([(prompt, one.id, other.id) for prompt, one, other in asked], seed),
        "pictures": {name: _embed(pictures[name]) for name in sorted(pictures)},
    }
    script, style = ((PARTS / name).read_text("utf-8") for name in ("votes.js", "votes.css"))
    # nothing in it may end the element that it is in
    script += f"\nvote({json.dumps(data, ensure_ascii=False).replace('<', chr(92) + 'u003c')});\n"
    environment = jinja2.Environment(  # noqa: S701 - a script, of numbers and pictures
        loader=jinja2.FileSystemLoader(PARTS), undefined=jinja2.StrictUndefined
    )
    return environment.get_template("votes.html.j2").render(
        style=style, script=script, style_digest=_digest(style), script_digest=_digest(script)
    )


def arrange(asked: Iterable[tuple[str, str, str]], seed: str) -> list[Pair]:
    """Pairs (prompt, picture, picture) in a random order, each with random sides.

    One in REPEATED comes again later, with its sides exchanged.
    """
    chance = random.Random(seed)
    pairs = [Pair(prompt, *chance.sample(sides, 2)) for prompt, *sides in sorted(asked)]
    chance.shuffle(pairs)
    again = pairs[: max(0, len(pairs) - APART) : REPEATED]
    for pair in again:
        place = chance.randint(pairs.index(pair) + APART, len(pairs))
        pairs.insert(place, Pair(pair.prompt, pair.right, pair.left))
    return pairs


def _pairs(
    contest: Contest, prompts: Iterable[str], samples: Mapping[tuple[str, str], Pictures]
) -> Iterator[tuple[str, Picture, Picture]]:
    """(prompt, picture, picture) of a contest; of the same picture there is nothing to ask."""
    ours, theirs = (samples[p, contest.prompts] for p in (contest.variant, contest.baseline))
    for prompt in prompts:
        if ours[prompt].png != theirs[prompt].png:
            yield prompt, ours[prompt], theirs[prompt]


def _embed(png: bytes) -> str:
    with Image.open(io.BytesIO(png)) as image:
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "WEBP", quality=QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _digest(text: str) -> str:
    """What a Content-Security-Policy names a script or a style by."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
