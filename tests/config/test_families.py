"""What a family lacks is told in one sentence, before anything runs."""

import json

import pytest

from emaki.common.errors import UserError
from emaki.config import load

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ON_HUB = f"repo: a/sd3, revision: '{COMMIT}', pipeline: %s"


@pytest.fixture
def load_with(workplace):
    """Load the embedded study with other models and runs."""

    def load_with(model, more="", run=""):
        (workplace / "my.yaml").write_text(
            f"extends: config/config.yaml\nstudy: my\nmodels:\n  tiny: {{{model}}}\n"
            f"runs:\n  mine: {{extends: lora-r4, {run}}}\n{more}"
        )
        return load(workplace / "my.yaml")

    return load_with


@pytest.fixture
def sd3(workplace):
    """A folder that says it is Stable Diffusion 3; what it lacks is told too."""
    folder = workplace / "sd3"
    folder.mkdir()
    index = {"_class_name": "StableDiffusion3Pipeline", "text_encoder_3": [None, None]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return f"path: {folder}"


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ("snr_gamma: 5.0", r"runs.mine.snr_gamma weights by a signal-to-noise ratio"),
        ("attention: xformers", "attention is xformers, which is there for U-Nets only: take sdpa"),
        ("train_text_encoder: true", r"train_text_encoder is not there for Stable Diffusion 3"),
    ],
)
def test_keys_that_a_family_has_no_use_for(load_with, sd3, run, told):
    with pytest.raises(UserError, match=told):
        load_with(sd3, run=run)


@pytest.mark.parametrize("key", ["uniform_timesteps", "resolution_shift"])
def test_what_only_flow_matching_has(load_with, key):
    with pytest.raises(UserError, match=f"runs.mine.{key} is for models of flow matching"):
        load_with("path: resources/tiny-sd", run=f"{key}: true")


def test_a_schedule_that_is_not_shifted_by_the_resolution(load_with, sd3, workplace):
    (workplace / "sd3/scheduler").mkdir()
    (workplace / "sd3/scheduler/scheduler_config.json").write_text('{"shift": 3.0}')
    with pytest.raises(UserError, match="resolution_shift is not for tiny: its scheduler has a co"):
        load_with(sd3, run="resolution_shift: true")


def test_schedulers_that_do_not_draw_a_model(load_with, sd3):
    told = r"is ddim, but the model tiny is drawn with dpmsolver\+\+ or euler or unipc only"
    with pytest.raises(UserError, match=told):
        load_with(sd3, "sampling: {scheduler: ddim}\n")


@pytest.fixture
def load_beside(workplace):
    """Load the embedded study with one more model, which a run of its own trains."""

    def load_beside(model, run=""):
        (workplace / "my.yaml").write_text(
            f"extends: config/config.yaml\nstudy: my\nmodels:\n  other: {{{model}}}\n"
            f"runs:\n  mine: {{extends: lora-r4, model: other, {run}}}\n"
        )
        return load(workplace / "my.yaml")

    return load_beside


def test_a_t5_that_is_left_out(load_beside):
    on_hub = ON_HUB % "StableDiffusion3Pipeline"
    whole, less = (
        load_beside(f"{on_hub}{more}").models["other"] for more in ("", ", without_t5: true")
    )
    assert whole.family.encoders == ("text_encoder", "text_encoder_2", "text_encoder_3")
    assert less.family.encoders == ("text_encoder", "text_encoder_2")
    assert less.folder == f"{whole.folder}-without-t5"
    told = "without_t5 goes with Stable Diffusion 3 only; this is a StableDiffusionPipeline"
    with pytest.raises(UserError, match=told):
        load_beside(ON_HUB % "StableDiffusionPipeline" + ", without_t5: true")


def test_raw_weights_that_a_family_has_not(load_beside):
    told = "train_init asks for non-EMA weights, but there is no file results/hub/a/sd3/.*/transf"
    with pytest.raises(UserError, match=told):
        load_beside(ON_HUB % "StableDiffusion3Pipeline", "method: full, train_init: non_ema")


def test_a_class_of_no_family_on_the_hub(load_with):
    with pytest.raises(UserError, match="pipeline is a PixArtSigmaPipeline, of which there is no"):
        load_with(ON_HUB % "PixArtSigmaPipeline")


def test_what_flux_is_told_and_other_families_are_not(load_with, workplace):
    with pytest.raises(UserError, match=r"runs.mine.guidance_scale is what FLUX.1 dev alone is"):
        load_with("path: resources/tiny-sd", run="guidance_scale: 1.0")
    folder = workplace / "flux"
    (folder / "transformer").mkdir(parents=True)
    (folder / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    (folder / "transformer/config.json").write_text('{"guidance_embeds": true}')
    with pytest.raises(UserError) as told:
        load_with(f"path: {folder}", run="guidance_scale: 1.0")
    assert "guidance_scale" not in str(told.value)
    (folder / "transformer/config.json").write_text('{"guidance_embeds": false}')
    with pytest.raises(UserError, match=r"runs.mine.guidance_scale is what FLUX.1 dev alone is"):
        load_with(f"path: {folder}", run="guidance_scale: 1.0")


def test_resolutions_that_a_model_does_not_take(load_with, sd3):
    with pytest.raises(UserError, match="but the model tiny takes multiples of 16 pixels"):
        load_with(sd3, run="resolution: 72")
    with pytest.raises(UserError, match="is 72, but the model tiny draws multiples of 16 pixels"):
        load_with(sd3, "sampling: {resolution: 72}\n")


def test_flux_on_the_hub_is_known_by_its_name(load_beside):
    model = f"repo: black-forest-labs/FLUX.1-dev, revision: '{COMMIT}'"
    with pytest.raises(UserError, match="the model other is drawn with euler only"):
        load_beside(model)
