"""The summary at the head of the page: many verdicts in few words."""

from collections.abc import Iterable, Mapping
from typing import Any

from emaki.evaluation.metrics import Metric
from emaki.report import charts

# What can be said of a comparison, and its class in the page's style.
VERDICTS = {
    "better": "better",
    "worse": "worse",
    "mixed": "mixed",
    "no clear difference": "unclear",
}

Answers = dict[str, Any]
"""What scripts/compare.py writes of an experiment."""
Pair = dict[str, Any]
"""One comparison among them."""


def headline(answers: Answers) -> list[Pair]:
    """The comparisons that an experiment is about."""
    return [pair for pair in answers["pairs"] if pair["family"] == "headline"]


def distinct(answers: Mapping[str, Answers]) -> list[Pair]:
    """The headline comparisons of {experiment: its answers}, each pair of models once.

    One that several experiments make is taken from that with the most of them, where its interval
    is the widest as a rule.
    """
    found: dict[tuple, Pair] = {}
    for answer in sorted(answers.values(), key=lambda answer: len(headline(answer))):
        found |= dict(zip(_questions(answer), headline(answer)))
    return list(found.values())


def asked_by(name: str, answers: Mapping[str, Answers]) -> str | None:
    """The earlier experiment that made all the comparisons of one with other strengths, or None.

    `answers` are in the order of the page. What comes out at the other strengths is then the
    answer: at full strength the same comparison would have two intervals, one of each experiment.
    """
    if not answers[name]["strengths"]:
        return None
    own = set(_questions(answers[name]))
    earlier = list(answers)[: list(answers).index(name)]
    return next((other for other in earlier if own <= set(_questions(answers[other]))), None)


def _questions(answers):
    """What tells each headline comparison of an experiment from those of another."""
    where = (*sorted(answers["prompts"].items()), answers["reference"])
    return [(pair["variant"], pair["baseline"], *where) for pair in headline(answers)]


def tally(pairs: Iterable[Pair]) -> dict[str, int]:
    """{verdict: number} of headline comparisons."""
    said = [pair["verdict"] for pair in pairs]
    return {verdict: said.count(verdict) for verdict in VERDICTS}


def forgetting(pairs: Iterable[Pair], metrics: Mapping[str, Metric]) -> int:
    """In how many of these comparisons unrelated prompts come out worse, by any measure."""
    unrelated = [name for name, metric in metrics.items() if metric.role == "unrelated"]
    return sum(
        any(pair["metrics"].get(name, {}).get("verdict") == "worse" for name in unrelated)
        for pair in pairs
    )


def together(verdicts: Iterable[str]) -> str:
    """The verdict that all give, "mixed" if they do not agree."""
    said = set(verdicts)
    return said.pop() if len(said) == 1 else "mixed"


def of_strength(pair: Pair) -> str:
    """One verdict on another strength from all measures: what it keeps and what it brings back."""
    said = {metric["verdict"] for metric in pair["metrics"].values()} - {"no clear difference"}
    return together(said or {"no clear difference"})


def rows(pairs: Iterable[Pair], strengths: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of an experiment: one per baseline, then one per model at other strengths.

    `pairs` are its headline comparisons, `strengths` as its answers have them. A list of {"what",
    "against", "cells": {metric: [(verdict, what it is about)]}}.
    """
    by_baseline: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_baseline.setdefault(pair["name"], []).append(pair)
    found = []
    for baseline, own in by_baseline.items():
        what = own[0]["model"] if len(own) == 1 else f"{len(own)} models"
        cells = {metric: _verdicts(own, metric) for metric in own[0]["metrics"]}
        found.append({"what": what, "against": baseline, "cells": cells})
    return found + [_strengths_row(entry) for entry in strengths]


def _verdicts(pairs, metric):
    """One verdict with its number, or how many comparisons came out how."""
    verdicts = [pair["metrics"][metric]["verdict"] for pair in pairs]
    if len(pairs) == 1:
        return [(verdicts[0], charts.difference(pairs[0]["metrics"][metric]))]
    return [
        (verdict, f"{verdicts.count(verdict)} of {len(pairs)}")
        for verdict in VERDICTS
        if verdict in verdicts
    ]


def _strengths_row(entry):
    """What came out at which strength; where all came out alike, it goes without saying."""
    cells = {
        metric: [(v, _listed(s) if len(verdicts) > 1 else "") for v, s in verdicts.items()]
        for metric, verdicts in entry["metrics"].items()
    }
    what = f"{entry['word']} {_listed(entry['strengths'])}"
    return {"what": what, "against": f"{entry['model']} at 1", "cells": cells}


def _listed(strengths):
    return ", ".join(f"{strength:g}" for strength in strengths)
