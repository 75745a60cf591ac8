"""The card of a model that is exported: what it is, the evidence, where it comes from."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from emaki.config.settings import Study
from emaki.evaluation.metrics import metrics_of
from emaki.report import charts

# Owners of base models on the hub, by the identifier of the licence that their models have.
LICENCES = {
    "CompVis": "creativeml-openrail-m",
    "stable-diffusion-v1-5": "creativeml-openrail-m",
    "stabilityai": "openrail++",
}
SHOWN = (
    "method",
    "steps",
    "batch_size",
    "learning_rate",
    "optimizer",
    "rank",
    "resolution",
    "seed",
)


def write_card(
    study: Study,
    experiment: str,
    answers: Mapping[str, Any],
    choice: Mapping[str, Any],
    cards: Sequence[Mapping[str, Any]],
    files: Sequence[str],
    pictures: Sequence[str],
) -> str:
    """The card as Markdown with the YAML header that Hugging Face reads.

    `choice` is what scripts/choose.py wrote, `cards` are the card.json of the datasets that the
    model was trained on, `files` the names of its files for web UIs and `pictures` of its pictures.
    """
    variant = answers["variants"][choice["variant"]]
    exported = choice["exported"]
    return "\n".join(
        [
            *(_header(study, variant, choice) if exported else ()),
            f"# {study.experiments[experiment].title}: {_plain(variant['label'])}",
            "",
            _plain(choice["sentence"]),
            "",
            *(_taken_anyway(choice) if exported and not choice["recommended"] else ()),
            *(
                f"![Beside the baseline; a row has the same prompt and noise]({p})"
                for p in pictures
            ),
            "",
            *_evidence(study, answers, choice["variant"] if exported else None),
            *(_use(study, variant, choice, files) if exported else ()),
            *(_training(study, variant) if variant["run"] else ()),
            *_data(cards),
            "## Made by",
            "",
            f"Emaki, from the study `{study.study}`, experiment `{experiment}`; all of its settings"
            " are in the study's config.json.",
            "",
        ]
    )


def _header(study, variant, choice):
    repo = study.models[choice["model"]].repo
    lora = variant["run"] and study.runs[variant["run"]].method == "lora"
    sources = [study.sources[study.datasets[name].source] for name in _datasets(study, variant)]
    named = sorted({source.repo for source in sources if getattr(source, "repo", None)})
    tags = ["text-to-image", "stable-diffusion", "diffusers", "diffusers-training"]
    lines = {
        "license": LICENCES.get((repo or "").partition("/")[0], "other"),
        "library_name": "diffusers",
        "pipeline_tag": "text-to-image",
        "base_model": repo,
        "base_model_relation": ("adapter" if lora else "finetune") if repo else None,
        "datasets": named or None,
        "tags": [*tags, *(["lora"] if lora else []), "emaki"],
    }
    told = [f"{key}: {json.dumps(value)}" for key, value in lines.items() if value is not None]
    return ["---", *told, "---", ""]


def _taken_anyway(choice):
    return [f"This is {_plain(choice['variant'])}, which the study's config takes instead.", ""]


def _evidence(study, answers, path):
    """The comparisons of a model with the baselines, or those of the experiment."""
    metrics = metrics_of(study.measures)
    pairs = [pair for pair in answers["pairs"] if path is None or pair["variant"] == path]
    pairs = [p for p in pairs if path is not None or p["family"] == "headline"]
    if not pairs:
        return []
    lines = [
        "## Evidence",
        "",
        "| model | against | measure | difference | interval | prompts | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for pair in pairs:
        label = answers["variants"][pair["variant"]]["label"]
        for name, found in pair["metrics"].items():
            texts, better = metrics[name].texts, metrics[name].higher_is_better
            unit = texts.unit + ("" if better else ", lower is better")
            cells = [label, pair["name"], f"{texts.title} ({unit})"]
            cells += [charts.difference(found), charts.interval(found), str(found["prompts"])]
            cells.append(found["verdict"] or "none")
            lines.append(f"| {' | '.join(map(_plain, cells))} |")
    return [
        *lines,
        "",
        *_among_all(metrics, answers, path),
        "An interval without a verdict has 95 % by itself. A verdict speaks of this run, of prompts"
        " of this kind, and of what the measure sees; a model that was chosen because it came out"
        " best has gained rather less than was measured.",
        "",
    ]


def _among_all(metrics, answers, path):
    """What a recommendation is made of: intervals that hold for all candidates together."""
    found = answers["recommendation"]
    for one in found["candidates"]:
        if one["variant"] == path:
            base = answers["variants"][found["baseline"]]["label"]
            told = [
                f"{metrics[found[axis]].texts.title} {charts.difference(one[axis])}"
                f" ({charts.interval(one[axis])}, {one[axis]['prompts']} prompts)"
                for axis in ("gain", "kept")
                if one[axis]
            ]
            count = len(found["candidates"])
            start = (
                f"Against {base}, with intervals for all {count} models that were drawn together"
            )
            return [_plain(f"{start}: {'; '.join(told)}."), ""]
    return []


def _use(study, variant, choice, files):
    lora = variant["run"] and study.runs[variant["run"]].method == "lora"
    model = study.models[choice["model"]]
    base = model.repo or model.folder
    drawing = model.family.pipeline
    lines = ["## Use", "", "```python", f"from diffusers import {drawing}", ""]
    if lora:
        lines += [f'pipeline = {drawing}.from_pretrained("{base}")']
        lines += ['pipeline.load_lora_weights(".")']
    else:
        lines += [f'pipeline = {drawing}.from_pretrained(".")']
    prompt = "a prompt of the training's kind"
    lines += [f'pipeline("{prompt}").images[0].save("picture.png")', "```", ""]
    if lora and variant["scale"] != 1:
        lines += [f"The scale {variant['scale']:g} is in the weights: load it at 1.", ""]
    for file in files:
        lines += [f"For web UIs: `{file}`.", ""]
    if not files:
        lines += [
            "There is no single file for web UIs: it is made of Stable Diffusion 1.x only.",
            "",
        ]
    return lines


def _training(study, variant):
    run = study.runs[variant["run"]]
    values = {key: value for key, value in run.values().items() if key in SHOWN}
    values["steps"] = variant["step"]
    if variant["weights"] == "ema":
        values["weights"] = "the exponential moving average"
    lines = [f"| {key} | {_plain(str(values[key]))} |" for key in sorted(values)]
    return ["## Training", "", "| | |", "|---|---|", f"| base model | {run.model} |", *lines, ""]


def _data(cards):
    lines = ["## Data", ""] if cards else []
    for card in cards:
        lines += [f"{_plain(card['summary'])}.", ""]
        lines += [f"- {_plain(name)}: {count} pictures" for name, count in card["licences"].items()]
        lines += [f"- {_plain(note)}" for note in card.get("notes", ())]
        lines += [f"- Credit: {_plain(credit)}" for credit in card["credits"]]
        lines += [""]
    if cards:
        lines += ["The base model's licence holds for what is made of it, too.", ""]
    return lines


def _datasets(study, variant):
    return [study.runs[variant["run"]].dataset] if variant["run"] else []


def _plain(text):
    """Text that Markdown shows as it is, in one line."""
    return "".join(
        f"\\{mark}" if mark in "\\`*_[]<>|#" else mark for mark in " ".join(str(text).split())
    )
