"""What the margins mean: what known damage to pictures costs by each measure."""

import json
from collections.abc import Mapping
from typing import Any

from emaki.evaluation.calibration import BLURRED_WIDTH, DAMAGES
from emaki.evaluation.metrics import Metric
from emaki.report import charts

# {damage: (its name, its strengths in words)}
DAMAGES_TOLD = {
    "blur": (f"blur at {BLURRED_WIDTH} px", [f"{strength:g} px" for strength in DAMAGES["blur"]]),
    "noise": ("noise", [f"{strength:g} of 255" for strength in DAMAGES["noise"]]),
    "jpeg": ("JPEG", [f"quality {strength:g}" for strength in DAMAGES["jpeg"]]),
    "prompts": ("wrong prompts", [f"{strength:.0%}" for strength in DAMAGES["prompts"]]),
}


def tables(
    metrics: Mapping[str, Metric], answers: Mapping[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """A table for each metric, set of prompts and base model of {experiment: its answers}.

    A list of {"metric", "prompts" and "model" (None where real pictures are damaged), "references"
    (datasets with these numbers, which may have the same pictures; none where they are not real),
    "sentence", "rows": {damage: [{"difference", "error"} by strength]}}.
    """
    found: dict[str, dict[str, Any]] = {}
    for answer in answers.values():
        for margin in answer["margins"]:
            if metric := metrics.get(margin["metric"]):
                real = metric.measure.compares_with_real
                place = {
                    "metric": margin["metric"],
                    "prompts": None if real else answer["prompts"][metric.role],
                    "model": None if real else margin["model"],
                }
                rows: dict[str, list[dict[str, float]]] = {}
                for step in margin["ladder"]:
                    rows.setdefault(step["damage"], []).append(step)
                about = {**place, "sentence": _sentence(metric, margin), "rows": rows}
                table = found.setdefault(json.dumps(about), {**about, "references": []})
                if real and answer["reference"] not in table["references"]:
                    table["references"].append(answer["reference"])
    order = list(metrics)
    return sorted(found.values(), key=lambda table: order.index(table["metric"]))


def _sentence(metric, margin):
    measure = metric.measure
    if margin["value"] is None:
        return f"No verdict: {margin['reason']}."
    size = f"Margin {charts.number(margin['value'])}"
    if measure.margin is not None:
        return f"{size}, which the config sets."
    if measure.yardstick is None:
        return "No margin: it tells better from worse, but never says that two models are the same."
    return f"{size}: as much as {measure.yardstick.words} here."
