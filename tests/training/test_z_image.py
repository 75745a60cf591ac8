"""Z-Image goes the whole road, with captions of different lengths from a language model."""

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
from small import make_latents, make_z_image_pipeline

from emaki.families import find
from emaki.training import data, lora

LORA = COMMON | {"method": "lora", "rank": 2, "target_modules": ["to_q", "to_out.0", "w1"]}
FULL = COMMON | {"method": "full", "ema": {"decay": 0.5, "warmup": "none"}, "caption_dropout": 0.3}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_z_image_pipeline(tmp_path_factory.mktemp("z"))


@pytest.fixture(scope="module")
def latents(tmp_path_factory, model, dataset):
    return make_latents(dataset, model, tmp_path_factory.mktemp("cache") / "latents")


@pytest.fixture(scope="module")
def pipeline(model):
    from diffusers import ZImagePipeline

    return ZImagePipeline.from_pretrained(model)


def test_captions_are_those_of_the_pipeline(latents, pipeline):
    split = data.Latents(latents, "train", find(pipeline.name_or_path).conditions)
    told = split.conditions(torch.tensor([0, 2]), split.captions[[0, 2]])
    with torch.no_grad():
        texts, empty = pipeline.encode_prompt(["a red disc", "a blue disc"])
    for text, embedding, mask in zip(texts, told["embeddings"], told["mask"]):
        torch.testing.assert_close(embedding[mask], text)
    nothing = split.conditions(torch.tensor([0]), torch.tensor([0]))
    torch.testing.assert_close(nothing["embeddings"][nothing["mask"]], empty[0])


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
    """The step of train_dreambooth_lora_z_image.py --weighting_scheme logit_normal; it takes the
    posterior's mean, here it is sampled."""

    def predict(noisy, times, conditions):
        texts = zip(conditions["embeddings"], conditions["mask"])
        prediction = pipeline.transformer(
            list(noisy.unsqueeze(2).unbind(dim=0)),
            (1000 - times) / 1000,
            [text[mask] for text, mask in texts],
            return_dict=False,
        )[0]
        return -torch.stack(prediction, dim=0).squeeze(2)

    config = pipeline.vae.config
    check_losses(
        make_trainer(COMMON | {"method": "full"}, model, latents),
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


def test_a_guidance_scale_of_1_is_none(model):
    guide = type(find(model)).guide
    assert [guide(scale, 2)["guidance_scale"] for scale in (1.0, 5.0)] == [0.0, 4.0]


@pytest.mark.parametrize("file", ["pytorch_lora_weights.safetensors", lora.WEBUI_FILE])
def test_diffusers_loads_the_trained_lora(file, tmp_path, model, latents):
    check_loads_in_diffusers(LORA | {"lora_alpha": 3}, model, latents, tmp_path, file)
    names = load_file(tmp_path / "raw" / lora.WEBUI_FILE)
    # a name that ComfyUI looks for, of diffusers' layer
    assert "diffusion_model.layers.0.attention.to_q.lora_down.weight" in names
