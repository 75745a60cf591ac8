"""What people say: files of votes read, win rates, and how well measures agree with people.

The page that they vote on (emaki.report.ballot) knows pictures by ids alone, so a file of votes
says which of two pictures was preferred, and only here is it known who drew them.
"""

import csv
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emaki.common.errors import UserError, nearest
from emaki.evaluation.metrics import Metric

COLUMNS = ("rater", "left", "right", "vote")
SAID = ("left", "right", "tie")
NORMAL = 1.959964  # of an interval of 95 %


class Vote(NamedTuple):
    """What a rater said of two pictures."""

    rater: str
    left: str
    right: str
    """Their ids."""
    said: str
    """One of SAID."""


class Place(NamedTuple):
    """What a picture shows, and who drew it."""

    variant: str
    prompts: str
    """The set."""
    prompt: str
    seed: int


class Sides(NamedTuple):
    """Two models on the prompts of one role: `variant` and `baseline` are paths."""

    variant: str
    baseline: str
    role: str
    prompts: str


def picture_id(key: str) -> str:
    """The id of a picture from the digest of what made it: another picture has another."""
    return hashlib.sha256(f"vote\n{key}".encode()).hexdigest()[:12]


def read_votes(path: str | Path) -> list[Vote]:
    """The votes of a file that the page saved. Raises UserError with the line that is wrong."""
    try:
        lines = Path(path).read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    rows = list(csv.reader(lines, delimiter="\t"))
    if not rows or tuple(rows[0]) != COLUMNS:
        told = "\t".join(rows[0]) if rows else ""
        raise UserError(
            f"{path}:1: is {told[:80]!r}, not the columns {', '.join(COLUMNS)} between tabs: give"
            " the votes.tsv that the page saved"
        )
    found = []
    for number, row in enumerate(rows[1:], 2):
        if not row or tuple(row) == COLUMNS:  # files that were put together
            continue
        if len(row) != len(COLUMNS):
            raise UserError(f"{path}:{number}: has {len(row)} columns, not {len(COLUMNS)}")
        vote = Vote(*row)
        if vote.said not in SAID:
            raise UserError(
                f"{path}:{number}: vote is {vote.said!r}, but must be {', '.join(SAID[:-1])} or"
                f" {SAID[-1]}{nearest(vote.said, SAID)}"
            )
        if vote.left == vote.right:
            raise UserError(f"{path}:{number}: left and right are the same picture {vote.left!r}")
        found.append(vote)
    return found


def count(
    votes: Iterable[Vote],
    places: Mapping[str, Place],
    sides: Sequence[Sides],
    metrics: Mapping[str, Metric],
    scores: Mapping[tuple[str, str, str], Mapping[tuple[str, int], float]],
) -> dict[str, Any]:
    """What the votes come to, ready for JSON.

    `places` {id: what the picture is}, `sides` all that is compared, `scores`
    {(measure, variant, role): {(prompt, seed): number}} of the measures that give a picture one.

    A dict: `votes`, their number; `unknown`, of them on pictures that are gone; `raters`, a list
    of {rater, votes, repeated, steady}, the pairs that were shown twice and how many of them got
    the same vote; `contests`, a list of {variant, baseline, role, prompts_set, prompts (how many),
    wins, low, high, ties} with the share that the variant wins, a tie counting half; `agreement`,
    a list of {metric, prompts, agrees, low, high}.
    """
    votes = list(votes)
    known = [vote for vote in votes if _is_known(vote, places)]
    by_rater = _by_rater(known)
    preferred = _preferred(by_rater)
    contests = []
    for one in sides:
        gains = _gains(one, preferred, places)
        if gains:
            values = np.array(list(gains.values()))
            contests.append(
                {
                    "variant": one.variant,
                    "baseline": one.baseline,
                    "role": one.role,
                    "prompts_set": one.prompts,
                    **_share("wins", (values > 0).sum() + (values == 0).sum() / 2, len(values)),
                    "ties": int((values == 0).sum()),
                }
            )
    return {
        "votes": len(votes),
        "unknown": len(votes) - len(known),
        "raters": [_steadiness(rater, own) for rater, own in by_rater.items()],
        "contests": contests,
        "agreement": [
            found
            for name, metric in metrics.items()
            if (found := _agreement(name, metric, sides, preferred, places, scores))
        ],
    }


def wilson(wins: float, number: int) -> tuple[float, float]:
    """The interval of 95 % of a share (Wilson 1927), which is sensible at 0 and 1 too."""
    share, spread = wins / number, NORMAL**2 / number
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _is_known(vote, places):
    ours, theirs = places.get(vote.left), places.get(vote.right)
    return ours is not None and theirs is not None and ours[1:] == theirs[1:]


def _by_rater(votes):
    """{rater: {(id, id) in order: [1 for the first, -1 for the second, 0 for a tie]}}."""
    found: dict[str, dict[tuple[str, str], list[int]]] = {}
    for vote in votes:
        first, second = sorted((vote.left, vote.right))
        sign = {"left": 1, "right": -1, "tie": 0}[vote.said] * (1 if vote.left == first else -1)
        found.setdefault(vote.rater, {}).setdefault((first, second), []).append(sign)
    return found


def _preferred(by_rater):
    """{(id, id): the mean of what all raters said}: each rater once, however often asked."""
    said: dict[tuple[str, str], list[float]] = {}
    for own in by_rater.values():
        for pair, signs in own.items():
            said.setdefault(pair, []).append(sum(signs) / len(signs))
    return {pair: sum(values) / len(values) for pair, values in said.items()}


def _gains(sides, preferred, places):
    """{(prompt, seed): positive where the variant is preferred} of two models."""
    found = {}
    for (first, second), value in preferred.items():
        ours, theirs = places[first], places[second]
        if ours.prompts == sides.prompts:
            if (ours.variant, theirs.variant) == (sides.variant, sides.baseline):
                found[ours.prompt, ours.seed] = value
            elif (theirs.variant, ours.variant) == (sides.variant, sides.baseline):
                found[ours.prompt, ours.seed] = -value
    return found


def _steadiness(rater, own):
    repeated = [signs for signs in own.values() if len(signs) > 1]
    return {
        "rater": rater,
        "votes": sum(map(len, own.values())),
        "repeated": len(repeated),
        "steady": sum(len(set(signs)) == 1 for signs in repeated),
    }


def _agreement(name, metric, sides, preferred, places, scores):
    """How often a measure's difference points where people's preference does.

    Pairs on which people see no difference say nothing; a measure that sees none is half right.
    """
    agrees, number = 0.0, 0
    for one in sides:
        keys = [(metric.measure_name, path, metric.role) for path in (one.variant, one.baseline)]
        if one.role != metric.role or not all(key in scores for key in keys):
            continue
        ours, theirs = (scores[key] for key in keys)
        for picture, gain in _gains(one, preferred, places).items():
            if gain and picture in ours and picture in theirs:
                sign = 1 if metric.higher_is_better else -1
                difference = sign * (ours[picture] - theirs[picture])
                agrees += 0.5 if difference == 0 else float((difference > 0) == (gain > 0))
                number += 1
    return {"metric": name, **_share("agrees", agrees, number)} if number else None


def _share(name, wins, number):
    low, high = wilson(float(wins), number)
    return {
        "prompts": number,
        name: round(float(wins) / number, 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }
