"""What people said of the pictures, for the page: win rates, and which measures agree with them."""

from collections.abc import Mapping
from typing import Any

from emaki.evaluation.metrics import Metric

ROLES = {"domain": "its prompts", "unrelated": "unrelated prompts"}


def of_experiment(
    people: Mapping[str, Any] | None, answers: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What people prefer of an experiment's headline comparisons.

    `people` is what scripts/votes.py wrote, None without votes. A list of {model, against, on,
    prompts, wins, low, high, ties, word}, the numbers those of the model.
    """
    found = []
    for pair in answers["pairs"] if people else ():
        if pair["family"] != "headline":
            continue
        for contest in people["contests"] if people else ():
            if answers["prompts"].get(contest["role"]) != contest["prompts_set"]:
                continue
            sides = contest["variant"], contest["baseline"]
            if sides == (pair["variant"], pair["baseline"]):
                found.append(_told(answers, pair, contest))
            elif sides == (pair["baseline"], pair["variant"]):
                found.append(_told(answers, pair, _turned(contest)))
    return found


def agreement(people: Mapping[str, Any], metrics: Mapping[str, Metric]) -> list[dict[str, Any]]:
    """How often each measure points where people do, as {title, on, prompts, agrees, low, high}."""
    return [
        {
            **one,
            "title": metrics[one["metric"]].texts.title,
            "on": ROLES[metrics[one["metric"]].role],
        }
        for one in people["agreement"]
        if one["metric"] in metrics
    ]


def _turned(contest):
    """A contest seen from the other side."""
    wins, low, high = (1 - contest[key] for key in ("wins", "high", "low"))
    return contest | {"wins": wins, "low": low, "high": high}


def _told(answers, pair, contest):
    label = answers["variants"][pair["variant"]]["label"]
    word = "no clear preference"
    if contest["low"] > 0.5:
        word = "preferred"
    elif contest["high"] < 0.5:
        word = "not preferred"
    return {
        **{key: contest[key] for key in ("prompts", "wins", "low", "high", "ties")},
        "model": label,
        "against": pair["name"],
        "on": ROLES[contest["role"]],
        "word": word,
    }
