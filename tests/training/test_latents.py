"""The cache holds what the VAE and the text encoder say."""

import io
import json
import multiprocessing
import os
import signal

import pytest
import torch
from PIL import Image
from small import SIZE, make_dataset, make_latents

from emaki.common.errors import UserError
from emaki.training.data import Latents
from emaki.training.encoding import read, to_pixels


def test_moments_and_embeddings_are_those_of_the_models(model, dataset, latents):
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(model)
    split = Latents(latents, "train")
    row = read(dataset, "train", ["id", "image", "text"])[2]
    pixels = to_pixels(row["image"]["bytes"], SIZE)[None]
    with torch.no_grad():
        for flip, view in enumerate((pixels, pixels.flip(3))):
            posterior = pipeline.vae.encode(view).latent_dist
            torch.testing.assert_close(split.mean[2, flip], posterior.mean[0])
            torch.testing.assert_close(split.std[2, flip], posterior.std[0])
        ids = pipeline.tokenizer(
            [row["text"], ""], padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        text, empty = pipeline.text_encoder(ids).last_hidden_state
    torch.testing.assert_close(split.text["embeddings"][split.captions[2]], text)
    torch.testing.assert_close(split.text["embeddings"][0], empty)
    assert split.ids([2]) == [row["id"]]
    assert Latents(latents, "validation").ids([0]) == ["disc-7"]


def test_a_caption_is_embedded_once(latents):
    assert (
        len(Latents(latents, "train").text["embeddings"]) == 1 + 5
    )  # the empty one and five colours


def test_the_same_inputs_give_the_same_bytes(tmp_path, model, dataset, latents):
    again = make_latents(dataset, model, tmp_path / "again")
    for path in sorted(latents.iterdir()):
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_the_manifest_names_what_made_it(tmp_path, model, latents):
    other = make_latents(make_dataset(tmp_path / "ds", train=6), model, tmp_path / "out")
    ours, theirs = (json.loads((f / "manifest.json").read_text()) for f in (latents, other))
    assert ours["dataset"] != theirs["dataset"]
    assert ours["model"] == theirs["model"]


def png(image):
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def test_pixels_are_cropped_in_the_middle_and_scaled_to_one():
    image = Image.new("RGB", (96, 32), "white")
    image.paste("black", (32, 0, 64, 32))
    pixels = to_pixels(png(image), 32)
    assert pixels.shape == (3, 32, 32)
    assert (pixels == -1).all()


def test_transparency_becomes_white():
    assert (to_pixels(png(Image.new("RGBA", (32, 32), (255, 0, 0, 0))), 32) == 1).all()


def test_a_folder_that_is_no_dataset_is_named(tmp_path):
    with pytest.raises(UserError, match="is not a dataset folder"):
        read(tmp_path, "train", ["id"])


def test_an_encoding_that_was_stopped_goes_on(tmp_path, monkeypatch, model, dataset, latents):
    from emaki.training import encoding

    monkeypatch.setattr(encoding, "SHARD", 3)
    real, calls = encoding.encode_batch, []

    def fails_once(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(encoding, "encode_batch", fails_once)
    with pytest.raises(KeyboardInterrupt):
        make_latents(dataset, model, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    make_latents(dataset, model, tmp_path / "out")
    assert len(calls) == 2 + 3  # 7 + 3 pictures are 4 shards, of which the first was there
    for name in ("mean", "std"):
        once, again = (getattr(Latents(f, "train"), name) for f in (latents, tmp_path / "out"))
        torch.testing.assert_close(once, again)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def encode_until_killed(dataset, model, output):
    from emaki.training import encoding

    real, calls = encoding.encode_batch, []

    def kills_in_the_second_shard(*arguments):
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    encoding.SHARD, encoding.encode_batch = 3, kills_in_the_second_shard
    make_latents(dataset, model, output)


def test_an_encoding_that_was_killed_leaves_nothing_to_one_of_other_pictures(
    tmp_path, model, dataset
):
    process = multiprocessing.get_context("spawn").Process(
        target=encode_until_killed, args=(dataset, model, tmp_path / "64")
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    (killed,) = tmp_path.iterdir()
    assert [path.name for path in killed.iterdir()] == ["train-00000.safetensors"]
    flipped = killed.with_name(killed.name.replace("64", "64-flip", 1))
    flipped.mkdir()  # another job's, at work
    make_latents(make_dataset(tmp_path / "ds", train=6), model, tmp_path / "64")
    assert {path.name for path in tmp_path.iterdir()} == {"64", flipped.name, "ds"}


def test_captions_that_are_cut_are_told(tmp_path, model, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    dataset = make_dataset(tmp_path / "ds")
    path = dataset / "data/train.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[4]["text"] = "a disc that has a very long caption indeed"
    pq.write_table(pa.Table.from_pylist(rows), path)
    with open(tmp_path / "terminal", "wb", buffering=0) as terminal:
        monkeypatch.setenv("EMAKI_TERMINAL", str(terminal.fileno()))
        make_latents(dataset, model, tmp_path / "out")
    told = (tmp_path / "terminal").read_text()
    assert "1 of 10 captions have more than 16 tokens" in told
    assert "(first: disc-4)" in told
    index = pq.read_table(tmp_path / "out/index.parquet").to_pylist()
    assert [row["id"] for row in index if row["cut"]] == ["disc-4"]


def test_a_dataset_without_validation_can_be_trained_on(tmp_path, model):
    from emaki.training import loop, settings

    made = make_latents(make_dataset(tmp_path / "ds", validation=0), model, tmp_path / "out")
    run = settings.read('{"method": "full", "resolution": 32, "batch_size": 2}')
    trainer = loop.make_trainer(run, model, made, torch.device("cpu"))
    loop.train(trainer, 0, 1, "no validation")
    assert loop.validate(trainer) == {}


def test_a_shard_that_was_deleted_is_named(tmp_path, latents):
    about = {"scaling_factor": 1, "shards": [{"folder": "shards/a"}]}
    (tmp_path / "manifest.json").write_text(json.dumps(about))
    (tmp_path / "index.parquet").write_bytes((latents / "index.parquet").read_bytes())
    with pytest.raises(UserError, match=r"shards/a holds no moments.safetensors any more"):
        Latents(tmp_path, "train")
