"""What came out of an experiment in one sentence, for the head of the report."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emaki.evaluation.answers import listed, lower
from emaki.evaluation.metrics import Metric
from emaki.evaluation.words import BETTER, SAME, UNDECIDED, WORSE

DECIDED = (BETTER, WORSE, SAME)
Verdicts = Mapping[str, str | None]
"""{metric: verdict}."""


def of_comparisons(metrics: Mapping[str, Metric], pairs: Sequence[Mapping[str, Any]]) -> str:
    """The comparisons with baselines; baselines against which the same came out stand together."""
    by_baseline: dict[str, list[Verdicts]] = {}
    for pair in pairs:
        verdicts = {name: found["verdict"] for name, found in pair["metrics"].items()}
        by_baseline.setdefault(pair["name"], []).append(verdicts)
    if any(len(models) > 1 for models in by_baseline.values()):
        return _of_models(metrics, by_baseline)
    found = {baseline: verdicts for baseline, (verdicts,) in by_baseline.items()}
    clauses = [
        f"against {listed(baselines)}, {_told(metrics, verdicts)}"
        for baselines, verdicts in _alike(found)
    ]
    return _as_sentence(clauses)


def of_scales(metrics: Mapping[str, Metric], scales: Iterable[Mapping[str, Any]]) -> str:
    """Other scales against scale 1, as an experiment's answers have them."""
    clauses = []
    for entry in scales:
        found = {
            scale: {
                name: verdict
                for name, by_verdict in entry["metrics"].items()
                for verdict, own in by_verdict.items()
                if scale in own
            }
            for scale in entry["scales"]
        }
        for scales_, verdicts in _alike(found):
            at = f"at {entry['word']} {listed([f'{scale:g}' for scale in scales_])}"
            clauses.append(f"{at} instead of 1, {_told(metrics, verdicts)}")
    return _as_sentence(clauses)


def of_effects(metrics: Mapping[str, Metric], effects: Iterable[Mapping[str, Any]]) -> str:
    """What each setting of a matrix does by itself; empty where there is no matrix."""
    clear: list[str] = []
    none: list[str] = []
    unknown: list[str] = []
    for effect in effects:
        if len(effect["axes"]) > 1:
            continue
        what = f"{effect['what']} instead of {effect['against'].rpartition(' ')[2]}"
        verdicts = {name: found["verdict"] for name, found in effect["metrics"].items()}
        told = [f"{metrics[n].texts.subject} {v}" for n, v in verdicts.items() if v in DECIDED[:2]]
        if told:
            clear.append(f"with {what}, {listed(told)}")
        else:
            (unknown if UNDECIDED in verdicts.values() else none).append(what)
    clauses = clear
    clauses += [f"{listed(none)} make{'s' * (len(none) == 1)} no difference"] if none else []
    clauses += [f"not decided yet: {listed(unknown)}"] if unknown else []
    return _as_sentence(clauses) if clauses else ""


def _of_models(metrics, by_baseline):
    """How many of several models are what: "follows its prompts: 2 better, 1 not decided yet"."""
    clauses = []
    for baseline, models in by_baseline.items():
        counts = []
        for name, metric in metrics.items():
            said = [verdicts[name] for verdicts in models if verdicts.get(name)]
            told = [f"{said.count(v)} {v}" for v in (*DECIDED, UNDECIDED) if v in said]
            counts += [f"{_quoted(metric)} {listed(told)}"] if told else []
        of = f"of {len(models)} model{'s' * (len(models) > 1)} against {baseline}"
        clauses.append(f"{of}: {', '.join(counts) or 'no measure gives a verdict'}")
    return _as_sentence(clauses)


def _alike(found):
    """[(what has the same verdicts, these)] of {what: its verdicts}."""
    groups: dict[tuple, list[Any]] = {}
    for what, verdicts in found.items():
        groups.setdefault(tuple(verdicts.items()), []).append(what)
    return [(whats, dict(verdicts)) for verdicts, whats in groups.items()]


def _told(metrics, verdicts):
    """What is decided in the measures' own words, and then by which of them nothing is."""
    said: dict[str, list[str]] = {"domain": [], "unrelated": []}
    for name, verdict in verdicts.items():
        if verdict in DECIDED:
            # what it means, after the comma, is said with the entry
            phrase = metrics[name].texts.phrases[verdict].partition(",")[0]
            said[metrics[name].role].append(phrase)
    clauses = [f"its pictures {listed(said['domain'])}"] if said["domain"] else []
    clauses += [listed(said["unrelated"])] if said["unrelated"] else []
    word = ", but " if _is_contrast(metrics, verdicts) else ", and "
    unknown = [_quoted(metrics[n]) for n, verdict in verdicts.items() if verdict == UNDECIDED]
    if not clauses:
        return "nothing is decided yet" if unknown else "no measure gives a verdict"
    return word.join(clauses) + (f" (not decided yet: {listed(unknown)})" if unknown else "")


def _is_contrast(metrics, verdicts):
    """Whether unrelated prompts come out against what the domain's do."""
    said: dict[str, set[str]] = {"domain": set(), "unrelated": set()}
    for name, verdict in verdicts.items():
        said[metrics[name].role].add(verdict)
    return any(
        one in said["domain"] and other in said["unrelated"]
        for one, other in ((BETTER, WORSE), (WORSE, BETTER))
    )


def _quoted(metric):
    return f"“{lower(metric.texts.title)}”"


def _as_sentence(clauses):
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."
