"""What a source gives: pictures, and rejects, which are never set aside in silence."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

Caption = tuple[str, str | None]  # a picture's id and what is said of it, if anything is


@dataclass(frozen=True)
class Picture:
    """One picture: RGB, of any size; `caption` is what the source itself says, if it does.

    `changes` are phrases on what was done to it that its owner should know; they are counted.
    `split` ("train" or "validation") is what the owner says of it, if they do.
    """

    id: str
    image: "Image.Image"
    caption: str | None
    licence: str
    credit: str
    changes: tuple[str, ...] = field(default=(), kw_only=True)
    split: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Reject:
    """A file that gave no picture, and why. `file` is relative to the source's folder."""

    file: str
    reason: str


# What reasons of one kind say when they are counted: (pattern, what stands for it).
GENERAL = [
    (r"\d+ x \d+ pixels: a side is under (\d+)", r"a side is under \1 pixels"),
    (r"\d+ x \d+ pixels: more than (\d+)", r"more than \1 pixels"),
    (r"the same pixels as .*", "the same pixels as another"),
    (r"named in .*, but no such picture is there", "named in a table, but not there"),
    (r"named again in .*", "named twice in a table"),
    (r"a second picture beside .*", "a second picture of one name"),
    (r"broken picture: .*", "broken picture"),
    (r"\d+ files? that", "files that"),
]


def count_reasons(reasons: Iterable[str], most: int = 6) -> str:
    """How many there are of each kind of reason, as words; beyond `most` kinds only how many."""
    counts: Counter[str] = Counter()
    for reason in reasons:
        for pattern, words in GENERAL:
            reason = re.sub(f"^{pattern}", words, reason, flags=re.DOTALL)
        counts[reason] += 1
    shown = [f"{count} {reason}" for reason, count in counts.most_common(most)]
    rest = sum(counts.values()) - sum(count for _, count in counts.most_common(most))
    return "; ".join([*shown, f"{rest} for other reasons"] if rest else shown)


def explain(rejects: Sequence[Mapping[str, str]], most: int = 3) -> str:
    """One line about rejects: how many were set aside, and the first `most` with the reasons."""
    shown = "; ".join(f"{reject['file']}: {reject['reason']}" for reject in rejects[:most])
    more = f"; and {len(rejects) - most} more" if len(rejects) > most else ""
    return f"{len(rejects)} set aside ({shown}{more})" if rejects else "the source gave none"
