"""Prompts made from a template and lists of what may stand in it."""

import hashlib
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence

PLACE = re.compile(r"\{([^{}]*)\}")
# Divides a template into the parts of a list, and the sentence before it.
SEPARATOR = re.compile(r"(,\s*(?:and\s+)?|\s+and\s+)")
ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou])(?!uni|use|eu|one)")

Values = Mapping[str, Sequence[str]]
"""What may stand for each name of a template."""


def names_of(template: str) -> list[str]:
    """The names in a template's braces."""
    return PLACE.findall(template)


def count_combinations(values: Values) -> int:
    """How many prompts there are of a template."""
    return math.prod(map(len, values.values()))


def make_prompts(template: str, values: Values, count: int) -> list[str]:
    """The first `count` of a template's prompts, each once, or all if there are fewer.

    Combinations come in the order of a hash, so more of them begin with the same. A text that is
    added to `values` changes only those of the prompts in which it now stands.
    """
    found: dict[str, None] = {}
    seen: set[tuple[str, ...]] = set()
    for chosen in _combinations(values):
        if len(found) == count or len(seen) == count_combinations(values):
            break
        if chosen not in seen:
            seen.add(chosen)
            found.setdefault(fill(template, dict(zip(values, chosen))))
    return list(found)


def _combinations(values: Values) -> Iterator[tuple[str, ...]]:
    """Combinations without end, again and again the same ones too: for each name the text whose
    hash is highest."""
    for number in itertools.count():
        yield tuple(
            max(texts, key=lambda text: _hash(f"{number}\n{name}\n{text}"))
            for name, texts in values.items()
        )


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def fill(template: str, chosen: Mapping[str, str]) -> str:
    """A template with one text for each of its names.

    A part between commas or `and` that has names and only empty texts for them is left out; where
    `and` was before the last part, it is before the last that is left.
    """
    first, *rest = SEPARATOR.split(template)
    pairs = [("", first), *zip(rest[::2], rest[1::2])]
    kept = [(separator, _fill(part, chosen)) for separator, part in pairs if _has(part, chosen)]
    if len(kept) > 1 and "and" in pairs[-1][0]:
        kept[-1] = (pairs[-1][0], kept[-1][1])
    text = "".join(
        (separator if number else "") + part for number, (separator, part) in enumerate(kept)
    )
    return ARTICLE.sub(r"\1n ", " ".join(text.split()))


def _has(part: str, chosen: Mapping[str, str]) -> bool:
    names = names_of(part)
    return not names or any(chosen[name] for name in names)


def _fill(part: str, chosen: Mapping[str, str]) -> str:
    return PLACE.sub(lambda place: chosen[place[1]], part).strip()
