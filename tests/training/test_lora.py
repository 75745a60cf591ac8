"""A LoRA that was trained here is the same one where diffusers loads it."""

import json

import pytest
import torch
from safetensors.torch import load_file

from emaki.common import weight_files
from emaki.common.errors import UserError
from emaki.training import loop, lora, models, settings


def a_trainer(run, model, latents):
    run = {"method": "lora", "resolution": 32, "batch_size": 4} | run
    return loop.make_trainer(settings.read(json.dumps(run)), model, latents, torch.device("cpu"))


EVERY_KIND = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "proj_in", "conv_in", "conv1"]


@pytest.mark.parametrize(
    "run", [{"rank": 2}, {"rank": 4, "lora_alpha": 1}, {"rank": 2, "target_modules": EVERY_KIND}]
)
def test_load_lora_weights_gives_the_trained_unet(tmp_path, model, latents, run):
    from diffusers import StableDiffusionPipeline

    trainer = a_trainer(run | {"learning_rate": 0.05}, model, latents)
    loop.train(trainer, 0, 3, "lora")
    loop.save_weights(trainer, tmp_path)
    pipeline = StableDiffusionPipeline.from_pretrained(model)
    inputs = (torch.randn(1, 4, 8, 8), torch.tensor([10]), torch.randn(1, 16, 32))
    with torch.no_grad():
        base = pipeline.unet(*inputs).sample
        pipeline.load_lora_weights(tmp_path / "raw", weight_name=weight_files.LORA)
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
    # and was never larger on the device
    alone = models.load_denoiser(trainer.family, trainer.run, trainer.device)
    assert {p.dtype for p in alone.parameters()} == {torch.bfloat16}
    loop.train(trainer, 0, 1, "lora")
    loop.save_weights(trainer, tmp_path)
    tensors = load_file(tmp_path / "raw" / weight_files.LORA)
    assert {t.dtype for t in tensors.values()} == {torch.float32}


def test_the_first_weights_come_from_the_seed(model, latents):
    one, same, other = (
        list(a_trainer({"seed": seed}, model, latents).parameters.values()) for seed in (1, 1, 2)
    )
    assert all(torch.equal(a, b) for a, b in zip(one, same))
    assert any(not torch.equal(a, b) for a, b in zip(one, other))


@pytest.mark.parametrize("file", [weight_files.LORA, lora.WEBUI_FILE])
@pytest.mark.parametrize("text", [False, True])
def test_a_lora_goes_on_from_another(tmp_path, model, latents, file, text):
    run = {"rank": 2, "lora_alpha": 1, "train_text_encoder": text, "learning_rate": 0.05}
    first = a_trainer(run, model, latents)
    loop.train(first, 0, 3, "lora")
    loop.save_weights(first, tmp_path / "first")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (tmp_path / "first/raw" / file).rename(folder / weight_files.LORA)
    start = {"train_init": {"folder": str(folder)}}
    second = a_trainer(run | start, model, latents)
    inputs = (torch.randn(1, 4, 8, 8), torch.tensor([10]), torch.randn(1, 16, 32))
    with torch.no_grad():
        ours = second.modules["unet"](*inputs).sample
        torch.testing.assert_close(ours, first.modules["unet"](*inputs).sample)
        louder = a_trainer(run | start | {"lora_alpha": 2}, model, latents)
        torch.testing.assert_close(louder.modules["unet"](*inputs).sample, ours)
    for name, tensor in first.parameters.items():
        torch.testing.assert_close(second.parameters[name], tensor)
    before = {name: tensor.detach().clone() for name, tensor in second.parameters.items()}
    loop.train(second, 0, 1, "lora")
    assert any(not torch.equal(before[name], tensor) for name, tensor in second.parameters.items())


@pytest.mark.parametrize(
    ("other", "told"), [({"rank": 4}, "rank 2 at"), ({"target_modules": ["to_q"]}, "only it has")]
)
def test_a_lora_of_another_shape_is_no_start(tmp_path, model, latents, other, told):
    loop.save_weights(a_trainer({"rank": 2}, model, latents), tmp_path)
    start = {"rank": 2, "train_init": {"folder": str(tmp_path / "raw")}}
    with pytest.raises(UserError, match=told):
        a_trainer(start | other, model, latents)


def test_unknown_target_modules_are_named(model, latents):
    with pytest.raises(UserError, match="nothing_like_this"):
        a_trainer({"target_modules": ["to_q", "nothing_like_this"]}, model, latents)


