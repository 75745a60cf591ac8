"""Pictures of the embedded tiny model: fixed by prompt and seed, kept, never drawn twice."""

import io
import json
import shutil
from pathlib import Path

import datasets
import diffusers
import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image

from emaki.common import digests
from emaki.config.checks import RUNGE_KUTTA
from emaki.families.stable_diffusion import StableDiffusion
from emaki.sampling import sampler
from emaki.sampling.settings import Sampling

RESOURCES = Path(__file__).parents[2] / "resources"

MODEL = RESOURCES / "tiny-sd"
SETTINGS = Sampling(steps=2, guidance_scale=3.0, seeds=[0, 1])


@pytest.fixture(scope="module")
def pipeline():
    torch.set_num_threads(1)
    return sampler.load_pipeline(MODEL)


def draw(prompts, store, load, settings=SETTINGS, identity="a model"):
    return sampler.sample(dict.fromkeys(prompts), settings, identity, load, store)


def identity(found=(), settings=SETTINGS, scale=1.0, model=MODEL):
    return sampler.Pipelines(model).identity(found, settings, scale)


def test_same_prompt_and_seed_give_the_same_bytes(tmp_path, pipeline):
    first = draw(["pig"], tmp_path / "a", lambda: pipeline)
    again = draw(["red heart", "pig"], tmp_path / "b", lambda: pipeline)
    assert first["image"] == again["image"][2:]
    assert first["seed"] == [0, 1]
    assert first["image"][0] != first["image"][1]


def test_a_picture_does_not_depend_on_its_company(tmp_path, pipeline):
    """Alone, in full batches, in another order, with more seeds: the same bytes."""
    names = ["pig", "red heart", "umbrella", "cat", "pizza", "house", "guitar", "snowman", "rocket"]
    whole = pictures(draw(names, tmp_path / "whole", lambda: pipeline))
    for number, some in enumerate([["pig"], names[::-1], names[3:]]):
        assert (
            pictures(draw(some, tmp_path / str(number), lambda: pipeline)).items() <= whole.items()
        )
    more = Sampling(steps=2, guidance_scale=3.0, seeds=[5, 1, 0])
    seen = pictures(draw(names[:3], tmp_path / "seeds", lambda: pipeline, more))
    assert {key: seen[key] for key in seen.keys() & whole.keys()}.items() <= whole.items()
    assert ("pig", 5) in seen


def pictures(table):
    keys = zip(table["prompt"], table["seed"])
    return {key: image["bytes"] for key, image in zip(keys, table["image"])}


def test_each_prompt_has_noise_of_its_own():
    seeds = {sampler.noise_seed(prompt, seed) for prompt in ("pig", "cat") for seed in (0, 1)}
    assert len(seeds) == 4
    assert max(seeds) < 2**63


def test_one_more_seed_draws_only_its_own(tmp_path, pipeline):
    first = identity()
    more = Sampling(steps=2, guidance_scale=3.0, seeds=[0, 1, 2])
    assert identity(settings=more) == first
    draw(["pig"], tmp_path, lambda: pipeline)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    draw(["pig"], tmp_path, lambda: pipeline, more)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    assert len(after) == 3
    assert before.items() <= after.items()


def test_a_new_prompt_leaves_the_old_pictures_alone(tmp_path, pipeline):
    draw(["pig"], tmp_path, lambda: pipeline)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    draw(["pig", "umbrella"], tmp_path, lambda: pipeline)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    assert len(after) == 4
    assert before.items() <= after.items()


def test_pictures_that_are_there_need_no_model(tmp_path, pipeline):
    first = draw(["pig"], tmp_path, lambda: pipeline)
    assert draw(["pig"], tmp_path, lambda: pytest.fail("the model was loaded")) == first


def test_weights_and_settings_are_part_of_what_a_picture_is(tmp_path):
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"one")
    (first,) = found = digests.check_weights(tmp_path)
    assert identity(found) == identity([first])
    other = Sampling(steps=2, guidance_scale=4.0, seeds=[0, 1])
    assert identity(found, other) != identity(found)
    assert identity(found, scale=0.5) != identity(found)
    weights.write_bytes(b"two")
    assert identity(digests.check_weights(tmp_path)) != identity(found)


def test_the_precision_is_part_of_what_a_picture_is(monkeypatch):
    first = identity()
    monkeypatch.setattr(sampler, "device", lambda: torch.device("cuda"))
    assert identity() != first


def test_what_the_model_predicts_is_part_of_what_a_picture_is(tmp_path):
    scheduler = tmp_path / "scheduler" / "scheduler_config.json"
    scheduler.parent.mkdir()
    shutil.copy(MODEL / "model_index.json", tmp_path)
    scheduler.write_text('{"prediction_type": "epsilon"}')
    first = identity(model=tmp_path)
    scheduler.write_text('{"prediction_type": "v_prediction"}')
    assert identity(model=tmp_path) != first


