"""The page on which people vote: two pictures of a prompt, and no word of who drew them."""

import base64
import hashlib
import io
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2
from PIL import Image

from emaki.common import parquet_files
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


Pictures = Mapping[tuple[str, int], Picture]
"""By prompt and seed, in the order of the samples."""


class Pair(NamedTuple):
    """Two pictures of one prompt by their ids."""

    prompt: str
    left: str
    right: str


def read_pictures(paths: Iterable[str | Path]) -> dict[tuple[str, int], Picture]:
    """The pictures of samples, a file for each block."""
    found = {}
    for path in paths:
        columns = ["prompt", "seed", "image", "key"]
        for row in parquet_files.read(path, columns=columns).to_pylist():
            picture = Picture(picture_id(row["key"]), row["image"]["bytes"])
            found[row["prompt"], row["seed"]] = picture
    return found


def render(contests: Sequence[Contest], samples: Mapping[tuple[str, str], Pictures]) -> str:
    """The page as HTML, with all its pictures inside.

    `samples` are {(variant, set of prompts): its pictures}. Order and sides are random by a seed
    made of the pictures: the same pictures give the same bytes.
    """
    asked = [pair for contest in contests for pair in _pairs(contest, samples)]
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
    contest: Contest, samples: Mapping[tuple[str, str], Pictures]
) -> Iterator[tuple[str, Picture, Picture]]:
    """(prompt, picture, picture) of a contest; of the same picture there is nothing to ask."""
    ours, theirs = (samples[p, contest.prompts] for p in (contest.variant, contest.baseline))
    first: dict[str, tuple[str, int]] = {}
    for key in ours:
        if key in theirs:
            first.setdefault(key[0], key)
    keys = list(first.values())
    for place in range(contest.first, contest.first + min(contest.number, len(keys))):
        key = keys[place % len(keys)]
        if ours[key].png != theirs[key].png:
            yield key[0], ours[key], theirs[key]


def _embed(png: bytes) -> str:
    with Image.open(io.BytesIO(png)) as image:
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "WEBP", quality=QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _digest(text: str) -> str:
    """What a Content-Security-Policy names a script or a style by."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
