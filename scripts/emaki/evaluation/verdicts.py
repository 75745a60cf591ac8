"""Which comparisons get a verdict, and how often each may be wrong.

Names and numbers only, for rules and config check; emaki.evaluation.sequential makes verdicts.
"""

from collections.abc import Mapping
from typing import Any

from emaki.evaluation.measures import Measure
from emaki.evaluation.metrics import judged_by
from emaki.evaluation.settings import ERROR

# Comparisons that an experiment is about; the others show how a training went, and get a verdict
# only by the measures that a claim of the notebook is about.
WITH_VERDICT = ("headline", "scale")


def share_error(
    plans: Mapping[str, dict[str, Any]], measures: Mapping[str, Measure], error: float = ERROR
) -> dict[str, dict[str, Any]]:
    """The plans {experiment: as emaki.config.comparisons has it}, with each pair's shares of error.

    An experiment's verdicts, one for each of its comparisons and of the metrics that decide it, are
    wrong together at most as often as `error`, so each has an equal share (Bonferroni). What
    several experiments compare gets the smallest of its shares in all of them: one result, and no
    experiment's error grows. A pair whose metrics have no share has no `errors`, and no verdict.
    """
    smallest: dict[tuple, float] = {}
    for plan in plans.values():
        metrics = judged_by(measures, plan["prompts"])
        own = [(pair, name) for pair in plan["pairs"] for name in _judged(pair, metrics)]
        for pair, name in own:
            question, share = _question(plan, pair, name, metrics[name].role), error / len(own)
            smallest[question] = min(share, smallest.get(question, share))
    return {name: _with_errors(plan, measures, smallest) for name, plan in plans.items()}


def _judged(pair, metrics):
    """The metrics by which a pair gets a verdict for its experiment's sake: those that decide, if
    it is about the pair, and those that a claim names."""
    about, claimed = pair["family"] in WITH_VERDICT, pair.get("claimed", ())
    return [
        n for n, metric in metrics.items() if n in claimed or (about and metric.measure.decides)
    ]


def _with_errors(plan, measures, smallest):
    metrics, pairs = judged_by(measures, plan["prompts"]), []
    for pair in plan["pairs"]:
        questions = {n: _question(plan, pair, n, metric.role) for n, metric in metrics.items()}
        errors = {name: smallest[asked] for name, asked in questions.items() if asked in smallest}
        pairs.append({**pair, "errors": errors} if errors else pair)
    return {**plan, "pairs": pairs}


def _question(plan, pair, metric, role):
    """What tells a comparison by a metric from all others, whichever experiment makes it."""
    models = frozenset((pair["variant"], pair["baseline"]))
    return models, metric, plan["prompts"][role], plan["reference"]
