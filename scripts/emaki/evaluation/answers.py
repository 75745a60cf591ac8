"""Verdicts turned into one word, and into sentences that need no statistics."""

from collections.abc import Iterable, Mapping
from typing import Any

from emaki.evaluation.by_prompt import MINIMUM_PROMPTS
from emaki.evaluation.metrics import Metric

# In place of a measure's phrases where no difference can be told.
TOO_FEW = "too few prompts"
NOTHING_TOLD = {
    "domain": f"fewer than {MINIMUM_PROMPTS} prompts tell no difference",
    "unrelated": f"fewer than {MINIMUM_PROMPTS} unrelated prompts do not tell what is forgotten",
}


def overall(metrics: Mapping[str, Metric], found: Mapping[str, dict]) -> str:
    """One verdict from those on the domain's prompts: also "mixed", if they disagree.

    `found` are the metrics of a pair by name, each with its "verdict".
    """
    said = {m["verdict"] for name, m in found.items() if metrics[name].role == "domain"}
    said.discard("no clear difference")
    return "mixed" if len(said) == 2 else said.pop() if said else "no clear difference"


def answers(
    plan: dict[str, Any], metrics: Mapping[str, Metric], pairs: Iterable[dict]
) -> list[dict[str, Any]]:
    """What the headline comparisons found; those with the same verdicts share a sentence.

    A list of {"verdict", "models", "baselines" (names), "sentence"}.
    """
    alike: dict[tuple, list[str]] = {}
    for pair in pairs:
        if pair["family"] == "headline":
            verdicts = tuple((name, _told(metric)) for name, metric in pair["metrics"].items())
            model = plan["variants"][pair["variant"]]["name"]
            alike.setdefault((pair["name"], pair["verdict"], verdicts), []).append(model)
    shared: dict[tuple, list[str]] = {}
    for (baseline, verdict, verdicts), models in alike.items():
        shared.setdefault((tuple(models), verdict, verdicts), []).append(baseline)
    return [
        {
            "verdict": verdict,
            "models": list(models),
            "baselines": baselines,
            "sentence": _sentence(metrics, models, baselines, dict(verdicts)),
        }
        for (models, verdict, verdicts), baselines in shared.items()
    ]


def strengths(
    plan: dict[str, Any], metrics: Mapping[str, Metric], pairs: Iterable[dict]
) -> list[dict[str, Any]]:
    """For each model, its other strengths by what came out against full strength.

    A list of {"model" (its name), "word" ("LoRA scale" or "alpha"), "strengths", "metrics":
    {metric: {verdict: [strengths]}}, "sentence"}.
    """
    by_model: dict[str, list[dict]] = {}
    for pair in pairs:
        if pair["family"] == "strength":
            by_model.setdefault(pair["baseline"], []).append(pair)
    found = []
    for path, own in by_model.items():
        whole = plan["variants"][path]
        told: dict[str, dict[str, list[float]]] = {name: {} for name in own[0]["metrics"]}
        for pair in own:
            for name, metric in pair["metrics"].items():
                strength = plan["variants"][pair["variant"]]["strength"]
                told[name].setdefault(metric["verdict"], []).append(strength)
        too_few = all(_told(metric) == TOO_FEW for metric in own[0]["metrics"].values())
        entry = {
            "model": whole["name"],
            "word": "LoRA scale" if plan["methods"][whole["run"]] == "lora" else "alpha",
            "strengths": [plan["variants"][pair["variant"]]["strength"] for pair in own],
            "metrics": told,
        }
        nothing = NOTHING_TOLD["domain"] if too_few else "no clear difference"
        found.append({**entry, "sentence": _strengths_sentence(metrics, entry, nothing)})
    return found


def _told(metric):
    """A metric's verdict, or that it can have none."""
    return metric["verdict"] if metric["prompts"] >= MINIMUM_PROMPTS else TOO_FEW


def _sentence(metrics, models, baselines, verdicts):
    said: dict[str, list[str]] = {}
    for name, verdict in verdicts.items():
        said.setdefault(metrics[name].role, []).append(verdict)
    parts = [_clause(metrics, role, verdicts, len(models)) for role in said]
    if {"domain", "unrelated"} == said.keys() and _is_contrast(said):
        parts[1] = f"but {parts[1]}"
    return f"{_listed(models)} against {_listed(baselines)}: {'; '.join(parts)}."


def _is_contrast(said):
    return "better" in said["domain"] and "worse" in said["unrelated"]


def _clause(metrics, role, verdicts, models):
    """What came out on the prompts of one role."""
    own = {name: verdict for name, verdict in verdicts.items() if metrics[name].role == role}
    if TOO_FEW in own.values():  # they have the same prompts
        return NOTHING_TOLD[role]
    told = _listed([metrics[name].texts.phrases[verdict] for name, verdict in own.items()])
    its = "its" if models == 1 else "their"
    return f"{its} pictures {told}" if role == "domain" else told


def _strengths_sentence(metrics, entry, nothing):
    said = [
        f"{metrics[name].texts.subject} {verdict} at {_numbers(values)}"
        for name, verdicts in entry["metrics"].items()
        for verdict, values in verdicts.items()
        if verdict != "no clear difference"
    ]
    start = f"At {entry['word']} {_numbers(entry['strengths'])} instead of 1, {entry['model']}"
    return f"{start}: {'; '.join(said) or nothing}."


def _numbers(values):
    return _listed([f"{value:g}" for value in values])


def _listed(words):
    """Words as one says them: "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
