"""Recipes are complete, valid, and stay what they are when they are resolved again."""

import json

import pytest
import yaml

from emaki.training import recipes, settings


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_a_recipe_gives_every_key_that_a_run_may_leave_out(recipe):
    schema = yaml.safe_load(settings.SCHEMA.read_text())
    given = {"model", "dataset", "extends", "method", "steps", "checkpoint_every", "keep"}
    assert recipes.defaults(recipe).keys() == schema["properties"].keys() - given
    run = settings.read(json.dumps({"method": "full", "recipe": recipe}))
    assert settings.read(json.dumps(run)) == run


def test_every_key_says_what_it_means():
    schema = yaml.safe_load(settings.SCHEMA.read_text())
    ema = schema["properties"]["ema"]["properties"]
    for key, about in (schema["properties"] | ema).items():
        assert about["description"], key


def test_the_recipes_differ_where_the_docs_say():
    run = recipes.resolve({"method": "full", "recipe": "compvis"})
    assert run["ema"]["decay"] == 0.9999
    assert run["train_init"] == "non_ema"
    assert run["max_grad_norm"] is None


def test_one_difference_can_be_switched_alone():
    run = {"method": "full", "recipe": "compvis", "ema": {"preset": "diffusers"}}
    assert recipes.resolve(run)["ema"] == {"preset": "diffusers"} | recipes.EMA_PRESETS["diffusers"]


def test_defaults_are_copies():
    recipes.defaults("compvis")["ema"]["preset"] = "broken"
    assert recipes.defaults("compvis")["ema"]["preset"] == "compvis"


def test_a_state_from_before_a_key_existed_has_its_default():
    run = recipes.resolve({"method": "full"})
    old = {key: value for key, value in run.items() if key != "train_text_encoder"}
    assert settings.differences(run, old) == []
    assert settings.differences(run | {"snr_gamma": 5.0}, old) == [
        "snr_gamma is 5.0 here and null there"
    ]
