"""Stable Diffusion 3 goes the whole road, with flow matching in the place of diffusion."""

import numpy as np
import pytest
import torch
from road import COMMON, SAMPLING, check_drawn, check_losses, check_segments, make_trainer
from small import SIZE, make_latents, make_sd3_pipeline
from torch.nn.functional import pad

from emaki.common import weight_files
from emaki.families import find
from emaki.families.flow import FlowMatching
from emaki.sampling import sampler
from emaki.training import data, loop

LORA = COMMON | {"method": "lora", "rank": 2, "caption_dropout": 0.3}
FULL = COMMON | {"method": "full", "ema": {"preset": "compvis", "decay": 0.5, "init": "ema"}}
NO_T5 = {"text_encoder_3": None, "tokenizer_3": None}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_sd3_pipeline(tmp_path_factory.mktemp("sd3"))


@pytest.fixture(scope="module")
def latents(tmp_path_factory, model, dataset):
    return make_latents(dataset, model, tmp_path_factory.mktemp("cache") / "latents")


@pytest.mark.parametrize("with_t5", [False, True])
def test_captions_are_those_of_the_pipeline(with_t5, tmp_path):
    from diffusers import StableDiffusion3Pipeline

    model = make_sd3_pipeline(tmp_path, with_t5)
    family = find(model)
    pipeline = StableDiffusion3Pipeline.from_pretrained(model, **({} if with_t5 else NO_T5))
    assert len(family.encoders) == 2 + with_t5
    tokens, _ = family.tokenize(["a red disc"])
    with torch.no_grad():
        told = family.encode(pipeline.components, tokens)
        texts, _, pooled, _ = pipeline.encode_prompt(
            *["a red disc"] * 3, do_classifier_free_guidance=False
        )
    torch.testing.assert_close(told["pooled"], pooled)
    said = told["embeddings"]
    torch.testing.assert_close(texts[:, : said.shape[1], : said.shape[2]], said)
    assert texts.count_nonzero() == said.count_nonzero()  # what follows are zeros


def test_zeros_after_a_caption_are_computed_once(model):
    family = find(model)
    torch.manual_seed(0)
    conditions = {"embeddings": torch.randn(2, 16, 80), "pooled": torch.randn(2, 80)}
    noisy, times, seen, made = torch.randn(2, 4, 8, 8), torch.tensor([300.0, 700.0]), [], []
    for prepare in (lambda denoiser: None, family.prepare_for_cpu):
        denoiser = family.denoiser_class().from_pretrained(model, subfolder="transformer")
        prepare(denoiser)
        denoiser.context_embedder.register_forward_hook(
            lambda layer, given, told: seen.append(told.shape[1])
        )
        said = family.predict(denoiser, noisy, times, conditions)
        said.square().mean().backward()
        made.append((said, denoiser.context_embedder.weight.grad))
    assert seen == [16 + 256, 16 + 1]
    for theirs, ours in zip(*made):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("scheduler", ["dpmsolver++", "unipc"])
def test_samplers_go_the_same_way(scheduler, model):
    def draw(name, steps):
        pipeline = sampler.load_pipeline(model, scheduler=name)
        noise = torch.Generator().manual_seed(0)
        named = {"generator": noise, "num_inference_steps": steps, "output_type": "latent"}
        return pipeline("a red disc", height=SIZE, width=SIZE, **named).images

    exact = draw("euler", 200)
    assert (draw(scheduler, 20) - exact).std() < 0.02 * exact.std()


def test_the_losses_are_those_of_diffusers_script(model, latents):
    """The step of train_dreambooth_lora_sd3.py --precondition_outputs 0."""
    from diffusers import StableDiffusion3Pipeline

    pipeline = StableDiffusion3Pipeline.from_pretrained(model, **NO_T5)

    def predict(noisy, times, conditions):
        return pipeline.transformer(
            hidden_states=noisy,
            timestep=times,
            # as wide as the transformer takes, and zeros for the T5 that is not there
            encoder_hidden_states=pad(conditions["embeddings"], (0, 16, 0, 256)),
            pooled_projections=conditions["pooled"],
            return_dict=False,
        )[0]

    config = pipeline.vae.config
    check_losses(
        make_trainer(FULL, model, latents),
        pipeline.transformer,
        pipeline.scheduler,
        lambda drawn: (drawn - config.shift_factor) * config.scaling_factor,
        predict,
    )


def test_timesteps_are_logit_normal(model):
    process = FlowMatching(model, torch.device("cpu"))
    drawn = process.draw_timesteps(np.random.default_rng(0), 20_000) / len(process)
    logits = torch.logit(drawn.clamp(1e-3, 1 - 1e-3))
    assert abs(logits.mean()) < 0.03
    assert abs(logits.std() - 1) < 0.03
    # shifted by 3: the middle of the schedule is where 3/4 is noise
    assert process.sigmas[500] == pytest.approx(0.75, abs=1e-3)


@pytest.mark.parametrize("run", [LORA, FULL], ids=["lora", "full"])
def test_segments_equal_one_go_are_drawn_and_loaded(run, tmp_path, model, latents):
    raw = check_segments(run, model, latents, tmp_path)
    check_drawn(run, model, raw, SAMPLING, tmp_path)


def test_diffusers_loads_the_trained_lora(tmp_path, model, latents):
    from diffusers import StableDiffusion3Pipeline

    trainer = make_trainer(LORA | {"learning_rate": 0.05}, model, latents)
    loop.train(trainer, 0, 3, "lora")
    loop.save_weights(trainer, tmp_path)
    pipeline = StableDiffusion3Pipeline.from_pretrained(model, **NO_T5)
    pipeline.load_lora_weights(tmp_path / "raw", weight_name=weight_files.LORA)
    batch = data.batch_of_step(trainer.latents, trainer.run, 0, 2, trainer.process)
    arguments = batch.latents, trainer.process.times(batch.timesteps), batch.conditions
    base = StableDiffusion3Pipeline.from_pretrained(model, **NO_T5).transformer
    with torch.no_grad():
        before, after, ours = (
            trainer.family.predict(one, *arguments)
            for one in (base, pipeline.transformer, trainer.denoiser)
        )
    torch.testing.assert_close(after, ours)
    assert (after - before).abs().max() > 1e-4
