"""What a training does with its settings, its starts and its ends."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from small import make_unet

from emaki.common.errors import UserError
from emaki.families import find
from emaki.training import data, loop, models, settings, state

COMMON = {"method": "full", "resolution": 32, "batch_size": 4}


@pytest.fixture
def trainer(model, latents):
    def trainer(latents=latents, **run):
        run = settings.read(json.dumps(COMMON | run))
        return loop.make_trainer(run, model, latents, torch.device("cpu"))

    return trainer


def test_a_training_learns(trainer):
    trained = trainer(batch_size=7, learning_rate=2e-3)
    before = loop.validate(trained)["validation_loss"]
    loop.train(trained, 0, 60, "learn")
    assert loop.validate(trained)["validation_loss"] < 0.8 * before


def test_accumulated_gradients_are_those_of_the_whole_batch(trainer):
    whole, parts = trainer(batch_size=4), trainer(batch_size=1, gradient_accumulation_steps=4)
    for each in (whole, parts):
        loop.train(each, 0, 3, "batch")
    for row, other in zip(whole.metrics.rows, parts.metrics.rows):
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-4)


def test_gradient_checkpointing_changes_nothing(trainer):
    plain, saving = trainer(), trainer(gradient_checkpointing=True)
    for each in (plain, saving):
        loop.train(each, 0, 2, "checkpointing")
    for name, parameter in plain.parameters.items():
        assert torch.equal(parameter, saving.parameters[name])


@pytest.mark.parametrize(("train_init", "seed"), [("ema", 1), ("non_ema", 2)])
def test_train_init_chooses_the_unet_file(trainer, train_init, seed):
    start = make_unet(seed).state_dict()
    assert all(
        torch.equal(p, start[n]) for n, p in trainer(train_init=train_init).parameters.items()
    )


@pytest.mark.parametrize(("init", "seed"), [("ema", 1), ("non_ema", 2), ("train", 2)])
def test_ema_init_chooses_where_the_average_starts(trainer, init, seed):
    made = trainer(train_init="non_ema", ema={"init": init})
    start = make_unet(seed).state_dict()
    assert all(torch.equal(a, start[n]) for n, a in made.ema.averages.items())


def test_starts_from_a_folder(trainer, tmp_path):
    for seed in (3, 4):
        make_unet(seed).save_pretrained(tmp_path / str(seed))
    first, second = ({"folder": str(tmp_path / str(seed))} for seed in (3, 4))
    made = trainer(train_init=first, ema={"init": second})
    for seed, weights in ((3, made.parameters), (4, made.ema.averages)):
        start = make_unet(seed).state_dict()
        assert all(torch.equal(tensor, start[name]) for name, tensor in weights.items())


@pytest.mark.parametrize("key", ["train_init", "ema"])
def test_a_start_of_another_architecture_is_refused(trainer, tmp_path, key):
    save_file({"conv_in.bias": torch.zeros(3)}, tmp_path / "diffusion_pytorch_model.safetensors")
    start = {"folder": str(tmp_path)}
    with pytest.raises(UserError, match=r"is of another architecture than .*: see "):
        trainer(**{key: start if key == "train_init" else {"init": start}})


@pytest.mark.parametrize(("per", "updates"), [("step", 2), ("micro_batch", 6)])
def test_ema_steps_per_step_or_per_micro_batch(trainer, per, updates):
    made = trainer(
        gradient_accumulation_steps=3, batch_size=1, ema={"preset": "diffusers", "per": per}
    )
    loop.train(made, 0, 2, "ema")
    assert made.ema.updates == updates


def test_validation_leaves_the_training_alone(trainer):
    with_it, without = trainer(ema={}), trainer(ema={})
    loop.train(with_it, 0, 2, "with")
    losses = loop.validate(with_it)
    assert losses == loop.validate(with_it)
    assert losses.keys() == {"validation_loss", "validation_loss_ema"}
    loop.train(with_it, 2, 4, "with")
    loop.train(without, 0, 4, "without")
    for name, parameter in without.parameters.items():
        assert torch.equal(parameter, with_it.parameters[name])
    assert with_it.modules["unet"].training


def test_raw_and_average_are_both_saved_and_load(trainer, tmp_path):
    from diffusers import UNet2DConditionModel

    made = trainer(ema={"decay": 0.5, "warmup": "none"}, save_precision="fp16")
    loop.train(made, 0, 2, "save")
    assert loop.save_weights(made, tmp_path) == ["ema", "raw"]
    for kind, weights in (("raw", made.parameters), ("ema", made.ema.averages)):
        unet = UNet2DConditionModel.from_pretrained(tmp_path / kind)
        stored = load_file(tmp_path / kind / "diffusion_pytorch_model.safetensors")
        assert {t.dtype for t in stored.values()} == {torch.float16}
        for name, parameter in unet.named_parameters():
            assert torch.equal(parameter, weights[name].half().float())


def test_a_loss_that_is_not_finite_names_step_rate_and_pictures(trainer, latents, tmp_path):
    broken = shutil.copytree(latents, tmp_path / "latents")
    tensors = load_file(broken / "moments.safetensors")
    tensors["train.mean"][3] = float("nan")
    save_file(tensors, broken / "moments.safetensors")
    made = trainer(latents=broken, batch_size=1)
    rows = [int(data.order.rows(0, step, 1, 7)[0]) for step in range(7)]
    bad = rows.index(3) + 1
    with pytest.raises(UserError) as error:
        loop.train(made, 0, 7, "nan")
    assert f"the loss of step {bad} is nan at learning rate 0.0001, pictures disc-3" in str(
        error.value
    )


def test_caption_dropout_gives_the_empty_caption(trainer):
    made = trainer(caption_dropout=1.0)
    batch = data.batch_of_step(made.latents, made.run, 0, 4, made.process)
    empty = made.latents.text["embeddings"][0]
    assert all(torch.equal(text, empty) for text in batch.conditions["embeddings"])
    half = trainer(caption_dropout=0.5)
    dropped = sum(
        bool((text == empty).all())
        for step in range(100)
        for text in data.batch_of_step(half.latents, half.run, step, 4, half.process).conditions[
            "embeddings"
        ]
    )
    assert 150 < dropped < 250


def test_latents_are_sampled_afresh_from_the_posterior(trainer):
    made = trainer(batch_size=7)
    drawn = []
    for step in range(200):
        batch = data.batch_of_step(made.latents, made.run, step, 7, made.process)
        rows = data.order.rows(0, step, 7, 7)
        drawn.append(batch.latents[list(rows).index(2)] / made.latents.scaling_factor)
    drawn = torch.stack(drawn)
    std = made.latents.std[2, 0]
    torch.testing.assert_close(
        drawn.mean(0), made.latents.mean[2, 0], atol=0.35 * std.max(), rtol=0
    )
    assert (drawn.std(0) / std).mean() == pytest.approx(1, abs=0.05)


def test_noise_offset_moves_whole_channels(trainer):
    plain, offset = trainer(), trainer(noise_offset=0.5)
    a, b = (data.batch_of_step(t.latents, t.run, 0, 4, t.process).noise for t in (plain, offset))
    shift = b - a
    torch.testing.assert_close(shift, shift.mean((2, 3), keepdim=True).expand_as(shift))
    assert shift.abs().max() > 0.1


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"mixed_precision": "fp16"}, "fp16 needs a GPU"),
        ({"attention": "xformers"}, "xformers needs a GPU"),
        ({"rnak": 4}, "rnak is not a key here; .* did you mean 'rank'"),
        ({"batch_size": 0}, "batch_size is 0, but must be at least 1"),
        ({"lr_horizon": 9}, "lr_horizon is called lr_total_steps now"),
        ({"lr_scheduler": "cosine"}, "leaves cosine without lr_total_steps"),
    ],
)
def test_what_cannot_be_trained_is_refused(run, words):
    with pytest.raises(UserError, match=words):
        models.check(settings.read(json.dumps(COMMON | run)), torch.device("cpu"))


def test_a_model_without_non_ema_weights_says_so(model, tmp_path):
    bare = shutil.copytree(model, tmp_path / "bare")
    (bare / "unet/diffusion_pytorch_model.non_ema.safetensors").unlink()
    with pytest.raises(UserError, match="this model has no non_ema weights"):
        models.find_weights(find(bare), "non_ema")


def test_tensorboard_reads_the_scalars(trainer, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    made = trainer()
    loop.train(made, 0, 3, "events")
    made.metrics.write(tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    read = events.Scalars("train/loss")
    assert [event.step for event in read] == [1, 2, 3]
    assert read[0].value == pytest.approx(made.metrics.rows[0]["loss"])


def test_fp16_loss_scaling_goes_on_where_it_was(trainer, tmp_path):
    run = {"mixed_precision": "fp16", "learning_rate": 1e-3}
    one, two = trainer(**run), trainer(**run)
    loop.train(one, 0, 4, "fp16")
    loop.train(two, 0, 2, "fp16")
    two.scaler.update(512.0)
    made_with = {"run": two.run.values(), "model": {}, "latents": ""}
    state.save(tmp_path / "state", two, 2, made_with)
    resumed = trainer(**run)
    state.restore(tmp_path / "state", state.read(tmp_path / "state"), resumed)
    assert resumed.scaler.get_scale() == 512.0
    loop.train(resumed, 2, 4, "fp16")
    for name, parameter in one.parameters.items():
        torch.testing.assert_close(parameter, resumed.parameters[name], atol=1e-4, rtol=0)
