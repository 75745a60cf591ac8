"""In what blocks a set's prompts are drawn, and after how many of them comparisons are looked at.

A block is a file of samples and one of scores for each measure; its name is that of its first
prompt and of the one after its last: 0032-0128.
"""

import itertools
from collections.abc import Sequence

from emaki.config.settings import Study

FIRST = 32  # prompts of the first block: enough to see, and all that is drawn of the way to the end


def cuts(study: Study, prompts: str) -> list[int]:
    """Where a set's blocks end: the numbers of prompts that may have been drawn, increasing."""
    looks = study.evaluation.looks
    end = min(study.prompts[prompts].size, study.evaluation.at_most)
    return sorted({cut for cut in (min(FIRST, *looks), *looks, end) if cut <= end})


def looks(study: Study, prompts: str) -> list[int]:
    """The numbers of prompts of a set after which comparisons are looked at.

    A set that is too small for the first look has one, at its end.
    """
    found = cuts(study, prompts)
    least = min(study.evaluation.looks)
    return [cut for cut in found if cut >= least] or found[-1:]


def blocks(study: Study, prompts: str, end: int | None = None) -> list[str]:
    """The names of a set's blocks up to the cut `end`, or all."""
    found = [cut for cut in cuts(study, prompts) if end is None or cut <= end]
    return [f"{first:04d}-{last:04d}" for first, last in itertools.pairwise([0, *found])]


def first_block(study: Study, prompts: str) -> str:
    """The name of a set's first block, which is drawn of everything."""
    return blocks(study, prompts)[0]


def bounds(block: str) -> tuple[int, int]:
    """The first prompt of a block and the one after its last, by its name."""
    first, last = map(int, block.split("-"))
    return first, last


def number_of_looks(study: Study, prompts: Sequence[str]) -> int:
    """How often comparisons on these sets are looked at, at most."""
    return max((len(looks(study, name)) for name in prompts), default=0)
