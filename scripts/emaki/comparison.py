"""An experiment's scores turned into answers: differences, intervals, verdicts and sentences."""

import itertools

import numpy as np
import pyarrow.parquet as parquet

from emaki.errors import UserError
from emaki.kid import kid, kid_difference_by_prompt
from emaki.statistics import simultaneous_intervals, verdict

LEVEL = 0.95
KID_SCALE = 1000  # KID is small by nature; x 1000 is how it is reported

# The metrics in the order of the report. `role` is the set of prompts whose pictures it judges.
METRICS = {
    "domain_clip_score": {"role": "domain", "higher_is_better": True},
    "domain_kid": {"role": "domain", "higher_is_better": False},
    "unrelated_clip_score": {"role": "unrelated", "higher_is_better": True},
}

PHRASES = {
    "domain_clip_score": {
        "better": "its pictures follow the prompts better",
        "worse": "its pictures follow the prompts worse",
        "no clear difference": "its pictures follow the prompts neither clearly better nor worse",
    },
    "domain_kid": {
        "better": "look more like the real pictures",
        "worse": "look less like the real pictures",
        "no clear difference": "look neither clearly more nor less like the real pictures",
    },
    "unrelated_clip_score": {
        "better": "unrelated prompts come out better",
        "worse": "unrelated prompts come out worse, which is forgetting",
        "no clear difference": "nothing is clearly forgotten on unrelated prompts",
    },
}

# The same when a comparison is about several strengths at once: "... better at 0.25 and 0.5".
SUBJECTS = {
    "domain_clip_score": "the prompts are followed",
    "domain_kid": "likeness to the real pictures is",
    "unrelated_clip_score": "unrelated prompts come out",
}


def read_scores(path):
    """One row per picture, ordered by prompt and seed: a dict of arrays.

    `prompt` (n,) str; `seed` (n,) int; `clip_score` (n,) float in 0..100; `features` (n, d).
    Raises UserError where a score is not a number or a (prompt, seed) comes twice.
    """
    table = parquet.read_table(path, columns=["prompt", "seed", "clip_score", "features"])
    table = table.sort_by([("prompt", "ascending"), ("seed", "ascending")])
    scores = {
        "prompt": np.array(table["prompt"].to_pylist(), dtype=object),
        "seed": np.array(table["seed"].to_pylist(), dtype=np.int64),
        "clip_score": np.array(table["clip_score"].to_pylist(), dtype=np.float64),
        "features": _matrix(table["features"]),
    }
    for key in ("clip_score", "features"):
        if not np.isfinite(scores[key]).all():
            raise UserError(f"{path}: {key} is not a number somewhere; score these pictures again")
    keys = list(zip(scores["prompt"], scores["seed"]))
    for key, again in itertools.pairwise(keys):
        if key == again:
            raise UserError(f"{path}: prompt {key[0]!r} with seed {key[1]} is there twice")
    if len(keys) < 2:
        raise UserError(f"{path}: a comparison needs two pictures or more; add prompts or seeds")
    return scores


def read_features(path):
    """The features (n, d) of a dataset's real pictures."""
    features = _matrix(parquet.read_table(path, columns=["features"])["features"])
    if len(features) < 2:
        raise UserError(f"{path}: KID needs two real pictures or more")
    return features


def compare(plan, scores, real):
    """The answers of one experiment, ready for JSON.

    `plan` is that of emaki.plans.comparisons; `scores` is {(variant, role): as read_scores
    returns}, with every variant of the plan and every role of its prompts; `real` (m, d) are the
    features of the real pictures.
    """
    metrics = [name for name, metric in METRICS.items() if metric["role"] in plan["prompts"]]
    levels = {
        path: {name: _round(_level(name, _of(scores, path, name), real)) for name in metrics}
        for path in plan["variants"]
    }
    pairs = [{**pair, "metrics": {}} for pair in plan["pairs"]]
    for family in _families(pairs):
        _judge(family, metrics, scores, real, levels)
    for pair in pairs:
        if pair["family"] == "headline":
            pair["verdict"] = overall(pair["metrics"])
            pair["sentence"] = sentence(plan["variants"][pair["variant"]]["label"], pair)
    return {
        "prompts": plan["prompts"],
        "reference": plan["reference"],
        "real_pictures": len(real),
        "variants": {path: {**plan["variants"][path], "metrics": levels[path]} for path in levels},
        "pairs": pairs,
        "strengths": _strengths(plan, pairs),
    }


def overall(metrics):
    """One verdict from those on the domain's prompts: also "mixed", if they disagree."""
    said = {m["verdict"] for name, m in metrics.items() if METRICS[name]["role"] == "domain"}
    said.discard("no clear difference")
    return "mixed" if len(said) == 2 else said.pop() if said else "no clear difference"


