"""Verdicts turned into one word, and into sentences that need no statistics."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emaki.evaluation.metrics import Metric
from emaki.evaluation.words import BETTER, SAME, UNDECIDED, WORSE

# In place of a measure's phrases where no verdict can be given.
TOO_FEW = "too few prompts"
NOTHING_TOLD = {
    "domain": "fewer than {} prompts decide nothing",
    "unrelated": "fewer than {} unrelated prompts do not tell what is forgotten",
}
NO_MEASURE = {
    "domain": "no measure is fit to judge its pictures",
    "unrelated": "no measure is fit to judge unrelated prompts",
}


def overall(metrics: Mapping[str, Metric], found: Mapping[str, dict]) -> str:
    """One verdict from those on the domain's prompts: also "mixed", if they disagree.

    `found` are the metrics of a pair by name, each with its "verdict". What is not decided yet
    does not stand against a better or a worse, but against the same.
    """
    own = {name: m["verdict"] for name, m in found.items() if metrics[name].role == "domain"}
    said = [verdict for name, verdict in own.items() if metrics[name].measure.decides]
    return one_verdict(said)


def one_verdict(said: Iterable[str | None]) -> str:
    """One verdict for several: "mixed" if there are both better and worse among them."""
    said = set(said)
    if {BETTER, WORSE} <= said:
        return "mixed"
    return next((word for word in (BETTER, WORSE, UNDECIDED, SAME) if word in said), UNDECIDED)


def answers(
    plan: dict[str, Any], metrics: Mapping[str, Metric], pairs: Iterable[dict]
) -> list[dict[str, Any]]:
    """What the headline comparisons found; those with the same verdicts share a sentence.

    A list of {"verdict", "models", "baselines" (names), "sentence"}.
    """
    alike: dict[tuple, list[str]] = {}
    for pair in pairs:
        if pair["family"] == "headline":
            verdicts = tuple(
                (name, _told(plan, metric)) for name, metric in pair["metrics"].items()
            )
            against = pair["name"], _against(plan, pair)
            model = plan["variants"][pair["variant"]]["name"]
            found = pair["verdict"], verdicts, _trainings(pair, "variant")
            alike.setdefault((against, found), []).append(model)
    shared: dict[tuple, list[tuple[str, str]]] = {}
    for (baseline, found), models in alike.items():
        shared.setdefault((tuple(models), found), []).append(baseline)
    return [
        {
            "verdict": verdict,
            "models": list(models),
            "baselines": [name for name, _ in baselines],
            "sentence": _sentence(plan, metrics, models, trainings, baselines, dict(verdicts)),
        }
        for (models, (verdict, verdicts, trainings)), baselines in shared.items()
    ]


def scales(
    plan: dict[str, Any], metrics: Mapping[str, Metric], pairs: Iterable[dict]
) -> list[dict[str, Any]]:
    """For each model, its other scales by what came out against scale 1.

    A list of {"model" (its name), "word" ("LoRA scale" or "alpha"), "scales", "metrics":
    {metric: {verdict: [scales]}}, "sentence"}.
    """
    by_model: dict[str, list[dict]] = {}
    for pair in pairs:
        if pair["family"] == "scale":
            by_model.setdefault(pair["baseline"], []).append(pair)
    found = []
    for path, own in by_model.items():
        whole = plan["variants"][path]
        told: dict[str, dict[str, list[float]]] = {name: {} for name in own[0]["metrics"]}
        for pair in own:
            for name, metric in pair["metrics"].items():
                scale = plan["variants"][pair["variant"]]["scale"]
                if metric["verdict"]:
                    told[name].setdefault(metric["verdict"], []).append(scale)
        judged = [metric for metric in own[0]["metrics"].values() if metric["verdict"]]
        too_few = bool(judged) and all(_told(plan, metric) == TOO_FEW for metric in judged)
        entry = {
            "model": whole["name"],
            "word": "LoRA scale" if plan["methods"][whole["run"]] == "lora" else "alpha",
            "scales": [plan["variants"][pair["variant"]]["scale"] for pair in own],
            "metrics": told,
        }
        nothing = NOTHING_TOLD["domain"].format(plan["fewest"]) if too_few else ""
        sentence = _scales_sentence(metrics, entry, nothing)
        found.append({**entry, "sentence": sentence})
    return found


def _told(plan, metric):
    """A metric's verdict, None by a measure that gives none, or that it can have none."""
    too_few = metric["verdict"] == UNDECIDED and metric["prompts"] < plan["fewest"]
    return TOO_FEW if too_few else metric["verdict"]


