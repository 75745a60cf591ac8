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

from emaki.captioners import _model
from emaki.captioners._model import ModelCaptioner
from emaki.captioners.alt import Alt
from emaki.captioners.blip import Blip
from emaki.captioners.keyword import Keyword
from emaki.captioners.table import Table
from emaki.common.errors import UserError
from emaki.data import images
from emaki.data.captions import read_captions, write_captions
from emaki.data.picture import Picture
from emaki.data.sources.rooms import Rooms

ROOT = Path(__file__).parents[2]

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


def script(captioner, *arguments):
    command = [sys.executable, "scripts/caption.py", "--captioner", json.dumps(captioner)]
    subprocess.run([*command, *map(str, arguments)], cwd=ROOT, check=True, capture_output=True)


def test_alt_then_keyword_then_the_same_keyword(source, tmp_path):
    alt, once, twice = (tmp_path / f"{name}.parquet" for name in ("alt", "once", "twice"))
    script({"type": "alt"}, "--images", source, "--output", alt)
    pairs = [("red", "a red room"), ("green", None), ("blue", "blue, Blue")]
    assert read_captions(alt) == pairs
    assert pq.read_schema(alt).names == ["id", "caption"]
    captioner = {"type": "keyword", "of": "alt", "keyword": "interior design"}
    script(captioner, "--images", source, "--of", alt, "--output", once)
    script(captioner, "--images", source, "--of", once, "--output", twice)
    assert read_captions(once) == [
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
    captioner = Keyword(of="alt", keyword=keyword, position=position, separator=separator)
    once = captioner.add_keyword(caption)
    assert once == (caption if expected is None else expected)
    assert captioner.add_keyword(once) == once


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("edits.csv", 'file,text\nblue.png,"a  blue room, bright"\nred.png,\n'),
        ("edits.csv", 'id,file,text\n,blue.png,"a blue room, bright"\nred,,\n'),
        (
            "my edits.jsonl",
            '{"id": "blue", "text": "a blue room, bright"}\n{"id": "red", "text": ""}\n',
        ),
    ],
)
def test_a_table_of_edits_takes_the_place_of_captions(source, tmp_path, name, text):
    alt, table, edits = tmp_path / "alt.parquet", tmp_path / "table.parquet", tmp_path / name
    edits.write_text(text)
    write_captions(Alt().caption_pictures(source, []), alt)
    captioner = {"type": "table", "of": "alt", "path": str(edits)}
    more = ["--of", alt, "--output", table]
    script(captioner, "--images", source, *more)
    expected = [("red", None), ("green", None), ("blue", "a blue room, bright")]
    assert read_captions(table) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "file,text\nred.png,a\nbleu.png,b\n",
            r"edits.csv line 3 names file 'bleu.png', but .* did you mean 'blue.png'\?$",
        ),
        (
            "id,text\npurple,a\n",
            r"edits.csv line 2 names id 'purple', but there is no such picture$",
        ),
        (
            "id,file,text\nred,,a\n,red.png,b\n",
            r"edits.csv line 3 captions 'red' again, after line 2$",
        ),
        (
            "id,caption\nred,a\n",
            r"edits.csv line 2 must have a picture's file or id, and its text$",
        ),
        ("text\na\n", r"edits.csv line 2 must have a picture's file or id, and its text$"),
    ],
)
def test_a_table_of_edits_with_a_mistake(source, tmp_path, text, message):
    (tmp_path / "edits.csv").write_text(text)
    edits = Table(of="alt", path=str(tmp_path / "edits.csv"))
    below = read_captions(source / "metadata.parquet")
    with pytest.raises(UserError, match=message):
        edits.caption_pictures(source, below)


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_sampled_captions_do_not_depend_on_the_company(source, model, tmp_path, monkeypatch, batch):
    table, again = tmp_path / "blip.parquet", tmp_path / "again.parquet"
    captioner = {"type": "blip", "model": model, "preset": "kohya_cli", "prompt": "a picture of "}
    if batch == 16:
        script(captioner, "--images", source, "--output", table)
        assert batch == _model.BATCH
    sampling = Blip(**captioner)
    monkeypatch.setattr(_model, "BATCH", batch)
    torch.manual_seed(7)  # the caller's random numbers neither matter nor are used up
    expected = torch.rand(1, generator=torch.Generator().manual_seed(7))
    write_captions(sampling.caption_pictures(source, []), again)
    assert torch.equal(torch.rand(1), expected)
    assert batch != 16 or table.read_bytes() == again.read_bytes()
    assert [identifier for identifier, _ in read_captions(again)] == ["red", "green", "blue"]
    metadata = pq.read_table(source / "metadata.parquet").to_pylist()
    names = ["blue", "red", "green"]
    pictures = [Image.open(source / "pictures" / f"{name}.png") for name in names]
    keys = [row["sha256"] for name in names for row in metadata if row["id"] == name]
    loaded = sampling.load()
    other_order = dict(zip(names, loaded.caption(pictures, keys)))
    assert {name: text or None for name, text in other_order.items()} == dict(read_captions(again))
    assert len(set(loaded.caption(pictures[:1] * 6, list("abcdef")))) > 1, "it really samples"