def test_a_trained_text_encoder_is_in_the_file(tmp_path, model, latents):
    from diffusers import StableDiffusionPipeline

    run = {"train_text_encoder": True, "rank": 2, "learning_rate": 0.05}
    trainer = a_trainer(run, model, latents)
    before = loop.validate(trainer)["validation_loss"]
    assert before == pytest.approx(loop.validate(a_trainer({}, model, latents))["validation_loss"])
    loop.train(trainer, 0, 3, "lora")
    loop.save_weights(trainer, tmp_path)
    pipeline = StableDiffusionPipeline.from_pretrained(model)
    tokens = trainer.latents.text["input_ids"][1:2]
    with torch.no_grad():
        base = pipeline.text_encoder(tokens)[0]
        pipeline.load_lora_weights(tmp_path / "raw", weight_name=weight_files.LORA)
        loaded = pipeline.text_encoder(tokens)[0]
        trained = trainer.modules["text_encoder"](tokens)[0]
    torch.testing.assert_close(loaded, trained)
    assert (loaded - base).abs().max() > 1e-3


@pytest.mark.parametrize(
    "run",
    [
        {"rank": 4, "lora_alpha": 1, "train_text_encoder": True},
        {"target_modules": ["to_v", "ff.net.0.proj", "proj_in", "conv1", "time_emb_proj"]},
    ],
    ids=["both", "other-layers"],
)
def test_the_file_for_web_uis_is_the_same_lora(tmp_path, model, latents, run):
    """diffusers reads kohya's names too, and its own converter says which they are."""
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import convert_all_state_dict_to_peft, convert_unet_state_dict_to_peft
    from diffusers.utils.state_dict_utils import convert_state_dict_to_kohya

    trainer = a_trainer({"rank": 2, "learning_rate": 0.05} | run, model, latents)
    loop.train(trainer, 0, 3, "lora")
    loop.save_weights(trainer, tmp_path)
    ours = load_file(tmp_path / "raw" / lora.WEBUI_FILE)
    peft = convert_all_state_dict_to_peft(load_file(tmp_path / "raw" / weight_files.LORA))
    theirs = convert_state_dict_to_kohya(convert_unet_state_dict_to_peft(peft))
    # It calls the text encoder lora_te1, as in SDXL; sd-scripts says lora_te where there is one.
    assert ours.keys() == {name.replace("lora_te1_", "lora_te_") for name in theirs}
    alphas = {float(tensor) for name, tensor in ours.items() if name.endswith(".alpha")}
    assert alphas == {trainer.run.lora_alpha}

    pipeline = StableDiffusionPipeline.from_pretrained(model)
    pipeline.load_lora_weights(tmp_path / "raw" / lora.WEBUI_FILE)
    inputs = (torch.randn(1, 4, 8, 8), torch.tensor([10]), torch.randn(1, 16, 32))
    tokens = torch.arange(16)[None]
    with torch.no_grad():
        loaded = pipeline.unet(*inputs).sample
        torch.testing.assert_close(loaded, trainer.modules["unet"](*inputs).sample)
        if "text_encoder" in trainer.modules:
            trained = trainer.modules["text_encoder"](tokens)[0]
            torch.testing.assert_close(pipeline.text_encoder(tokens)[0], trained)


def test_names_are_those_that_web_uis_look_for(tmp_path, model, latents):
    """As they were seen to (docs/training.md): a layer's name in diffusers with underscores."""
    trainer = a_trainer({"rank": 2, "train_text_encoder": True}, model, latents)
    loop.save_weights(trainer, tmp_path)
    layers = {
        f"lora_unet_{name.replace('.', '_')}"
        for name, module in trainer.modules["unet"].named_modules()
        if name.endswith((".to_q", ".to_k", ".to_v", ".to_out.0"))
    }
    layers |= {
        f"lora_te_text_model_encoder_layers_{number}_self_attn_{part}_proj"
        for number in range(trainer.modules["text_encoder"].config.num_hidden_layers)
        for part in ("q", "k", "v", "out")
    }
    kinds = ("alpha", "lora_down.weight", "lora_up.weight")
    expected = {f"{layer}.{kind}" for layer in layers for kind in kinds}
    assert load_file(tmp_path / "raw" / lora.WEBUI_FILE).keys() == expected
    text = [
        n for n in load_file(tmp_path / "raw" / weight_files.LORA) if n.startswith("text_encoder.")
    ]
    assert all(name.startswith("text_encoder.text_model.encoder.layers.") for name in text)
