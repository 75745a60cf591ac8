"""The error of an experiment shared over its verdicts, each pair of models with one result."""

import numpy as np
import pytest

from emaki.evaluation.measures import KIND
from emaki.evaluation.sequential import look_until_decided
from emaki.evaluation.verdicts import share_error
from emaki.evaluation.words import SAME, UNDECIDED

MEASURES = {
    "clip": KIND.read({"type": "clip-score", "model": "clip"}),
    "kid": KIND.read({"type": "kid"}),
}
METRICS = ("domain_clip", "domain_kid", "unrelated_clip")


def plan(*pairs, unrelated="things"):
    prompts = {"domain": "rooms"} | ({"unrelated": unrelated} if unrelated else {})
    keys = ("variant", "baseline", "family")
    return {
        "prompts": prompts,
        "reference": "rooms",
        "pairs": [dict(zip(keys, pair)) for pair in pairs],
    }


def shares(plans):
    found = share_error(plans, MEASURES, 0.06)
    return {name: [pair.get("errors") for pair in plan["pairs"]] for name, plan in found.items()}


def test_an_experiments_error_is_shared_over_its_verdicts():
    pairs = [("a", "base", "headline"), ("a/0.5", "a", "scale"), ("a/1", "base", "trajectory")]
    one, other, trajectory = shares({"it": plan(*pairs)})["it"]
    assert one == other == dict.fromkeys(METRICS, pytest.approx(0.01))
    assert trajectory is None


def test_a_measure_that_does_not_decide_takes_no_share():
    shown = MEASURES | {"kid": KIND.read({"type": "kid", "decides": False})}
    found = share_error({"it": plan(("a", "base", "headline"))}, shown, 0.06)
    assert found["it"]["pairs"][0]["errors"] == {"domain_clip": 0.03, "unrelated_clip": 0.03}
    it = plan(("a", "base", "headline"))
    it["pairs"][0]["claimed"] = ["domain_kid"]
    (pair,) = share_error({"it": it}, shown, 0.06)["it"]["pairs"]
    assert pair["errors"] == dict.fromkeys(METRICS, pytest.approx(0.02))


def test_a_pair_has_the_smallest_share_of_all_its_experiments():
    alone, turned = ("a", "b", "headline"), ("b", "a", "headline")
    found = shares({"small": plan(alone), "large": plan(turned, ("c", "a", "headline"))})
    assert found["small"][0] == found["large"][0] == dict.fromkeys(METRICS, pytest.approx(0.01))
    for errors in found.values():
        assert sum(sum(pair.values()) for pair in errors) <= 0.06 + 1e-12


def test_other_prompts_are_another_question():
    found = shares(
        {"one": plan(("a", "b", "headline")), "two": plan(("a", "b", "headline"), unrelated=None)}
    )
    one, two = found["one"][0], found["two"][0]
    assert one == {**two, "unrelated_clip": pytest.approx(0.02)}
    assert list(two.values()) == pytest.approx([0.02, 0.02])  # the smaller share, of the first


def test_what_is_a_headline_elsewhere_has_its_verdict_in_a_trajectory_too():
    found = shares({"one": plan(("a", "b", "headline")), "two": plan(("a", "b", "trajectory"))})
    assert found["one"] == found["two"]


def test_a_model_with_another_noise_is_seldom_called_better_or_worse():
    """All of an experiment's nine verdicts, on noise as of CLIPScore: a few prompts fail."""
    chance, fooled, studies = np.random.default_rng(2), 0, 300
    for _ in range(studies):
        noise = chance.normal(0, 6, (9, 256))
        failing = chance.random((9, 256)) < 0.04
        noise[failing] += chance.choice([-1, 1], failing.sum()) * chance.exponential(
            30, failing.sum()
        )
        said = [look_until_decided(own, 3.7, (128, 192, 256), 0.05 / 9)[0] for own in noise]
        fooled += not set(said) <= {SAME, UNDECIDED}
    assert fooled / studies <= 0.05


def test_what_claims_alone_are_about_has_verdicts_by_their_measures():
    it = plan(("a", "base", "headline"), ("a/1", "base", "claim"), ("a", "a/1", "claim"))
    it["pairs"][1]["claimed"], it["pairs"][2]["claimed"] = ["domain_clip"], ["unrelated_clip"]
    whole, early, along = shares({"it": it})["it"]
    assert whole == dict.fromkeys(METRICS, pytest.approx(0.06 / 5))
    assert (list(early), list(along)) == (["domain_clip"], ["unrelated_clip"])
