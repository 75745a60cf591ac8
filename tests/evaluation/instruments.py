"""The embedded study's measures as instruments: the base model compared with itself.

    PYTHONPATH=scripts python tests/evaluation/instruments.py

draws the study's prompts with three noises each, compares two of them a hundred times by the
study's own code, prints how often each verdict came out, and writes the scores that
test_instruments.py compares again to base_scores.json beside it. It takes minutes.
"""

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emaki.config import load
from emaki.data.dataset_files import choose_held_out
from emaki.evaluation import scoring
from emaki.evaluation.calibration import (
    calibrate,
    find_margin,
    needs_calibration,
    read_calibration,
    set_aside,
)
from emaki.evaluation.comparison import judge
from emaki.evaluation.measures import RealPictures
from emaki.evaluation.metrics import metrics_of
from emaki.evaluation.reference import centre_square
from emaki.evaluation.settings import LOOKS
from emaki.evaluation.verdicts import share_error
from emaki.sampling import sampler

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("base_scores.json")
SETS = {"domain": "rooms", "unrelated": "unrelated"}
NOISES = 3
PROMPTS = 256
TIMES = 100


@dataclasses.dataclass
class Drawn:
    """What measures made of the base model's pictures.

    `values` are {metric: (prompts, noises) or (prompts, noises, d)}, `margins` {(metric, "tiny"):
    Margin} and `references` {measure: RealPictures}.
    """

    values: dict[str, np.ndarray]
    margins: dict[tuple[str, str], Any]
    references: dict[str, RealPictures]


def compare_often(measures, drawn, times=TIMES, seed=0):
    """The verdicts of so many comparisons of the base with itself: a list of {metric: verdict}.

    For each, both sides take one of the noises of each prompt by chance, never the same.
    """
    metrics = metrics_of(measures)
    chance, found = np.random.default_rng(seed), []
    for _ in range(times):
        scores, orders = {}, {}
        for name, metric in metrics.items():
            values = drawn.values[name]
            if metric.role not in orders:
                order = [chance.permutation(NOISES)[:2] for _ in range(len(values))]
                orders[metric.role] = np.array(order).T
            prompts = np.array([f"{number:03d}" for number in range(len(values))], dtype=object)
            for side, noise in zip(("ours", "theirs"), orders[metric.role]):
                scores[metric.measure_name, side, metric.role] = {
                    "prompt": prompts,
                    "seed": np.zeros(len(prompts), dtype=np.int64),
                    "value": values[np.arange(len(values)), noise],
                }
        (pair,) = judge(plan(measures, drawn), measures, scores, drawn.references, drawn.margins)
        said = {name: pair["metrics"][name]["verdict"] for name in metrics}
        found.append({name: verdict for name, verdict in said.items() if verdict})
    return found


def plan(measures, drawn):
    """One headline comparison by all measures, with its share of the error."""
    pair = {"variant": "ours", "baseline": "theirs", "name": "base", "family": "headline"}
    sizes = {m.role: len(drawn.values[name]) for name, m in metrics_of(measures).items()}
    whole = {
        "prompts": {role: SETS[role] for role in sizes},
        "reference": "rooms",
        "fewest": LOOKS[0],
        "first_block": dict.fromkeys(sizes, 32),
        "looks": {
            role: sorted({*(look for look in LOOKS if look <= size), size})
            for role, size in sizes.items()
        },
        "pairs": [{**pair, "model": "tiny"}],
    }
    return share_error({"one": whole}, measures)["one"]


def draw(study):
    """The base model's pictures: {role: [(prompt, noise, RGB picture), ...]}."""
    model, sampling = study.models["tiny"].folder, study.sampling
    sampling = sampling.model_copy(update={"seeds": list(range(NOISES))})
    pipeline = sampler.load_pipeline(model, scheduler=sampling.scheduler)
    found = {}
    with tempfile.TemporaryDirectory() as store:
        for role, name in SETS.items():
            wanted = dict.fromkeys(study.prompts[name].texts[:PROMPTS])
            table = sampler.sample(wanted, sampling, name, lambda: pipeline, store, name)
            images = [scoring.decode(image["bytes"]) for image in table["image"]]
            found[role] = list(zip(table["prompt"], table["seed"], images))
    return found


def measure_all(study, measures, pictures):
    """What measures made of pictures, with their margins, as `Drawn`."""
    drawn, splits = Drawn({}, {}, {}), real_pictures(study)
    for name, metric in metrics_of(measures).items():
        measure, own = metric.measure, pictures[metric.role]
        prompts, images = [prompt for prompt, _, _ in own], [image for _, _, image in own]
        values = np.array(measure.score(images, prompts, name))
        drawn.values[name] = values.reshape(len(own) // NOISES, NOISES, *values.shape[1:])
        damaged, asked = images[::NOISES][:32], prompts[::NOISES][:32]
        if measure.compares_with_real:
            encoded = [np.array(measure.score_reference(split, name)) for split in splits]
            drawn.references[metric.measure_name] = RealPictures(*encoded)
            last, first = set_aside(*map(len, splits))
            damaged = [*splits[0][len(splits[0]) - last :], *splits[1][:first]]
            asked = [str(number) for number in range(len(damaged))]
        real, calibration = drawn.references.get(metric.measure_name), None
        if needs_calibration(measure):
            with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
                scoring.write(calibrate(measure, damaged, asked, name), file.name)
                calibration = read_calibration(file.name)
        drawn.margins[name, "tiny"] = find_margin(measure, calibration, real)
    return drawn


def real_pictures(study):
    """The rooms of the study, those to train on and those that are held out."""
    rooms = {room.id: room.image for room in study.sources["rooms"].pictures()}
    held_out = choose_held_out(rooms, study.datasets["rooms"].validation)
    size = study.sampling.resolution
    return [
        [centre_square(image, size) for name, image in rooms.items() if (name in held_out) == part]
        for part in (False, True)
    ]


def main():
    torch.set_num_threads(1)
    study = load(ROOT / "config/config.yaml")
    # all that can give verdicts
    measures = {
        name: m.model_copy(update={"decides": True})
        for name, m in study.measures.items()
        if m.yardstick
    }
    drawn = measure_all(study, measures, draw(study))
    for name, measure in measures.items():
        found = compare_often({name: measure}, drawn)
        fooled = sum(bool({"better", "worse"} & set(verdicts.values())) for verdicts in found)
        print(f"{name}: {fooled} of {TIMES} experiments call the base better or worse than itself")
        for metric in metrics_of({name: measure}):
            said = [verdicts[metric] for verdicts in found if metric in verdicts]
            margin = drawn.margins[metric, "tiny"].value
            counts = {verdict: said.count(verdict) for verdict in dict.fromkeys(said)}
            print(f"  {metric}, margin {margin}: {counts}")
    kept = {
        name: {
            "margin": round(drawn.margins[name, "tiny"].value, 4),
            "values": [[round(v, 2) for v in row] for row in values.tolist()],
        }
        for name, values in drawn.values.items()
        if values.ndim == 2 and drawn.margins[name, "tiny"].value
    }
    FILE.write_text(json.dumps(kept, separators=(",", ":")).replace("]],", "]],\n") + "\n")


if __name__ == "__main__":
    main()
