"""What the claims of a notebook are about: which models, and which comparison of theirs."""

from collections.abc import Collection, Iterator

from emaki.common.errors import nearest
from emaki.config.derived import (
    Variant,
    baseline_variants,
    checkpoints,
    spell_scale,
    weights_of,
)
from emaki.config.reading import unknown
from emaki.config.settings import FIRST, FULL, Claim, Study

Pair = tuple[str, str]
"""The paths of a variant and of what it is compared with."""
Problems = Iterator[tuple[str, str]]

BY_MEASURE = ("better", "worse", "the same", "not better", "not worse")
BY_COST = ("less", "more")
# Keys that say which model a claim by a measure is about, and have no sense in others.
WHICH_MODEL = ("prompts", "step", "weights", "scale")


def claimed_pair(study: Study, experiment: str, claim: Claim) -> Pair:
    """The two models that a valid claim by a measure of an experiment compares."""
    entry = study.experiments[experiment]
    run = claim.run or entry.runs[0]
    steps = checkpoints(study, entry, run)
    weights = claim.weights or next(w for w in entry.weights if w in weights_of(study, run))
    step = claim.step or steps[-1]

    def path(step: int, scale: float) -> str:
        return f"{run}/{step:06d}/{weights}/{spell_scale(scale)}"

    variant = path(step, claim.scale)
    if claim.against == FIRST:
        return variant, path(steps[0], claim.scale)
    if claim.against == FULL:
        return variant, path(step, 1.0)
    return variant, baseline_variants(study, experiment)[claim.against or ""]["path"]


def find_problems(
    study: Study, experiment: str, claim: Claim, every: Collection[Variant], pairs: Collection[Pair]
) -> Problems:
    """What is wrong with a claim of an experiment without other mistakes: (key, sentence).

    `every` are the models that the experiment draws, `pairs` those that it compares.
    """
    given = [key for key in ("measure", "cost", "unchecked") if getattr(claim, key) is not None]
    if len(given) != 1:
        has = " and ".join(given) or "none of them"
        yield "", f"must have one of measure, cost and unchecked; it has {has}"
        return
    runs = study.experiments[experiment].runs
    if claim.run is not None and claim.run not in runs:
        yield "run", unknown("run of this experiment", claim.run, runs)
    elif given != ["unchecked"] and claim.run is None and len(runs) > 1:
        yield "run", f"is missing: say which of {', '.join(runs)}"
    elif given == ["measure"]:
        yield from _by_measure(study, experiment, claim, every, pairs)
    else:
        yield from ((key, "goes with measure only") for key in _said(claim, WHICH_MODEL))
        if given == ["cost"]:
            yield from _by_cost(study, claim)
        else:
            others = _said(claim, ("against", "says", "at_most"))
            yield from ((key, "goes with measure or cost only") for key in others)


def _said(claim, keys):
    """Those of the keys that a claim has; a study that was written out has defaults too."""
    defaults = type(claim).model_fields
    return [key for key in keys if getattr(claim, key) != defaults[key].default]


def _by_measure(study, experiment, claim, every, pairs) -> Problems:
    sets = study.experiments[experiment].prompts.by_role()
    if claim.measure not in study.measures:
        yield "measure", unknown("measure", claim.measure, study.measures)
    elif claim.prompts not in study.measures[claim.measure].texts:
        yield "measure", f"is {claim.measure}, which does not judge {claim.prompts} prompts"
    if claim.prompts not in sets:
        yield "prompts", f"is {claim.prompts}, but this experiment has no such prompts"
    if claim.at_most is not None:
        yield "at_most", "goes with cost only"
    if claim.says not in BY_MEASURE:
        yield "says", _one_of(claim.says, BY_MEASURE, "measure")
    baselines = baseline_variants(study, experiment)
    if claim.against not in (*baselines, FIRST, FULL):
        allowed = f"{FIRST}, {FULL} or a baseline of this experiment: {', '.join(baselines)}"
        yield "against", _missing_or(claim.against, f"must be {allowed}", baselines)
    else:
        yield from _about_models(study, experiment, claim, every, pairs)


def _about_models(study, experiment, claim, every, pairs) -> Problems:
    """Whether a claim's models are drawn and compared."""
    entry = study.experiments[experiment]
    run = claim.run or entry.runs[0]
    steps = checkpoints(study, entry, run)
    drawn = {v["path"]: v for v in every if v["run"] == run}
    kinds = sorted({v["weights"] for v in drawn.values()})
    if claim.weights is not None and claim.weights not in kinds:
        yield "weights", f"is {claim.weights}, but of {run} is drawn: {', '.join(kinds)}"
        return
    variant, baseline = claimed_pair(study, experiment, claim)
    if variant not in drawn:
        yield _undrawn(claim, run, steps, sorted({v["scale"] for v in drawn.values()}))
    elif claim.against == FIRST:
        if variant == baseline and len(steps) > 1:  # with one alone there is nothing to compare
            yield "step", f"is that of the {FIRST} itself: name a later one"
        elif claim.scale != 1:
            yield "scale", f"must be 1 where it is against the {FIRST}"
    elif (variant, baseline) not in pairs:
        what = f"{drawn[variant]['label']} with {claim.against}"
        hint = "name another scale" if claim.against == FULL else "name another baseline"
        yield "against", f"is {claim.against}, but this experiment does not compare {what}: {hint}"


def _undrawn(claim, run, steps, scales):
    """What is wrong with a claim's step or scale, whichever it is."""
    if claim.step is not None and claim.step not in steps:
        return "step", f"is {claim.step}, but of {run} is drawn: {', '.join(map(str, steps))}"
    told = ", ".join(f"{scale:g}" for scale in scales)
    if claim.scale in scales:
        told = "1 (others of the last checkpoint alone)"
    return "scale", f"is {claim.scale:g}, but of {run} is drawn: {told}"


def _by_cost(study, claim) -> Problems:
    if (claim.against is None) == (claim.at_most is None):
        has = "both" if claim.at_most is not None else "neither"
        yield "cost", f"goes with either against or at_most; this has {has}"
    elif claim.at_most is not None and claim.says is not None:
        yield "says", "goes with against only"
    elif claim.against is not None:
        if claim.against not in study.runs:
            yield "against", unknown("run", claim.against, study.runs)
        if claim.says not in BY_COST:
            yield "says", _one_of(claim.says, BY_COST, "cost")


def _one_of(value, allowed, key):
    return _missing_or(value, f"must be one of {', '.join(allowed)} with {key}", allowed)


def _missing_or(value, rule, known):
    if value is None:
        return f"is missing: it {rule}"
    return f"is {value!r}, but {rule}{nearest(value, known)}"
