"""Prompts made from templates."""

import pytest

from emaki.sampling.templates import count_combinations, fill, make_prompts

ROOM = "a {style} living room with a {couch} couch, {window}, {rug} and {lamp}"
VALUES = {
    "style": ["rustic", "industrial", ""],
    "couch": ["red", "orange", "blue"],
    "window": ["", "a window"],
    "rug": ["", "a red rug"],
    "lamp": ["", "a lamp"],
}


@pytest.mark.parametrize(
    ("chosen", "prompt"),
    [
        ("rustic|red|||", "a rustic living room with a red couch"),
        ("|red|a window||", "a living room with a red couch and a window"),
        (
            "industrial|orange|a window||a lamp",
            "an industrial living room with an orange couch, a window and a lamp",
        ),
        ("|red|a window|a red rug|", "a living room with a red couch, a window and a red rug"),
        ("|red|||a lamp", "a living room with a red couch and a lamp"),
    ],
)
def test_what_is_empty_is_left_out_and_the_rest_is_a_sentence(chosen, prompt):
    assert fill(ROOM, dict(zip(VALUES, chosen.split("|")))) == prompt


def test_a_list_without_and_has_none():
    critter = "a {body} critter with {top}, {pattern}, {eyes} eyes"
    chosen = {"body": "indigo", "top": "horns", "pattern": "", "eyes": "happy"}
    assert fill(critter, chosen) == "an indigo critter with horns, happy eyes"


def test_more_prompts_begin_with_the_same():
    every = make_prompts(ROOM, VALUES, 1000)
    assert len(every) == len(set(every)) == count_combinations(VALUES) == 72
    assert make_prompts(ROOM, VALUES, 20) == every[:20]


def test_one_more_value_leaves_the_other_prompts():
    before = make_prompts(ROOM, VALUES, 40)
    after = make_prompts(ROOM, {**VALUES, "couch": [*VALUES["couch"], "green"]}, 40)
    kept = [prompt for prompt in after if "green" not in prompt]
    assert len(set(kept) & set(before)) > 0.8 * len(kept)


def test_values_that_look_alike_make_no_prompt_twice():
    found = make_prompts("{a}{b}", {"a": ["x", "xy"], "b": ["", "y"]}, 9)
    assert sorted(found) == ["x", "xy", "xyy"]
