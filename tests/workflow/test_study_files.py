"""Where everything of a study lies and what each job reads, as the rules ask it. No Snakemake."""

import copy
import json
import re
from pathlib import Path

import pytest

from emaki.config import read_saved
from emaki.config.machine import Machine
from emaki.config.settings import Study
from emaki.workflow.code_files import file_of
from emaki.workflow.command_line import keep_study
from emaki.workflow.data_files import DataFiles
from emaki.workflow.evaluation_files import EvaluationFiles
from emaki.workflow.model_files import ModelFiles, hub_files
from emaki.workflow.patterns import any_of, or_shard, shards_of
from emaki.workflow.resources import TrainingResources, minutes
from emaki.workflow.training_files import TrainingFiles, transform_arguments
from emaki.workflow.variant_files import VariantFiles

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FULL = {"model": "sd", "dataset": "rooms", "method": "full", "resolution": 64}
WRITTEN = {
    "study": "mine",
    "models": {"sd": {"path": "models/sd"}, "hub": {"repo": "a/b", "revision": COMMIT}},
    "measures": {
        "fits": {"type": "clip-score", "model": "models/clip"},
        "near": {"type": "kid", "encoder": "efficientnet-lite0"},
    },
    "sampling": {"resolution": 64},
    "sources": {
        "drawn": {"type": "rooms", "count": 8},
        "split": {"type": "rooms", "count": 8, "shards": 2},
    },
    "captions": {
        "alt": {"type": "alt"},
        "word": {"type": "keyword", "of": "alt", "keyword": "a room"},
        "blip": {"type": "blip", "model": "models/blip"},
    },
    "datasets": {
        "rooms": {"source": "drawn", "captions": "word"},
        "many": {"source": "split", "captions": "blip"},
    },
    "prompts": {
        "own": {"texts": ["a couch"]},
        "seen": {"dataset": "rooms", "count": 3},
    },
    "runs": {
        "lora": {
            "model": "sd",
            "dataset": "many",
            "method": "lora",
            "steps": 6,
            "checkpoint_every": 2,
            "random_flip": True,
            "resolution": 64,
            "num_processes": 2,
        },
        "full": {**FULL, "steps": 4, "checkpoint_every": 2, "keep": [], "ema": {}},
        "next": {
            **FULL,
            "steps": 1,
            "train_text_encoder": True,
            "train_init": {"run": "full", "step": 4, "weights": "ema"},
            "ema": {"init": "non_ema"},
        },
    },
    "experiments": {
        "helps": {
            "title": "LoRA",
            "question": "Does it help?",
            "runs": ["lora"],
            "baselines": ["sd"],
            "prompts": {"domain": "own"},
            "reference": "rooms",
            "checkpoints": "last",
        }
    },
}


def make_study(**changes):
    return Study.model_validate({**copy.deepcopy(WRITTEN), **changes})


@pytest.fixture
def study():
    return make_study()


@pytest.fixture
def data(study):
    return DataFiles(study)


@pytest.fixture
def training(study, data):
    return TrainingFiles(study, data.dataset_shards)


@pytest.fixture
def variants(study):
    return VariantFiles(study)


@pytest.fixture
def evaluation(study):
    return EvaluationFiles(study)


def test_a_source_in_shards_is_known_from_the_config(data):
    assert data.source_shards == {"split": ["00000", "00001"]}
    assert data.dataset_shards == {"many": ["00000", "00001"]}
    assert data.whole_datasets == ["rooms"]
    assert data.archives == {}
    assert data.stored_sources == ["drawn", "split"]


def test_a_shard_lies_below_its_source(data):
    shard = "many/shards/00001"
    assert data.source_of(shard) == "split/shards/00001"
    assert data.images(shard, "metadata.parquet") == (
        "results/mine/images/split/shards/00001/metadata.parquet"
    )
    assert data.captions(shard) == "results/mine/captions/split/shards/00001/blip.parquet"
    assert data.pictures("split/shards/00001") == "results/mine/images/split/pictures"
    assert data.dataset(shard) == data.dataset("many")
    assert data.of_shards("many", "datasets/many/shards/{shard}/rows.parquet") == [
        f"results/mine/datasets/many/shards/0000{number}/rows.parquet" for number in (0, 1)
    ]


def test_in_how_many_shards_a_source_goes_does_not_decide_its_pictures(data):
    entry = json.loads(data.source_entry("split"))
    assert "shards" not in entry
    assert entry["count"] == 8


