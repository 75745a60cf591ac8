"""The report's pages: what templates show, put together from the study's results."""

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jinja2
from markupsafe import Markup, escape

from emaki.common import digests, png_files
from emaki.config import overrides
from emaki.config.comparisons import grid_of
from emaki.config.derived import trainings
from emaki.config.pages import PAGES
from emaki.config.settings import Study
from emaki.costs import timings as taken
from emaki.evaluation.metrics import Metric, metrics_of
from emaki.evaluation.verdicts import WITH_VERDICT
from emaki.evaluation.words import UNDECIDED
from emaki.report import (
    charts,
    claims,
    curves,
    inline_images,
    margins,
    memorised,
    preferences,
    recommended,
    sentences,
    summary,
)

ENTRY_TEXTS = ("date", "title", "question", "expected", "observed")
# What an index has of an entry: all else is on the entry's page.
LISTED = (
    *("name", "title", "date", "href", "panel", "verdict", "sentence", "summary"),
    *("claims", "claims_tally", "claims_href"),
)
TEMPLATES = Path(__file__).parent / "templates"
PACKAGES = (
    *("torch", "diffusers", "transformers", "peft", "accelerate", "bitsandbytes"),
    *("snakemake", "numpy", "pyarrow", "pillow", "jinja2"),
)


