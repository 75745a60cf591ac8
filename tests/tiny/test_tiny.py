"""The tiny models: the committed ones do what their card says, and their trainings run."""

import io
from pathlib import Path

import pytest
import torch
from PIL import Image

from emaki.config import load_tiny_models
from emaki.data.sources import KIND
from emaki.evaluation.attributes import read
from emaki.tiny import attributes, blip, clip, corpus, pipeline, sd3, vae

RESOURCES = Path(__file__).parents[2] / "resources"
READ = load_tiny_models(RESOURCES.parent / "config/tiny.yaml").tiny["attributes"]["read"]
COUCHES = ["red", "blue", "green", "yellow"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.parquet"
    sources = {
        "rooms": {"type": "rooms", "count": 24, "seed": 9, "captions": "full"},
        "things": {"type": "openmoji", "names": ["pig", "umbrella", "red heart", "pizza"]},
    }
    corpus.write(sources, path)
    return path


def test_resources_are_small_and_safe():
    files = [path for path in RESOURCES.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 45e6
    assert not [path for path in files if path.suffix in (".bin", ".pth", ".pt", ".pkl", ".ckpt")]


def test_corpus_keeps_pictures_and_texts(pictures):
    pixels, texts, sources = corpus.read(pictures)
    assert pixels.shape == (28, 3, 64, 64)
    assert pixels.dtype == torch.uint8
    assert texts[-4:] == ["pig", "umbrella", "red heart", "pizza"]
    assert sources == ["rooms"] * 24 + ["things"] * 4
    assert len(corpus.read(pictures, ["things"])[0]) == 4


def test_vae_keeps_a_picture(pictures):
    from diffusers import AutoencoderKL

    model = AutoencoderKL.from_pretrained(RESOURCES / "tiny-sd" / "vae", torch_dtype=torch.float32)
    pixels, _, _ = corpus.read(pictures)
    assert vae.measure_psnr(model.eval(), pixels) > 22
    latents = vae.encode(model, pixels) * model.config.scaling_factor
    assert 0.7 < latents.std() < 1.4


def test_clip_tells_couches_apart(pictures):
    from transformers import CLIPModel, CLIPProcessor

    model = CLIPModel.from_pretrained(RESOURCES / "tiny-clip", dtype=torch.float32)
    processor = CLIPProcessor.from_pretrained(RESOURCES / "tiny-clip")
    pixels, texts, _ = corpus.read(pictures)
    images = [Image.fromarray(picture.permute(1, 2, 0).numpy()) for picture in pixels]
    inputs = processor(text=texts, images=images, return_tensors="pt", padding=True)
    best = model(**inputs).logits_per_image.argmax(dim=1)
    assert (best == torch.arange(len(texts))).float().mean() > 0.7


def test_text_encoder_is_clips_text_half():
    from transformers import CLIPModel, CLIPTextModel

    whole = CLIPModel.from_pretrained(RESOURCES / "tiny-clip", dtype=torch.float32)
    half = CLIPTextModel.from_pretrained(
        RESOURCES / "tiny-sd" / "text_encoder", dtype=torch.float32
    )
    ids = torch.tensor([[4094, 17, 4095]])
    ours, theirs = half(ids), whole.text_model(ids)
    assert torch.equal(ours.last_hidden_state, theirs.last_hidden_state)


def test_a_full_caption_tells_what_is_not_there():
    known, unsaid = attributes.read_settings(READ)
    texts = ["a living room with a red couch and a lamp", "pig"]
    names = [one.name for one in known.attributes]
    room, thing = (dict(zip(names, row.tolist())) for row in attributes.truth(known, unsaid, texts))
    values = {one.name: one.values for one in known.attributes}
    told = {name: values[name][number] for name, number in room.items() if number >= 0}
    assert told == {
        **{"scene": "living room", "style": "plain", "couch": "red", "window": "no window"},
        **{"painting": "no painting", "rug": "no rug", "lamp": "lamp", "plant": "no plant"},
    }
    told = {name: values[name][number] for name, number in thing.items() if number >= 0}
    assert told == {"scene": "thing", "thing": "pig"}


def test_the_classifier_is_as_often_right_as_it_says(tmp_path):
    from transformers import ResNetForImageClassification

    kept, (known, unsaid) = read(RESOURCES / "tiny-attributes"), attributes.read_settings(READ)
    told = {one.name: one.accuracy for one in kept.attributes}
    assert attributes.with_accuracy(known, told) == kept
    sources = {
        "rooms": {"type": "rooms", "count": 60, "seed": 9, "captions": "full"},
        "critters": {"type": "dicebear", "style": "critters", "count": 80, "first": 70_000},
        "things": {"type": "openmoji", "names": kept.attributes[-1].values[::5]},
    }
    corpus.write(sources, tmp_path / "corpus.parquet")
    pixels, texts, _ = corpus.read(tmp_path / "corpus.parquet")
    targets = attributes.truth(known, unsaid, texts)
    folder = RESOURCES / "tiny-attributes"
    model = ResNetForImageClassification.from_pretrained(folder, dtype=torch.float32)
    found = attributes.measure_accuracy(model, known, corpus.to_range(pixels), targets)
    for name, share in found.items():
        assert share > told[name] - 0.15, name


def test_blip_captions_a_room():
    from emaki.captioners.blip import Blip

    picture = next(iter(KIND.read({"type": "rooms", "count": 1, "seed": 77}).pictures()))
    (caption,) = (
        Blip(model=str(RESOURCES / "tiny-blip")).load().caption([picture.image], [picture.id])
    )
    couch = picture.caption.split(" couch")[0].split()[-1]
    assert f"{couch} couch" in caption, (caption, picture.caption)


def test_pipeline_draws_what_it_is_told():
    """The committed CLIP finds the prompt of a picture among four; both kinds of weights load."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPModel, CLIPProcessor

    from emaki.sampling.sampler import load_pipeline

    prompts = [f"a modern living room with a {colour} couch" for colour in COUCHES]
    drawing = load_pipeline(RESOURCES / "tiny-sd")
    assert drawing.tokenizer.model_max_length == 77
    generators = [torch.Generator().manual_seed(0) for _ in prompts]
    images = drawing(prompts, generator=generators, num_inference_steps=10, guidance_scale=5.0)
    model = CLIPModel.from_pretrained(RESOURCES / "tiny-clip", dtype=torch.float32)
    processor = CLIPProcessor.from_pretrained(RESOURCES / "tiny-clip")
    inputs = processor(text=prompts, images=images.images, return_tensors="pt", padding=True)
    assert model(**inputs).logits_per_image.argmax(dim=1).tolist() == [0, 1, 2, 3]
    raw = UNet2DConditionModel.from_pretrained(RESOURCES / "tiny-sd/unet", variant="non_ema")
    ema = drawing.unet.state_dict()
    assert any(not torch.equal(ema[name], part.float()) for name, part in raw.state_dict().items())


def test_trainings_run(pictures, tmp_path, monkeypatch):
    """Each training makes a model that its class loads, down to a pipeline with a random U-Net."""
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(RESOURCES / "tiny-clip")
    monkeypatch.setattr(clip, "clip_tokenizer", lambda vocabulary: tokenizer)  # no download
    pixels, texts, sources = corpus.read(pictures)
    steps = {"steps": 2, "batch_size": 4, "learning_rate": 1e-3, "seed": 0}
    model, psnr = vae.train(pixels, channels=[8, 16, 16], **steps)
    model.save_pretrained(tmp_path / "vae")
    assert 0 < psnr < 40
    model, processor = clip.train(pixels, texts, sources, vocabulary=4096, picture_steps=2, **steps)
    model.save_pretrained(tmp_path / "clip")
    processor.save_pretrained(tmp_path / "clip")
    model, processor = blip.train(pixels, blip.make_captions(texts, sources), **steps)
    assert len(blip.write_captions(model, processor.tokenizer, corpus.to_range(pixels[:2]))) == 2
    known, unsaid = attributes.read_settings(READ)
    targets = attributes.truth(known, unsaid, texts)
    weights = attributes.weigh(sources, {"rooms": 0.9, "things": 0.1})
    model, _ = attributes.train(pixels, known, targets, weights, channels=[8, 16], **steps)
    found = attributes.measure_accuracy(model, known, corpus.to_range(pixels), targets)
    assert 0 <= found["couch"] <= 1
    unet = {"channels": [16, 16, 32], "seed": 0}
    pipeline.assemble(tmp_path / "vae", tmp_path / "clip", tmp_path / "start", **unet)
    transformer = {"width": 32, "layers": 1, "tokens": 24, "seed": 0}
    sd3.assemble(tmp_path / "vae", tmp_path / "clip", tmp_path / "start-sd3", **transformer)
    from emaki.sampling.sampler import load_pipeline

    for start, scheduler in (("start", "ddim"), ("start-sd3", "euler")):
        drawing = load_pipeline(tmp_path / start, scheduler=scheduler)
        assert drawing("pig", num_inference_steps=1).images[0].size == (64, 64)


def test_agreement_counts_words():
    found = blip.measure_agreement(
        ["a red couch", "a blue couch"], ["a red couch", "a red couch"], ["r", "r"]
    )
    assert found == {"r": {"captions": 2, "exact": 0.5, "f1": 0.833}}


def test_same_texts_are_matches_of_each_other():
    """Two pictures with one text: a model that likes both equally well is at its optimum."""
    from transformers import CLIPModel, CLIPTokenizer

    model = CLIPModel.from_pretrained(RESOURCES / "tiny-clip", dtype=torch.float32)
    tokenizer = CLIPTokenizer.from_pretrained(RESOURCES / "tiny-clip")
    pictures = torch.zeros(2, 3, 64, 64).requires_grad_()
    clip.contrastive_loss(model, pictures, clip.tokenize(tokenizer, ["pig", "pig"])).backward()
    assert float(pictures.grad.abs().max()) < 1e-5


def test_samples_picture_opens():
    with Image.open(io.BytesIO((RESOURCES / "samples.png").read_bytes())) as image:
        assert image.height in (2 * 66 - 2, 3 * 66 - 2)  # with tiny-sd3 or, as committed, without
