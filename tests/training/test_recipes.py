"""Recipes are complete, valid, and stay what they are when they are resolved again."""

import json

import pytest

from emaki.training import recipes, settings
from emaki.training.settings import Ema, HyperParameters, Run


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_a_run_of_a_recipe_is_read_again_as_itself(recipe):
    run = settings.read(json.dumps({"method": "full", "recipe": recipe}))
    assert settings.read(json.dumps(run.values())) == run


@pytest.mark.parametrize("class_", [HyperParameters, Ema, Run])
def test_every_key_says_what_it_means(class_):
    assert all(field.description for field in class_.model_fields.values())


def test_the_recipes_differ_where_the_docs_say():
    run = HyperParameters(method="full", recipe="compvis")
    assert run.ema == Ema(preset="compvis")
    assert (run.ema.decay, run.ema.per) == (0.9999, "micro_batch")
    assert run.train_init == "non_ema"
    assert run.max_grad_norm is None


def test_one_difference_can_be_switched_alone():
    run = HyperParameters(method="full", recipe="compvis", ema={"preset": "diffusers"})
    assert run.ema == Ema(preset="diffusers")
    run = HyperParameters(method="full", recipe="compvis", ema={"decay": 0.5})
    assert run.ema == Ema(preset="compvis", decay=0.5)


def test_a_lora_is_put_on_the_plain_unet_and_its_average_starts_with_it():
    run = HyperParameters(method="lora", recipe="compvis", rank=8, lora_alpha=None)
    assert (run.train_init, run.ema.init, run.lora_alpha) == ("ema", "train", 8)


def test_what_a_full_fine_tune_inherits_from_a_lora_says_nothing():
    run = Run(model="a", dataset="b", method="full", steps=9, rank=64, target_modules=["conv_in"])
    assert run == Run(model="a", dataset="b", method="full", steps=9)
    assert not set(recipes.LORA_KEYS) & set(run.values())


def test_how_far_a_run_goes_does_not_decide_its_weights():
    run = Run(model="a", dataset="b", method="lora", steps=9, recipe="compvis", keep="compared")
    assert run.checkpoint_every == 9
    longer = run.model_copy(update={"steps": 18, "keep": "all"})
    assert longer.hyper_parameters() == run.hyper_parameters()
    assert longer.hyper_parameters().lr_scheduler == "constant_with_warmup"


def test_a_start_is_a_checkpoint_or_a_folder():
    start = {"run": "a", "step": 3, "weights": "raw"}
    run = HyperParameters(method="full", train_init=start)
    assert run.values()["train_init"] == start
    for wrong in ({"run": "a"}, start | {"folder": "b"}, {}):
        with pytest.raises(ValueError, match="must have run, step and weights, or folder"):
            HyperParameters(method="full", train_init=wrong)


def test_a_state_of_an_older_version_has_old_names_and_lacks_new_keys():
    run = HyperParameters(method="full", num_processes=2).values()
    old = {key: value for key, value in run.items() if key != "train_text_encoder"}
    old["processes"] = old.pop("num_processes")
    assert settings.differences(run, old) == []
    assert settings.differences(run | {"snr_gamma": 5.0}, old) == [
        "snr_gamma is 5.0 here and null there"
    ]
    assert settings.differences(run, {"gone": 1} | old) == [
        "its settings are those of another version"
    ]
