"""A study whose truth is known: pictures drawn here, scores with effects put in on purpose.

Against the base model, the LoRA is better, the LoRA of rank 64 is its equal, and the full
fine-tune is worse and forgets.
"""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import yaml
from PIL import Image, ImageDraw

from emaki.common import parquet_groups
from emaki.config import load, save
from emaki.config.blocks import blocks, bounds
from emaki.config.comparisons import grids
from emaki.config.derived import run_of
from emaki.evaluation import values
from emaki.evaluation.calibration import DAMAGES, NONE
from emaki.workflow.evaluation_files import EvaluationFiles

RESOURCES = Path(__file__).parents[2] / "resources"
SCRIPTS = Path(__file__).parents[2] / "scripts"
COLOURS = ["red", "blue", "green", "orange", "purple", "teal", "brown", "pink"]
FLOORS = ["oak", "pine", "stone", "cork", "slate", "brick", "tiled", "carpet"]
PLACES = ["by a window", "in a corner"]
# Colours first, so that few prompts show them all; as many as the first look takes.
SETS = {
    "rooms": [
        f"a living room with a {colour} couch {place} on a {floor} floor"
        for place in PLACES
        for floor in FLOORS
        for colour in COLOURS
    ],
    "unrelated": [
        f"{colour} umbrella {place} on a {floor} floor"
        for place in PLACES
        for floor in FLOORS
        for colour in COLOURS
    ],
}
DRAWN = 8  # prompts with pictures, for grids; the others have scores only
SEEDS = [0, 1]
STEPS = {"lora-r4": 60, "lora-r64": 60, "full": 60}
# What a run adds to the base at scale 1: CLIPScore on rooms and on unrelated prompts, and
# how far its features move towards (positive) or away from the real pictures'.
EFFECTS = {"lora-r4": (6, 0, 0.6), "lora-r64": (6, 0, 0.6), "full": (-6, -9, -0.8)}

# How much more CLIPScore a further training has, times its seed.
APART = 0.5

CONFIG = {
    "study": "synthetic",
    "sampling": {"steps": 20, "seeds": SEEDS, "resolution": 64},
    "sources": {"rooms": {"type": "rooms", "count": 40, "seed": 1}},
    "captions": {"alt": {"type": "alt"}},
    "datasets": {"rooms": {"source": "rooms", "captions": "alt"}},
    "prompts": {name: {"texts": texts} for name, texts in SETS.items()},
    "runs": {
        "lora-r4": {
            "model": "tiny",
            "dataset": "rooms",
            "method": "lora",
            "rank": 4,
            "steps": 60,
            "checkpoint_every": 20,
            "batch_size": 8,
            "learning_rate": 1e-3,
            "resolution": 64,
        },
        "lora-r64": {"extends": "lora-r4", "rank": 64},
        "full": {"extends": "lora-r4", "method": "full", "learning_rate": 2e-4},
    },
}


def experiment(date, title, runs, baselines, **more):
    question = f"{title}: does it draw living rooms better?"
    prompts = {"domain": "rooms", "unrelated": "unrelated"}
    entry = {"date": date, "title": title, "question": question, "prompts": prompts}
    return {**entry, "runs": runs, "baselines": baselines, "observed": "Different.", **more}


def claim(words, **about):
    return {"words": words, "measure": "clip_score", "against": "tiny"} | about


