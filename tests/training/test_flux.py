"""FLUX.1 goes the whole road, with packed latents and a guidance scale that it is told."""

import numpy as np
import pytest
import torch
from road import (
    COMMON,
    SAMPLING,
    check_drawn,
    check_exported,
    check_loads_in_diffusers,
    check_losses,
    check_segments,
    make_trainer,
)
from safetensors.torch import load_file
from small import SIZE, make_flux_pipeline, make_latents

from emaki.families import find
from emaki.training import data, loop, lora

LORA = COMMON | {"method": "lora", "rank": 2, "target_modules": ["to_q", "add_q_proj", "proj_out"]}
FULL = COMMON | {"method": "full", "ema": {"decay": 0.5, "warmup": "none"}, "caption_dropout": 0.3}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_flux_pipeline(tmp_path_factory.mktemp("flux"))


@pytest.fixture(scope="module")
def latents(tmp_path_factory, model, dataset):
    return make_latents(dataset, model, tmp_path_factory.mktemp("cache") / "latents")


@pytest.fixture(scope="module")
def pipeline(model):
    from diffusers import FluxPipeline

    return FluxPipeline.from_pretrained(model)


def test_captions_are_those_of_the_pipeline(latents, pipeline):
    split = data.Latents(latents, "train", ("embeddings", "pooled"))
    told = split.conditions(torch.tensor([0]), split.captions[:1])
    with torch.no_grad():
        texts, pooled, _ = pipeline.encode_prompt("a red disc")
    torch.testing.assert_close(told["embeddings"], texts)
    torch.testing.assert_close(told["pooled"], pooled)


def test_the_losses_are_those_of_diffusers_script(model, latents, pipeline):
    """The step of train_dreambooth_lora_flux.py --weighting_scheme logit_normal."""
    from diffusers import FluxPipeline

    edge = SIZE // 8
    ids = FluxPipeline._prepare_latent_image_ids(2, edge, edge, "cpu", torch.float32)

    def predict(noisy, times, conditions):
        prediction = pipeline.transformer(
            hidden_states=FluxPipeline._pack_latents(noisy, *noisy.shape),
            timestep=times / 1000,
            guidance=torch.tensor([1.0]).expand(2),
            pooled_projections=conditions["pooled"],
            encoder_hidden_states=conditions["embeddings"],
            txt_ids=torch.zeros(512, 3),
            img_ids=ids,
            return_dict=False,
        )[0]
        return FluxPipeline._unpack_latents(prediction, SIZE, SIZE, 4)

    config = pipeline.vae.config
    check_losses(
        make_trainer(COMMON | {"method": "full", "guidance_scale": 1.0}, model, latents),
        pipeline.transformer,
        pipeline.scheduler,
        lambda drawn: (drawn - config.shift_factor) * config.scaling_factor,
        predict,
    )


@pytest.mark.parametrize("run", [LORA, FULL], ids=["lora", "full"])
def test_segments_equal_one_go_and_are_drawn(run, tmp_path, model, latents):
    raw = check_segments(run, model, latents, tmp_path)
    check_drawn(run, model, raw, SAMPLING, tmp_path)
    if run is FULL:
        check_exported(model, raw, tmp_path / "export")


def test_diffusers_loads_the_trained_lora(tmp_path, model, latents):
    check_loads_in_diffusers(LORA, model, latents, tmp_path)
    names = {name.split(".")[0] for name in load_file(tmp_path / "raw" / lora.WEBUI_FILE)}
    # as OneTrainer has them, and as ComfyUI looks for them
    assert "lora_transformer_transformer_blocks_0_attn_add_q_proj" in names
    assert "lora_transformer_single_transformer_blocks_0_proj_out" in names


def test_guidance_is_what_the_run_says(model, latents):
    losses = {}
    for scale in (None, 3.5, 1.0):
        trainer = make_trainer(COMMON | {"method": "lora", "guidance_scale": scale}, model, latents)
        losses[scale] = loop.validate(trainer)["validation_loss"]
    assert losses[None] == losses[3.5] != losses[1.0]


def test_schnell_is_told_no_guidance_and_has_a_constant_shift(tmp_path, dataset):
    model = make_flux_pipeline(tmp_path, guidance=False)
    assert find(model).guidance is None
    cache = make_latents(dataset, model, tmp_path / "latents", random_flip=False)
    trainer = make_trainer(COMMON | {"method": "full", "random_flip": False}, model, cache)
    loop.train(trainer, 0, 1, "schnell")
    assert trainer.process.sigmas[500] == pytest.approx(0.75, abs=1e-3)


def test_the_shift_by_the_resolution_is_that_of_the_pipeline(model, latents, pipeline):
    from diffusers.pipelines.flux.pipeline_flux import calculate_shift

    run = COMMON | {"method": "lora", "resolution_shift": True}
    process = make_trainer(run, model, latents).process
    scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    scheduler.set_timesteps(sigmas=np.linspace(1, 1e-3, 1000), mu=calculate_shift((SIZE // 8) ** 2))
    torch.testing.assert_close(process.sigmas, scheduler.sigmas[:-1])
    torch.testing.assert_close(process.times(torch.arange(1000)), scheduler.timesteps)
    plain = make_trainer(COMMON | {"method": "lora"}, model, latents).process
    assert (process.sigmas[1:-1] - plain.sigmas[1:-1]).abs().min() > 1e-5


def test_uniform_timesteps_are_uniform(model, latents):
    run = COMMON | {"method": "lora", "uniform_timesteps": True}
    process = make_trainer(run, model, latents).process
    drawn = process.draw_timesteps(np.random.default_rng(0), 20_000)
    counts = drawn.bincount(minlength=1000).view(10, 100).sum(1)
    assert len(drawn.unique()) == 1000
    assert (counts - 2000).abs().max() < 200
