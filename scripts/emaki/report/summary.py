"""The summary at the head of the page: many verdicts in few words."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emaki.evaluation.answers import one_verdict
from emaki.evaluation.metrics import Metric
from emaki.evaluation.words import BETTER, SAME, UNDECIDED, WORSE
from emaki.report import charts
from emaki.report.charts import CLASSES, NO_VERDICT

THAN = {BETTER: "better than", WORSE: "worse than", SAME: "the same as"}
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


def in_short(metrics: Mapping[str, Metric], pairs: Sequence[Pair]) -> str:
    """What came out of an experiment in one short sentence.

    `pairs` are the comparisons that answer it: those with baselines. What measures say alike is
    said once, and last by which of those that judge the domain nothing is decided.
    """
    said: dict[str, list[str]] = {}
    undecided = []
    for name, metric in metrics.items():
        by_baseline: dict[str, list[str]] = {}
        for pair in pairs:
            if verdict := pair["metrics"].get(name, {}).get("verdict"):
                by_baseline.setdefault(pair["name"], []).append(verdict)
        if any(verdict in THAN for verdicts in by_baseline.values() for verdict in verdicts):
            said.setdefault(_against(by_baseline), []).append(_lower(metric.texts.title))
        elif by_baseline and metric.role == "domain":
            undecided.append(_lower(metric.texts.title))
    clauses = [f"{_joined(titles)}: {against}" for against, titles in said.items()]
    clauses += [f"not decided yet: {_joined(undecided)}"] if undecided else []
    return _as_sentence(clauses or ["no measure gives a verdict"])


def scales_in_short(metrics: Mapping[str, Metric], scales: Iterable[Mapping[str, Any]]) -> str:
    """The same of an experiment that is answered by other scales, as its answers have them."""
    said = []
    for entry in scales:
        own = []
        for name, verdicts in entry["metrics"].items():
            told = {verdict: at for verdict, at in verdicts.items() if verdict in THAN}
            if told:
                alike = len(verdicts) == 1
                words = [v if alike else f"{v} at {_listed(at)}" for v, at in told.items()]
                own.append(f"{_lower(metrics[name].texts.title)}: {_joined(words)}")
        if own:
            at = f"at {entry['word']} {_listed(entry['scales'])} instead of 1"
            said.append(f"{at}, {'; '.join(own)}")
    return _as_sentence(said or ["nothing is decided yet"])


def _against(by_baseline):
    """ "worse than a and b, the same as c"; of several models how many are what."""
    if any(len(verdicts) > 1 for verdicts in by_baseline.values()):
        return ", ".join(
            f"{_counted(verdicts)} against {baseline}" for baseline, verdicts in by_baseline.items()
        )
    found: dict[str, list[str]] = {}
    for baseline, (verdict,) in by_baseline.items():
        found.setdefault(THAN.get(verdict, "not decided against"), []).append(baseline)
    return ", ".join(f"{than} {_joined(baselines)}" for than, baselines in found.items())


def _counted(verdicts):
    """ "3 better and 1 not decided"."""
    words = {verdict: verdict for verdict in THAN} | {UNDECIDED: "not decided"}
    return _joined([f"{verdicts.count(v)} {word}" for v, word in words.items() if v in verdicts])


def _as_sentence(said):
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def _lower(text):
    return f"{text[0].lower()}{text[1:]}"


def _joined(words):
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def causes(metrics: Mapping[str, Metric], effects: Iterable[dict[str, Any]]) -> str:
    """What the settings of a matrix do, in one sentence; empty where there is no matrix."""
    said: list[str] = []
    none: list[str] = []
    open_: list[str] = []
    for effect in effects:
        if len(effect["axes"]) > 1:
            continue
        what = f"{effect['what']} instead of {effect['against'].rpartition(' ')[2]}"
        verdicts = {n: found["verdict"] for n, found in effect["metrics"].items()}
        clear = {n: v for n, v in verdicts.items() if v in (BETTER, WORSE)}
        titles = [f"{metrics[n].texts.title.lower()} {v}" for n, v in clear.items()]
        if clear:
            said.append(f"{what} ({', '.join(titles)})")
        else:
            (open_ if UNDECIDED in verdicts.values() else none).append(what)
    parts = [f"makes a difference: {'; '.join(said)}"] if said else []
    parts += [f"makes none: {', '.join(none)}"] if none else []
    parts += [f"not decided yet: {', '.join(open_)}"] if open_ else []
    return f"{'. '.join(part[0].upper() + part[1:] for part in parts)}." if parts else ""


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