CLAIMS = {
    "lora": [claim("No clear benefit", says="not better")],
    "rank": [
        claim("Rank <64> was no bottleneck", against="lora-r4", says="the same"),
        {"words": "It is faster", "cost": "time", "against": "lora-r4", "says": "less"},
        {"words": "It fits", "cost": "gpu_memory", "at_most": 16},
        {"words": "People like it", "unchecked": "nobody was asked"},
    ],
    "full": [
        claim("It gets worse", against="first checkpoint", says="worse"),
        claim("It is forgetting from the first", prompts="unrelated", step=20, says="worse"),
        claim("Merging helps", scale=0.5, against="scale 1", says="better"),
    ],
}
EXPERIMENTS = {
    "lora": experiment(
        *("2023-06-03", "A LoRA", ["lora-r4"], ["tiny"]), lora_scales=[0.5], claims=CLAIMS["lora"]
    ),
    "rank": experiment(
        *("2023-06-04", "Rank <64> & more", ["lora-r64"], ["tiny", "lora-r4"]),
        claims=CLAIMS["rank"],
    ),
    "full": experiment(
        *("2023-06-14", "Full", ["full"], ["tiny"]),
        merge_alphas=[0.25, 0.5],
        claims=CLAIMS["full"],
    ),
    "merging": experiment("2023-06-15", "Merging", ["full"], ["tiny"], merge_alphas=[0.25]),
}


FOLDER = "results/synthetic"


def build(place, **changes):
    """Write a study, with sections changed, and its results into FOLDER of a place: the Study."""
    folder = place / FOLDER
    folder.mkdir(parents=True)
    for name in ("sd", "clip"):
        (folder / name).symlink_to(RESOURCES / f"tiny-{name}")
    config = CONFIG | {
        "models": {"tiny": {"path": str(folder / "sd")}},
        "measures": {
            "clip_score": {"type": "clip-score", "model": str(folder / "clip")},
            "kid": {"type": "kid", "margin": 20.0},
        },
        "experiments": EXPERIMENTS,
        **changes,
    }
    if "clip_score" not in config["measures"]:  # by which the claims are checked
        config["experiments"] = {
            name: {key: value for key, value in entry.items() if key != "claims"}
            for name, entry in config["experiments"].items()
        }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    made = load(folder / "config.yaml")
    save(made, folder / "config.json")
    files, samples, scores = EvaluationFiles(made), {}, {}
    for experiment, plan in files.plans.items():
        for grid in grids(made, experiment):
            for (path, _), (part,) in files.samples(experiment, grid).items():
                samples[part] = sample_table(plan["variants"][path], part)
        for (name, path, role), parts in files.scores(experiment).items():
            ends = map(bounds, blocks(made, plan["prompts"][role]))
            for part, block in zip(parts, ends):
                type_ = made.measures[name].type
                scores[part] = score_table(variant_of(plan, path), part, type_, block)
    write_parts(place, samples)
    write_parts(place, scores)
    for name, measure in made.measures.items():
        for prompt_set in SETS:
            if measure.type not in VECTORS:
                path = folder / f"calibrations/{name}/tiny/{prompt_set}.parquet"
                write_calibration(path, prompt_set, measure.type)
        if measure.type in VECTORS:
            write_reference(folder / f"references/{name}/rooms.parquet", measure.type)
    for run, steps in STEPS.items():
        for step in range(20, steps + 1, 20):
            write_metrics(folder / f"runs/{run}/{step:06d}/metrics.parquet", step)
            write_benchmark(folder / f"benchmarks/runs/{run}/{step:06d}.tsv", 12.5)
    write_dataset(folder / "datasets/rooms")
    return made


def variant_of(plan, path):
    """A variant of a plan, or of a further training of one."""
    training, _, rest = path.partition("/")
    run = run_of(training)
    return plan["variants"][f"{run}/{rest}"] | ({"run": training} if run != training else {})


def scale_of(variant):
    """How far a variant is from the base: 0 for the base, 1 for a whole run."""
    return variant["scale"] * variant["step"] / 60 if variant["run"] else 0.0


def keys(prompt_set):
    return [(prompt, seed) for prompt in SETS[prompt_set] for seed in SEEDS]