def _trainings(pair, side):
    """How many trainings there are of a side of a pair."""
    return len({training[side] for training in pair.get("trainings", [pair])})


def _against(plan, pair):
    """What goes before the baseline's name."""
    ours, theirs = (_trainings(pair, side) for side in ("variant", "baseline"))
    if plan["variants"][pair["baseline"]].get("run") is None:
        return ""
    if ours == theirs:
        return "that of "
    return f"the recipe ({theirs} trainings) of " if theirs > 1 else "one run of "


def _subject(models, trainings):
    """Models as runs, each trained once by one seed, or as recipes."""
    if trainings == 1:
        return f"{'This run' if len(models) == 1 else 'These runs'} of {listed(models)}"
    if len(models) == 1:
        return f"This recipe ({trainings} trainings) of {listed(models)}"
    return f"These recipes ({trainings} trainings each) of {listed(models)}"


def _sentence(plan, metrics, models, trainings, baselines, verdicts):
    said: dict[str, list[str]] = {}
    for name, verdict in verdicts.items():
        said.setdefault(metrics[name].role, []).append(verdict)
    parts = [_clause(plan, metrics, role, verdicts, len(models)) for role in said]
    if {"domain", "unrelated"} == said.keys() and _is_contrast(said):
        parts[1] = f"but {parts[1]}"
    against = listed([f"{words}{name}" for name, words in baselines])
    return f"{_subject(models, trainings)} against {against}: {'; '.join(parts)}."


def _is_contrast(said):
    return BETTER in said["domain"] and WORSE in said["unrelated"]


def _clause(plan, metrics, role, verdicts, models):
    """What came out on the prompts of one role."""
    own = {name: v for name, v in verdicts.items() if metrics[name].role == role and v}
    if not own:
        return NO_MEASURE[role]
    if TOO_FEW in own.values():  # they have the same prompts
        return NOTHING_TOLD[role].format(plan["fewest"])
    decided, unknown = (
        [metrics[n].texts.phrases[v] for n, v in own.items() if (v == UNDECIDED) == is_open]
        for is_open in (False, True)
    )
    # "whether ..." would take what stands after it for its own
    told = ", and ".join([*([listed(decided)] if decided else []), *unknown])
    its = "its" if models == 1 else "their"
    return f"{its} pictures {told}" if role == "domain" else told


def _scales_sentence(metrics, entry, nothing):
    """What came out at which scale, what is not decided last; or why nothing can."""
    start = f"At {entry['word']} {_numbers(entry['scales'])} instead of 1, {entry['model']}"
    if nothing:
        return f"{start}: {nothing}."
    said = [
        f"{metrics[name].texts.subject} {verdict}"
        + (f" at {_numbers(values)}" if len(verdicts) > 1 else "")
        for name, verdicts in entry["metrics"].items()
        for verdict, values in verdicts.items()
        if verdict != UNDECIDED
    ]
    open_ = [
        f"“{lower(metrics[name].texts.title)}”"
        + (f" at {_numbers(verdicts[UNDECIDED])}" if len(verdicts) > 1 else "")
        for name, verdicts in entry["metrics"].items()
        if UNDECIDED in verdicts
    ]
    said += [f"not decided yet: {listed(open_)}"] if open_ else []
    return f"{start}: {'; '.join(said) or NO_MEASURE['domain']}."


def _numbers(values):
    return listed([f"{value:g}" for value in values])


def lower(text: str) -> str:
    """A text within a sentence: its first letter is small."""
    return f"{text[0].lower()}{text[1:]}"


def listed(words: Sequence[str]) -> str:
    """Words as one says them: "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
