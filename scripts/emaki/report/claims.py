"""A notebook's claims with what came of them here, for the page."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emaki.config.settings import FIRST, Claim, Study
from emaki.costs import estimates
from emaki.evaluation.metrics import Metric
from emaki.evaluation.words import CLAIM_ANSWERS, NOT_DECIDED, NOT_REPRODUCED, REPRODUCED
from emaki.report import charts

Timings = Sequence[Mapping[str, Any]]
"""What emaki.costs.timings.read returns."""

FEWEST = 3  # segments of each of two runs: of three and three alike all are less in 1 of 20


def answered(
    study: Study,
    experiment: str,
    answers: Mapping[str, Any],
    metrics: Mapping[str, Metric],
    timings: Timings,
) -> list[dict[str, Any]]:
    """The claims of an experiment in their order, each with its answer and the evidence.

    A list of {"words", "answer"} with what decides it: by a measure {"metric", "says", "models",
    "found" (the comparison's numbers), "trajectory"}; else {"reason"}.
    """
    entry = study.experiments[experiment]
    measured = {claim["number"]: claim for claim in answers["claims"]}
    found = []
    for number, claim in enumerate(entry.claims):
        if number in measured:
            told = _by_measure(measured[number], answers, claim)
        elif claim.cost is not None:
            told = _by_cost(study, claim.run or entry.runs[0], claim, timings)
        else:
            why = claim.unchecked or "one checkpoint alone is drawn"
            told = {"answer": NOT_DECIDED, "reason": f"Not checked: {why}."}
        found.append({"words": claim.words, **told})
    return found


def counts(claims: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """{answer: number} of those that there are."""
    said = [claim["answer"] for claim in claims]
    return {answer: said.count(answer) for answer in CLAIM_ANSWERS if answer in said}


def tally(claims: Iterable[Mapping[str, Any]]) -> str:
    """How many claims are reproduced and how many open, in words; "" where there is none."""
    said = [claim["answer"] for claim in claims]
    if not said:
        return ""
    words = f"{said.count(REPRODUCED)} of {len(said)} claim{'s' * (len(said) > 1)} reproduced"
    return f"{words}, {said.count(NOT_DECIDED)} not decided" if NOT_DECIDED in said else words


def _by_measure(claim, answers, asked):
    variants = answers["variants"]
    ours, theirs = variants[claim["variant"]], variants[claim["baseline"]]
    return {
        **{key: claim[key] for key in ("answer", "metric", "says", "found")},
        "models": f"{ours['label']} against {theirs['label']}",
        "trajectory": _trajectory(claim, variants) if asked.against == FIRST else "",
    }


def _trajectory(claim, variants):
    """The levels of a run's checkpoints up to the one that is claimed, on the first block."""
    same = ("run", "weights", "scale")
    last = variants[claim["variant"]]
    steps = {
        v["step"]: charts.number(v["metrics"][claim["metric"]])
        for v in variants.values()
        if all(v[key] == last[key] for key in same) and v["step"] <= last["step"]
    }
    ordered = sorted(steps)
    at = ", ".join(f"{step:,}" for step in ordered)
    return f"at {at} steps {', '.join(steps[step] for step in ordered)}"


def _by_cost(study: Study, run: str, claim: Claim, timings: Timings) -> dict[str, Any]:
    if claim.cost == "gpu_memory":
        return _by_memory(study, run, claim)
    if claim.against is not None:
        return _by_speed(study, run, claim, timings)
    seconds, limit = _segments(timings, run), claim.at_most or 0
    if len(seconds) * study.runs[run].checkpoint_every < study.runs[run].steps:
        guess = estimates.seconds_per_step(study, run).value * study.runs[run].steps
        return _estimated(f"{run} takes about {charts.duration(guess)}, of {limit:g} h")
    answer = REPRODUCED if sum(seconds) <= 3600 * limit else NOT_REPRODUCED
    took = f"{run} took {charts.duration(sum(seconds))} to train, of {limit:g} h"
    return {"answer": answer, "reason": f"Measured: {took}."}


def _by_memory(study, run, claim):
    def needs(name):
        return f"{name} needs about {estimates.training_memory(study, name).value / 1e9:.1f} GB"

    other = f", {needs(claim.against)}" if claim.against else f", of {claim.at_most or 0:g}"
    return _estimated(f"{needs(run)}{other}")


def _by_speed(study, run, claim, timings):
    """Seconds of a step in the segments of two runs: an answer if none of one is among the other's.

    Where segments are few, or their times overlap, it may be the machine.
    """
    names = (run, claim.against)
    times = [
        [s / study.runs[name].checkpoint_every for s in _segments(timings, name)] for name in names
    ]
    if not all(times):
        guesses = [estimates.seconds_per_step(study, name).value for name in names]
        told = (f"{name} {charts.number(s, 2)} s" for name, s in zip(names, guesses))
        return _estimated(f"seconds of a step: {', '.join(told)}")
    ours, theirs = times
    middles = " against ".join(f"{charts.number(statistics.median(own), 2)} s" for own in times)
    reason = f"Measured: {middles} a step, the medians of {len(ours)} and {len(theirs)} segments."
    if min(map(len, times)) < FEWEST or (max(ours) >= min(theirs) and max(theirs) >= min(ours)):
        return {"answer": NOT_DECIDED, "reason": f"{reason} That may be chance."}
    is_less = max(ours) < min(theirs)
    answer = REPRODUCED if is_less == (claim.says == "less") else NOT_REPRODUCED
    return {"answer": answer, "reason": reason}


def _segments(timings, run):
    return [t["seconds"] for t in timings if t["stage"] == "runs" and t["parts"][0] == run]


def _estimated(told):
    return {"answer": NOT_DECIDED, "reason": f"Estimated as by make plan, not measured: {told}."}