def test_a_shard_that_is_a_file_is_a_source_of_that_file(tmp_path):
    for name in ("0.tar", "1.tar"):
        (tmp_path / name).touch()
    source = {"type": "webdataset", "path": str(tmp_path / "{0..1}.tar")}
    data = DataFiles(make_study(sources={**WRITTEN["sources"], "split": source}))
    assert data.dataset_shards == {"many": ["0", "1"]}
    assert data.stored_sources == ["drawn"]
    assert json.loads(data.source_entry("split/shards/1"))["path"] == str(tmp_path / "1.tar")
    assert data.pictures("split/shards/1") == [str(tmp_path / "1.tar")]
    assert data.source("split/shards/0").inputs() == [str(tmp_path / "0.tar")]


def test_files_of_the_hub_are_no_inputs():
    source = {"type": "hub_stream", "repo": "a/b", "revision": COMMIT, "path": "{0..1}.tar"}
    data = DataFiles(make_study(sources={**WRITTEN["sources"], "split": source}))
    assert data.pictures("split/shards/1") == []


def test_what_a_captioner_reads(data):
    assert data.captions_below("drawn", "word") == ["results/mine/captions/drawn/alt.parquet"]
    assert data.captions_below("drawn", "alt") == []
    assert data.captioners(needs_gpu=True) == ["blip"]
    assert data.captioners(needs_gpu=False) == ["alt", "word"]
    assert "scripts/emaki/captioners/blip.py" in files_of(data.captioner_code("blip"))
    assert "scripts/emaki/captioners/blip.py" not in files_of(data.captioner_code("alt"))


def test_a_plug_in_of_the_users_own_is_among_the_code(tmp_path):
    own = tmp_path / "mine.py"
    own.write_text(
        "from emaki.data.sources import Source\nfrom emaki.data import svg\n"
        "class Mine(Source):\n    pass\n"
    )
    data = DataFiles(make_study(sources={**WRITTEN["sources"], "drawn": {"type": str(own)}}))
    code = files_of(data.source_code("drawn"))
    assert str(own) in code
    assert "scripts/emaki/data/svg.py" in code


def test_prompts_of_a_dataset_read_its_captions(data):
    assert data.prompts_dataset("own") == []
    assert data.prompts_dataset("seen") == [
        f"results/mine/datasets/rooms/data/{split}.parquet" for split in ("train", "validation")
    ]


def test_a_model_of_the_hub_lies_by_its_commit(study):
    models = ModelFiles(study)
    assert models.parts("hub", "tokenizers") == [
        f"results/hub/a/b/{COMMIT}/{file}"
        for file in ("model_index.json", "tokenizer/tokenizer_config.json")
    ]
    assert models.folder("sd") == "models/sd"
    assert models.non_ema_sha256("models/sd/unet/x") is None


def test_a_model_with_two_text_encoders_has_files_code_and_merges_of_its_own():
    hub = {"repo": "a/xl", "revision": COMMIT, "pipeline": "StableDiffusionXLPipeline"}
    runs = {
        **WRITTEN["runs"],
        "xl": {**FULL, "model": "xl", "steps": 1, "train_text_encoder": True},
    }
    study = make_study(models={**WRITTEN["models"], "xl": hub}, runs=runs)
    models, training, variants = ModelFiles(study), TrainingFiles(study), VariantFiles(study)
    second = f"results/hub/a/xl/{COMMIT}/text_encoder_2/model.safetensors"
    assert second in training.model_files("xl/000001")
    assert second in variants.model_files("base/xl")
    assert second in variants.merge_model_files("xl")
    assert (variants.with_text_encoder, variants.with_text_encoders) == (["next"], ["xl"])
    module = "scripts/emaki/families/stable_diffusion_xl.py"
    assert module in files_of(training.code("xl/000001"))
    assert module not in files_of(training.code("next/000001"))
    assert models.repositories("StableDiffusionXLPipeline") == {"a/xl"}
    assert models.repositories("StableDiffusionPipeline") == {"a/b"}
    assert "tokenizer_2/tokenizer_config.json" in hub_files("StableDiffusionXLPipeline")


def test_segments_of_runs(training):
    assert training.segments == [
        *("lora/000002", "lora/000004", "lora/000006"),
        *("full/000002", "full/000004", "next/000001"),
    ]
    assert training.newest == ["lora/000006", "full/000004", "next/000001"]
    assert training.passing == ["full/000002"]  # `keep` is empty; the last always stays


@pytest.fixture
def seeded():
    lora = {**WRITTEN["runs"]["lora"], "seeds": [0, 7], "keep": "all"}
    return make_study(runs={**WRITTEN["runs"], "lora": lora})


