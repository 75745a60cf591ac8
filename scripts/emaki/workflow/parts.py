"""Where pictures and scores lie: a file for each block of what an owner draws, many tables in each.

An `owner` is what variants are made of and drawn by one job for each block: a base model
(base/{model}), or a training of a run. Blocks are counted from 0.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from emaki.common.parts import Part

ScoreParts = dict[tuple[str, str, str], list[Part]]
"""{(measure, variant, role): scores, a block each, in order}."""


def owner_of(variant: str) -> str:
    """The owner of a variant."""
    return variant if variant.startswith("base/") else variant.partition("/")[0]


def drawn_part(folder: str, variant: str, prompts: str, block: int) -> Part:
    """What a variant drew of a block of a set of prompts, in a study's folder of results."""
    return Part(f"{folder}/samples/{owner_of(variant)}/{block}.parquet", (variant, prompts))


def score_part(
    folder: str, environment: str, measure: str, variant: str, prompts: str, block: int
) -> Part:
    """The scores of that by a measure, which runs in an environment."""
    path = f"{folder}/scores/{environment}/{owner_of(variant)}/{block}.parquet"
    return Part(path, (measure, variant, prompts))


def files_in(parts: Iterable[Mapping[Any, list[Part]]]) -> list[str]:
    """The files of the samples or scores of several experiments, each once."""
    return sorted({part.path for own in parts for found in own.values() for part in found})
