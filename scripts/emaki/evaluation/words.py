"""What can be said of a comparison by a measure."""

BETTER, WORSE, SAME, UNDECIDED = "better", "worse", "the same", "not decided yet"
VERDICTS = (BETTER, WORSE, SAME, UNDECIDED)

REPRODUCED, NOT_REPRODUCED, NOT_DECIDED = "reproduced", "not reproduced", "not decided"
CLAIM_ANSWERS = (REPRODUCED, NOT_REPRODUCED, NOT_DECIDED)
"""What can be said of a notebook's claim."""
