"""A LoRA that was trained here is the same one where diffusers loads it."""

import json

import pytest
import torch
from safetensors.torch import load_file

from emaki.training import loop, lora, settings


def a_trainer(run, model, latents):
    run = {"method": "lora", "resolution": 32, "batch_size": 4} | run
    return loop.make_trainer(settings.read(json.dumps(run)), model, latents, torch.device("cpu"))


@pytest.mark.parametrize("run", [{"rank": 2}, {"rank": 4, "lora_alpha": 1}])
def test_load_lora_weights_gives_the_trained_unet(tmp_path, model, latents, run):
    from diffusers import StableDiffusionPipeline

    trainer = a_trainer(run | {"learning_rate": 0.05}, model, latents)
    loop.train(trainer, 0, 3, "lora")
    loop.save_weights(trainer, tmp_path)
    pipeline = StableDiffusionPipeline.from_pretrained(model)
    inputs = (torch.randn(1, 4, 8, 8), torch.tensor([10]), torch.randn(1, 16, 32))
    with torch.no_grad():
        base = pipeline.unet(*inputs).sample
        pipeline.load_lora_weights(tmp_path / "raw", weight_name=lora.FILE)
        loaded = pipeline.unet(*inputs).sample
        trained = trainer.modules["unet"](*inputs).sample
    torch.testing.assert_close(loaded, trained)
    assert (loaded - base).abs().max() > 1e-3


def test_target_modules_are_those_of_the_run(model, latents):
    trainer = a_trainer({"target_modules": ["to_q"]}, model, latents)
    assert all(".to_q." in name for name in trainer.parameters)


def test_lora_of_a_bf16_run_is_trained_and_saved_in_fp32(tmp_path, model, latents):
    trainer = a_trainer({"mixed_precision": "bf16"}, model, latents)
    assert {p.dtype for p in trainer.parameters.values()} == {torch.float32}
    frozen = [p for p in trainer.modules["unet"].parameters() if not p.requires_grad]
    assert {p.dtype for p in frozen} == {torch.bfloat16}
    loop.train(trainer, 0, 1, "lora")
    loop.save_weights(trainer, tmp_path)
    tensors = load_file(tmp_path / "raw" / lora.FILE)
    assert {t.dtype for t in tensors.values()} == {torch.float32}


def test_the_first_weights_come_from_the_seed(model, latents):
    one, same, other = (
        list(a_trainer({"seed": seed}, model, latents).parameters.values()) for seed in (1, 1, 2)
    )
    assert all(torch.equal(a, b) for a, b in zip(one, same))
    assert any(not torch.equal(a, b) for a, b in zip(one, other))


def test_unknown_target_modules_are_named(model, latents):
    from emaki.errors import UserError

    with pytest.raises(UserError, match="nothing_like_this"):
        a_trainer({"target_modules": ["nothing_like_this"]}, model, latents)


def test_a_trained_text_encoder_is_in_the_file(tmp_path, model, latents):
    from diffusers import StableDiffusionPipeline

    run = {"train_text_encoder": True, "rank": 2, "learning_rate": 0.05}
    trainer = a_trainer(run, model, latents)
    before = loop.validate(trainer)["validation_loss"]
    assert before == pytest.approx(loop.validate(a_trainer({}, model, latents))["validation_loss"])
    loop.train(trainer, 0, 3, "lora")
    loop.save_weights(trainer, tmp_path)
    pipeline = StableDiffusionPipeline.from_pretrained(model)
    tokens = trainer.latents.text[1:2]
    with torch.no_grad():
        base = pipeline.text_encoder(tokens)[0]
        pipeline.load_lora_weights(tmp_path / "raw", weight_name=lora.FILE)
        loaded = pipeline.text_encoder(tokens)[0]
        trained = trainer.modules["text_encoder"](tokens)[0]
    torch.testing.assert_close(loaded, trained)
    assert (loaded - base).abs().max() > 1e-3
