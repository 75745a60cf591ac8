"""The settings of how far comparisons are looked at."""

from typing import Annotated, Literal

from pydantic import Field

from emaki.common.settings import Settings, Unique

# Prompts after which a comparison is looked at. The first look is late, because with fewer prompts
# the rare crash of a fine-tune is not yet among them and intervals are too short: with a first look
# at 32 prompts 12 to 23 of a hundred equal models were called better or worse on real differences.
LOOKS = (128, 192, 256, 384, 512)
ERROR = 0.05
Count = Annotated[int, Field(ge=2, le=10_000)]


class Evaluation(Settings):
    """How many prompts a comparison is given, and how sure its verdict is to be."""

    until: Literal["decided", "all"] = "decided"
    """Draw further prompts only for what is not decided yet, or `at_most` for all at once. The
    verdicts are the same."""

    at_most: Count = 256
    """Prompts of a set that are drawn; a set that has fewer ends before."""

    looks: Unique[Count] = Field(list(LOOKS), min_length=1)
    """Numbers of prompts after which a comparison is looked at."""

    error: float = Field(ERROR, gt=0, lt=0.5)
    """Chance that anything of an experiment is decided wrongly, all its comparisons, measures and
    looks together."""
