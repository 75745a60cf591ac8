"""Qwen-Image goes the whole road, with a VAE whose channels have a scale each."""

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
from small import SIZE, make_latents, make_qwen_image_pipeline

from emaki.families import find
from emaki.training import data, lora

LORA = COMMON | {
    "method": "lora",
    "rank": 2,
    "target_modules": ["to_q", "to_out.0", "img_mlp.net.2"],
}
FULL = COMMON | {"method": "full", "ema": {"decay": 0.5, "warmup": "none"}, "caption_dropout": 0.3}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_qwen_image_pipeline(tmp_path_factory.mktemp("z"))


@pytest.fixture(scope="module")
def latents(tmp_path_factory, model, dataset):
    return make_latents(dataset, model, tmp_path_factory.mktemp("cache") / "latents")


@pytest.fixture(scope="module")
def pipeline(model):
    from diffusers import QwenImagePipeline

    return QwenImagePipeline.from_pretrained(model)


def test_captions_are_those_of_the_pipeline(latents, pipeline):
    split = data.Latents(latents, "train", find(pipeline.name_or_path).conditions)
    told = split.conditions(torch.tensor([0, 2]), split.captions[[0, 2]])
    with torch.no_grad():
        texts, there = pipeline.encode_prompt(["a red disc", "a blue disc"])
        nothing, _ = pipeline.encode_prompt("")
    longest = there.shape[1]
    assert there.sum(1).tolist() == [longest - 1, longest]
    assert told["mask"][:, :longest].equal(there.bool())
    torch.testing.assert_close(told["embeddings"][:, :longest], texts)
    assert not told["mask"][:, longest:].any()
    assert not told["embeddings"][:, longest:].any()
    told = split.conditions(torch.tensor([0]), torch.tensor([0]))
    torch.testing.assert_close(told["embeddings"][told["mask"]], nothing[0])


def test_latents_are_those_that_the_pipeline_decodes(latents, pipeline, dataset):
    """Its decoding undoes the scale of each channel."""
    split, vae = data.Latents(latents, "train"), pipeline.vae
    mean = split.mean[:1, 0]
    ours = split.normalise(mean)
    shape = (1, vae.config.z_dim, 1, 1)
    factors = 1.0 / torch.tensor(vae.config.latents_std).view(shape)
    theirs = ours / factors + torch.tensor(vae.config.latents_mean).view(shape)
    torch.testing.assert_close(theirs, mean)


def test_a_batch_has_no_more_tokens_than_its_longest_caption(model, latents):
    trainer = make_trainer(COMMON | {"method": "full"}, model, latents)
    batch = data.batch_of_step(trainer.latents, trainer.run, 0, 2, trainer.process)
    with torch.no_grad():
        before = trainer.predict(batch)
        cut = batch.to(torch.device("cpu"))
        after = trainer.predict(cut)
    assert cut.conditions["mask"].any(0).all()
    assert cut.conditions["embeddings"].shape[1] == cut.conditions["mask"].shape[1] < 200
    torch.testing.assert_close(after, before)


def test_the_losses_are_those_of_diffusers_script(model, latents, pipeline):
    """The step of train_dreambooth_lora_qwen_image.py --weighting_scheme logit_normal."""
    from diffusers import QwenImagePipeline

    config = pipeline.vae.config
    mean = torch.tensor(config.latents_mean).view(1, -1, 1, 1)
    factors = 1.0 / torch.tensor(config.latents_std).view(1, -1, 1, 1)

    def predict(noisy, times, conditions):
        prediction = pipeline.transformer(
            hidden_states=QwenImagePipeline._pack_latents(noisy, *noisy.shape),
            encoder_hidden_states=conditions["embeddings"],
            encoder_hidden_states_mask=conditions["mask"],
            timestep=times / 1000,
            img_shapes=[(1, SIZE // 8, SIZE // 8)] * 2,
            return_dict=False,
        )[0]
        return QwenImagePipeline._unpack_latents(prediction, SIZE, SIZE, 4).squeeze(2)

    check_losses(
        make_trainer(COMMON | {"method": "full"}, model, latents),
        pipeline.transformer,
        pipeline.scheduler,
        lambda drawn: (drawn - mean) * factors,
        predict,
    )


@pytest.mark.parametrize("run", [LORA, FULL], ids=["lora", "full"])
def test_segments_equal_one_go_and_are_drawn(run, tmp_path, model, latents):
    raw = check_segments(run, model, latents, tmp_path)
    check_drawn(run, model, raw, SAMPLING, tmp_path)
    if run is FULL:
        check_exported(model, raw, tmp_path / "export")


def test_a_guidance_scale_of_1_is_none(model):
    guide = type(find(model)).guide
    assert guide(1.0, 2) == {"true_cfg_scale": 1.0, "negative_prompt": None}
    assert guide(4.0, 2) == {"true_cfg_scale": 4.0, "negative_prompt": ["", ""]}


@pytest.mark.parametrize("file", ["pytorch_lora_weights.safetensors", lora.WEBUI_FILE])
def test_diffusers_loads_the_trained_lora(file, tmp_path, model, latents):
    check_loads_in_diffusers(LORA | {"lora_alpha": 3}, model, latents, tmp_path, file)
    names = load_file(tmp_path / "raw" / lora.WEBUI_FILE)
    # a name that ComfyUI looks for, of diffusers' layer
    assert "diffusion_model.transformer_blocks.0.attn.to_q.lora_down.weight" in names