def sample_table(variant, part, first=0, end=DRAWN):
    """Pictures of the first prompts: a grid shows no more."""
    rows, prompt_set = [], part.key[-1]
    for prompt, seed in keys(prompt_set)[first * len(SEEDS) : end * len(SEEDS)]:
        image = {"bytes": picture(prompt, seed, scale_of(variant)), "path": None}
        key = f"{variant['label']}, {seed}: {prompt}"
        row = {"variant": part.key[0], "prompts": prompt_set, "prompt": prompt, "seed": seed}
        rows.append(row | {"image": image, "key": key, "held_out": prompt in SETS["rooms"][:2]})
    return pa.Table.from_pylist(rows)


def picture(prompt, seed, scale):
    """A couch or an umbrella of the prompt's colour on a wall that tells the scale."""
    colour = next(colour for colour in COLOURS if colour in prompt)
    wall = int(235 - 90 * scale)
    image = Image.new("RGB", (64, 64), (wall, wall, 225))
    pen = ImageDraw.Draw(image)
    pen.rectangle([0, 50, 64, 64], fill="#b08d62")
    left = 8 + 6 * seed
    if "couch" in prompt:
        pen.rounded_rectangle([left, 34, left + 40, 56], 5, fill=colour)
    else:
        pen.pieslice([left, 12, left + 40, 52], 180, 360, fill=colour)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


# What the measures give that are no numbers, of the features of KID.
VECTORS = {"kid": lambda features: features, "cmmd": lambda features: unit(features)}


def score_table(variant, part, measure_type, bounds_):
    """Scores with a prompt's own level, a picture's own noise, and the run's effect.

    Preference and CLIP's embeddings tell the same in other units. There are those of the prompts
    within these bounds.
    """
    block, prompt_set = slice(*(len(SEEDS) * end for end in bounds_)), part.key[-1]
    scale = scale_of(variant)
    effect = EFFECTS.get(run_of(variant["run"] or ""), (0, 0, 0))
    apart = APART * int((variant["run"] or "").partition("+seed")[2] or 0)
    own = sum(map(ord, variant["run"] or "base")) + (variant["step"] or 0)
    shared, noise = np.random.default_rng(7), np.random.default_rng(own)
    rows = []
    for prompt, seed in keys(prompt_set):
        level = shared.normal(60, 6)
        gain = effect[0 if prompt_set == "rooms" else 1] * scale + apart
        features = 0.3 * shared.normal(size=32) + 0.3 - 0.3 * effect[2] * scale
        number = level + gain + noise.normal(0, 1)
        features = (features + noise.normal(0, 0.03, 32)).tolist()
        row = dict(zip(("measure", "variant", "prompts"), part.key))
        row |= {"prompt": prompt, "seed": seed}
        if measure_type in VECTORS:
            row["vector"] = VECTORS[measure_type](features)
        else:
            row["value"] = number / 3 if measure_type == "preference" else number
        if prompt_set == "rooms":
            row["held_out"] = prompt in SETS["rooms"][:2]
        rows.append(row)
    return pa.Table.from_pylist(rows[block], schema=values.SCHEMA)


def write_parts(place, tables):
    """Write tables, {part: table}, into their files below a place."""
    files = {}
    for part, table in tables.items():
        files.setdefault(place / part.path, {})[part.key] = table
    for path, own in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet_groups.write(own.items(), next(iter(own.values())).schema, path)


def write_calibration(path, prompt_set, measure_type):
    """Damaged pictures' scores of the first prompts: prompts that are lost cost most by far."""
    rows, unit_ = [], 3 if measure_type == "preference" else 1
    steps = [(NONE, 0.0), *((d, strength) for d, all_ in DAMAGES.items() for strength in all_)]
    for damage, strength in steps:
        noise = np.random.default_rng(int(100 * strength))
        cost = 60 * strength if damage == "prompts" else 0.1 * strength
        for number, prompt in enumerate(SETS[prompt_set][:32]):
            value = (60 - (cost if damage != NONE else 0) + noise.normal(0, 0.1)) / unit_
            row = {"damage": damage, "strength": strength, "prompt": prompt, "picture": number}
            rows.append(row | {"value": value})
    write(path, pa.Table.from_pylist(rows))


