"""What comes of a notebook's claims: reproduced, not reproduced or not decided."""

from collections.abc import Iterable, Mapping
from typing import Any

from emaki.evaluation.metrics import Metric
from emaki.evaluation.words import (
    BETTER,
    NOT_DECIDED,
    NOT_REPRODUCED,
    REPRODUCED,
    SAME,
    UNDECIDED,
    WORSE,
)

# The verdicts that bear a claim out, and that which speaks against "not better" and "not worse".
BEAR_OUT = {
    "better": {BETTER},
    "worse": {WORSE},
    "the same": {SAME},
    "not better": {WORSE, SAME},
    "not worse": {BETTER, SAME},
}


def answer_claims(
    plan: Mapping[str, Any], metrics: Mapping[str, Metric], pairs: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The plan's claims, each with its `answer`, and by how much: the numbers of its comparison.

    `pairs` are judged. A list of {"number", "variant", "baseline", "metric", "says", "answer",
    "found"}, where `found` is the pair's metric with its verdict, difference and interval.
    """
    judged = {(pair["variant"], pair["baseline"]): pair["metrics"] for pair in pairs}
    answered = []
    for claim in plan["claims"]:
        name = claim["metric"]
        found = judged[claim["variant"], claim["baseline"]][name]
        answer = _answer(plan, claim["says"], found, metrics[name].higher_is_better)
        answered.append({**claim, "answer": answer, "found": found})
    return answered


def _answer(plan, says, found, higher_is_better):
    """Whether a verdict bears out what is said.

    "Not better" is also borne out where the verdict is open between worse and the same, but the
    interval ends below the margin on the better side: whatever the difference is, it is no gain
    that matters. The interval holds for all looks together, so its end may be read as it is.
    """
    verdict = found["verdict"]
    if verdict in BEAR_OUT[says]:
        return REPRODUCED
    if verdict not in (None, UNDECIDED):
        return NOT_REPRODUCED
    enough = verdict == UNDECIDED and found["prompts"] >= plan["fewest"]
    return REPRODUCED if enough and _is_excluded(says, found, higher_is_better) else NOT_DECIDED


def _is_excluded(says, found, higher_is_better):
    """Whether the interval ends within the margin on the side that "not better" or "not worse"
    denies."""
    if says not in ("not better", "not worse"):
        return False
    upwards = higher_is_better == (says == "not better")
    end = found["high" if upwards else "low"]
    return end is not None and (end if upwards else -end) < found["margin"]