def test_a_variant_is_drawn_as_if_it_were_the_only_one(tmp_path):
    """Whatever was loaded before by the same `Pipelines`, in whichever order: the same bytes."""
    folders = [tmp_path / name for name in ("one", "other")]
    for number, folder in enumerate(folders):
        train_lora(folder, number)
    UNet2DConditionModel.from_pretrained(MODEL, subfolder="unet").save_pretrained(tmp_path / "full")
    asked = [{"lora": folder, "scale": scale} for folder in folders for scale in (0.5, 1.0)]
    asked += [{}, {"weights": tmp_path / "full"}]
    alone = [weights_in(sampler.Pipelines(MODEL).load(**variant)) for variant in asked]
    shared = sampler.Pipelines(MODEL)
    for number in (0, 1, 4, 2, 5, 3, 0, 4):
        assert same(weights_in(shared.load(**asked[number])), alone[number])
    assert not same(alone[0], alone[4])
    assert same(alone[4], alone[5])


def train_lora(folder, seed):
    """A LoRA on U-Net and text encoder, of random numbers."""
    torch.manual_seed(seed)
    pipeline = sampler.load_pipeline(MODEL)
    own = {}
    for part in ("unet", "text_encoder"):
        names = ["to_q", "to_v"] if part == "unet" else ["q_proj", "v_proj"]
        module = getattr(pipeline, part)
        module.add_adapter(LoraConfig(r=2, target_modules=names, init_lora_weights=False))
        own[f"{part}_lora_layers"] = get_peft_model_state_dict(module)
    StableDiffusionPipeline.save_lora_weights(folder, **own)


def weights_in(pipeline):
    """The weights by which a pipeline draws, whatever wraps their layers."""
    return {
        f"{part} {name.replace('base_layer.', '')}": tensor
        for part in ("unet", "text_encoder", "vae")
        for name, tensor in getattr(pipeline, part).state_dict().items()
        if "lora_" not in name
    }


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", StableDiffusion.schedulers)
def test_each_sampler_can_do_the_steps_that_the_config_allows(name):
    most = Sampling.model_json_schema()["properties"]["steps"]["maximum"]
    prk = json.loads((MODEL / "scheduler/scheduler_config.json").read_text())
    plms = prk | {"skip_prk_steps": True}
    for config, fewest in ((prk, RUNGE_KUTTA if name == "pndm" else 1), (plms, 1)):
        for number in (fewest, fewest + 1, fewest + 2, most):
            assert noise_is_removed(name, config, number)
    with pytest.raises((ValueError, IndexError)):  # a diffusers that can do more: allow more
        noise_is_removed("pndm", prk, RUNGE_KUTTA - 1)


def noise_is_removed(name, config, steps):
    """Whether a sampler goes all its steps, with noise in the place of a model."""
    scheduler = getattr(diffusers, StableDiffusion.schedulers[name]).from_config(config)
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, 4, 2, 2, generator=generator) * scheduler.init_noise_sigma
    for step in scheduler.timesteps:
        seen = scheduler.scale_model_input(latents, step)
        noise = 0.1 * torch.randn(seen.shape, generator=generator)
        latents = scheduler.step(noise, step, latents).prev_sample
    return bool(latents.isfinite().all())


def test_the_file_is_read_by_the_datasets_library(tmp_path, pipeline):
    table = draw(["pig", "red heart"], tmp_path / "store", lambda: pipeline)
    sampler.write([(("base/tiny", "things"), table)], tmp_path / "samples.parquet")
    rows = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "samples.parquet"), cache_dir=tmp_path / "cache"
    )["train"]
    assert rows["prompt"][:] == ["pig", "pig", "red heart", "red heart"]
    assert set(rows["variant"]) == {"base/tiny"}
    assert rows[0]["image"].size == (64, 64)


@pytest.mark.parametrize("scheduler", StableDiffusion.schedulers)
def test_every_scheduler_draws(tmp_path, scheduler):
    load = lambda: sampler.load_pipeline(MODEL, scheduler=scheduler)  # noqa: E731
    settings = Sampling(steps=5, guidance_scale=3.0, scheduler=scheduler, seeds=[0])
    table = draw(["pig"], tmp_path, load, settings, scheduler)
    picture = Image.open(io.BytesIO(table["image"][0]["bytes"]))
    assert picture.size == (64, 64)
    assert picture.convert("L").getextrema()[0] < picture.convert("L").getextrema()[1]


def test_a_damaged_picture_is_drawn_again(tmp_path, pipeline):
    first = draw(["pig"], tmp_path, lambda: pipeline)
    for number, path in enumerate(sorted(tmp_path.rglob("*.png"))):
        data = bytearray(path.read_bytes())
        if number:
            data[len(data) // 2] ^= 1
        else:
            data = data[:100]
        path.write_bytes(data)
    assert draw(["pig"], tmp_path, lambda: pipeline) == first
