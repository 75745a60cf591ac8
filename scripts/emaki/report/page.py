"""The page: what the template shows, put together from the study's results."""

import hashlib
import importlib.metadata
import json
import os
import platform
from pathlib import Path

import jinja2
import numpy as np
import pyarrow.parquet as parquet
from PIL import Image

from emaki.config import overrides
from emaki.errors import UserError
from emaki.report import charts, costs, pictures

TEMPLATES = Path(__file__).parent / "templates"
PACKAGES = (
    *("torch", "diffusers", "transformers", "peft", "accelerate", "bitsandbytes"),
    *("snakemake", "numpy", "pyarrow", "pillow", "jinja2"),
)

# What a metric is called, at length and in a narrow column, and how a value of it is read.
METRICS = {
    "domain_clip_score": {
        "title": "Follows its prompts",
        "short": "Prompts",
        "unit": "CLIPScore",
        "better": "up",
    },
    "domain_kid": {
        "title": "Looks like the real pictures",
        "short": "Likeness",
        "unit": "KID × 1000",
        "better": "down",
    },
    "unrelated_clip_score": {
        "title": "Keeps unrelated prompts",
        "short": "Unrelated",
        "unit": "CLIPScore",
        "better": "up",
    },
}
VERDICTS = {
    "better": "better",
    "worse": "worse",
    "mixed": "mixed",
    "no clear difference": "unclear",
}


def render(config, answers, grids, metrics, datasets, benchmarks):
    """The report as HTML.

    `config` is the loaded config; `answers` {experiment: what compare.py wrote}; `grids`
    {experiment: {name: path}}; `metrics` {run: [paths of metrics.parquet in the order of
    steps]}; `datasets` folders with card.json and contact_sheet.png; `benchmarks` the paths of
    Snakemake's benchmark files.
    """
    timings = costs.read(benchmarks)
    losses = {run: _losses(paths) for run, paths in metrics.items()}
    order = sorted(answers, key=lambda name: config["experiments"][name].get("date") or "")
    experiments = [
        _experiment(config, name, answers[name], grids.get(name, {}), losses, timings)
        for name in order
    ]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": charts.number,
        "signed": charts.signed,
        "interval": charts.interval,
        "duration": duration,
        "value": _value,
        "verdict_class": VERDICTS.__getitem__,
    }
    return environment.get_template("report.html.j2").render(
        study=config["study"],
        style=(TEMPLATES / "style.css").read_text("utf-8"),
        metrics=METRICS,
        experiments=experiments,
        scroll=_scroll(order, answers, grids, config),
        tally=_tally(answers),
        datasets=[_dataset(folder) for folder in datasets],
        stages=costs.by_stage(timings),
        evaluators=config["evaluators"],
        sampling=config["sampling"],
        models=config["models"],
        provenance=_provenance(config),
    )


