"""Stable Diffusion XL goes the whole road: encoded, trained, resumed, merged, drawn, exported."""

import itertools
import json

import pytest
import torch
from safetensors.torch import load_file
from small import SIZE, make_latents, make_sdxl_pipeline

from emaki.common import weight_files
from emaki.families import SIZES, find
from emaki.sampling import sampler
from emaki.sampling.settings import Sampling
from emaki.training import data, export, loop, lora, merging, segment, settings

COMMON = {"resolution": SIZE, "batch_size": 2, "random_flip": True, "learning_rate": 0.01}
LORA = COMMON | {"method": "lora", "rank": 2}
FULL = COMMON | {"method": "full", "ema": {"decay": 0.5, "warmup": "none"}, "caption_dropout": 0.3}
SAMPLING = Sampling(steps=2, guidance_scale=3.0, seeds=[0], resolution=SIZE)
EVERY_KIND = [
    *("to_q", "to_out.0", "ff.net.0.proj", "proj_in", "conv1", "conv2", "time_emb_proj"),
    *("conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "conv_in", "conv_out"),
    *("linear_1", "linear_2"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_sdxl_pipeline(tmp_path_factory.mktemp("sdxl"))


@pytest.fixture(scope="module")
def latents(tmp_path_factory, model, dataset):
    return make_latents(dataset, model, tmp_path_factory.mktemp("cache") / "latents")


@pytest.fixture(scope="module")
def pipeline(model):
    from diffusers import StableDiffusionXLPipeline

    return StableDiffusionXLPipeline.from_pretrained(model)


@pytest.fixture
def trainer(model, latents):
    def trainer(run):
        return loop.make_trainer(
            settings.read(json.dumps(run)), model, latents, torch.device("cpu")
        )

    return trainer


def test_captions_are_those_of_the_pipeline(latents, pipeline):
    split = data.Latents(latents, "train", ("embeddings", "pooled"))
    told = split.conditions(torch.tensor([0]), split.captions[:1])
    texts, _, pooled, _ = pipeline.encode_prompt("a red disc", do_classifier_free_guidance=False)
    torch.testing.assert_close(told["embeddings"], texts)
    torch.testing.assert_close(told["pooled"], pooled)


def test_the_index_has_sizes_and_crops(latents):
    index = data.read_index(latents, "train").select(SIZES).to_pylist()
    # pictures are 40 x 32, of which the middle 32 are seen
    assert index == [dict(zip(SIZES, (SIZE, SIZE + 8, 0, 4)))] * 7
    split = data.Latents(latents, "train", ("embeddings", "pooled"), sizes=True)
    told = split.conditions(torch.tensor([3, 0]), split.captions[:2])
    assert told["sizes"].tolist() == [[SIZE, SIZE + 8, 0, 4, SIZE, SIZE]] * 2


def test_the_losses_are_those_of_diffusers_script(trainer, pipeline):
    """The step of train_text_to_image_sdxl.py, written here a second time."""
    from diffusers import DDPMScheduler

    ours = trainer(COMMON | {"method": "full", "learning_rate": 1e-3})
    unet = pipeline.components["unet"].train()
    scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    optimizer, losses = torch.optim.AdamW(unet.parameters(), lr=1e-3), []
    time_ids = torch.tensor([[SIZE, SIZE + 8, 0, 4, SIZE, SIZE]] * 2, dtype=torch.float32)
    for step in range(4):
        batch = data.batch_of_step(ours.latents, ours.run, step, 2, ours.process)
        noisy = scheduler.add_noise(batch.latents, batch.noise, batch.timesteps)
        told = {"text_embeds": batch.conditions["pooled"], "time_ids": time_ids}
        text = batch.conditions["embeddings"]
        prediction = unet(noisy, batch.timesteps, text, added_cond_kwargs=told)[0]
        loss = torch.nn.functional.mse_loss(prediction, batch.noise)
        loss.backward()
        losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    loop.train(ours, 0, 4, "ours")
    assert [row["loss"] for row in ours.metrics.rows] == pytest.approx(losses, rel=1e-5)


@pytest.mark.parametrize(
    "run",
    [LORA | {"train_text_encoder": True, "mixed_precision": "bf16"}, FULL],
    ids=["lora", "full"],
)
def test_segments_equal_one_go(run, tmp_path, model, latents, monkeypatch):
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
        state = tmp_path / f"{name}/states/{stops[-1]}/state.safetensors"
        return (tmp_path / f"{name}/runs/{stops[-1]}/checkpoint.json").read_text(), load_file(state)

    (one, state), (two, other) = train("one", 0, 3), train("two", 0, 1, 3)
    assert one == two
    assert state.keys() == other.keys()
    assert all(torch.equal(state[name], other[name]) for name in state)


@pytest.fixture(scope="module")
def tuned(model, latents, tmp_path_factory):
    """A LoRA on all that can have one, trained, and the folder of its files."""
    run = LORA | {"train_text_encoder": True, "target_modules": EVERY_KIND, "lora_alpha": 3}
    run = settings.read(json.dumps(run))
    trainer = loop.make_trainer(run, model, latents, torch.device("cpu"))
    loop.train(trainer, 0, 3, "lora")
    folder = tmp_path_factory.mktemp("lora")
    loop.save_weights(trainer, folder)
    return trainer, folder / "raw"


@pytest.mark.parametrize("file", [weight_files.LORA, lora.WEBUI_FILE])
def test_diffusers_loads_the_trained_lora(tuned, file, model, latents):
    from diffusers import StableDiffusionXLPipeline

    trainer, folder = tuned
    pipeline = StableDiffusionXLPipeline.from_pretrained(model)
    pipeline.load_lora_weights(folder / file)
    batch = data.batch_of_step(trainer.latents, trainer.run, 0, 2, trainer.process)
    with torch.no_grad():
        loaded = find(model).encode(pipeline.components, batch.conditions)
        trained = trainer.family.encode(trainer.modules, batch.conditions)
        for name in loaded:
            torch.testing.assert_close(loaded[name], trained[name])
        told = trained | batch.conditions
        arguments = batch.latents, batch.timesteps, told
        base = StableDiffusionXLPipeline.from_pretrained(model).unet
        before, after, ours = (
            trainer.family.predict(unet, *arguments)
            for unet in (base, pipeline.unet, trainer.denoiser)
        )
    torch.testing.assert_close(after, ours)
    assert (after - before).abs().max() > 1e-3


def test_names_for_web_uis_are_those_of_stabilitys_code(tuned):
    names = {name.split(".")[0] for name in load_file(tuned[1] / lora.WEBUI_FILE)}
    # with two layers a block: conv_in, ResNet 0.0 and 0.1, downsampler, ResNet 1.0
    assert {
        "lora_unet_input_blocks_0_0",
        "lora_unet_input_blocks_1_0_in_layers_2",
        "lora_unet_input_blocks_3_0_op",
        "lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q",
        "lora_unet_middle_block_1_proj_in",
        "lora_unet_middle_block_2_out_layers_3",
        "lora_unet_output_blocks_0_0_skip_connection",
        "lora_unet_output_blocks_2_2_conv",
        "lora_unet_label_emb_0_2",
        "lora_unet_out_2",
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj",
        "lora_te2_text_model_encoder_layers_1_self_attn_out_proj",
    } <= names


def test_an_export_is_a_whole_pipeline(tuned, trainer, model, tmp_path):
    made = trainer(FULL | {"train_text_encoder": True})
    loop.train(made, 0, 1, "full")
    loop.save_weights(made, tmp_path)
    assert export.export_pipeline(model, tmp_path / "raw", tmp_path / "best", "mine") == []
    ours, whole = (
        sampler.load_pipeline(*arguments, **weights)
        for arguments, weights in (
            ([model], {"weights": tmp_path / "raw"}),
            ([tmp_path / "best"], {}),
        )
    )
    for part in ("unet", "text_encoder", "text_encoder_2"):
        ours_of_part, theirs = (getattr(one, part).state_dict() for one in (ours, whole))
        assert all(torch.equal(ours_of_part[name], theirs[name]) for name in theirs)


def test_a_merge_is_drawn(trainer, model, tmp_path):
    made = trainer(FULL | {"train_text_encoder": True})
    loop.train(made, 0, 2, "full")
    loop.save_weights(made, tmp_path)
    weights = tmp_path / "ema"
    assert (weights / "text_encoder_2/model.safetensors").is_file()
    merging.merge(model, weights, 0.5, tmp_path / "merge")
    base, ours, between = (
        load_file(folder / "text_encoder_2/model.safetensors")
        for folder in (model, weights, tmp_path / "merge")
    )
    name = "text_projection.weight"
    torch.testing.assert_close(between[name], (base[name] + ours[name]) / 2)
    assert not torch.equal(ours[name], base[name])

    def draw(**weights):
        load = lambda: sampler.load_pipeline(model, **weights)  # noqa: E731
        store = tmp_path / f"store-{len(list(tmp_path.iterdir()))}"
        return sampler.sample({"a red disc": None}, SAMPLING, "it", load, store)["image"]

    pictures = [draw(), draw(weights=weights), draw(weights=tmp_path / "merge")]
    assert len({picture[0]["bytes"] for picture in pictures}) == 3
