"""Stable Diffusion 3 goes the whole road, with flow matching in the place of diffusion."""

import itertools
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small import SIZE, make_latents, make_sd3_pipeline
from torch.nn.functional import pad

from emaki.common import weight_files
from emaki.families import find
from emaki.families.flow import FlowMatching
from emaki.sampling import sampler
from emaki.sampling.settings import Sampling
from emaki.training import data, loop, merging, segment, settings

COMMON = {"resolution": SIZE, "batch_size": 2, "random_flip": True, "learning_rate": 1e-3}
LORA = COMMON | {"method": "lora", "rank": 2, "caption_dropout": 0.3}
FULL = COMMON | {"method": "full", "ema": {"preset": "compvis", "decay": 0.5, "init": "ema"}}
NO_T5 = {"text_encoder_3": None, "tokenizer_3": None}
SAMPLING = Sampling(
    steps=2, guidance_scale=3.0, seeds=[0], resolution=SIZE, scheduler="euler", batch_size=2
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_sd3_pipeline(tmp_path_factory.mktemp("sd3"))


@pytest.fixture(scope="module")
def latents(tmp_path_factory, model, dataset):
    return make_latents(dataset, model, tmp_path_factory.mktemp("cache") / "latents")


def make_trainer(run, model, latents):
    return loop.make_trainer(settings.read(json.dumps(run)), model, latents, torch.device("cpu"))


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
    """The step of train_dreambooth_lora_sd3.py --precondition_outputs 0, written here again."""
    from diffusers import FlowMatchEulerDiscreteScheduler, StableDiffusion3Pipeline

    ours = make_trainer(FULL, model, latents)
    pipeline = StableDiffusion3Pipeline.from_pretrained(model, **NO_T5)
    transformer, vae = pipeline.transformer.train(), pipeline.vae
    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(model, subfolder="scheduler")
    optimizer, losses = torch.optim.AdamW(transformer.parameters(), lr=1e-3), []
    for step in range(4):
        batch = data.batch_of_step(ours.latents, ours.run, step, 2, ours.process)
        normal = data.order.generator(0, "timesteps", step).standard_normal(2, dtype=np.float32)
        indices = (torch.sigmoid(torch.from_numpy(normal)) * 1000).long()
        sigmas = scheduler.sigmas[indices].view(-1, 1, 1, 1)
        rows = torch.from_numpy(data.order.rows(0, step, 2, 7))
        flip = torch.from_numpy(data.order.generator(0, "flip", step).integers(0, 2, 2))
        drawn = torch.from_numpy(data.order.normal(0, "posterior", step, batch.noise.shape))
        sample = ours.latents.mean[rows, flip] + ours.latents.std[rows, flip] * drawn
        sample = (sample - vae.config.shift_factor) * vae.config.scaling_factor
        prediction = transformer(
            hidden_states=(1.0 - sigmas) * sample + sigmas * batch.noise,
            timestep=scheduler.timesteps[indices],
            # as wide as the transformer takes, and zeros for the T5 that is not there
            encoder_hidden_states=pad(batch.conditions["embeddings"], (0, 16, 0, 256)),
            pooled_projections=batch.conditions["pooled"],
            return_dict=False,
        )[0]
        loss = torch.mean((prediction - (batch.noise - sample)).square().reshape(2, -1), 1).mean()
        loss.backward()
        losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(transformer.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    loop.train(ours, 0, 4, "ours")
    assert [row["loss"] for row in ours.metrics.rows] == pytest.approx(losses, rel=1e-5)


def test_timesteps_are_logit_normal(model):
    process = FlowMatching(model, torch.device("cpu"))
    drawn = process.draw_timesteps(np.random.default_rng(0), 20_000) / len(process)
    logits = torch.logit(drawn.clamp(1e-3, 1 - 1e-3))
    assert abs(logits.mean()) < 0.03
    assert abs(logits.std() - 1) < 0.03
    # shifted by 3: the middle of the schedule is where 3/4 is noise
    assert process.sigmas[500] == pytest.approx(0.75, abs=1e-3)


@pytest.mark.parametrize("run", [LORA, FULL], ids=["lora", "full"])
def test_segments_equal_one_go_are_drawn_and_loaded(run, tmp_path, model, latents, monkeypatch):
    monkeypatch.setattr(segment, "device", lambda: torch.device("cpu"))

    def train(name, *stops):
        for first, last in itertools.pairwise(stops):
            part = segment.Segment(
                name=name,
                model=model,
                latents=latents,
                from_step=first,
                to_step=last,
                state=tmp_path / f"{name}/states/{first}" if first else None,
                output=tmp_path / f"{name}/runs/{last}",
                state_output=tmp_path / f"{name}/states/{last}",
            )
            segment.run_segment(part, settings.read(json.dumps(run)))
        return tmp_path / f"{name}/runs/{stops[-1]}"

    one, two = train("one", 0, 3), train("two", 0, 1, 3)
    assert (one / "checkpoint.json").read_text() == (two / "checkpoint.json").read_text()
    raw = one / "weights/raw"
    if run["method"] == "full":
        merging.merge(model, raw, 0.5, tmp_path / "merge")
        base, ours, between = (
            load_file(path / weight_files.DIFFUSERS)
            for path in (model / "transformer", raw, tmp_path / "merge")
        )
        name = "proj_out.weight"
        torch.testing.assert_close(between[name], (base[name] + ours[name]) / 2)
        variants = [{}, {"weights": raw}, {"weights": tmp_path / "merge"}]
    else:
        variants = [{}, {"lora": raw}, {"lora": raw, "lora_scale": 0.5}]
    pictures = [
        sampler.sample(
            {"a red disc": None},
            SAMPLING,
            "it",
            lambda variant=variant: sampler.load_pipeline(model, **variant, scheduler="euler"),
            tmp_path / f"store{number}",
        )["image"][0]["bytes"]
        for number, variant in enumerate(variants)
    ]
    assert len(set(pictures)) == 3


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
