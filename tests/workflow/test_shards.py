"""A dataset in shards is the same as in one piece, and costs only the shards that change."""

import io
import json
import tarfile
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from emaki.common import digests
from emaki.data.decoding import to_png
from emaki.data.sources import KIND
from emaki.training.data import Latents

LATENTS = "tiny/64-flip"
TARGETS = [
    *(f"results/small/runs/{run}/000002/checkpoint.json" for run in ("whole", "three")),
    f"results/small/latents/web/{LATENTS}/manifest.json",
    *(
        f"results/small/references/{measure}/{dataset}.parquet"
        for measure in ("kid", "cmmd")
        for dataset in ("whole", "three", "web")
    ),
    "results/small/prompts/seen/0000-0002.parquet",
]


def write_tar(path, rooms, numbers):
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for number in numbers:
            parts = {"png": to_png(rooms[number].image), "txt": rooms[number].caption.encode()}
            for kind, data in parts.items():
                member = tarfile.TarInfo(f"{number:04d}.{kind}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


@pytest.fixture(scope="module")
def rooms():
    return list(KIND.read({"type": "rooms", "count": 24, "seed": 1}).pictures())


@pytest.fixture(scope="module")
def done(new_study, rooms):
    """The study of shards.yaml, as far as shards go."""
    study = new_study("shards.yaml")
    broken = [replace(rooms[0], image=rooms[0].image.crop((0, 0, 8, 8)))]
    write_tar(study.folder / "web/0.tar", broken, [0])
    for tar, numbers in enumerate((range(5), [5, 6, 0, 7, 8], range(9, 14)), 1):  # 0 is there twice
        write_tar(study.folder / f"web/{tar}.tar", rooms, numbers)
    study.snakemake(*TARGETS)
    return study


def result(study, path):
    return study.folder / "results/small" / path


def test_captions_are_the_same(done):
    shards = [f"captions/three/shards/{shard:05d}/blip.parquet" for shard in range(3)]
    rows = [row for path in shards for row in pq.read_table(result(done, path)).to_pylist()]
    assert rows == pq.read_table(result(done, "captions/whole/blip.parquet")).to_pylist()


def test_the_dataset_is_the_same(done):
    whole, three = (result(done, f"datasets/{name}") for name in ("whole", "three"))
    cards = [json.loads((folder / "card.json").read_text()) for folder in (whole, three)]
    for card in cards:
        name = card.pop("name")
        del card["sha256"], card["path"]
        assert name == card.pop("source")
        card["summary"] = card["summary"].removeprefix(f"dataset {name}: ")
    assert cards[0] == cards[1]
    sheets = [Image.open(folder / "contact_sheet.png") for folder in (whole, three)]
    assert sheets[0].tobytes() == sheets[1].tobytes()


def test_datasets_loads_it(done, tmp_path):
    from datasets import load_dataset

    whole, three = (
        load_dataset(str(result(done, f"datasets/{name}")), cache_dir=str(tmp_path / name))
        for name in ("whole", "three")
    )
    for split in ("train", "validation"):
        assert whole[split].to_list() == three[split].to_list()


def test_latents_are_the_same(done):
    for split in ("train", "validation"):
        for names in (["embeddings"], ["input_ids"]):
            whole, three = (
                Latents(result(done, f"latents/{name}/{LATENTS}"), split, names)
                for name in ("whole", "three")
            )
            rows, flip = torch.arange(len(whole)), torch.arange(len(whole)) % whole.mean.shape[1]
            assert three.mean.shape == whole.mean.shape
            assert (three.mean[rows, flip] == whole.mean[rows, flip]).all()
            assert (three.std[rows, 0] == whole.std[rows, 0]).all()
            texts = [
                latents.conditions(rows, latents.captions[rows])[names[0]]
                for latents in (three, whole)
            ]
            assert torch.equal(*texts)
            assert three.ids(rows) == whole.ids(rows)


def test_a_training_gives_the_same_weights(done):
    whole, three = (
        digests.read_json(result(done, f"runs/{run}/000002/checkpoint.json"))
        for run in ("whole", "three")
    )
    assert whole == three


@pytest.mark.parametrize("measure", ["kid", "cmmd"])
def test_features_of_the_real_pictures_are_the_same(done, measure):
    whole, three = (
        pq.read_table(result(done, f"references/{measure}/{name}.parquet"))
        for name in ("whole", "three")
    )
    assert whole.column_names == ["id", "value", "split"]
    assert whole.equals(three)


def test_prompts_are_taken_from_the_captions_of_shards(done):
    held_out = pq.read_table(result(done, "datasets/whole/data/validation.parquet"))
    found = pq.read_table(result(done, "prompts/seen/0000-0002.parquet"))["prompt"].to_pylist()
    assert found[0] == held_out["text"][0].as_py()


def test_a_tar_may_be_useless_and_a_picture_that_is_in_two_is_used_once(done):
    card = json.loads(result(done, "datasets/web/card.json").read_text())
    assert card["rejects"] == [
        {"file": "0/0000.png", "reason": "8 x 8 pixels: a side is under 32"},
        {"file": "2/0000.png", "reason": "the same pixels as 1/0000.png"},
    ]
    assert sum(card["counts"].values()) == 14 + 2
    index = pq.read_table(result(done, f"latents/web/{LATENTS}/index.parquet"))
    assert len(set(index["id"].to_pylist())) == len(index) == 14
    features = pq.read_table(result(done, "references/kid/web.parquet"))
    train = Latents(result(done, f"latents/web/{LATENTS}"), "train")
    assert features["id"].to_pylist() == train.ids(range(len(train)))


def test_pictures_stay_in_their_tars(done):
    assert sorted(
        path.name for path in result(done, "images/web").rglob("*") if path.is_file()
    ) == [
        *["metadata.parquet"] * 4,
        *["rejects.parquet"] * 4,
    ]


def jobs_of_shard(shard):
    return [
        f"images_archive web/shards/{shard}",
        f"caption web/shards/{shard}/alt",
        f"dataset_shard web/shards/{shard}",
        f"latents web/shards/{shard}/{LATENTS}",
        f"reference cmmd/web/shards/{shard}",
        f"reference kid/web/shards/{shard}",
    ]


GATHERED = [
    "dataset_gather web",
    f"latents_gather web/{LATENTS}",
    "reference_gather cmmd/web",
    "reference_gather kid/web",
]


@pytest.mark.slow
def test_each_tar_is_a_shard_that_reruns_alone(done, rooms):
    assert done.jobs(*TARGETS) == []
    kept = (done.folder / "web/2.tar").read_bytes()
    write_tar(done.folder / "web/2.tar", rooms, range(14, 19))
    assert done.jobs(*TARGETS) == sorted([*jobs_of_shard(2), *GATHERED])
    (done.folder / "web/2.tar").write_bytes(kept)
    assert done.jobs(*TARGETS) == []
    write_tar(done.folder / "web/4.tar", rooms, range(19, 24))
    done.change("{0..3}.tar", "{0..4}.tar")
    assert done.jobs(*TARGETS) == sorted([*jobs_of_shard(4), *GATHERED])


def test_another_number_of_shards_makes_no_picture_again(done):
    done.change("seed: 1, shards: 3", "seed: 1, shards: 2")
    jobs = {job.split()[0] for job in done.jobs("results/small/references/kid/three.parquet")}
    assert jobs == {
        "images_scatter_three",
        "caption_by_model",
        "dataset_shard",
        "dataset_gather",
        "reference",
        "reference_gather",
    }