def duration(seconds):
    """Seconds as one says them: "0.8 s", "42 s", "12 min 5 s", "3 h 20 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _experiment(config, name, answers, grids, losses, timings):
    entry = config["experiments"][name]
    limits = _limits(answers["pairs"])
    families = {"headline": [], "strength": []}
    for pair in answers["pairs"]:
        if pair["family"] in families:
            families[pair["family"]].append(_pair(pair, answers, limits))
    return {
        "name": name,
        **{key: entry.get(key) for key in ("date", "title", "question", "expected", "observed")},
        "reference": answers["reference"],
        "real_pictures": answers["real_pictures"],
        **families,
        "verdict": _together(pair["verdict"] for pair in families["headline"]),
        "summary": _summary(families["headline"], answers),
        "answers": answers["answers"],
        "strengths": answers["strengths"],
        "runs": [_run(config, run, timings) for run in entry["runs"]],
        "charts": [
            *_curves(config, answers, entry["baselines"][0]),
            *_loss_charts(entry["runs"], losses),
        ],
        "grids": _grids(grids),
    }


def _together(verdicts):
    """The verdict that all give who give one, "mixed" if they disagree."""
    said = set(verdicts) - {"no clear difference"}
    return "mixed" if len(said) > 1 else said.pop() if said else "no clear difference"


def _summary(headline, answers):
    """A row per baseline: what is compared, and for each metric [(verdict, what it is about)]."""
    by_baseline = {}
    for pair in headline:
        by_baseline.setdefault(pair["name"], []).append(pair)
    rows = []
    for baseline, pairs in by_baseline.items():
        cells = {}
        for metric in pairs[0]["metrics"]:
            verdicts = [pair["metrics"][metric]["verdict"] for pair in pairs]
            counted = [
                (verdict, f"{verdicts.count(verdict)} of {len(pairs)}")
                for verdict in VERDICTS
                if verdict in verdicts
            ]
            difference = charts.signed(pairs[0]["metrics"][metric]["difference"])
            cells[metric] = counted if len(pairs) > 1 else [(verdicts[0], difference)]
        what = (
            answers["variants"][pairs[0]["variant"]]["name"]
            if len(pairs) == 1
            else f"{len(pairs)} models"
        )
        rows.append({"what": what, "against": baseline, "cells": cells})
    for found in answers["strengths"]:
        about = ", ".join(f"{strength:g}" for strength in found["strengths"])
        cells = {
            metric: [
                (
                    verdict,
                    ", ".join(f"{strength:g}" for strength in strengths)
                    if len(verdicts) > 1
                    else "",
                )
                for verdict, strengths in verdicts.items()
            ]
            for metric, verdicts in found["metrics"].items()
        }
        rows.append(
            {
                "what": f"{found['word']} {about}",
                "against": f"{found['model']} at 1",
                "cells": cells,
            }
        )
    return rows


def _pair(pair, answers, limits):
    """A comparison with its label and a drawn interval for each metric."""
    drawn = {
        metric: {
            **found,
            "forest": charts.forest(found, limits[metric], METRICS[metric]["better"] == "up"),
        }
        for metric, found in pair["metrics"].items()
    }
    label = answers["variants"][pair["variant"]]["label"]
    return {**pair, "label": label, "metrics": drawn}


def _limits(pairs):
    """Half the width of the drawn intervals, one per metric, so that they compare by eye."""
    found = {}
    for pair in pairs:
        if pair["family"] == "course":
            continue
        for name, metric in pair["metrics"].items():
            values = [metric["difference"], metric["low"], metric["high"]]
            largest = max(abs(value) for value in values if value is not None)
            found[name] = max(found.get(name, 0.0), largest)
    return found


def _run(config, name, timings):
    run = config["runs"][name]
    seconds = costs.of_run(timings, name)
    return {
        "name": name,
        "extends": run.get("extends"),
        "overrides": _flat(overrides(config, name)),
        "settings": {key: value for key, value in sorted(run.items()) if key != "extends"},
        "seconds": seconds,
        "speed": run["steps"] / seconds["runs"] if seconds["runs"] else None,
        "steps": run["steps"],
    }


def _flat(pairs):
    """{key: (theirs, ours)} with a line for each inner key where both are mappings."""
    found = {}
    for key, (theirs, ours) in pairs.items():
        if isinstance(theirs, dict) and isinstance(ours, dict):
            inner = {k: (theirs.get(k), ours.get(k)) for k in sorted(theirs.keys() | ours.keys())}
            found |= {f"{key}.{k}": pair for k, pair in inner.items() if pair[0] != pair[1]}
        else:
            found[key] = theirs, ours
    return found


def _grids(paths):
    """First those that show a course, then one per checkpoint, which the page folds away."""
    drawn = {name: pictures.grid(path) for name, path in sorted(paths.items())}
    folded = [name for name in drawn if name.rpartition("-")[2].isdigit()]
    shown = [name for name in drawn if name not in folded] or folded[-1:]
    return {
        "shown": [drawn[name] for name in shown],
        "folded": [drawn[name] for name in folded if name not in shown],
    }


def _curves(config, answers, baseline):
    """Charts of the differences from the first baseline, over steps and over strengths."""
    over = {"steps": {}, "strengths": {}}
    pairs = [p for p in answers["pairs"] if p["name"] == baseline and p["family"] != "strength"]
    variants = [answers["variants"][pair["variant"]] for pair in pairs]
    names = list(dict.fromkeys(variant["name"] for variant in variants))
    for variant, pair in zip(variants, pairs):
        name = variant["name"]
        last = max(v["step"] for v in variants if v["run"] == variant["run"])
        if variant["strength"] == 1:
            over["steps"].setdefault(name, []).append((variant["step"], pair["metrics"]))
        if variant["step"] == last:
            over["strengths"].setdefault(name, []).append((variant["strength"], pair["metrics"]))
    methods = {config["runs"][variant["run"]]["method"] for variant in variants}
    strengths = " or ".join(
        {"lora": "LoRA scale", "full": "merge alpha"}[m] for m in sorted(methods)
    )
    result = []
    for key, label in (("steps", "training steps"), ("strengths", strengths)):
        lines = {
            name: sorted(points, key=_x) for name, points in over[key].items() if len(points) > 1
        }
        if lines:
            if baseline in config["models"]:  # where training and merging start from
                nothing = {"difference": 0.0, "low": None, "high": None}
                start = (0, {metric: nothing for metric in METRICS})
                lines = {name: [start, *points] for name, points in lines.items()}
            result.append(_panels(lines, label, baseline, names))
    return result


def _panels(lines, label, baseline, names):
    """A chart per metric: differences from the baseline with their intervals."""
    panels = []
    for metric in next(iter(lines.values()))[-1][1]:
        series = [
            {
                "colour": names.index(name),
                "style": "dots",
                "points": [_point(x, metrics[metric]) for x, metrics in points],
            }
            for name, points in lines.items()
        ]
        about = METRICS[metric]
        caption = f"{about['title']}: {about['unit']} less that of {baseline}, over {label}"
        svg = charts.lines(series, label, about["better"], zero=baseline, caption=caption)
        panels.append({"title": about["title"], "unit": f"{about['unit']}, difference", "svg": svg})
    return {
        "title": f"Difference from {baseline} over {label}",
        "legend": [(name, names.index(name)) for name in lines],
        "panels": panels,
        "tinted": True,
    }


def _x(point):
    return point[0]


def _point(x, metric):
    return x, metric["difference"], metric["low"], metric["high"]


def _losses(paths):
    """Steps, losses and validation losses of a run from its segments, in order."""
    tables = [parquet.read_table(path).to_pydict() for path in paths]
    rows = sorted(
        (step, loss, validation)
        for table in tables
        for step, loss, validation in zip(table["step"], table["loss"], table["validation_loss"])
    )
    return {
        "loss": [(step, loss) for step, loss, _ in rows],
        "validation": [(s, v) for s, _, v in rows if v is not None and np.isfinite(v)],
    }


def _loss_charts(runs, losses):
    """Training and validation loss of an experiment's runs."""
    runs = [run for run in runs if losses.get(run, {}).get("loss")]
    if not runs:
        return []
    training, validation = [], []
    for colour, run in enumerate(runs):
        steps, values = zip(*losses[run]["loss"])
        raw = [(x, y, None, None) for x, y in zip(steps, values)]
        smooth = [(x, y, None, None) for x, y in zip(steps, _smoothed(values))]
        training.append({"colour": colour, "style": "faint", "points": raw})
        training.append({"colour": colour, "style": "line", "points": smooth})
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


