"""A full fine-tune that trains the text encoder too: its gradient, its files, who reads them."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from emaki.common import weight_files
from emaki.common.errors import UserError
from emaki.sampling import sampler
from emaki.sampling.settings import Sampling
from emaki.training import data, loop, merging, models, optimizers, settings

COMMON = {"method": "full", "resolution": 32, "batch_size": 4, "learning_rate": 1e-3}
SAMPLING = Sampling(steps=2, guidance_scale=3.0, seeds=[0], resolution=32)


@pytest.fixture
def trainer(model, latents):
    def trainer(**run):
        run = settings.read(json.dumps(COMMON | {"train_text_encoder": True} | run))
        models.check(run, torch.device("cpu"))
        return loop.make_trainer(run, model, latents, torch.device("cpu"))

    return trainer


@pytest.fixture
def trained(trainer, tmp_path):
    """A trainer after some steps and the folder of its weights."""
    trainer = trainer(ema={"decay": 0.5, "warmup": "none"})
    loop.train(trainer, 0, 4, "text")
    assert loop.save_weights(trainer, tmp_path / "weights") == ["ema", "raw"]
    return trainer, tmp_path / "weights"


def test_follows_a_loop_that_encodes_the_captions_in_every_step(trainer, model):
    """What diffusers' train_dreambooth.py --train_text_encoder does: one AdamW over both."""
    from diffusers import DDPMScheduler, StableDiffusionPipeline

    ours, pipeline = trainer(), StableDiffusionPipeline.from_pretrained(model)
    unet, encoder = pipeline.unet.train(), pipeline.text_encoder
    scheduler = DDPMScheduler.from_pretrained(model, subfolder="scheduler")
    parameters = [*unet.parameters(), *encoder.parameters()]
    optimizer, losses = torch.optim.AdamW(parameters, lr=1e-3), []
    for step in range(5):
        batch = data.batch_of_step(ours.latents, ours.run, step, 4, ours.process)
        noisy = scheduler.add_noise(batch.latents, batch.noise, batch.timesteps)
        prediction = unet(noisy, batch.timesteps, encoder(batch.conditions["input_ids"])[0]).sample
        loss = torch.nn.functional.mse_loss(prediction, batch.noise)
        loss.backward()
        losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    loop.train(ours, 0, 5, "ours")
    assert [row["loss"] for row in ours.metrics.rows] == pytest.approx(losses, rel=1e-4)
    for module, theirs in (("unet", unet), ("text_encoder", encoder)):
        for mine, other in zip(ours.modules[module].parameters(), theirs.parameters()):
            torch.testing.assert_close(mine, other, atol=2e-4, rtol=0)


def test_its_learning_rate_is_its_own_where_it_has_one(trainer):
    both, slow = trainer(lr_warmup_steps=2), trainer(text_encoder_learning_rate=1e-4)
    for made, rates in ((both, [1e-3, 1e-3]), (slow, [1e-3, 1e-4])):
        optimizers.set_learning_rate(made.optimizer, 1e-3)
        assert [g["lr"] for g in made.optimizer.param_groups] == pytest.approx(rates)


def test_raw_and_averaged_weights_load_with_diffusers(trained, model):
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    trainer, folder = trained
    start = StableDiffusionPipeline.from_pretrained(model).text_encoder
    for kind, weights in (("raw", trainer.parameters), ("ema", trainer.ema.averages)):
        pipeline = StableDiffusionPipeline.from_pretrained(
            model,
            unet=UNet2DConditionModel.from_pretrained(folder / kind),
            text_encoder=CLIPTextModel.from_pretrained(folder / kind / "text_encoder"),
        )
        for name, parameter in pipeline.unet.named_parameters():
            assert torch.equal(parameter, weights[name])
        for name, parameter in pipeline.text_encoder.named_parameters():
            assert torch.equal(parameter, weights[f"text_encoder.{name}"])
            assert not torch.equal(parameter, start.get_parameter(name))


def test_half_precision_is_for_both(trainer, tmp_path):
    loop.save_weights(trainer(save_precision="fp16"), tmp_path)
    stored = load_file(tmp_path / "raw/text_encoder/model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}


def test_samples_are_drawn_with_it(trained, model, tmp_path):
    folder = trained[1] / "raw"
    without = shutil.copytree(folder, tmp_path / "without", ignore=shutil.ignore_patterns("text*"))

    def draw(weights):
        load = lambda: sampler.load_pipeline(model, weights=weights)  # noqa: E731
        store = tmp_path / f"store-{weights.name}"
        return sampler.sample({"a red disc": None}, SAMPLING, "identity", load, store)["image"]

    assert draw(folder) != draw(without)


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_merges_lie_between_both_of_the_base_and_both_of_the_fine_tune(trained, model, alpha):
    tuned, merged = trained[1] / "raw", trained[1] / "merged"
    merging.merge(model, tuned, alpha, merged)
    file = weight_files.TEXT_ENCODER
    base, ours, between = (load_file(folder / file) for folder in (model, tuned, merged))
    for name, tensor in between.items():
        expected = base[name] + alpha * (ours[name] - base[name])
        torch.testing.assert_close(tensor, expected, atol=1e-6, rtol=0)
    about = json.loads((merged / "merge.json").read_text())
    parts = {weight_files.DIFFUSERS, "config.json", file, "text_encoder/config.json"}
    assert about["files"].keys() == parts
    encoder = sampler.load_pipeline(model, weights=merged).text_encoder
    key = next(name for name in between if name.endswith("final_layer_norm.weight"))
    assert torch.equal(encoder.get_parameter("final_layer_norm.weight"), between[key])


def test_a_training_goes_on_from_both_weights_of_a_checkpoint(trained, trainer):
    first, folder = trained
    start = {"folder": str(folder / "raw")}
    second = trainer(train_init=start, ema={"init": {"folder": str(folder / "ema")}})
    for name, parameter in second.parameters.items():
        assert torch.equal(parameter, first.parameters[name])
        assert torch.equal(second.ema.averages[name], first.ema.averages[name])
    with pytest.raises(UserError, match="has a text encoder of its own"):
        trainer(train_init=start, train_text_encoder=False)


def test_a_base_that_an_older_transformers_saved_is_merged_too(trained, model, tmp_path):
    from safetensors.torch import save_file

    old = shutil.copytree(model, tmp_path / "old")
    tensors = load_file(old / weight_files.TEXT_ENCODER)
    positions = {"text_model.embeddings.position_ids": torch.arange(16)[None]}
    save_file(tensors | positions, old / weight_files.TEXT_ENCODER)
    merging.merge(old, trained[1] / "raw", 0.5, tmp_path / "merged")
    assert load_file(tmp_path / "merged" / weight_files.TEXT_ENCODER).keys() == tensors.keys()