def sentence(label, pair):
    """What a comparison found, in words that need no statistics."""
    said = [PHRASES[name][metric["verdict"]] for name, metric in pair["metrics"].items()]
    text = f"{label}, against {pair['name']}: {said[0]} and {said[1]}"
    if len(said) == 3:
        verdicts = [metric["verdict"] for metric in pair["metrics"].values()]
        contrast = "better" in verdicts[:2] and verdicts[2] == "worse"
        text += f"; {'but ' if contrast else ''}{said[2]}"
    return f"{text}."


def strengths_sentence(found):
    """What came out at other strengths than 1, in words."""
    said = [
        f"{SUBJECTS[name]} {word} at {_listed(strengths)}"
        for name, verdicts in found["metrics"].items()
        for word, strengths in verdicts.items()
        if word != "no clear difference"
    ]
    start = f"At {found['word']} {_listed(found['strengths'])} instead of 1, {found['label']}"
    return f"{start}: {'; '.join(said) or 'no clear difference'}."


def _strengths(plan, pairs):
    """For each model, the other strengths by what came out against full strength.

    A list of {"label", "word", "strengths", "metrics": {metric: {verdict: [strengths]}},
    "sentence"}, where `word` is "LoRA scale" or "alpha".
    """
    models = {}
    for pair in pairs:
        if pair["family"] == "strength":
            models.setdefault(pair["baseline"], []).append(pair)
    result = []
    for path, own in models.items():
        whole = plan["variants"][path]
        found = {
            "label": whole["label"],
            "word": "LoRA scale" if plan["methods"][whole["run"]] == "lora" else "alpha",
            "strengths": [plan["variants"][pair["variant"]]["strength"] for pair in own],
            "metrics": {name: {} for name in own[0]["metrics"]},
        }
        for strength, pair in zip(found["strengths"], own):
            for name, metric in pair["metrics"].items():
                found["metrics"][name].setdefault(metric["verdict"], []).append(strength)
        result.append({**found, "sentence": strengths_sentence(found)})
    return result


def _listed(numbers):
    """Numbers as one says them: "0.25, 0.5 and 0.75"."""
    *first, last = [f"{number:g}" for number in numbers]
    return f"{', '.join(first)} and {last}" if first else last


def _of(scores, path, name):
    return scores[path, METRICS[name]["role"]]


def _level(name, own, real):
    if name == "domain_kid":
        return KID_SCALE * kid(own["features"], real, own["prompt"])
    return own["clip_score"].mean()


def _families(pairs):
    """The lists of pairs whose verdicts must hold together; each of the course stands alone."""
    together = [[p for p in pairs if p["family"] == name] for name in ("headline", "strength")]
    return [f for f in together if f] + [[p] for p in pairs if p["family"] == "course"]


def _judge(family, metrics, scores, real, levels):
    """Give every pair of a family its metrics: difference, interval at LEVEL and verdict."""
    found = {role: [] for role in ("domain", "unrelated")}
    for pair in family:
        for name in metrics:
            found[METRICS[name]["role"]].append((pair, name, _by_prompt(name, pair, scores, real)))
    found = [columns for columns in found.values() if columns]
    tables = [np.stack([values for *_, values in columns], axis=1) for columns in found]
    for columns, bounds in zip(found, simultaneous_intervals(tables, LEVEL)):
        for (pair, name, values), low, high in zip(columns, *bounds):
            pair["metrics"][name] = {
                "difference": _round(values.mean()),
                "low": _round(low),
                "high": _round(high),
                "pictures": len(_of(scores, pair["variant"], name)["prompt"]),
                "prompts": len(values),
                "ours": levels[pair["variant"]][name],
                "theirs": levels[pair["baseline"]][name],
                "verdict": verdict(low, high, METRICS[name]["higher_is_better"]),
            }


def _by_prompt(name, pair, scores, real):
    """The variant's metric less the baseline's: one value per prompt."""
    ours, theirs = _of(scores, pair["variant"], name), _of(scores, pair["baseline"], name)
    _check_paired(ours, theirs, pair)
    prompts = ours["prompt"]
    if name == "domain_kid":
        features = ours["features"], theirs["features"]
        return KID_SCALE * kid_difference_by_prompt(*features, real, prompts)
    return _means(ours["clip_score"] - theirs["clip_score"], prompts)


def _means(values, prompts):
    _, group = np.unique(prompts, return_inverse=True)
    return np.bincount(group, weights=values) / np.bincount(group)


def _check_paired(ours, theirs, pair):
    keys = [list(zip(side["prompt"], side["seed"])) for side in (ours, theirs)]
    if keys[0] != keys[1]:
        odd = sorted(set(keys[0]) ^ set(keys[1]))[0]
        raise UserError(
            f"{pair['variant']} and {pair['baseline']} do not pair: only one of them has a"
            f" picture of {odd[0]!r} with seed {odd[1]}; draw both with the same prompts and seeds"
        )


def _matrix(column):
    return np.array(column.to_pylist(), dtype=np.float64)


def _round(number):
    """To six decimals, and None for an infinite bound, which JSON does not know."""
    return round(float(number), 6) + 0.0 if np.isfinite(number) else None
