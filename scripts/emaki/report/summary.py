"""The summary at the head of the page: many verdicts in few words."""

from collections.abc import Iterable, Mapping
from typing import Any

from emaki.evaluation.answers import one_verdict
from emaki.evaluation.metrics import Metric
from emaki.report import charts
from emaki.report.charts import CLASSES, NO_VERDICT

Answers = dict[str, Any]
"""What scripts/compare.py writes of an experiment."""
Pair = dict[str, Any]
"""One comparison among them."""


def headline(answers: Answers) -> list[Pair]:
    """The comparisons that an experiment is about."""
    return [pair for pair in answers["pairs"] if pair["family"] == "headline"]


def distinct(answers: Mapping[str, Answers]) -> list[Pair]:
    """The headline comparisons of {experiment: its answers}, each pair of models once.

    Whichever experiment makes it, a comparison comes out the same.
    """
    found: dict[tuple, Pair] = {}
    for answer in answers.values():
        found |= dict(zip(_questions(answer), headline(answer)))
    return list(found.values())


def asked_by(name: str, answers: Mapping[str, Answers]) -> str | None:
    """The earlier experiment that made all the comparisons of one with other scales, or None.

    `answers` are in the order of the page. What comes out at the other scales is then the
    answer: the comparisons at scale 1 have been told.
    """
    if not answers[name]["scales"]:
        return None
    own = set(_questions(answers[name]))
    earlier = list(answers)[: list(answers).index(name)]
    return next((other for other in earlier if own <= set(_questions(answers[other]))), None)


def _questions(answers):
    """What tells each headline comparison of an experiment from those of another."""
    where = (*sorted(answers["prompts"].items()), answers["reference"])
    return [(pair["variant"], pair["baseline"], *where) for pair in headline(answers)]


def tally(pairs: Iterable[Pair]) -> dict[str, int]:
    """{verdict: number} of all measures that decide on these comparisons."""
    said = [
        metric["verdict"] or NO_VERDICT
        for pair in pairs
        for metric in pair["metrics"].values()
        if metric["error"]
    ]
    return {verdict: said.count(verdict) for verdict in CLASSES}


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


def of_scale(pair: Pair) -> str:
    """One verdict on another scale from all measures: what it keeps and what it brings back."""
    return one_verdict(metric["verdict"] for metric in pair["metrics"].values())


def rows(pairs: Iterable[Pair], scales: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of an experiment: one per baseline, then one per model at other scales.

    `pairs` are its headline comparisons, `scales` as its answers have them. A list of {"what",
    "against", "cells": {metric: [(verdict, what it is about)]}}; the verdict is "" by a metric that
    does not decide.
    """
    by_baseline: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_baseline.setdefault(pair["name"], []).append(pair)
    found = []
    for baseline, own in by_baseline.items():
        what = own[0]["model"] if len(own) == 1 else f"{len(own)} models"
        cells = {metric: _verdicts(own, metric) for metric in own[0]["metrics"]}
        found.append({"what": what, "against": baseline, "cells": cells})
    return found + [_scales_row(entry) for entry in scales]


def told(tables: Iterable[list[dict[str, Any]]]) -> set[str]:
    """The metrics that say something in words in the `rows` of any experiment."""
    return {
        metric
        for table in tables
        for row in table
        for metric, said in row["cells"].items()
        if any(verdict for verdict, _ in said)
    }


def _verdicts(pairs, metric):
    """One verdict with its number, or how many comparisons came out how.

    By a metric that does not decide, the number, or the lowest and the highest.
    """
    found = [pair["metrics"][metric] for pair in pairs]
    if not found[0]["error"]:
        found.sort(key=lambda one: one["difference"])
        ends = dict.fromkeys((charts.difference(found[0]), charts.difference(found[-1])))
        return [("", " to ".join(ends))]
    verdicts = [pair["metrics"][metric]["verdict"] or NO_VERDICT for pair in pairs]
    if len(pairs) == 1:
        return [(verdicts[0], charts.difference(pairs[0]["metrics"][metric]))]
    return [
        (verdict, f"{verdicts.count(verdict)} of {len(pairs)}")
        for verdict in CLASSES
        if verdict in verdicts
    ]


def _scales_row(entry):
    """What came out at which scale; where all came out alike, it goes without saying."""
    cells = {
        metric: [(v, _listed(s) if len(verdicts) > 1 else "") for v, s in verdicts.items()]
        for metric, verdicts in entry["metrics"].items()
    }
    what = f"{entry['word']} {_listed(entry['scales'])}"
    return {"what": what, "against": f"{entry['model']} at 1", "cells": cells}


def _listed(scales):
    return ", ".join(f"{scale:g}" for scale in scales)
