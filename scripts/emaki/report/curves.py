"""The curves of an experiment: over steps, over scales, and the losses of its runs."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emaki.common import parquet_files
from emaki.evaluation.metrics import Metric
from emaki.report import charts
from emaki.training.settings import Run

NOTHING = {"difference": 0.0, "low": None, "high": None}
SCALES = {"lora": "LoRA scale", "full": "merge alpha"}
STRETCHES = 300  # of a line: no screen shows more


def differences(
    runs: Mapping[str, Run], metrics: Mapping[str, Metric], answers: dict[str, Any], baseline: str
) -> list[dict[str, Any]]:
    """Charts of the differences from a baseline: one over steps, one over scales, or neither."""
    pairs = [p for p in answers["pairs"] if p["name"] == baseline and p["family"] != "scale"]
    found = [(answers["variants"][pair["variant"]], _of_first_training(pair)) for pair in pairs]
    last: dict[str, int] = {}
    for variant, _ in found:
        last[variant["run"]] = max(last.get(variant["run"], 0), variant["step"])
    over_steps: dict[str, dict] = {}
    over_scales: dict[str, dict] = {}
    for variant, own in found:
        if variant["scale"] == 1:
            over_steps.setdefault(variant["name"], {})[variant["step"]] = own
        if variant["step"] == last[variant["run"]]:
            over_scales.setdefault(variant["name"], {})[variant["scale"]] = own
    methods = sorted({runs[run].method for run in last}, reverse=True)
    words = " or ".join(SCALES[method] for method in methods)
    # where there is nothing of a run in its base model, the difference is nothing
    begun = [v for v, _ in found if runs[v["run"]].model == baseline]
    weakest = {v["name"] for v in begun}
    untrained = {v["name"] for v in begun if _starts_plain(runs[v["run"]], v["weights"])}
    for lines, names in ((over_steps, untrained), (over_scales, weakest)):
        for name in names & lines.keys():
            lines[name][0] = dict.fromkeys(metrics, NOTHING)
    return [
        _panels(metrics, lines, label, baseline)
        for lines, label in ((over_steps, "training steps"), (over_scales, words))
        # nothing and scale 1 alone are no trajectory
        if any(len(points) > 1 and points.keys() - {0, 1} for points in lines.values())
    ]


def _of_first_training(pair):
    """The metrics of a pair, of a recipe those of its first training, whose way is drawn."""
    return {
        name: metric | metric["by_training"][0] if "by_training" in metric else metric
        for name, metric in pair["metrics"].items()
    }


def _starts_plain(run, weights):
    """Whether a run's weights of a kind are those of its base model before the first step."""
    if run.method == "lora":
        return True
    start = run.ema.init if weights == "ema" else run.train_init
    return (run.train_init if start == "train" else start) == "ema"


def _panels(metrics, lines, label, baseline):
    """A chart per metric from {name: {x: metrics}}: differences with their intervals."""
    panels = []
    for metric in _drawn(metrics, lines):
        series = [
            {
                "colour": colour,
                "style": "dots",
                "points": [_point(x, points[x][metric]) for x in sorted(points)],
            }
            for colour, points in enumerate(lines.values())
        ]
        texts = metrics[metric].texts
        caption = f"{texts.title}: {texts.unit} less that of {baseline}, over {label}"
        better = "up" if metrics[metric].higher_is_better else "down"
        svg = charts.lines(series, label, better, zero=baseline, caption=caption)
        panels.append({"title": texts.title, "unit": f"{texts.unit}, difference", "svg": svg})
    return {
        "title": f"Difference from {baseline} over {label}",
        "legend": list(zip(lines, range(len(lines)))),
        "panels": panels,
        "tinted": True,
    }


def _drawn(metrics, lines):
    """Those metrics that every point has."""
    points = [point for line in lines.values() for point in line.values()]
    return [metric for metric in metrics if all(metric in point for point in points)]


def _point(x, metric):
    return x, metric["difference"], metric["low"], metric["high"]


def read_losses(paths: Iterable[str | Path]) -> dict[str, list[tuple[int, float]]]:
    """Steps, losses and validation losses of a run from its segments, in order.

    Of a run without held-out pictures there are no validation losses.
    """
    tables = [parquet_files.read(path).to_pydict() for path in paths]
    rows = sorted(
        (step, loss, validation)
        for table in tables
        for step, loss, validation in zip(
            table["step"],
            table["loss"],
            table.get("validation_loss") or [None] * len(table["step"]),
        )
    )
    return {
        "loss": [(step, loss) for step, loss, _ in rows],
        "validation": [(s, v) for s, _, v in rows if v is not None and np.isfinite(v)],
    }


def losses(
    runs: Sequence[str], losses: Mapping[str, dict[str, list[tuple[int, float]]]]
) -> list[dict[str, Any]]:
    """Training and validation loss of an experiment's runs."""
    runs = [run for run in runs if losses.get(run, {}).get("loss")]
    if not runs:
        return []
    training: list[dict[str, Any]] = []
    validation: list[dict[str, Any]] = []
    for colour, run in enumerate(runs):
        steps, values = zip(*losses[run]["loss"])
        raw = [(x, y, None, None) for x, y in zip(steps, values)]
        smooth = [(x, y, None, None) for x, y in zip(steps, _smoothed(values))]
        training.append({"colour": colour, "style": "faint", "points": _thinned(raw)})
        training.append({"colour": colour, "style": "line", "points": _thinned(smooth)})
        held_out = [(x, y, None, None) for x, y in losses[run]["validation"]]
        if held_out:
            validation.append({"colour": colour, "style": "dots", "points": held_out})
    panels = []
    for title, unit, series in (
        ("Training loss", "of each batch, and smoothed", training),
        ("Validation loss", "held-out pictures, fixed noise", validation),
    ):
        if series:
            svg = charts.lines(series, "step", caption=f"{title} of {', '.join(runs)}")
            panels.append({"title": title, "unit": unit, "svg": svg})
    legend = list(zip(runs, range(len(runs))))
    return [{"title": "Loss", "legend": legend, "panels": panels, "tinted": False}]


def _thinned(points):
    """Of each stretch of a line its lowest and its highest point, where it has many."""
    length = -(-len(points) // STRETCHES)
    if length < 3:
        return points
    kept = []
    for start in range(0, len(points), length):
        stretch = points[start : start + length]
        ends = {min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])}
        kept += sorted(ends)
    return kept


def _smoothed(values):
    """Means over a window of about a tenth of the steps around each, as far as there are any."""
    values = np.asarray(values, dtype=np.float64)
    reach = max(1, len(values) // 20)
    total = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    start, end = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(values))
    return (total[end] - total[start]) / (end - start)
