"""Captions by image-text-to-text models: a real, tiny Llava with random weights."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import tiny_llava
from emaki.captioners.image_text_to_text import ImageTextToText
from emaki.common.errors import UserError
from emaki.data import images
from emaki.data.captions import read_captions
from emaki.data.picture import Picture

ROOT = Path(__file__).parents[2]
PROMPT = "describe this room"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_llava.write(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "source"
    sizes = {"red": (40, 20), "blue": (20, 20), "green": (40, 20)}
    items = [
        Picture(name, Image.new("RGB", size, name), None, "MIT", "") for name, size in sizes.items()
    ]
    images.write(items, folder)
    return folder


def load(model, **settings):
    return ImageTextToText(model=model, prompt=PROMPT, **settings).load()


def picture(name):
    return Image.new("RGB", (20, 20), name)


def test_the_script_captions_a_source_in_its_order(source, model, tmp_path):
    captioner = {"type": "image-text-to-text", "model": model, "prompt": PROMPT, "top_p": 0.9}
    captioner |= {"max_new_tokens": 8, "num_beams": 1, "precision": "fp32"}
    command = [sys.executable, "scripts/caption.py"]
    command += ["--captioner", json.dumps(captioner), "--images", source]
    output = tmp_path / "captions.parquet"
    subprocess.run([*command, "--output", output], cwd=ROOT, check=True, capture_output=True)
    assert [identifier for identifier, _ in read_captions(output)] == ["red", "blue", "green"]
    here = ImageTextToText(**captioner)
    assert here.caption_pictures(source, []) == read_captions(output)


def test_greedy_is_what_the_model_itself_says(model):
    captioner = load(model, max_new_tokens=8)
    assert captioner.prompt == f"user : <image> {PROMPT} assistant :"
    processor, pictures = captioner.processor, [picture("red"), picture("blue")]
    expected = []
    for one in pictures:
        inputs = processor(text=captioner.prompt, images=one, return_tensors="pt")
        tokens = captioner.model.generate(**inputs, max_new_tokens=8, do_sample=False)
        expected.append(
            processor.decode(tokens[0, inputs.input_ids.shape[1] :], skip_special_tokens=True)
        )
    assert captioner.caption(pictures, "ab") == expected
    assert "assistant : <image>" not in " ".join(expected), "the prompt is cut off"


def test_sampling_does_not_depend_on_the_company(model):
    captioner = load(model, max_new_tokens=8, top_p=0.95)
    pictures = [picture("red"), picture("blue"), picture("green")]
    together = captioner.caption(pictures, "abc")
    assert captioner.caption(pictures[::-1], "cba") == together[::-1]
    assert [captioner.caption([p], k)[0] for p, k in zip(pictures, "abc")] == together
    assert len(set(captioner.caption([pictures[0]] * 6, "abcdef"))) > 1, "it really samples"


def test_beams_and_half_precision(model):
    captioner = load(model, max_new_tokens=8, num_beams=3, precision="bf16")
    assert captioner.model.dtype == torch.bfloat16
    assert all(captioner.caption([picture("red"), picture("blue")], "ab"))


def test_a_folder_that_holds_no_such_model(tmp_path):
    with pytest.raises(UserError, match=r"clip cannot be read as an image-text-to-text model"):
        load(str(ROOT / "resources" / "tiny-clip"))
    with pytest.raises(UserError, match=r"gone cannot be read as an image-text-to-text model"):
        load(str(tmp_path / "gone"))