def test_a_run_by_several_seeds_is_several_trainings(seeded, training):
    every = TrainingFiles(seeded)
    own, further = "lora/000004", "lora+seed7/000004"
    assert set(every.segments) - set(training.segments) == {
        f"lora+seed7/00000{step}" for step in (2, 4, 6)
    }
    assert every.passing == ["lora+seed7/000002", "lora+seed7/000004", "full/000002"]
    assert every.latents(further) == every.latents(own) == training.latents(own)
    assert every.state_before(further) == ["results/mine/states/lora+seed7/000002"]
    assert every.hyper_parameters(own) == training.hyper_parameters(own)  # nothing is trained anew
    one, other = (json.loads(every.hyper_parameters(name)) for name in (own, further))
    assert other == one | {"seed": 7}
    assert TrainingResources(seeded, gives_gpus=True).gpus("lora+seed7") == 2
    arguments = VariantFiles(seeded).weights_arguments("lora+seed7/000006/raw/1.0")
    assert arguments.startswith("--lora results/mine/runs/lora+seed7/000006/weights/raw ")


def test_further_trainings_are_drawn_for_headline_comparisons_alone(seeded, evaluation):
    added = evaluation.scores("helps")
    every = EvaluationFiles(seeded)
    of_further = {key: path for key, path in every.scores("helps").items() if key not in added}
    assert {variant for _, variant, _ in of_further} == {"lora+seed7/000006/raw/1.0"}
    assert every.scores("helps").items() >= added.items()
    assert every.grids == evaluation.grids


def test_what_a_segment_reads(training):
    assert training.first_step("lora/000004") == 2
    assert training.state_before("lora/000004") == ["results/mine/states/lora/000002"]
    assert training.state_before("lora/000002") == []
    assert training.latents("lora/000002") == "results/mine/latents/many/sd/64-flip"
    assert training.model_files("lora/000002") == [
        "models/sd/model_index.json",
        "models/sd/unet/config.json",
        "models/sd/unet/diffusion_pytorch_model.safetensors",
        "models/sd/scheduler/scheduler_config.json",
    ]
    assert transform_arguments("64-flip") == "--resolution 64 --random-flip"
    assert transform_arguments("64") == "--resolution 64"


def test_of_a_dataset_in_shards_the_manifest_stands_for_the_tensors(training):
    assert training.latent_files("lora/000002") == [
        "results/mine/latents/many/sd/64-flip/index.parquet"
    ]
    assert training.latent_files("full/000002") == [
        f"results/mine/latents/rooms/sd/64/{file}"
        for file in ("index.parquet", "moments.safetensors", "text.safetensors")
    ]


def test_a_run_that_starts_elsewhere(training):
    tuned = "results/mine/runs/full/000004"
    assert training.start_files("next/000001") == [f"{tuned}/checkpoint.json"]
    assert training.start_weights("next/000001") == [f"{tuned}/weights"]
    files = training.model_files("next/000001")
    assert "models/sd/unet/diffusion_pytorch_model.non_ema.safetensors" in files
    assert "models/sd/text_encoder/model.safetensors" in files
    decides = json.loads(training.hyper_parameters("next/000001"))
    assert decides["train_init"] == {"folder": f"{tuned}/weights/ema"}
    assert decides["ema"]["init"] == "non_ema"


def test_how_far_a_run_goes_does_not_decide_its_weights(training):
    decides = json.loads(training.hyper_parameters("lora/000002"))
    assert not decides.keys() & {"model", "dataset", "steps", "checkpoint_every", "keep", "extends"}
    assert decides["rank"] == 4
    longer = make_study(runs={**WRITTEN["runs"], "lora": {**WRITTEN["runs"]["lora"], "steps": 8}})
    again = TrainingFiles(longer).hyper_parameters("lora/000002")
    assert again == training.hyper_parameters("lora/000002")


def test_a_start_from_a_folder_reads_its_text_encoder_where_there_is_one(tmp_path):
    run = {**FULL, "steps": 1, "train_init": {"folder": str(tmp_path)}}
    training = TrainingFiles(make_study(runs={**WRITTEN["runs"], "next": run}))
    unet = f"{tmp_path}/diffusion_pytorch_model.safetensors"
    assert training.start_files("next/000001") == [unet]
    (tmp_path / "text_encoder").mkdir()
    (tmp_path / "text_encoder/model.safetensors").touch()
    assert training.start_files("next/000001")[1:] == [f"{tmp_path}/text_encoder/model.safetensors"]
    assert training.start_weights("next/000001") == []


def test_a_variant_of_a_base_model_has_no_weights_of_its_own(variants):
    assert variants.model("base/hub") == f"results/hub/a/b/{COMMIT}"
    assert variants.description("base/sd") == variants.weights("base/sd") == []
    assert variants.weights_arguments("base/sd") == ""


