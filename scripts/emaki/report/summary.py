"""The summary at the head of the page: many verdicts in few words."""

from emaki.report import charts
from emaki.report.names import VERDICTS


def tally(answers):
    """{verdict: number} of the headline comparisons of {experiment: its answers}."""
    found = dict.fromkeys(VERDICTS, 0)
    for answer in answers.values():
        for pair in answer["pairs"]:
            if pair["family"] == "headline":
                found[pair["verdict"]] += 1
    return found


def forgetting(answers):
    """How many of an experiment's headline comparisons have unrelated prompts come out worse."""
    headline = [pair["metrics"] for pair in answers["pairs"] if pair["family"] == "headline"]
    unrelated = [metrics.get("unrelated_clip_score", {}).get("verdict") for metrics in headline]
    return unrelated.count("worse")


def together(verdicts):
    """The verdict that all give who give one, "mixed" if they disagree."""
    said = set(verdicts) - {"no clear difference"}
    return "mixed" if len(said) > 1 else said.pop() if said else "no clear difference"


def rows(answers):
    """The rows of an experiment: one per baseline, then one per model at other strengths.

    A list of {"what", "against", "cells": {metric: [(verdict, what it is about)]}}.
    """
    by_baseline = {}
    for pair in answers["pairs"]:
        if pair["family"] == "headline":
            by_baseline.setdefault(pair["name"], []).append(pair)
    found = []
    for baseline, pairs in by_baseline.items():
        name = answers["variants"][pairs[0]["variant"]]["name"]
        what = name if len(pairs) == 1 else f"{len(pairs)} models"
        cells = {metric: _verdicts(pairs, metric) for metric in pairs[0]["metrics"]}
        found.append({"what": what, "against": baseline, "cells": cells})
    return found + [_strengths_row(entry) for entry in answers["strengths"]]


def _verdicts(pairs, metric):
    """One verdict with its number, or how many comparisons came out how."""
    verdicts = [pair["metrics"][metric]["verdict"] for pair in pairs]
    if len(pairs) == 1:
        return [(verdicts[0], charts.signed(pairs[0]["metrics"][metric]["difference"]))]
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