def write_reference(path, measure_type):
    features = 0.3 * np.random.default_rng(1).normal(size=(40, 32))
    vectors = [VECTORS[measure_type](row.tolist()) for row in features]
    rows = [
        {"id": f"rooms-{n:06d}", "value": vector, "split": "train"}
        for n, vector in enumerate(vectors)
    ]
    write(path, pa.Table.from_pylist(rows))


def unit(vector):
    return (np.array(vector) / np.linalg.norm(vector)).tolist()


def write_metrics(path, step):
    noise = np.random.default_rng(step)
    steps = range(step - 19, step + 1)
    loss = [0.4 + 0.6 * np.exp(-s / 20) + noise.normal(0, 0.08) for s in steps]
    held_out = [None] * 19 + [0.42 + 0.5 * np.exp(-step / 20)]
    columns = {"step": list(steps), "loss": loss, "validation_loss": held_out}
    write(path, pa.table(columns | {"learning_rate": [1e-3] * 20}))


def write_benchmark(path, seconds):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:12\t512.0\n")


def write_dataset(folder):
    folder.mkdir(parents=True)
    card = {
        "name": "rooms",
        "source": "rooms",
        "captions": "alt",
        "summary": "dataset rooms: 36 pictures to train on, 4 held out; 1 set aside",
        "counts": {"train": 36, "validation": 4, "rejected": 1},
        "rejects": [{"file": "broken.png", "reason": "cannot be read <as a picture>"}],
        "caption_words": {"min": 4, "median": 7, "max": 11},
        "licences": {"MIT": 40},
        "credits": ["Emaki's rooms"],
    }
    (folder / "card.json").write_text(json.dumps(card))
    Image.new("RGB", (400, 300), "#c9b458").save(folder / "contact_sheet.png")


def write(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)


def commands(made):
    """The arguments of compare.py, grid.py and report.py for a whole study, in order.

    They are to be run in the place that it was built in.
    """
    found = []
    spread = ["--study", f"{FOLDER}/config.json", "--output", f"{FOLDER}/spreads.json"]
    found += [["spread.py", *spread]] if EvaluationFiles(made).recipes else []
    for name in made.experiments:
        asked = ["--study", f"{FOLDER}/config.json", "--experiment", name]
        found.append(["compare.py", *asked, "--output", f"{FOLDER}/experiments/{name}.json"])
        for grid in grids(made, name):
            output = f"{FOLDER}/grids/{name}/{grid}.png"
            found.append(["grid.py", *asked, "--grid", grid, "--output", output])
    report = ["--study", f"{FOLDER}/config.json", "--output", f"{FOLDER}/report.html"]
    return [*found, ["report.py", *report]]


def run_scripts(place, built):
    """Run compare.py, grid.py and report.py for the whole study; return its folder."""
    # one interpreter for all of them, as importing numpy and pyarrow is most of the time
    code = (
        "import json, runpy, sys\n"
        "for script, *arguments in json.load(sys.stdin):\n"
        "    sys.argv = [script, *arguments]\n"
        "    runpy.run_path(script, run_name='__main__')\n"
        "assert 'torch' not in sys.modules"
    )
    scripts = json.dumps([[str(SCRIPTS / script), *rest] for script, *rest in commands(built)])
    subprocess.run(
        [sys.executable, "-c", code],
        input=scripts,
        text=True,
        check=True,
        cwd=place,
        env={"PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"},
    )
    return place / FOLDER


def scoring_commands(folder, drawing, owners):
    """The arguments of score.py for the first blocks of owners."""
    for owner in owners:
        plan = folder / f"{owner.replace('/', '-')}.json"
        plan.write_text(json.dumps(drawing.scoring_plan("evaluation", owner, "0")))
        parts = ("samples", "scores/evaluation")
        samples, output = (folder / part / owner / "0.parquet" for part in parts)
        about = ["--plan", plan, "--store", folder / "values", "--label", owner]
        yield ["score.py", "--samples", samples, *about, "--output", output]