def _smoothed(values):
    """Means over a window of about a tenth of the steps around each, as far as there are any."""
    values = np.asarray(values, dtype=np.float64)
    reach = max(1, len(values) // 20)
    total = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    start, end = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(values))
    return (total[end] - total[start]) / (end - start)


def _scroll(order, answers, grids, config):
    """Before and after of every experiment: the strip of pictures at the head of the page."""
    panels = []
    for number, name in enumerate(order):
        first = next(pair for pair in answers[name]["pairs"] if pair["family"] == "headline")
        tuned = answers[name]["variants"][first["variant"]]
        grid = f"{tuned['run']}-{tuned['weights']}-{tuned['step']:06d}"
        found = pictures.cells(grids[name][grid], number, [first["baseline"], first["variant"]])
        labels = [first["name"], tuned["name"]]
        title = config["experiments"][name]["title"]
        panels.append({**found, "labels": labels, "name": name, "title": title})
    return panels


def _tally(answers):
    """How many headline comparisons came out how, and how many numbers there are behind it."""
    found = dict.fromkeys(VERDICTS, 0)
    for answer in answers.values():
        for pair in answer["pairs"]:
            if pair["family"] == "headline":
                found[pair["verdict"]] += 1
    return found


def _dataset(folder):
    folder = Path(folder)
    try:
        card = json.loads((folder / "card.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / 'card.json'} cannot be read: {error}") from None
    with Image.open(folder / "contact_sheet.png") as image:
        return {**card, "sheet": pictures.embed(image)}


def _provenance(config):
    text = json.dumps(config, indent=1, sort_keys=True, ensure_ascii=False)
    versions = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "config": text,
        "digest": hashlib.sha256(text.encode()).hexdigest(),
        "versions": versions,
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
    }


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _value(value):
    """A hyper-parameter as the config writes it."""
    if value is None:
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
