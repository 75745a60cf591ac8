"""Verdicts turned into one word, and into sentences that need no statistics."""

from emaki.evaluation.intervals import MINIMUM_PROMPTS

# The metrics in the order of the report. `role` is the set of prompts whose pictures it judges,
# `column` its column of the scores: a metric without one was not asked for.
METRICS = {
    "domain_clip_score": {"role": "domain", "column": "clip_score", "higher_is_better": True},
    "domain_kid": {"role": "domain", "column": "features", "higher_is_better": False},
    "domain_cmmd": {"role": "domain", "column": "embedding", "higher_is_better": False},
    "domain_preference": {"role": "domain", "column": "preference", "higher_is_better": True},
    "unrelated_clip_score": {"role": "unrelated", "column": "clip_score", "higher_is_better": True},
}

PHRASES = {
    "domain_clip_score": {
        "better": "{its} pictures follow the prompts better",
        "worse": "{its} pictures follow the prompts worse",
        "no clear difference": "{its} pictures follow the prompts neither clearly better nor worse",
    },
    "domain_kid": {
        "better": "look more like the real pictures",
        "worse": "look less like the real pictures",
        "no clear difference": "look neither clearly more nor less like the real pictures",
    },
    "domain_cmmd": {
        "better": "come nearer to these by CLIP's measure",
        "worse": "stay farther from these by CLIP's measure",
        "no clear difference": "are neither clearly nearer to nor farther from these by CLIP's"
        " measure",
    },
    "domain_preference": {
        "better": "would be preferred",
        "worse": "would be liked less",
        "no clear difference": "would be liked neither clearly more nor less",
    },
    "unrelated_clip_score": {
        "better": "unrelated prompts come out better",
        "worse": "unrelated prompts come out worse, which is forgetting",
        "no clear difference": "nothing is clearly forgotten on unrelated prompts",
    },
}

# In place of these where no difference can be told.
TOO_FEW = "too few prompts"
NOTHING_TOLD = {
    "domain": f"fewer than {MINIMUM_PROMPTS} prompts tell no difference",
    "unrelated": f"fewer than {MINIMUM_PROMPTS} unrelated prompts do not tell what is forgotten",
}

# The same when a comparison is about several strengths at once: "... better at 0.25 and 0.5".
SUBJECTS = {
    "domain_clip_score": "the prompts are followed",
    "domain_kid": "likeness to the real pictures is",
    "domain_cmmd": "nearness to them by CLIP's measure is",
    "domain_preference": "preference is",
    "unrelated_clip_score": "unrelated prompts come out",
}


def overall(metrics):
    """One verdict from those on the domain's prompts: also "mixed", if they disagree."""
    said = {m["verdict"] for name, m in metrics.items() if METRICS[name]["role"] == "domain"}
    said.discard("no clear difference")
    return "mixed" if len(said) == 2 else said.pop() if said else "no clear difference"


def answers(plan, pairs):
    """What the headline comparisons found; those with the same verdicts share a sentence.

    A list of {"verdict", "models", "baselines" (names), "sentence"}.
    """
    alike = {}
    for pair in pairs:
        if pair["family"] == "headline":
            verdicts = tuple((name, _told(metric)) for name, metric in pair["metrics"].items())
            model = plan["variants"][pair["variant"]]["name"]
            alike.setdefault((pair["name"], pair["verdict"], verdicts), []).append(model)
    shared = {}
    for (baseline, verdict, verdicts), models in alike.items():
        shared.setdefault((tuple(models), verdict, verdicts), []).append(baseline)
    return [
        {
            "verdict": verdict,
            "models": list(models),
            "baselines": baselines,
            "sentence": _sentence(models, baselines, dict(verdicts)),
        }
        for (models, verdict, verdicts), baselines in shared.items()
    ]


def strengths(plan, pairs):
    """For each model, its other strengths by what came out against full strength.

    A list of {"model" (its name), "word" ("LoRA scale" or "alpha"), "strengths", "metrics":
    {metric: {verdict: [strengths]}}, "sentence"}.
    """
    by_model = {}
    for pair in pairs:
        if pair["family"] == "strength":
            by_model.setdefault(pair["baseline"], []).append(pair)
    found = []
    for path, own in by_model.items():
        whole = plan["variants"][path]
        metrics = {name: {} for name in own[0]["metrics"]}
        for pair in own:
            for name, metric in pair["metrics"].items():
                strength = plan["variants"][pair["variant"]]["strength"]
                metrics[name].setdefault(metric["verdict"], []).append(strength)
        too_few = all(_told(metric) == TOO_FEW for metric in own[0]["metrics"].values())
        entry = {
            "model": whole["name"],
            "word": "LoRA scale" if plan["methods"][whole["run"]] == "lora" else "alpha",
            "strengths": [plan["variants"][pair["variant"]]["strength"] for pair in own],
            "metrics": metrics,
        }
        nothing = NOTHING_TOLD["domain"] if too_few else "no clear difference"
        found.append({**entry, "sentence": _strengths_sentence(entry, nothing)})
    return found


def _told(metric):
    """A metric's verdict, or that it can have none."""
    return metric["verdict"] if metric["prompts"] >= MINIMUM_PROMPTS else TOO_FEW


def _sentence(models, baselines, verdicts):
    its = "its" if len(models) == 1 else "their"
    unrelated = verdicts.pop("unrelated_clip_score", None)
    said = [_phrase(name, verdict).format(its=its) for name, verdict in verdicts.items()]
    text = f"{_listed(models)} against {_listed(baselines)}: {_listed(list(dict.fromkeys(said)))}"
    if unrelated:
        contrast = "better" in verdicts.values() and unrelated == "worse"
        text += f"; {'but ' if contrast else ''}{_phrase('unrelated_clip_score', unrelated)}"
    return f"{text}."


def _phrase(name, verdict):
    return NOTHING_TOLD[METRICS[name]["role"]] if verdict == TOO_FEW else PHRASES[name][verdict]


def _strengths_sentence(entry, nothing):
    said = [
        f"{SUBJECTS[name]} {verdict} at {_numbers(values)}"
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
