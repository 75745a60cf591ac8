"""Folders of models that cannot be fine-tuned are told before the first job, with what to do."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from emaki.common.errors import UserError
from emaki.common.safetensors_header import read_shapes
from emaki.config import load, pipelines

RESOURCES = Path(__file__).parents[2] / "resources"
UNET = "unet/diffusion_pytorch_model"


@pytest.fixture
def model(tmp_path):
    """A folder with links to the files of the embedded model."""
    return shutil.copytree(RESOURCES / "tiny-sd", tmp_path / "sd", copy_function=os.symlink)


def say(path, **values):
    """Change values in a JSON file that is a link."""
    about = json.loads(path.read_text()) | values
    path.unlink()
    path.write_text(json.dumps(about))


def test_the_embedded_model_is_one(model):
    assert list(pipelines.problems(str(model))) == []


def rename(model, old, new):
    (model / old).rename(model / new)


def divide(model, *parts):
    """Put a list of parts, which are not there, in the place of the U-Net's weights."""
    (model / f"{UNET}.safetensors").unlink()
    index = {"weight_map": {f"layer{number}": part for number, part in enumerate(parts)}}
    (model / f"{UNET}.safetensors.index.json").write_text(json.dumps(index))


def be_sd3(model):
    """Let the index name Stable Diffusion 3 without a T5."""
    parts = {"text_encoder_3": [None, None], "tokenizer_3": [None, None]}
    say(model / "model_index.json", _class_name="StableDiffusion3Pipeline", **parts)


CASES = {
    "SD3 without its transformer": (be_sd3, r"sd, which has no transformer/config.json"),
    "PixArt": (
        lambda model: say(model / "model_index.json", _class_name="PixArtSigmaPipeline"),
        r"sd, which is a PixArtSigmaPipeline, of which there is no family: take a Stable",
    ),
    "FLUX without its transformer": (
        lambda model: say(model / "model_index.json", _class_name="FluxPipeline"),
        r"sd, which has no transformer/config.json",
    ),
    "SDXL without its second text encoder": (
        lambda model: say(model / "model_index.json", _class_name="StableDiffusionXLPipeline"),
        r"sd, which has no text_encoder_2/config.json",
    ),
    "no class": (
        lambda model: say(model / "model_index.json", _class_name=None),
        "sd, which is a pipeline without a class, of which there is no family",
    ),
    "inpainting": (
        lambda model: say(model / "unet/config.json", in_channels=9),
        r"whose U-Net takes 9 channels, not 4: models for inpainting",
    ),
    "fp16": (
        lambda model: rename(model, f"{UNET}.safetensors", f"{UNET}.fp16.safetensors"),
        r"has unet/diffusion_pytorch_model.fp16.safetensors only: .*variant=\"fp16\"",
    ),
    "pickle": (
        lambda model: rename(model, f"{UNET}.safetensors", f"{UNET}.bin"),
        r"has unet/diffusion_pytorch_model.bin, a pickle, which may run code .*save_pretrained",
    ),
    "a part is missing": (
        lambda model: divide(model, "diffusion_pytorch_model-00001-of-00001.safetensors"),
        "sd, which has no unet/diffusion_pytorch_model-00001-of-00001.safetensors$",
    ),
    "a damaged list of parts": (
        lambda model: divide(model, "../elsewhere.safetensors"),
        "index.json is no list of files of weights: bring it anew",
    ),
    "no scheduler": (
        lambda model: (model / "scheduler/scheduler_config.json").unlink(),
        "which has no scheduler/scheduler_config.json$",
    ),
    "no vae": (lambda model: shutil.rmtree(model / "vae"), "which has no vae/config.json$"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_no_model_for_emaki_is_told(name, model):
    change, told = CASES[name]
    change(model)
    (found,) = pipelines.problems(str(model))
    assert re.search(told, found), found


def test_a_single_file_is_told_how_to_become_a_folder(tmp_path):
    file = tmp_path / "sd.safetensors"
    file.touch()
    (found,) = pipelines.problems(str(file))
    assert f'from_single_file("{file}").save_pretrained("{tmp_path / "sd"}")' in found


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "its header cannot be read"),
        (b"\xff" * 8, "its header is longer than the file"),
        (b"\x02" + bytes(7) + b"[]", "its header cannot be read"),
        (b"\x02" + bytes(7) + b"{}" + b"x", "it has 11 bytes, but its header speaks of 10"),
    ],
)
def test_weights_with_a_header_that_lies_are_refused(data, told, model):
    (model / f"{UNET}.safetensors").unlink()
    (model / f"{UNET}.safetensors").write_bytes(data)
    (found,) = pipelines.problems(str(model))
    assert f"{UNET}.safetensors is no whole safetensors file: {told}" in found


def test_a_download_that_was_cut_off_is_refused(model):
    whole = (model / f"{UNET}.safetensors").read_bytes()
    (model / f"{UNET}.safetensors").unlink()
    (model / f"{UNET}.safetensors").write_bytes(whole[:-1000])
    told = f"it has {len(whole) - 1000:,} bytes, but its header speaks of {len(whole):,}"
    assert told in next(pipelines.problems(str(model)))
    with pytest.raises(UserError, match="no whole safetensors file"):
        read_shapes(model / f"{UNET}.safetensors")


def test_layers_that_there_are_not(model):
    modules = ["to_k", "to_out.0", "attn1.to_q", "proj_inn", "norm1"]
    unknown = list(pipelines.unknown_layers(str(model), modules))
    assert unknown[0].startswith("has 'proj_inn', but no layer of unet/diffusion_pytorch_model")
    assert unknown[0].endswith("did you mean 'proj_in'?")
    assert len(unknown) == 2
    assert list(pipelines.unknown_layers("nowhere", modules)) == []  # of the hub, not here yet


def test_a_config_tells_of_layers_and_of_measures_models(workplace):
    lines = "extends: config/config.yaml\nstudy: my\nruns:\n  a: {extends: lora-r4, %s}\n"
    (workplace / "my.yaml").write_text(lines % "target_modules: [to_k, to_w]")
    with pytest.raises(UserError, match=r"^my.yaml:4: runs.a.target_modules has 'to_w', but no la"):
        load("my.yaml")
    (workplace / "my.yaml").write_text(lines % "target_modules: [to_k, proj_in, conv1]")
    load("my.yaml")
    weights = workplace / "resources/tiny-clip/model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(
        UserError, match=r"measures.clip_score.model is .*pytorch_model.bin, a pick"
    ):
        load("my.yaml")