def test_a_lora_is_a_checkpoint_at_a_scale(variants):
    tuned = "results/mine/runs/lora/000006"
    lora = "lora/000006/raw/0.5"
    assert variants.model(lora) == "models/sd"
    assert variants.description(lora) == [f"{tuned}/checkpoint.json"]
    assert variants.weights(lora) == [f"{tuned}/weights"]
    assert variants.weights_arguments(lora) == f"--lora {tuned}/weights/raw --lora-scale 0.5"


def test_a_full_fine_tune_of_another_scale_than_1_is_a_merge(variants):
    whole, half = "full/000004/ema/1.0", "full/000004/ema/0.5"
    assert variants.weights(whole) == ["results/mine/runs/full/000004/weights"]
    tuned = "results/mine/runs/full/000004/weights/ema"
    assert variants.weights_arguments(whole) == f"--weights {tuned}"
    assert variants.description(half) == [f"results/mine/merges/{half}/merge.json"]
    assert variants.weights(half) == [f"results/mine/merges/{half}/config.json"]
    assert variants.weights_arguments(half) == f"--weights results/mine/merges/{half}"
    assert variants.full_runs == ["full", "next"]
    assert variants.with_text_encoder == ["next"]
    assert "models/sd/text_encoder/model.safetensors" in variants.merge_model_files("next")
    assert "models/sd/text_encoder/model.safetensors" not in variants.merge_model_files("full")


def test_what_an_experiment_compares(evaluation):
    shown = {"base/sd": "base/sd", "lora/000006/raw/1.0": "lora"}
    assert evaluation.scores("helps") == {
        (measure, variant, "domain"): [
            (f"results/mine/scores/evaluation/{owner}/0.parquet", (measure, variant, "own"))
        ]
        for measure in ("fits", "near")
        for variant, owner in shown.items()
    }
    assert evaluation.references("helps") == {"near": "results/mine/references/near/rooms.parquet"}
    assert evaluation.samples("helps", "lora-raw-000006") == {
        (variant, "own"): [(f"results/mine/samples/{owner}/0.parquet", (variant, "own"))]
        for variant, owner in shown.items()
    }
    measures = evaluation.comparison_plan("helps")["measures"]
    assert [name for name, _ in measures] == ["fits", "near"]


def test_a_score_is_of_the_code_of_its_measure_alone(evaluation):
    kid = "scripts/emaki/evaluation/measures/kid.py"
    assert kid in files_of(evaluation.code("scripts/score.py", "near"))
    assert kid not in files_of(evaluation.code("scripts/score.py", "fits"))
    assert kid in files_of(evaluation.code("scripts/compare.py"))


def test_the_report_shows_what_experiments_ask_for(evaluation):
    assert evaluation.shown_grids() == ["results/mine/grids/helps/lora-raw-000006.png"]
    assert evaluation.shown_metrics() == [
        f"results/mine/runs/lora/00000{step}/metrics.parquet" for step in (2, 4, 6)
    ]
    assert evaluation.shown_datasets() == [
        "results/mine/datasets/rooms",
        "results/mine/datasets/many",
    ]
    assert evaluation.answers("helps") == "results/mine/experiments/helps.json"


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        (any_of(["a.b", "c"]), "a.b", "axb"),
        (any_of([]), None, ""),
        (or_shard(["a", "b"]), "a/shards/7", "a/shards/7/8"),
        (or_shard(["a", "b"]), "b", "b/shards"),
        (shards_of(["a", "b"]), "b/shards/x-1", "b"),
        (f"{any_of(['a'])}|{shards_of([])}", "a", "/shards/1"),
    ],
)
def test_a_pattern_matches_names_and_shards_of_them(pattern, matching, other):
    assert matching is None or re.fullmatch(pattern, matching)
    assert not re.fullmatch(pattern, other)


def test_jobs_read_the_study_that_snakemake_has_read(study, tmp_path):
    path = keep_study(study, tmp_path)
    assert read_saved(path) == study
    assert keep_study(study, tmp_path) == path
    assert keep_study(study.replace(machine=Machine(gpu="A100")), tmp_path) == path
    assert keep_study(study.replace(study="other"), tmp_path) != path
    assert len(list(tmp_path.iterdir())) == 2
    Path(path).write_text(Path(path).read_text().replace('"small"', '"smell"'))
    assert read_saved(keep_study(study, tmp_path)) == study


def test_trainings_ask_for_gpus_where_there_are_some_to_give(study):
    here, there = (TrainingResources(study, gives_gpus=gives) for gives in (False, True))
    assert (here.gpus("lora"), there.gpus("lora"), there.gpus("full")) == (0, 2, 1)
    assert (here.gpu_model("lora"), here.gpu_memory_mb("lora")) == ("", 0)
    assert minutes(30)(None, attempt=2) == 60


def files_of(code):
    return [file_of(path) for path in code]
