"""Captions: the source's own, with a keyword, and by a real (very small) BLIP."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from emaki import captions, images
from emaki.captions import add_keyword
from emaki.errors import UserError
from emaki.sources import Picture, build

ROOT = Path(__file__).parents[1]

WORDS = ["a", "picture", "of", "red", "green", "blue", "couch", "lamp", "room", "with", "two"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder of the images stage: red and blue with captions, green without."""
    folder = tmp_path_factory.mktemp("images") / "source"
    items = [
        Picture(name, Image.new("RGB", (40, 40), name), caption, "MIT", "")
        for name, caption in [("red", "a red room"), ("green", None), ("blue", "blue, Blue")]
    ]
    images.write(items, folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A BLIP with random weights and a vocabulary of a few words."""
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipProcessor
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("blip")
    vocabulary = {word: number for number, word in enumerate(SPECIAL + WORDS)}
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    size |= {"num_attention_heads": 2, "projection_dim": 16, "initializer_range": 0.5}
    text = {"vocab_size": len(vocabulary), "encoder_hidden_size": 32, "bos_token_id": 5}
    text |= {"pad_token_id": 0, "sep_token_id": 3, "eos_token_id": 3, "max_position_embeddings": 40}
    config = BlipConfig(
        text_config=text | size,
        vision_config={"image_size": 32, "patch_size": 8} | size,
        projection_dim=16,
    )
    BlipForConditionalGeneration(config).half().save_pretrained(folder)
    tokenizer = BertTokenizer(vocab=vocabulary, extra_special_tokens=["[DEC]"])
    shape = {"height": 32, "width": 32}
    BlipProcessor(BlipImageProcessorPil(size=shape), tokenizer).save_pretrained(folder)
    return str(folder)


def script(name, captioner, *arguments):
    command = [sys.executable, f"scripts/{name}.py", "--captioner", json.dumps(captioner)]
    subprocess.run([*command, *map(str, arguments)], cwd=ROOT, check=True, capture_output=True)


def test_alt_then_keyword_then_the_same_keyword(source, tmp_path):
    alt, once, twice = (tmp_path / f"{name}.parquet" for name in ("alt", "once", "twice"))
    script("captions", {"type": "alt"}, "--images", source, "--output", alt)
    pairs = [("red", "a red room"), ("green", None), ("blue", "blue, Blue")]
    assert captions.read(alt) == pairs
    assert pq.read_schema(alt).names == ["id", "caption"]
    captioner = {"type": "keyword", "of": "alt", "keyword": "interior design"}
    script("captions", captioner, "--images", source, "--of", alt, "--output", once)
    script("captions", captioner, "--images", source, "--of", once, "--output", twice)
    assert captions.read(once) == [
        ("red", "a red room, interior design"),
        ("green", None),
        ("blue", "blue, Blue, interior design"),
    ]
    assert once.read_bytes() == twice.read_bytes()


@pytest.mark.parametrize(
    ("caption", "keyword", "position", "separator", "expected"),
    [
        ("a couch", "interior design", "suffix", ", ", "a couch, interior design"),
        ("a couch", "interior design", "prefix", ", ", "interior design, a couch"),
        ("a couch", "interior design", "prefix", " ", "interior design a couch"),
        ("a couch, ", " interior design ", "suffix", ", ", "a couch, interior design"),
        ("a couch, Interior Design", "interior design", "suffix", ", ", None),
        ("interior design", "interior design", "prefix", ", ", None),
        ("interior design: a couch", "interior design", "prefix", ", ", None),
        (
            "interior designs",
            "interior design",
            "prefix",
            ", ",
            "interior design, interior designs",
        ),
        ("redesign", "design", "suffix", " ", "redesign design"),
        ("the design of a couch", "design", "suffix", ", ", "the design of a couch, design"),
    ],
)
def test_keyword(caption, keyword, position, separator, expected):
    once = add_keyword(caption, keyword, position, separator)
    assert once == (caption if expected is None else expected)
    assert add_keyword(once, keyword, position, separator) == once


def test_blip_captions_do_not_depend_on_the_company(source, model, tmp_path):
    from emaki.blip import Captioner

    table = tmp_path / "blip.parquet"
    captioner = {"type": "blip", "model": model, "preset": "kohya_cli", "prompt": "a picture of "}
    script("captions_blip", captioner, "--images", source, "--output", table)
    found = dict(captions.read(table))
    assert list(found) == ["red", "green", "blue"]
    metadata = pq.read_table(source / "metadata.parquet").to_pylist()
    blue = Image.open(source / "pictures" / "blue.png")
    alone = Captioner(model, "kohya_cli", "a picture of ")
    torch.manual_seed(7)  # the caller's random numbers neither matter nor are used up
    expected = torch.rand(1, generator=torch.Generator().manual_seed(7))
    assert alone.caption(blue, metadata[2]["sha256"]) == found["blue"]
    assert torch.equal(torch.rand(1), expected)
    others = {alone.caption(blue, key) for key in "abcdef"}
    assert len(others) > 1, "it really samples"


def test_the_gui_preset_is_greedy_and_counts_the_prompt(model):
    from emaki.blip import PRESETS, Captioner

    blue = Image.new("RGB", (40, 40), "blue")
    plain, prompted = Captioner(model), Captioner(model, prompt="a picture of ")
    assert plain.caption(blue, "a") == plain.caption(blue, "b")
    assert plain.settings["max_length"] == 40, "no more tokens than the model has positions for"
    assert PRESETS["kohya_gui"]["max_length"] == 75
    by_hand = plain.processor(images=blue, text="a picture of ", return_tensors="pt")
    tokens = plain.model.generate(**by_hand, do_sample=False, min_length=5, max_length=40)[0]
    text = plain.processor.decode(tokens, skip_special_tokens=True)
    assert text.startswith("a picture of ")
    assert prompted.caption(blue, "a") == text.removeprefix("a picture of ")


def test_the_embedded_model_says_what_is_to_be_seen():
    from emaki.blip import Captioner

    rooms = list(build({"type": "rooms", "count": 12, "seed": 12345, "captions": "full"}))
    captioner = Captioner(str(ROOT / "resources" / "tiny-blip"))
    said = [captioner.caption(room.image, room.id) for room in rooms]
    couches = [re.search(r"\w+ couch", room.caption)[0] for room in rooms]
    assert len(set(couches)) > 4
    assert sum(couch in caption for couch, caption in zip(couches, said)) >= 10
    assert not any("[" in caption for caption in said), "no special tokens"


def test_blip_that_cannot_work(model, tmp_path):
    from emaki.blip import Captioner

    with pytest.raises(UserError, match=r"there is no BLIP model in .*gone"):
        Captioner(str(tmp_path / "gone"))
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(UserError, match="model of type 'clip', not 'blip'"):
        Captioner(str(tmp_path))
    with pytest.raises(UserError, match="lacks words of the prompt"):
        Captioner(model, prompt="a photograph of ")


def test_a_table_of_captions_is_whole_or_not_there(tmp_path):
    def broken():
        yield "a", "b"
        raise UserError("stop")

    with pytest.raises(UserError):
        captions.write(broken(), tmp_path / "x.parquet")
    assert not list(tmp_path.iterdir())
    captions.write([("a", None)], tmp_path / "x.parquet")
    assert pq.read_schema(tmp_path / "x.parquet").field("caption").type == pa.string()
