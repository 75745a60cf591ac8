"""What can be said of a comparison by a measure."""

BETTER, WORSE, SAME, UNDECIDED = "better", "worse", "the same", "not decided yet"
VERDICTS = (BETTER, WORSE, SAME, UNDECIDED)
