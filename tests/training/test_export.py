"""What is exported is what was compared: by diffusers' own loaders."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors import safe_open

from emaki.sampling.sampler import load_pipeline
from emaki.training import export, loop, settings, single_file

TINY = Path(__file__).parents[2] / "resources/tiny-sd"
PARTS = ("unet", "vae", "text_encoder")


def weights(pipeline):
    """{part.name: tensor}, with a LoRA that is fused in the layers that it is of."""
    return {
        f"{part}.{name.replace('.base_layer', '')}": tensor
        for part in PARTS
        for name, tensor in getattr(pipeline, part).state_dict().items()
        if ".lora_" not in name
    }


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[name], theirs[name]) for name in ours
    )


def from_file(path, folder):
    return StableDiffusionPipeline.from_single_file(
        path, config=str(folder), safety_checker=None, local_files_only=True, dtype=torch.float32
    )


@pytest.fixture(scope="module")
def blocks_of_sd(tmp_path_factory):
    """A pipeline with the blocks of Stable Diffusion 1.x, few channels and random weights."""
    folder = tmp_path_factory.mktemp("model") / "sd"
    shutil.copytree(TINY, folder)
    for part in ("unet", "vae"):
        shutil.rmtree(folder / part)
    torch.manual_seed(0)
    UNet2DConditionModel(
        block_out_channels=(8, 16, 16, 16),
        norm_num_groups=4,
        cross_attention_dim=128,
        attention_head_dim=2,
        sample_size=16,
    ).save_pretrained(folder / "unet")
    AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=2,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
    ).save_pretrained(folder / "vae")
    return folder


@pytest.mark.parametrize("model", ["tiny", "blocks_of_sd"])
def test_the_single_file_gives_the_same_weights(model, request, tmp_path):
    folder = TINY if model == "tiny" else request.getfixturevalue(model)
    names = export.export_pipeline(folder, None, tmp_path / "best", "mine")
    assert names == ["webui/mine.safetensors"]
    found = from_file(tmp_path / "best" / names[0], tmp_path / "best")
    expected = StableDiffusionPipeline.from_pretrained(
        tmp_path / "best", dtype=torch.float32, local_files_only=True
    )
    assert same(weights(found), weights(expected))
    assert same(weights(expected), weights(load_pipeline(folder)))


def test_the_single_file_has_the_original_names(blocks_of_sd, tmp_path):
    single_file.write(blocks_of_sd, tmp_path / "one.safetensors")
    with safe_open(tmp_path / "one.safetensors", framework="np") as opened:
        names = set(opened.keys())
    # a few that loaders of web UIs tell the model by
    assert names >= {
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
        "model.diffusion_model.input_blocks.11.0.out_layers.3.weight",
        "model.diffusion_model.middle_block.1.proj_in.weight",
        "model.diffusion_model.output_blocks.2.1.conv.weight",
        "model.diffusion_model.output_blocks.5.2.conv.weight",
        "model.diffusion_model.out.2.bias",
        "first_stage_model.encoder.mid.attn_1.q.weight",
        "first_stage_model.decoder.up.3.upsample.conv.weight",
        "cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.k_proj.weight",
    }


def test_stable_diffusion_2_has_no_single_file(tmp_path):
    shutil.copytree(TINY, tmp_path / "sd2")
    config = json.loads((tmp_path / "sd2/unet/config.json").read_text())
    (tmp_path / "sd2/unet/config.json").write_text(
        json.dumps(config | {"use_linear_projection": True})
    )
    assert export.export_pipeline(tmp_path / "sd2", None, tmp_path / "best", "mine") == []
    assert not (tmp_path / "best/webui").exists()


def test_a_u_net_takes_the_place_of_the_models(tmp_path):
    unet = UNet2DConditionModel.from_pretrained(TINY / "unet")
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter.add_(0.01)
    unet.save_pretrained(tmp_path / "unet")
    export.export_pipeline(TINY, tmp_path / "unet", tmp_path / "best", "mine")
    assert same(
        weights(load_pipeline(tmp_path / "best")),
        weights(load_pipeline(TINY, weights=tmp_path / "unet")),
    )
    files = [path for path in (tmp_path / "best").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors"}
    assert not [path for path in files if "non_ema" in path.name or path.is_symlink()]


def test_a_lora_at_a_scale_is_a_lora_at_one(tmp_path, model, latents):
    run = {"method": "lora", "resolution": 32, "batch_size": 4, "rank": 2, "learning_rate": 0.05}
    cpu = torch.device("cpu")
    trainer = loop.make_trainer(settings.read(json.dumps(run)), model, latents, cpu)
    loop.train(trainer, 0, 3, "lora")
    loop.save_weights(trainer, tmp_path)
    names = export.export_lora(tmp_path / "raw", 0.5, tmp_path / "best", "mine")
    drawn = load_pipeline(model, lora=tmp_path / "raw", lora_scale=0.5)
    diffusers_, web_ui = (
        load_pipeline(model, lora=tmp_path / "best" / name) for name in ("", names[0])
    )
    expected = weights(drawn)
    assert not same(weights(load_pipeline(model)), expected)
    for found in (weights(diffusers_), weights(web_ui)):
        for name, tensor in expected.items():
            torch.testing.assert_close(found[name], tensor, rtol=1e-5, atol=1e-6)
