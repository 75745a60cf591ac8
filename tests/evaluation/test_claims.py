"""Which verdicts bear a notebook's claims out. Claims about known effects: test_comparison.py."""

import pytest

from emaki.evaluation.claims import answer_claims
from emaki.evaluation.measures import KIND
from emaki.evaluation.metrics import metrics_of

MEASURES = {
    "clip": KIND.read({"type": "clip-score", "model": "clip"}),
    "kid": KIND.read({"type": "kid"}),
}


def answer(says, verdict, low=-1.0, high=1.0, metric="domain_clip", prompts=128):
    plan = {
        "fewest": 128,
        "claims": [{"variant": "a", "baseline": "b", "metric": metric, "says": says}],
    }
    found = {"verdict": verdict, "low": low, "high": high, "margin": 2.0, "prompts": prompts}
    pair = {"variant": "a", "baseline": "b", "metrics": {metric: found}}
    (claim,) = answer_claims(plan, metrics_of(MEASURES), [pair])
    return claim["answer"]


@pytest.mark.parametrize(
    ("says", "borne_out", "spoken_against"),
    [
        ("better", ["better"], ["worse", "the same"]),
        ("worse", ["worse"], ["better", "the same"]),
        ("the same", ["the same"], ["better", "worse"]),
        ("not better", ["worse", "the same"], ["better"]),
        ("not worse", ["better", "the same"], ["worse"]),
    ],
)
def test_a_verdict_bears_a_claim_out_or_speaks_against_it(says, borne_out, spoken_against):
    assert {answer(says, verdict) for verdict in borne_out} == {"reproduced"}
    assert {answer(says, verdict) for verdict in spoken_against} == {"not reproduced"}
    assert answer(says, "not decided yet", low=-9, high=9) == "not decided"
    assert answer(says, None, low=-9, high=9) == "not decided"  # a measure that is not fit


@pytest.mark.parametrize(
    ("says", "low", "high", "metric", "told"),
    [
        ("not better", -9, 1.9, "domain_clip", "reproduced"),  # a gain within the margin at most
        ("not better", -9, 2.1, "domain_clip", "not decided"),
        ("not worse", -1.9, 9, "domain_clip", "reproduced"),
        ("not worse", -2.1, 9, "domain_clip", "not decided"),
        ("not better", -1.9, 9, "domain_kid", "reproduced"),  # lower is better
        ("not worse", -9, 1.9, "domain_kid", "reproduced"),
        ("not better", -9, None, "domain_clip", "not decided"),  # an infinite interval
        ("the same", -9, 1.9, "domain_clip", "not decided"),
    ],
)
def test_no_gain_that_matters_is_not_better(says, low, high, metric, told):
    assert answer(says, "not decided yet", low, high, metric) == told


def test_too_few_prompts_decide_no_claim():
    assert answer("not better", "not decided yet", -9, 1.0, prompts=100) == "not decided"