class Report:
    """A study's report: one page with all, or an index and a page for each entry."""

    def __init__(
        self,
        study: Study,
        answers: Mapping[str, dict[str, Any]],
        grids: Mapping[str, Mapping[str, str]],
        training: Mapping[str, Sequence[str]],
        datasets: Sequence[str],
        benchmarks: Sequence[Path],
        people: Mapping[str, Any] | None = None,
        nearest: Mapping[str, str] = MappingProxyType({}),
        accepted: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """`answers` is {experiment: what compare.py wrote}.

        `grids` {experiment: {name: path}}; `training` {run: [paths of metrics.parquet in the order
        of steps]}; `datasets` folders with card.json and contact_sheet.png; `benchmarks` the paths
        of Snakemake's benchmark files; `people` what votes.py wrote, if there are votes; `nearest`
        {experiment: what nearest.py wrote}, where a measure finds training pictures; `accepted`
        what `make accept` kept (emaki.workflow.accepting).
        """
        order = sorted(answers, key=lambda name: study.experiments[name].date or "")
        self.study, self.people, self.nearest, self.accepted = study, people, nearest, accepted
        self.answers = {name: answers[name] for name in order}
        self.grids, self.training, self.datasets = grids, training, datasets
        self.timings = taken.read(benchmarks)
        self.metrics = _metrics(study, self.answers)
        samples = Path("results", study.study, "samples")
        self.environment = _environment(taken.of_prompt(self.timings, samples))

    def whole(self) -> str:
        """One page as HTML."""
        entries = [self._entry(name) for name in self.answers]
        return self._overview(entries, [_dataset(folder) for folder in self.datasets])

    def pages(self) -> Iterator[tuple[str, str]]:
        """(experiment, its page), page by page, and at last ("", the index).

        The index is to lie as report.html beside the folder PAGES, which has each experiment's page
        under its name. No more than one page is held.
        """
        listed = []
        for name in self.answers:
            entry = self._entry(name, paged=True)
            listed.append({key: entry[key] for key in LISTED})
            yield name, self._page(name, entry)
        cards = [digests.read_json(Path(folder, "card.json")) for folder in self.datasets]
        yield "", self._overview(listed, cards, paged=True)

    def _page(self, name, entry):
        """An entry's own page, with the datasets that it is about."""
        names = [None, *self.answers, None]
        place = names.index(name)
        shown = self.study.experiments[name]
        used = {shown.reference, *(self.study.runs[run].dataset for run in shown.runs)}
        return self._render(
            "entry.html.j2",
            e=entry,
            number=place,
            count=len(self.answers),
            previous=self._link(names[place - 1]),
            next=self._link(names[place + 1]),
            datasets=[_dataset(folder) for folder in self.datasets if Path(folder).name in used],
        )

    def _link(self, name, paged=True):
        """Title and place of an entry, as seen from another; None of none."""
        if name is None:
            return None
        href = f"{name}.html" if paged else f"#{name}"
        return {"href": href, "title": self.study.experiments[name].title}

    def _overview(self, entries, datasets, paged=False):
        """All entries at a glance; unless there are pages for them, with all that they say."""
        study, metrics, people = self.study, self.metrics, self.people
        distinct = summary.distinct(self.answers)
        told = summary.told(entry["summary"] for entry in entries)
        return self._render(
            "report.html.j2",
            paged=paged,
            margins=margins.tables(metrics, self.answers),
            damages=margins.DAMAGES_TOLD,
            experiments=entries,
            judging={name: metrics[name] for name in metrics if name in told} or metrics,
            people=people,
            agreement=preferences.agreement(people, metrics) if people else [],
            comparisons=len(distinct),
            tally=summary.tally(distinct),
            claims=claims.counts(claim for entry in entries for claim in entry["claims"]),
            forgetting=summary.forgetting(distinct, metrics),
            datasets=datasets,
            stages=taken.by_stage(self.timings),
            accepted=self.accepted,
            sampling=study.sampling,
            models={n: model.model_dump(exclude_none=True) for n, model in study.models.items()},
            provenance=_provenance(study),
        )

    def _render(self, template, **shown):
        return self.environment.get_template(template).render(
            study=self.study.study,
            style=(TEMPLATES / "style.css").read_text("utf-8"),
            metrics=self.metrics,
            evaluation=self.study.evaluation,
            fewest=min(self.study.evaluation.looks),
            **shown,
        )

    def _entry(self, name, paged=False):
        """What is shown of an experiment, and the links to it from the page with all entries."""
        answers, grids = self.answers[name], self.grids.get(name, {})
        runs = self.study.experiments[name].runs
        losses = {run: curves.read_losses(self.training.get(run, ())) for run in runs}
        entry = _experiment(
            self.study, self.metrics, name, self.answers, grids, losses, self.timings
        )
        page = f"{PAGES}/{name}.html" if paged else ""
        return {
            **entry,
            "people": preferences.of_experiment(self.people, answers),
            "nearest": memorised.of_experiment(self.nearest.get(name), answers),
            "panel": _panel(self.study, answers, grids, list(self.answers).index(name)),
            "href": page or f"#{name}",
            "claims_href": f"{page}#{name}:claims",
            "asked_by": self._link(entry["asked_by"], paged),
        }


def _environment(seconds):
    """Templates with what they call; `seconds` are those that a prompt of one model takes."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": charts.number,
        "difference": charts.difference,
        "interval": charts.interval,
        "cost": charts.cost,
        "percent": "{:.0%}".format,
        "duration": charts.duration,
        "value": _value,
        "colour_class": charts.colour_class,
        "verdict": lambda said: said or charts.NO_VERDICT,
        "verdict_class": lambda said: charts.CLASSES[said or charts.NO_VERDICT],
        "explanation": explanation,
        "described": functools.partial(described, seconds=seconds),
    }
    return environment


def explanation(metric: Metric) -> Markup:
    """What a measure's text for "How to read this" says, with the settings that it names, and once
    what there is to say about the measure itself."""
    settings = {name: Markup("<code>{}</code>").format(value) for name, value in metric.measure}
    said = escape(metric.texts.explanation).format(**settings)
    is_first = metric.role == next(iter(metric.measure.texts))
    return Markup(" ").join([said, *(metric.measure.about() if is_first else ())])


def described(metric: dict[str, Any], seconds: float | None = None) -> str:
    """What goes with a metric's verdict: prompts, wins, failures, and what would decide it.

    `seconds` are those that a prompt of one model takes, if known.
    """
    trainings = len(metric.get("by_training", []))
    said = [f"{trainings} trainings: {charts.of_trainings(metric)}"] if trainings else []
    said.append(f"{metric['prompts']} prompts")
    if metric["wins"] is not None:
        said.append(f"better on {metric['wins']:.0%}")
    if metric["lost"]:
        said.append(f"fails on {metric['lost']}")
    if metric["reason"]:
        said.append(metric["reason"])
    if metric["verdict"] == UNDECIDED and metric["to_decide"]:
        said.append(f"about {_missing(metric, trainings or 1, seconds)} would decide")
    return "; ".join(said)


def _missing(metric, count, seconds):
    """What would decide in words: more prompts and what they take, more trainings, or both.

    There are `count` trainings.
    """
    more = metric["to_decide"] - metric["prompts"]
    further = (metric.get("trainings_to_decide") or count) - count
    if further:
        words = f"{further} more training{'s' if further > 1 else ''}"
        return f"{words} and {charts.number(more, 2)} more prompts" if more > 0 else words
    more = max(1, more)
    # at most: a baseline that all trainings have in common is drawn once
    took = f" ({charts.duration(2 * count * more * seconds)})" if seconds else ""
    return f"{charts.number(more, 2)} more{took}"


def _metrics(study, answers):
    """The study's metrics without those that nothing was compared by."""
    pairs = [pair for answer in answers.values() for pair in answer["pairs"]]
    found = {name for pair in pairs for name in pair["metrics"]}
    return {name: metric for name, metric in metrics_of(study.measures).items() if name in found}


def _experiment(study, metrics, name, answers, grids, losses, timings):
    entry, asked_by = study.experiments[name], summary.asked_by(name, answers)
    answers = answers[name]
    claimed = claims.answered(study, name, answers, metrics, timings)
    families = {}
    for family in ("headline", "scale"):
        pairs = [pair for pair in answers["pairs"] if pair["family"] == family]
        limits = _limits(pairs)
        families[family] = [_pair(metrics, pair, answers, limits) for pair in pairs]
    if asked_by:
        families["headline"] = []
        verdicts = [summary.of_scale(pair) for pair in families["scale"]]
        sentence = sentences.of_scales(metrics, answers["scales"])
    else:
        verdicts = [pair["verdict"] for pair in families["headline"]]
        sentence = sentences.of_comparisons(metrics, families["headline"])
    return {
        "name": name,
        **{key: getattr(entry, key) for key in ENTRY_TEXTS},
        "reference": answers["reference"],
        "real_pictures": answers["real_pictures"],
        "held_out": answers["held_out"],
        **families,
        "judged": _judged(metrics, families),
        "asked_by": asked_by,
        "verdict": summary.together(verdicts),
        "sentence": sentences.of_effects(metrics, answers["effects"]) or sentence,
        "forgetting": summary.forgetting(families["headline"], metrics),
        "summary": summary.rows(families["headline"], answers["scales"]),
        "answers": [] if asked_by else answers["answers"],
        "scales": answers["scales"],
        "effects": _effects(metrics, answers["effects"]),
        "recommended": recommended.recommended(study, metrics, answers, grids),
        "claims": claimed,
        "claims_tally": claims.tally(claimed),
        "verdicts": sum(_count_verdicts(pair) for pair in answers["pairs"]),
        "runs": [_run(study, run, timings) for run in entry.runs],
        "charts": [
            *curves.differences(study.runs, metrics, answers, entry.baselines[0]),
            *curves.losses(entry.runs, losses),
        ],
        "grids": _grids(grids),
    }


def _count_verdicts(pair):
    """How many verdicts a pair has for its experiment's sake."""
    if pair["family"] == "claim":
        return len(pair["claimed"])
    return len(pair.get("errors", ())) if pair["family"] in WITH_VERDICT else 0


def _judged(metrics, families):
    """{role: (fewest, most) prompts} that the comparisons were judged by, as far as they were."""
    judged: dict[str, list[int]] = {}
    for pair in (*families["headline"], *families["scale"]):
        for name, found in pair["metrics"].items():
            if not found["error"]:
                continue
            judged.setdefault(metrics[name].role, []).append(found["prompts"])
    return {role: (min(counts), max(counts)) for role, counts in judged.items()}


def _pair(metrics, pair, answers, limits):
    """A comparison with its label and a drawn interval for each metric."""
    variant = answers["variants"][pair["variant"]]
    drawn = _draw(metrics, pair, limits)
    return {**pair, "label": variant["label"], "model": variant["name"], "metrics": drawn}


def _effects(metrics, effects):
    """The effects of a matrix, drawn as comparisons are."""
    limits = _limits(effects)
    return [
        {
            **effect,
            "label": effect["what"],
            "name": effect["against"],
            "metrics": _draw(metrics, effect, limits),
        }
        for effect in effects
    ]


def _draw(metrics, pair, limits):
    """The metrics of a comparison, each with its drawn interval."""
    drawn = {}
    for name, metric in metrics.items():
        if found := pair["metrics"].get(name):
            forest = charts.forest(found, limits[name], metric.higher_is_better)
            drawn[name] = {**found, "forest": forest}
    return drawn


def _limits(pairs):
    """Half the width of the drawn intervals, one per metric, so that they compare by eye."""
    found: dict[str, float] = {}
    for pair in pairs:
        for name, metric in pair["metrics"].items():
            values = [metric["difference"], metric["low"], metric["high"]]
            largest = max(abs(value) for value in values if value is not None)
            found[name] = max(found.get(name, 0.0), largest)
    return found


def _run(study, name, timings):
    run = study.runs[name]
    return {
        "name": name,
        "extends": run.extends,
        "overrides": _flat(overrides(study, name)),
        "settings": {k: value for k, value in sorted(run.values().items()) if k != "extends"},
        "seconds": taken.of_run(timings, *trainings(study, name).values()),
    }


def _flat(pairs):
    """{key: (theirs, ours)} with a line for each inner key where both are mappings."""
    found: dict[str, tuple] = {}
    for key, (theirs, ours) in pairs.items():
        if isinstance(theirs, dict) and isinstance(ours, dict):
            inner = {k: (theirs.get(k), ours.get(k)) for k in sorted(theirs.keys() | ours.keys())}
            found |= {f"{key}.{k}": pair for k, pair in inner.items() if pair[0] != pair[1]}
        else:
            found[key] = theirs, ours
    return found


def _grids(paths):
    """First those that show a trajectory, then one per checkpoint, which the page folds away."""
    drawn = {name: inline_images.grid(path) for name, path in sorted(paths.items())}
    folded = [name for name in drawn if name.rpartition("-")[2].isdigit()]
    shown = [name for name in drawn if name not in folded] or folded[-1:]
    return {
        "shown": [drawn[name] for name in shown],
        "folded": [drawn[name] for name in folded if name not in shown],
    }


def _panel(study, answers, grids, number):
    """Before and after of an experiment: a prompt of it, with two pictures.

    After is the model that is recommended, or the first of those that the experiment is about.
    `number` is that of the experiment: each shows another prompt.
    """
    first = summary.headline(answers)[0]
    shown = recommended.beside(answers) or (first["baseline"], first["variant"])
    before, after = (answers["variants"][path] for path in shown)
    found = inline_images.cells(grids[grid_of(study, after)], number, shown)
    return {**found, "labels": [before["name"], after["name"]]}


@functools.lru_cache(maxsize=32)  # several entries have the same
def _dataset(folder):
    folder = Path(folder)
    card = digests.read_json(folder / "card.json")
    with png_files.opened(folder / "contact_sheet.png") as image:
        return {**card, "sheet": inline_images.embed(image)}


def _provenance(study):
    text = json.dumps(study.as_json(), indent=1, sort_keys=True, ensure_ascii=False)
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
