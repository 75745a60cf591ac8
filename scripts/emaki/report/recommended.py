"""Which model of an experiment to take: the sentence, the front as a chart, pictures beside."""

from collections.abc import Mapping
from typing import Any

from emaki.config.comparisons import grid_of
from emaki.config.settings import Study
from emaki.evaluation.metrics import Metric
from emaki.evaluation.recommendation import find_candidate
from emaki.report import charts, inline_images

PICTURES = 4  # prompts that are shown beside the baseline
Answers = Mapping[str, Any]


def recommended(
    study: Study, metrics: Mapping[str, Metric], answers: Answers, grids: Mapping[str, str]
) -> dict[str, Any]:
    """What the page shows of an experiment's recommendation.

    `grids` are {name: path}. A dict: `sentence`, `advice`; `rows`, the front and what is taken as
    {label, taken, gain, kept} with the metrics' names in `gain` and `kept`; `chart`, None without
    unrelated prompts; `legend` (name, colour); `pictures`, a list of {prompt, pictures}, with their
    `labels`.
    """
    found, variants = answers["recommendation"], answers["variants"]
    rows = [
        {
            **one,
            "label": variants[one["variant"]]["label"],
            "taken": one["variant"] == found["take"],
        }
        for one in found["candidates"]
        if one["front"] or one["variant"] == found["take"]
    ]
    names = dict.fromkeys(variants[one["variant"]]["name"] for one in found["candidates"])
    legend = {name: colour for colour, name in enumerate(names)}
    drawn = found["kept"] is not None and found["candidates"]
    return {
        **{key: found[key] for key in ("sentence", "advice", "gain", "kept")},
        "rows": rows,
        "chart": _chart(metrics, found, variants, legend) if drawn else None,
        "legend": list(legend.items()),
        "labels": [variants[path]["label"] for path in beside(answers) or ()],
        "pictures": _pictures(study, answers, grids),
    }


def beside(answers: Answers) -> tuple[str, str] | None:
    """The baseline and the model that is recommended in its place; None where none is."""
    found = answers["recommendation"]
    if found["take"] in (None, found["baseline"]):
        return None
    return found["baseline"], found["take"]


def _chart(metrics, found, variants, legend):
    points = []
    for one in found["candidates"]:
        variant = variants[one["variant"]]
        points.append(
            {
                "x": ranged(metrics[found["kept"]], one["kept"]),
                "y": ranged(metrics[found["gain"]], one["gain"]),
                "colour": legend[variant["name"]],
                "label": variant["label"],
                "short": _short(variant),
                "front": one["front"],
                "taken": one["variant"] == found["take"],
            }
        )
    taken = find_candidate(found, found["take"])
    base = variants[found["baseline"]]["label"]
    return charts.front(
        points,
        x_label=metrics[found["kept"]].texts.title,
        origin=base,
        margin=found["margins"][found["kept"]],
        caption=f"What each model keeps and gains against {base}; to take: "
        f"{variants[taken['variant']]['label'] if taken else base}",
    )


def ranged(
    metric: Metric, difference: Mapping[str, Any]
) -> tuple[float, float | None, float | None]:
    """(value, low, high) of a difference, positive where it is better."""
    value, low, high = (difference[key] for key in ("difference", "low", "high"))
    if metric.higher_is_better:
        return value, low, high
    return -value, None if high is None else -high, None if low is None else -low


def _short(variant):
    """What tells a model from the others of its run."""
    return f"× {variant['scale']:g}" if variant["scale"] != 1 else f"{variant['step']:,}"


def _pictures(study, answers, grids):
    shown = beside(answers)
    if shown is None:
        return []
    grid = grids[grid_of(study, answers["variants"][shown[1]])]
    return inline_images.rows_of(grid, PICTURES, shown)