def test_seeded_noise_draws_from_the_nucleus():
    """Frequencies of 4,000 draws against the renormalised probabilities of the nucleus."""
    from emaki.captioners._generation import sample_nucleus

    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    logits = probabilities.log().repeat(4000, 1)
    keys = [str(number) for number in range(4000)]
    drawn = sample_nucleus(keys, top_p=0.9)(None, logits).argmax(-1)
    found = drawn.bincount(minlength=4) / 4000
    assert found == pytest.approx([0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0], abs=0.03)


def test_pictures_of_one_size_share_a_batch(tmp_path, monkeypatch):
    sizes = {"a": (40, 30), "b": (20, 20), "c": (40, 30), "d": (20, 20), "e": (30, 40)}
    items = [
        Picture(name, Image.new("RGB", size, (ord(name), 0, 0)), None, "MIT", "")
        for name, size in sizes.items()
    ]
    images.write(items, tmp_path / "source")
    monkeypatch.setattr(_model, "BATCH", 2)
    seen = []

    class Namer(ModelCaptioner):
        def load(self):
            return self

        def caption(self, pictures, keys):
            seen.append([picture.size for picture in pictures])
            return [f" {picture.getpixel((0, 0))[0]} \n" for picture in pictures]

    found = Namer(type="namer", model="").caption_pictures(tmp_path / "source", [])
    assert found == [(name, str(ord(name))) for name in sizes]
    assert seen == [[(20, 20)] * 2, [(40, 30)] * 2, [(30, 40)] * 2]


def test_the_gui_preset_is_greedy_and_counts_the_prompt(model):
    from emaki.captioners._blip_model import PRESETS

    blue = Image.new("RGB", (40, 40), "blue")
    plain = Blip(model=model).load()
    prompted = Blip(model=model, prompt="a picture of ").load()
    assert plain.caption([blue], "a") == plain.caption([blue], "b")
    assert plain.settings["max_length"] == 40, "no more tokens than the model has positions for"
    assert PRESETS["kohya_gui"] == {"min_length": 5, "max_length": 75}
    by_hand = plain.processor(images=blue, text="a picture of ", return_tensors="pt")
    tokens = plain.model.generate(**by_hand, do_sample=False, min_length=5, max_length=40)[0]
    text = plain.processor.decode(tokens, skip_special_tokens=True)
    assert text.startswith("a picture of ")
    assert prompted.caption([blue], "a") == [text.removeprefix("a picture of ")]


@pytest.mark.parametrize("prompt", [None, "a picture of "])
def test_beams_search_further_than_greedy_and_alike_in_a_batch(model, prompt):
    pictures = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue", "green")]
    pictures += [Image.radial_gradient("L").resize((40, 40)).convert("RGB")]
    greedy = Blip(model=model, prompt=prompt).load()
    beams = Blip(model=model, prompt=prompt, num_beams=4).load()
    one_by_one = [beams.caption([picture], "a")[0] for picture in pictures]
    assert beams.caption(pictures, "abcd") == one_by_one
    assert one_by_one != greedy.caption(pictures, "abcd")


def test_half_precision_is_that_of_the_weights(model):
    half = Blip(model=model, precision="bf16").load()
    assert {weights.dtype for weights in half.model.parameters()} == {torch.bfloat16}
    assert half.caption([Image.new("RGB", (40, 40), "blue")], "a")[0]


def test_the_embedded_model_says_what_is_to_be_seen():
    rooms = list(Rooms(count=12, seed=12345).pictures())
    blip = Blip(model=str(ROOT / "resources" / "tiny-blip")).load()
    said = blip.caption([room.image for room in rooms], [room.id for room in rooms])
    couches = [re.search(r"\w+ couch", room.caption)[0] for room in rooms]
    assert len(set(couches)) > 4
    assert sum(couch in caption for couch, caption in zip(couches, said)) >= 10
    assert not any("[" in caption for caption in said), "no special tokens"


def test_blip_that_cannot_work(model, tmp_path):
    with pytest.raises(UserError, match=r"there is no blip model in .*gone"):
        Blip(model=str(tmp_path / "gone")).load()
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(UserError, match="model of type 'clip', not 'blip'"):
        Blip(model=str(tmp_path)).load()
    with pytest.raises(UserError, match="lacks words of the prompt"):
        Blip(model=model, prompt="a photograph of ").load()


def test_a_table_of_captions_is_whole_or_not_there(tmp_path):
    def broken():
        yield "a", "b"
        raise UserError("stop")

    with pytest.raises(UserError):
        write_captions(broken(), tmp_path / "x.parquet")
    assert not list(tmp_path.iterdir())
    write_captions([("a", None)], tmp_path / "x.parquet")
    assert pq.read_schema(tmp_path / "x.parquet").field("caption").type == pa.string()
