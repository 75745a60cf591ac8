"""What a config means, and what is said about one that is wrong."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from emaki.common.errors import UserError
from emaki.config import (
    kept_steps,
    load,
    load_tiny_models,
    overrides,
    read_saved,
    save,
    steps_of,
    trained,
    variants,
)
from emaki.config.derived import trainings, with_trainings
from emaki.config.own_pictures import write

SCRIPTS = Path(__file__).parents[2] / "scripts"
DATES = ["2023-06-03", "2023-06-04", "2023-06-04", "2023-06-14", "2023-06-14"]
DATES += ["2023-06-15", "2023-06-15", "2023-06-16", "2023-06-29", "2023-07-04"]


@pytest.fixture
def study(workplace):
    """Load a config that extends the default one with some lines."""

    def load_lines(lines):
        (workplace / "my.yaml").write_text(f"extends: config/config.yaml\nstudy: my\n{lines}\n")
        return load("my.yaml")

    return load_lines


# The default


def test_the_default_declares_the_notebook(workplace):
    config = load("config/config.yaml")
    entries = config.experiments.values()
    assert [entry.date for entry in entries] == DATES
    assert all(entry.question.endswith("?") and entry.observed for entry in entries)
    used = {run for entry in entries for run in entry.runs + entry.baselines}
    assert set(config.runs) <= used, "a run that no experiment shows"
    assert len(config.runs) <= 12  # it is to end in minutes on two cores


def test_the_default_has_the_structure_of_the_log(workplace):
    config = load("config/config.yaml")
    runs = config.runs
    assert [runs[name].rank for name in ("lora-r4", "lora-r64")] == [4, 64]
    assert overrides(config, "lora-keyword") == {"dataset": ("rooms", "rooms-keyword")}
    assert runs["critters-8bit"].optimizer == "adamw8bit"
    assert runs["critters-compvis"].ema.warmup == "compvis"
    assert (runs["critters-non-ema"].train_init, runs["critters-non-ema"].ema.init) == (
        "non_ema",
        "ema",
    )
    assert overrides(config, "critters-ema-start") == {"train_init": ("non_ema", "ema")}
    assert config.datasets["rooms-v3"].source == config.datasets["rooms-v2"].source
    merged = {v["scale"] for v in variants(config, "blip") if v["run"] == "rooms-v3"}
    assert merged == {0.25, 0.5, 0.75, 1.0}


def test_reading_a_config_imports_nothing_heavy():
    code = """
import sys, emaki.config
from emaki.config.settings import CAPTIONERS, MEASURES, SOURCES
for kind in (CAPTIONERS, MEASURES, SOURCES):
    [kind.find(name) for name in kind.names()]
heavy = {'torch', 'numpy', 'pandas', 'diffusers', 'PIL', 'pyarrow', 'datasets', 'huggingface_hub'}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, check=True)


# Runs


def test_a_run_inherits_key_by_key_and_takes_the_rest_from_its_recipe(study):
    runs = study(
        """
runs:
  lora-r4: {model: tiny, dataset: rooms, method: lora, steps: 100, ema: {decay: 0.5},
    resolution: 64}
  a: {extends: lora-r4, batch_size: 2, recipe: compvis}
  b: {extends: a, ema: {preset: diffusers}, steps: 300}
"""
    ).runs
    assert runs["a"].batch_size == runs["b"].batch_size == 2
    assert runs["a"].lr_scheduler == "constant_with_warmup"
    assert runs["a"].train_init == "ema", "a LoRA is put on the model's plain U-Net"
    assert runs["a"].ema.decay == 0.5
    assert runs["b"].ema.decay == 0.9999, "the mapping is replaced as a whole"
    assert (runs["a"].checkpoint_every, runs["b"].checkpoint_every) == (100, 300)


def test_a_full_run_that_extends_a_lora_has_nothing_of_a_lora(study):
    config = study("runs: {a: {extends: lora-r64, method: full}, b: {extends: a, method: lora}}")
    assert not {"rank", "lora_alpha", "target_modules"} & set(config.runs["a"].values())
    assert config.runs["b"].rank == 64
    assert overrides(config, "a") == {"method": ("lora", "full")}


def test_seeds_and_a_seed_take_each_others_place(study):
    runs = study(
        """
runs:
  a: {extends: lora-r4, seeds: [3, 4]}
  b: {extends: a}
  c: {extends: b, seed: 5}
"""
    ).runs
    said = [(runs[name].seed, runs[name].seeds) for name in ("a", "b", "c")]
    assert said == [(3, [3, 4]), (3, [3, 4]), (5, None)]
    assert [runs[name].hyper_parameters().seed for name in ("a", "b", "c")] == [3, 3, 5]


def test_a_further_training_is_its_run_by_another_seed(study):
    config = study(
        "runs: {lora-r4: {model: tiny, dataset: rooms, method: lora, steps: 100,"
        " checkpoint_every: 50, resolution: 64, seeds: [3, 4, 7]}}"
    )
    assert trainings(config, "lora-r4") == {3: "lora-r4", 4: "lora-r4+seed4", 7: "lora-r4+seed7"}
    every = with_trainings(config)
    assert with_trainings(every) == every
    one, other = (every.runs[name].hyper_parameters() for name in ("lora-r4", "lora-r4+seed7"))
    assert other == one.model_copy(update={"seed": 7})
    assert "lora-r4+seed7" in trained(every)
    assert [kept_steps(every, name) for name in ("lora-r4", "lora-r4+seed7")] == [[50, 100], [100]]


MATRIX = """
experiments:
  causes:
    title: a
    question: b
    matrix:
      run: critters-non-ema
      axes:
        start: {ema: {train_init: ema}, raw: {train_init: non_ema}}
        average:
          fast: {ema: {preset: diffusers}}
          slow: {ema: {preset: compvis, decay: 0.5}}
        init: {whole: {}, none: {ema: {init: train}}}
    baselines: [tiny]
    weights: [ema, raw]
    prompts: {domain: critters}
"""


def test_a_matrix_makes_a_run_for_each_combination(study, workplace):
    config = study(MATRIX)
    entry = config.experiments["causes"]
    assert len(entry.runs) == 8
    assert entry.runs == list(entry.matrix.cells)
    # what the config has is taken
    assert entry.matrix.cells["critters-non-ema"] == ["raw", "fast", "whole"]
    assert entry.matrix.cells["critters-ema-start"] == ["ema", "fast", "whole"]
    made = config.runs["causes-raw-slow-none"]
    assert (made.train_init, made.extends) == ("non_ema", "critters-non-ema")
    assert (made.ema.decay, made.ema.init, made.ema.warmup) == (0.5, "train", "compvis")
    save(config, "saved.json")
    assert read_saved("saved.json") == config
    (workplace / "again.yaml").write_text(Path("saved.json").read_text())
    assert load("again.yaml").runs == config.runs


def test_overrides_tell_what_a_recipe_brings_along(workplace):
    config = load("config/config.yaml")
    assert overrides(config, "lora-r4") == {}
    told = overrides(config, "critters-compvis")
    assert told["recipe"] == ("diffusers", "compvis")
    assert told["max_grad_norm"] == (1.0, None)
    assert not {"learning_rate", "extends"} & set(told)


def test_another_alpha_follows_the_rank(workplace):
    assert load("config/config.yaml").runs["lora-r64"].lora_alpha == 64


# Variants


def paths(config, name):
    return [variant["path"] for variant in variants(config, name)]


def experiment(**keys):
    defaults = {
        "title": "t",
        "question": "q?",
        "baselines": ["tiny"],
        "prompts": {"domain": "rooms"},
    }
    return f"experiments: {{new: {json.dumps(defaults | keys)}}}"


def test_variants_of_mixed_runs(study):
    config = study(
        experiment(
            runs=["lora-r64", "critters-compvis"],
            baselines=["tiny", "critters-ema-start", "lora-r4"],
            checkpoints=[50, 150],
            weights=["ema", "raw"],
            lora_scales=[0.5, 1],
            merge_alphas=[0.25],
        )
    )
    assert paths(config, "new") == [
        "base/tiny",
        "critters-ema-start/000150/ema/1.0",
        "lora-r4/000150/raw/1.0",
        "lora-r64/000050/raw/1.0",
        "lora-r64/000150/raw/0.5",
        "lora-r64/000150/raw/1.0",
        "critters-compvis/000050/ema/1.0",
        "critters-compvis/000150/ema/0.25",
        "critters-compvis/000150/ema/1.0",
        "critters-compvis/000050/raw/1.0",
        "critters-compvis/000150/raw/0.25",
        "critters-compvis/000150/raw/1.0",
    ]
    base, *_, tuned = variants(config, "new")
    assert (base["kind"], base["run"], base["step"]) == ("base", None, None)
    assert (tuned["kind"], tuned["model"], tuned["step"]) == ("run", "tiny", 150)
    labels = [variant["label"] for variant in variants(config, "new")]
    assert len(set(labels)) == len(labels)
    assert "critters-compvis, 150 steps, EMA, alpha 0.25" in labels


def test_a_variant_comes_once(study):
    config = study(experiment(runs=["lora-r4"], baselines=["tiny", "lora-r4"], checkpoints="last"))
    assert paths(config, "new") == ["base/tiny", "lora-r4/000150/raw/1.0"]


def test_longer_runs_only_add_steps(study):
    assert steps_of(study("runs: {a: {extends: lora-r4}}"), "a") == [50, 100, 150]
    assert steps_of(study("runs: {a: {extends: lora-r4, steps: 200}}"), "a") == [50, 100, 150, 200]


def test_the_reference_is_what_the_first_run_learned(study):
    assert study("").experiments["blip"].reference == "rooms-v3"
    config = study(experiment(runs=["lora-r4"], reference="rooms-v2"))
    assert config.experiments["new"].reference == "rooms-v2"


# Files


def test_numbers_words_and_dates_are_what_they_look_like(study):
    config = study(
        """
runs: {a: {extends: lora-r4, learning_rate: 1e-04, mixed_precision: no, steps: 15_000}}
prompts: {a: {texts: [yes, on, "1", 12:30]}}
"""
    )
    assert config.runs["a"].learning_rate == 0.0001
    assert config.runs["a"].mixed_precision == "no"
    assert config.runs["a"].steps == 15000
    assert config.prompts["a"].texts == ["yes", "on", "1", "12:30"]
    assert config.experiments["lora"].date == "2023-06-03"


def test_an_entry_replaces_the_inherited_one_whole_and_null_takes_it_away(study):
    config = study(
        """
sampling: {steps: 5}
datasets: {rooms: {source: rooms-v2, captions: blip}}
experiments: {rank: null}
"""
    )
    assert config.study == "my"
    assert config.sampling.steps == 5
    assert config.sampling.seeds == [0]
    rooms = config.datasets["rooms"]
    assert (rooms.source, rooms.captions, rooms.validation) == ("rooms-v2", "blip", 0.1)
    assert "rank" not in config.experiments
    assert len(config.experiments) == 9


def test_prompts_in_a_file_become_texts(study, workplace):
    (workplace / "p.txt").write_text("# a comment\n\n a red heart \npig\n")
    assert study("prompts: {a: {file: p.txt}}").prompts["a"].texts == ["a red heart", "pig"]


def test_a_file_without_prompts(study, workplace):
    (workplace / "p.txt").write_text("# nothing yet\n")
    with pytest.raises(UserError, match=r"prompts.a.file is p.txt, which has no prompts$"):
        study("prompts: {a: {file: p.txt}}")


def test_saved_bytes_are_the_same_for_the_same_config(workplace):
    for path in ("one.json", "two.json"):
        save(load("config/config.yaml"), path)
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()


def test_what_is_saved_keeps_its_order_which_is_that_of_the_page(workplace):
    config = load("config/config.yaml")
    save(config.replace(measures=dict(reversed(config.measures.items()))), "saved.json")
    assert list(read_saved("saved.json").measures) == list(reversed(config.measures))
    assert list(read_saved("saved.json").experiments) == list(config.experiments)


def test_a_saved_study_is_read_again_without_the_files_that_it_names(workplace, monkeypatch):
    folder = f"{{repo: a/b, revision: '{'0' * 40}'}}"
    (workplace / "my.yaml").write_text(
        "extends: config/config.yaml\nstudy: my\nprompts: {a: {file: p.txt}}\n"
        f"measures: {{like: {{type: preference, model: {folder}}}}}"
    )
    (workplace / "p.txt").write_text("a pig\n")
    config = load("my.yaml")
    save(config, "saved.json")
    elsewhere = workplace / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert read_saved("../saved.json") == config
    assert read_saved("../saved.json").measures["like"].model == f"results/hub/a/b/{'0' * 40}"


# Mistakes: (the lines, what is said of them)


def claiming(runs=("lora-r4",), sets=None, **about):
    """An experiment that claims something of its run; None takes a key away."""
    usual = {"words": "w", "measure": "clip_score", "against": "tiny", "says": "better"}
    claim = {key: value for key, value in (usual | about).items() if value is not None}
    prompts = sets or {"domain": "rooms", "unrelated": "unrelated"}
    return experiment(runs=list(runs), prompts=prompts, lora_scales=[0.5], claims=[claim])


A_RUN = "runs: {a: {extends: lora-r4, %s}}"
A_FULL = "runs: {a: {extends: critters-8bit, %s}}"
MISTAKES = {
    "key": (A_RUN % "rnak: 3", r"3: runs.a.rnak is not a key here; .* rank, .*mean 'rank'\?"),
    "nested key": (A_RUN % "ema: {decy: 0.9}", r"runs.a.ema.decy is not .*did you mean 'decay'"),
    "section": ("modles: {}", r"modles is not a key here; .*did you mean 'models'"),
    "type": (A_RUN % "steps: many", r"runs.a.steps is 'many', but must be a whole number"),
    "not whole": (A_RUN % "steps: 100.0", r"runs.a.steps is 100.0, but must be a whole number"),
    "no mapping": ("runs: {a: 3}", r"^my.yaml:3: runs.a is 3, but must be a mapping$"),
    "range": (A_RUN % "caption_dropout: 1.5", r"is 1.5, but must be at most 1$"),
    "choice": (A_RUN % "method: ful", r"must be one of 'lora', 'full'; did you mean 'full'\?"),
    "start": (
        A_FULL % "train_init: emma",
        r"is 'emma', but must be ema, non_ema, .*; did you mean 'ema'\?$",
    ),
    "half a start": (
        A_FULL % "train_init: {run: critters-8bit}",
        r"a.train_init must have run, step and weights, or folder$",
    ),
    "start of a LoRA": (
        A_RUN % "train_init: {run: critters-8bit, step: 150, weights: raw}",
        r"starts from critters-8bit, which is a full fine-tune, but this run is a LoRA$",
    ),
    "start from a LoRA": (
        A_FULL % "train_init: {run: lora-r4, step: 150, weights: raw}",
        r"a.train_init starts from lora-r4, which is a LoRA, but this run is a full fine-tune$",
    ),
    "start from no run": (
        A_FULL % "ema: {init: {run: lora-r5, step: 1, weights: raw}}",
        r"a.ema has an ema.init with a run that is 'lora-r5', .* did you mean 'lora-r4'\?$",
    ),
    "start from no step": (
        A_FULL % "train_init: {run: critters-8bit, step: 40, weights: raw}",
        r"starts from critters-8bit, which has no checkpoint 40, but every 50 up to 150$",
    ),
    "start from no average": (
        A_FULL % "train_init: {run: critters-8bit, step: 50, weights: ema}",
        r"starts from critters-8bit, which has raw weights only \(its ema is null\)$",
    ),
    "start of another model": (
        "models: {other: {path: resources/tiny-sd}}\n"
        + A_FULL % "model: other, train_init: {run: critters-8bit, step: 50, weights: raw}",
        r"starts from critters-8bit, whose model is tiny, but this run's is other$",
    ),
    "start from no folder": (
        A_FULL % "train_init: {folder: nowhere}",
        r"starts from a folder, but there is no file nowhere/diffusion_pytorch_model.safetensors$",
    ),
    "start from each other": (
        "runs: {a: {extends: critters-8bit, train_init: {run: b, step: 50, weights: raw}},"
        " b: {extends: critters-8bit, ema: {init: {run: a, step: 50, weights: raw}}}}",
        r"runs.a.train_init goes round in a circle: a would start from its own weights$",
    ),
    "start from another text encoder": (
        "runs: {a: {extends: critters-8bit, train_text_encoder: true},"
        " b: {extends: critters-8bit, train_init: {run: a, step: 50, weights: raw}}}",
        r"b.train_init starts from a, which has trained its text encoder: give train_text_encoder",
    ),
    "a rate of nothing": (
        A_FULL % "text_encoder_learning_rate: 1e-5",
        r"a.text_encoder_learning_rate goes with train_text_encoder: true$",
    ),
    "start from itself": (
        "runs: {a: {extends: critters-8bit, train_init: {run: b, step: 50, weights: raw}},"
        " b: {extends: a}}",
        r"b.extends goes round in a circle: b would start from its own weights$",
    ),
    "missing": ("runs: {a: {method: full, model: tiny, steps: 3}}", r"runs.a.dataset is missing$"),
    "null": (A_RUN % "steps: null", r"runs.a.steps is null, but must be a whole number"),
    "name": (
        "runs: {a/b: {extends: lora-r4}}",
        r"runs.a/b is not a name of letters, digits and . _ -",
    ),
    "hidden name": ("runs: {.a: {extends: lora-r4}}", r"is not a name of letters, digits and"),
    "name of a folder": (
        "runs: {base: {extends: lora-r4}}",
        r"runs.base is the folder of the base",
    ),
    "case": ("runs: {LoRA-r4: {extends: lora-r4}}", r"differs from 'lora-r4' in case only"),
    "number as name": ("runs: {1: {extends: lora-r4}}", r'the key 1, which is not text: write "1"'),
    "duplicate": (
        "runs:\n  a: {}\n  a: {}",
        r"^my.yaml:5: runs.a is given twice: .* line 4 already$",
    ),
    "twice": ("sampling: {seeds: [1, 2, 1]}", r"sampling.seeds has 1 twice"),
    "empty": ("sampling: {seeds: []}", r"sampling.seeds is empty"),
    "blank": (
        "captions: {a: {type: keyword, of: alt, keyword: ' '}}",
        r"captions.a.keyword is empty",
    ),
    "type's key": (
        "sources: {a: {type: rooms, count: 3, style: critters}}",
        r"sources.a.style is not a key here; there are: captions, count, seed, shards, type",
    ),
    "unknown type": ("sources: {a: {type: room}}", r"webdataset, or .*; did you mean 'rooms'"),
    "nothing to take away": ("runs: {lora: null}", r"none to take away; did you mean 'lora-r4'"),
    "run": ("runs: {a: {extends: lora-r5}}", r"no run of that name; there are: .*'lora-r\d+'\?"),
    "model": (A_RUN % "model: tyni", r"no model of that name; there are: tiny; .*'tiny'"),
    "dataset": (A_RUN % "dataset: room", r"runs.a.dataset is 'room', but there is no dataset"),
    "source": ("datasets: {a: {source: x, captions: alt}}", r"datasets.a.source is 'x', but there"),
    "captioner": (
        "datasets: {a: {source: rooms, captions: at}}",
        r"captioner .*did you mean 'alt'",
    ),
    "keyword of": (
        "captions: {a: {type: keyword, of: b, keyword: k}}",
        r"captions.a.of is 'b', but",
    ),
    "prompts' dataset": ("prompts: {a: {dataset: rom, count: 3}}", r"prompts.a.dataset .*'rooms'"),
    "experiment's run": (experiment(runs=["lora-r4", "lra"]), r"new.runs\[1\] is 'lra', but there"),
    "baseline": (experiment(runs=["lora-r4"], baselines=["tni"]), r"no model or run of that name"),
    "set": (experiment(runs=["lora-r4"], prompts={"domain": "room"}), r"no set of prompts of that"),
    "reference": (experiment(runs=["lora-r4"], reference="room"), r"experiments.new.reference is"),
    "circle": (
        "runs: {b: {extends: c}, c: {extends: b}, d: {extends: b}}",
        r"^my.yaml:3: runs.b.extends goes round in a circle: b -> c -> b$",
    ),
    "own parent": ("runs: {a: {extends: a}}", r"runs.a.extends goes round in a circle: a -> a$"),
    "keywords' circle": (
        "captions:\n  a: {type: keyword, of: b, keyword: k}\n"
        "  b: {type: keyword, of: a, keyword: k}",
        r"^my.yaml:4: captions.a.of goes round in a circle: a -> b -> a$",
    ),
    "no checkpoint": (
        experiment(runs=["lora-r4"], checkpoints=[50, 60]),
        r"has 60, but lora-r4 has checkpoints every 50 steps up to 150; the nearest is 50",
    ),
    "checkpoints": (
        experiment(runs=["lora-r4"], checkpoints="some"),
        r"all, last or a list of steps",
    ),
    "last steps": (
        A_RUN % "steps: 160",
        r"runs.a.steps leaves steps after .* checkpoint_every 50$",
    ),
    "inherited": (
        "runs: {lora-r4: {model: tiny, dataset: rooms, method: lora, steps: 5, resolution: 64,"
        " checkpoint_every: 2}}",
        r"^my.yaml:3: runs.lora-r4.steps leaves steps .*$",
    ),
    "LoRA's key": (
        "runs: {a: {extends: full-8bit, rank: 8}}",
        r"runs.a.rank is for method lora, but",
    ),
    "no table": (
        "captions: {b: {type: table, of: alt, path: gone.csv}}",
        r"captions.b.path is gone.csv, which is no file$",
    ),
    "no kind of table": (
        "captions: {b: {type: table, of: alt, path: a.xlsx}}",
        r"captions.b.path is 'a.xlsx', but must be a .csv, .jsonl or .parquet file$",
    ),
    "beams that sample too": (
        "captions: {b: {type: image-text-to-text, model: resources, num_beams: 3, top_p: 0.9}}",
        r"captions.b.num_beams does not go with top_p, which samples$",
    ),
    "beams that sample": (
        "captions: {b: {type: blip, model: resources/tiny-blip, preset: kohya_cli, num_beams: 3}}",
        r"captions.b.num_beams goes with preset kohya_gui: kohya_cli samples$",
    ),
    "scales": (
        experiment(runs=["full-8bit"], lora_scales=[0.5]),
        r"lora_scales is for LoRAs, but no",
    ),
    "alphas": (
        experiment(runs=["lora-r4"], merge_alphas=[0.5]),
        r"merge_alphas is for full fine-tun",
    ),
    "no EMA": (experiment(runs=["lora-r4"], weights=["raw", "ema"]), r"no run here averages"),
    "some without EMA": (
        experiment(runs=["lora-r4", "rooms-v2"], weights=["ema"]),
        r"is ema alone, but lora-r4 has raw weights only",
    ),
    "horizon": (
        A_RUN % "lr_scheduler: cosine",
        r"runs.a.lr_scheduler leaves cosine without lr_total",
    ),
    "a horizon taken away": (
        "runs: {b: {extends: lora-r4, lr_scheduler: cosine, lr_total_steps: 150},"
        " a: {extends: b, lr_total_steps: null}}",
        r"runs.a.lr_total_steps leaves cosine without lr_total",
    ),
    "an old key": (A_RUN % "lr_horizon: 3", r"runs.a.lr_horizon is called lr_total_steps now$"),
    "another": (A_RUN % "processes: 3", r"3: runs.a.processes is called num_processes now$"),
    "an old section": ("evaluators: {clip: x}", r"^my.yaml:3: evaluators is called measures now$"),
    "date": (experiment(runs=["lora-r4"], date="June 3"), r"must be a date such as 2023-06-03"),
    "model's folder": (
        "models: {a: {path: nowhere}}",
        r"models.a.path is nowhere, which is no folder",
    ),
    "no pipeline": (
        "models: {a: {path: config}}",
        r"no diffusers pipeline: .* no model_index.json",
    ),
    "source's folder": (
        "sources: {a: {type: folder, path: nowhere}}",
        r"nowhere, which is no folder",
    ),
    "tars that are missing": (
        "sources: {a: {type: webdataset, path: 'nowhere/{08..11}.tar'}}",
        r"sources.a.path is .*, of which 4 of 4 files are not there; the first is nowhere/08.tar$",
    ),
    "no tar": (
        "sources: {a: {type: webdataset, path: 'config/*.tar'}}",
        r"sources.a.path is config/\*.tar, which matches no file$",
    ),
    "not a tar": (
        "sources: {a: {type: webdataset, path: config/config.yaml}}",
        r"has config/config.yaml, which is not named .tar; a compressed one must be unpacked$",
    ),
    "tars that are shards anyway": (
        "sources: {a: {type: webdataset, path: a.tar, shards: 3}}",
        r"sources.a.shards is not a key here; there are: caption_column, credit",
    ),
    "prompts of a device": (
        "prompts: {a: {file: /dev/zero}}",
        r"prompts.a.file is /dev/zero, which is no regular file$",
    ),
    "prompts' file": ("prompts: {a: {file: nowhere.txt}}", r"nowhere.txt, which is no file"),
    "prompts twice": (
        "prompts: {a: {texts: [x, y, x]}}",
        r"prompts.a.texts has the prompt 'x' 2 times",
    ),
    "two kinds of prompts": (
        "prompts: {a: {texts: [x], file: y}}",
        r"must have one of texts, file, template and dataset; it has texts and file",
    ),
    "a name without values": (
        "prompts: {a: {template: 'a {colour} pig', values: {color: [red]}}}",
        r"prompts.a.template has {colour}, for which there are no values; did you mean 'color'",
    ),
    "values without a template": (
        "prompts: {a: {texts: [x], values: {colour: [red]}}}",
        r"prompts.a.values goes with template only",
    ),
    "more prompts than there are": (
        "prompts: {a: {template: 'a {colour} pig', values: {colour: [red]}, count: 2}}",
        r"prompts.a.count is 2, but there are 1 prompts",
    ),
    "no count": ("prompts: {a: {dataset: rooms}}", r"prompts.a.count is missing"),
    "one picture": (
        "sampling: {seeds: [0]}\nprompts: {one: {texts: [x]}}\n"
        + experiment(runs=["lora-r4"], prompts={"domain": "one"}),
        r"prompts.domain is one, one prompt drawn with one seed: a comparison needs two pictures",
    ),
    "a long name": (
        f"runs: {{{'a' * 101}: {{extends: lora-r4}}}}",
        r"is not a name of letters, digits and . _ -, 100 at most",
    ),
    "a billion tars": (
        "sources: {a: {type: webdataset, path: 'x/{0..999999999}.tar'}}",
        r"a.path is x/{0..999999999}.tar, which names more than 100,000 files$",
    ),
    "many scales": (
        experiment(runs=["lora-r4"], lora_scales=[0.01 + n / 1000 for n in range(101)]),
        r"new.lora_scales has 101 entries, but may have 100$",
    ),
    "no such day": (
        "experiments: {lora: {title: a, question: b, runs: [lora-r4], baselines: [tiny],"
        " prompts: {domain: rooms}, date: 2026-02-31}}",
        r"experiments.lora.date is 2026-02-31, a day that there is not$",
    ),
    "drawn smaller than trained": (
        "runs: {lora-r4: {model: tiny, dataset: rooms, method: lora, steps: 100}}",
        r"runs.lora-r4.resolution is 512, but its pictures are drawn at sampling.resolution 64$",
    ),
    "drawn smaller than a run that no experiment shows": (
        "runs:\n  root: {model: tiny, dataset: rooms, method: lora, steps: 100}\n"
        "  leaf: {extends: root, seed: 3}\n"
        "experiments:\n  more: {title: a, question: b, runs: [leaf], baselines: [tiny],"
        " prompts: {domain: rooms}}",
        r"^my.yaml:4: runs.root.resolution is 512, but its pictures are drawn at",
    ),
    "a LoRA on raw weights": (
        "runs: {lora-r4: {model: tiny, dataset: rooms, method: lora, steps: 100, resolution: 64,"
        " train_init: non_ema}}",
        r"runs.lora-r4.train_init starts from non-EMA weights, but a LoRA is put on",
    ),
    "a tag": ("runs: !!python/dict {}", r"runs has the tag .*python/dict: write plain YAML"),
    "a wrong tag": ("runs: !!int x", r"^my.yaml:3: runs has a value that is not what its tag says"),
    "a word that is no truth": ("runs: !!bool abc", r"not what its tag says: 'abc' as !!bool$"),
    "a tag of dates": ("runs: {a: !!timestamp 2023-06-03}", r"a has the tag .*: write plain YAML$"),
    "infinite": (A_RUN % "learning_rate: 1e400", r"learning_rate is 1e400, which is too large a"),
    "an integer beyond C's": (
        A_RUN % f"rank: {2**63}",
        r"a.rank is 9223372036854775808, which is too",
    ),
    "infinite steps": (A_RUN % "steps: 1e400", r"my.yaml:3: runs.a.steps is 1e400, which is too"),
    "a huge number": (A_RUN % f"steps: {'9' * 5000}", r"is 99999999999999999999..., which is too"),
    "a matrix of no run": (
        MATRIX.replace("run: critters-non-ema", "run: critters-non-em"),
        r"causes.matrix.run is 'critters-non-em', .* did you mean 'critters-non-ema'\?$",
    ),
    "a matrix beside runs": (
        MATRIX.replace("title: a", "title: a\n    runs: [lora-r4]"),
        r"^my.yaml:7: experiments.causes.runs is there beside matrix, which makes the runs",
    ),
    "two axes of one key": (
        MATRIX.replace("whole: {}", "whole: {train_init: ema}"),
        r"causes.matrix.axes.init changes train_init, which start changes too$",
    ),
    "levels that are the same": (
        MATRIX.replace("train_init: ema", "train_init: non_ema"),
        r"causes.matrix.axes has levels that make the same run$",
    ),
    "a level's key": (
        MATRIX.replace("whole: {}", "whole: {dekay: 1}"),
        r"^my.yaml:15: .*axes.init.whole.dekay is not a key of a run; did you mean 'ema'\?$",
    ),
    "a level's value": (
        MATRIX.replace("whole: {}", "whole: {learning_rate: 0}"),
        r"^my.yaml:15: runs.causes-ema-fast-whole.learning_rate is 0, but must be greater than 0$",
    ),
    "one level": (
        MATRIX.replace("ema: {train_init: ema}, ", ""),
        r"causes.matrix.axes.start ",
    ),
    "no runs": (
        "experiments: {a: {title: a, question: b, baselines: [tiny], prompts: {domain: rooms}}}",
        r"experiments.a.runs is missing$",
    ),
    "cells of no matrix": (
        MATRIX.replace("      run:", "      cells: {lora-r4: [raw, fast, none]}\n      run:"),
        r"causes.matrix.cells must have each combination of levels once$",
    ),
    "a seed twice": (A_RUN % "seeds: [1, 1]", r"runs.a.seeds has 1 twice$"),
    "a seed and seeds": (
        A_RUN % "seeds: [1, 2], seed: 1",
        r"^my.yaml:3: runs.a.seed is there beside seeds, which takes its place: leave one out$",
    ),
    "a training's name": ("runs: {a+seed1: {extends: lora-r4}}", r"runs.a\+seed1 is not a name of"),
    "seeds that do not pair": (
        "runs: {a: {extends: lora-r4, seeds: [0, 1]}, b: {extends: a, seeds: [1, 2]}}\n"
        + experiment(runs=["b"], baselines=["tiny", "a"]),
        r"my.yaml:4: .*baselines\[1\] is a, whose seeds are others than those of b: give both the",
    ),
    "more steps than digits": (A_RUN % "steps: 10_000_000", r"but must be at most 999999$"),
    "deep": (f"runs: {'[' * 100_000}", r"my.yaml:3: runs.* has more than 50 levels of nesting$"),
    "two documents": ("---\nruns: {}", r"my.yaml:3: the file is followed by another document"),
    "a list as key": ("runs: {[a]: 1}", r"runs has the key that is an alias, a list or a mapping"),
    "null for an entry": ("sampling: null", r"my.yaml:3: sampling is null, but must be a mapping$"),
    "no type": ("sources: {a: {count: 3}}", r"my.yaml:3: sources.a.type is missing$"),
    "a type of another type": ("sources: {a: {type: 3}}", r"a.type is 3, but must be text$"),
    "a measure": (
        "measures: {clip_score: {type: clip-scor, model: resources/tiny-clip}}",
        r"clip_score.type is 'clip-scor', but .*; did you mean 'clip-score'\?$",
    ),
    "a measure's model": (
        "measures: {clip_score: {type: clip-score, model: 3}}",
        r"clip_score.model is 3, but must be a folder, or a mapping with repo and revision$",
    ),
    "a measure's folder": (
        "measures: {kid: {type: kid, encoder: {type: dinov2, model: nowhere}}}",
        r"measures.kid.encoder.model is nowhere, which is no folder$",
    ),
    "a measure's choice": (
        "measures: {kid: {type: kid, encoder: efficientnet}}",
        r"kid.encoder is 'efficientnet', but must be .*efficientnet-lite0.* a mapping",
    ),
    "a measure of one's own": (
        "measures: {mine: {type: my/measure.py}}",
        r"measures.mine.type is my/measure.py, which is no file$",
    ),
    "a claim about nothing": (
        claiming(measure=None),
        r"^my.yaml:3: experiments.new.claims\[0\] must have one of measure, cost and unchecked; it"
        r" has none of them$",
    ),
    "a claim's run": (
        claiming(run="lora-r46"),
        r"claims\[0\].run is 'lora-r46', but there is no run of this experiment of that name;"
        r" there are: lora-r4",
    ),
    "one of two runs": (
        claiming(runs=["lora-r4", "lora-r64"]),
        r"claims\[0\].run is missing: say which of lora-r4, lora-r64$",
    ),
    "a claim's measure": (
        claiming(measure="clipscore"),
        r"claims\[0\].measure is 'clipscore', but there is no measure of that name; there are: .*"
        r"did you mean 'clip_score'",
    ),
    "a measure of a role": (
        claiming(measure="kid", prompts="unrelated"),
        r"claims\[0\].measure is kid, which does not judge unrelated prompts$",
    ),
    "a claim's prompts": (
        claiming(prompts="unrelated", sets={"domain": "rooms"}),
        r"claims\[0\].prompts is unrelated, but this experiment has no such prompts$",
    ),
    "a claim about costs by a measure": (
        claiming(says="less"),
        r"claims\[0\].says is 'less', but must be one of better, worse, the same, not better, not"
        r" worse with measure$",
    ),
    "what is claimed": (
        claiming(says="beter"),
        r"claims\[0\].says is 'beter', but must be one of 'better', .*; did you mean 'better'\?$",
    ),
    "against nothing": (
        claiming(against=None),
        r"claims\[0\].against is missing: it must be first checkpoint, scale 1 or a baseline"
        r" of this experiment: tiny$",
    ),
    "against another": (
        claiming(against="lora-r64"),
        r"claims\[0\].against is 'lora-r64', but must be .* a baseline of this experiment: tiny$",
    ),
    "a pair that is not compared": (
        claiming(against="scale 1"),
        r"claims\[0\].against is scale 1, but this experiment does not compare lora-r4, 150"
        r" steps with scale 1: ",
    ),
    "a scale that is not drawn": (
        claiming(scale=0.3),
        r"claims\[0\].scale is 0.3, but of lora-r4 is drawn: 0.5, 1$",
    ),
    "a scale of another step": (
        claiming(scale=0.5, step=50),
        r"claims\[0\].scale is 0.5, but of lora-r4 is drawn: 1 \(others of the last checkpoint"
        r" alone\)$",
    ),
    "a step that is not drawn": (
        claiming(step=60),
        r"claims\[0\].step is 60, but of lora-r4 is drawn: 50, 100, 150$",
    ),
    "weights that are not drawn": (
        claiming(weights="ema"),
        r"claims\[0\].weights is ema, but of lora-r4 is drawn: raw$",
    ),
    "a trajectory of one checkpoint": (
        claiming(step=50, against="first checkpoint"),
        r"claims\[0\].step is that of the first checkpoint itself: name a later one$",
    ),
    "a cost of two kinds": (
        claiming(measure=None, cost="time", says="less", at_most=3),
        r"claims\[0\].cost goes with either against or at_most; this has both$",
    ),
    "a cost against a model": (
        claiming(measure=None, cost="time", says="less"),
        r"claims\[0\].against is 'tiny', but there is no run of that name",
    ),
    "a cost of a step": (
        claiming(measure=None, cost="time", against="lora-r64", says="less", step=50),
        r"claims\[0\].step goes with measure only$",
    ),
    "an unchecked comparison": (
        claiming(measure=None, unchecked="no time", against=None),
        r"claims\[0\].says goes with measure or cost only$",
    ),
    "an endless alias": ("models: &a {x: *a}", r"an alias that contains itself"),
    "not YAML": ("runs: [a", r"^my.yaml:4: not valid YAML: "),
}


def test_paths_that_snakemake_would_fill_in_are_refused(study, workplace):
    (workplace / "{m}").symlink_to("resources")
    for lines in (
        "models: {tiny: {path: '{m}/tiny-sd'}}",
        "captions: {b: {type: blip, model: '{m}/tiny-blip'}}",
    ):
        with pytest.raises(
            UserError, match=r"is '{m}/tiny-\w+', but a path must be without '{': re"
        ):
            study(lines)


@pytest.mark.parametrize("name", ["n" * 300, "/".join(["n" * 200] * 25)])
@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("sources: {{mine: {{type: folder, path: {0}}}}}", "no folder"),
        ("sources: {{mine: {{type: '{0}.py'}}}}", "no file"),
        ("models: {{mine: {{path: {0}}}}}", "no folder"),
        ("captions: {{mine: {{type: blip, model: {0}}}}}", "no folder"),
        ("captions: {{mine: {{type: table, of: alt, path: {0}.csv}}}}", "no file"),
        ("prompts: {{mine: {{file: {0}.txt}}}}", "no file"),
        ("votes: [{0}.tsv]", "no file"),
    ],
)
def test_a_name_longer_than_disks_take_is_none(name, lines, told, study):
    with pytest.raises(UserError, match=rf"^my.yaml:3: [^\n]*{told}[^\n]*$"):
        study(lines.format(name))


def test_what_is_large_is_told_in_time(study, workplace):
    """Many mistakes, many values and a large file take seconds, and the message has an end."""
    with pytest.raises(UserError) as caught:
        study("\n".join(f"k{number}: 1" for number in range(20_000)))
    lines = str(caught.value).splitlines()
    assert len(lines) == 51
    assert lines[-1] == "and 950 more such lines"
    seeds = list(range(50_000))
    assert study(f"sampling: {{seeds: {seeds}}}").sampling.seeds == seeds
    with pytest.raises(UserError, match=r"my.yaml has 2\d,\d+,\d+ bytes, but a config has at most"):
        study("#" + 20_000_000 * " ")
    os.mkfifo(workplace / "pipe.yaml")
    with pytest.raises(UserError, match=r"pipe.yaml is no regular file"):
        load("pipe.yaml")


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_in_one_sentence(name, study):
    lines, told = MISTAKES[name]
    with pytest.raises(UserError) as caught:
        study(lines)
    message = str(caught.value)
    assert re.search(told, message), message
    assert "\n" not in message, "one mistake, one line"
    assert re.match(r"my\.yaml(:\d+)?[: ]", message)


def test_steps_that_pndm_cannot_do_with_a_model(study, workplace):
    folder = workplace / "resources/tiny-sd/scheduler"
    (folder / "scheduler_config.json").unlink()
    (folder / "scheduler_config.json").write_text("{}")
    study("sampling: {scheduler: pndm, steps: 4}")
    study("sampling: {scheduler: ddim, steps: 3}")
    with pytest.raises(UserError) as caught:
        study("sampling: {scheduler: pndm, steps: 3}")
    told = "my.yaml:3: sampling.steps is 3, but pndm needs 4 or more with the model tiny, whose "
    told += "resources/tiny-sd/scheduler/scheduler_config.json does not say skip_prk_steps: true"
    assert str(caught.value) == told
    (folder / "scheduler_config.json").write_text('{"skip_prk_steps": true}')
    study("sampling: {scheduler: pndm, steps: 3}")


def test_a_table_of_captions_is_for_a_source_in_one_piece(study, workplace):
    (workplace / "my.csv").write_text("file,text\n")
    lines = "sources: {a: {type: rooms, count: 9, shards: %d}}\n"
    lines += (
        "captions: {t: {type: table, of: alt, path: my.csv}, u: {type: keyword, of: t, keyword: x}}"
    )
    lines += "\ndatasets: {d: {source: a, captions: u}}"
    study(lines % 1)
    with pytest.raises(UserError) as caught:
        study(lines % 3)
    told = "my.yaml:5: datasets.d.captions edits captions, but the source a is in shards"
    assert str(caught.value) == told


def test_a_long_chain_of_runs(study):
    runs = [
        f"r{number}: {{extends: {'lora-r4' if number == 0 else f'r{number - 1}'}}}"
        for number in range(1_100)
    ]
    assert study(f"runs: {{{', '.join(runs)}}}").runs["r1099"].rank == 4
    runs[0] = "r0: {extends: lora-r4, rank: 0}"
    with pytest.raises(UserError, match=r"^my.yaml:3: runs.r0.rank is 0, but must be at least 1$"):
        study(f"runs: {{{', '.join(runs)}}}")


def test_a_measure_of_ones_own(study, workplace):
    (workplace / "mine.py").write_text(
        "from emaki.evaluation.measures import Measure, clip_score\n"
        "class Mine(Measure):\n"
        "    strength: float = 1.0\n"
        "    texts = clip_score.ClipScore.texts\n"
    )
    (workplace / "broken.py").write_text("import nothing_of_that_name\n")
    measure = study("measures: {mine: {type: mine.py, strength: 2}}").measures["mine"]
    assert (type(measure).__name__, measure.strength) == ("Mine", 2)
    with pytest.raises(UserError, match=r"mine.strenth is not a key here; .* mean 'strength'\?$"):
        study("measures: {mine: {type: mine.py, strenth: 2}}")
    with pytest.raises(UserError, match=r"broken.py, which cannot be imported \(ModuleNotFound"):
        study("measures: {mine: {type: broken.py}}")


def test_every_mistake_is_told(study):
    with pytest.raises(UserError) as caught:
        study("runs: {a: {extends: lora-r4, rank: 0, seed: x}}\nsampling: {steps: 0}")
    assert len(str(caught.value).splitlines()) == 3


def test_the_file_is_told_as_one_would_write_it(study, workplace):
    with pytest.raises(UserError):
        study("sampling: {steps: 0}")
    with pytest.raises(UserError, match=r"^my.yaml:3: "):
        load(workplace / "my.yaml")


def test_a_mistake_in_the_extended_file_is_told_there(study, workplace):
    (workplace / "my2.yaml").write_text("extends: my.yaml\nstudy: my2\n")
    with pytest.raises(UserError):
        study("runs: {a: {extends: lora-r4,\n  rank: 0}}")
    with pytest.raises(UserError, match=r"^my.yaml:4: runs.a.rank is 0, but must be at least 1$"):
        load("my2.yaml")


def test_non_ema_weights_must_be_there(study, workplace):
    file = workplace / "resources/tiny-sd/unet/diffusion_pytorch_model.non_ema.safetensors"
    file.unlink()
    with pytest.raises(UserError, match=r"critters-compvis.recipe asks for non-EMA weights, but"):
        study("")


def test_the_making_of_the_tiny_models_is_no_study(workplace):
    assert load_tiny_models("config/tiny.yaml").study == "tiny"


def test_a_study_has_its_own_name(workplace):
    Path("a.yaml").write_text("extends: config/config.yaml\n")
    with pytest.raises(UserError, match=r"^a.yaml:1: study is missing$"):
        load("a.yaml")


def test_files_that_extend_each_other(workplace):
    Path("a.yaml").write_text("extends: b.yaml\nstudy: a\n")
    Path("b.yaml").write_text("extends: a.yaml\nstudy: b\n")
    with pytest.raises(UserError, match=r"a.yaml -> b.yaml -> a.yaml"):
        load("a.yaml")
    Path("a.yaml").write_text("extends: c.yaml\nstudy: a\n")
    with pytest.raises(UserError, match=r"^a.yaml:1: extends is c.yaml, which is no file$"):
        load("a.yaml")
    with pytest.raises(UserError, match=r"c.yaml cannot be read: No such file"):
        load("c.yaml")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("my study", "study is 'my study', but must be a name of letters, digits and . _ -"),
        ("hub", "study is a name that results/ has for something else"),
    ],
)
def test_a_study_whose_folder_cannot_be_its_own(name, told, workplace):
    Path("a.yaml").write_text(f"extends: config/config.yaml\nstudy: {name}\n")
    with pytest.raises(UserError, match=f"^a.yaml:2: {told}"):
        load("a.yaml")


def test_a_run_is_trained_for_an_experiment_or_for_another_run(study):
    lines = """
runs:
  idle: {model: tiny, dataset: rooms, method: full, steps: 4, resolution: 64}
  first: {extends: idle}
  second: {extends: idle, train_init: {run: first, step: 4, weights: raw}}
experiments:
  lora: {title: a, question: b, runs: [second], baselines: [lora-r4], prompts: {domain: rooms}}
"""
    lines += "".join(
        f"  {name}: null\n" for name in load("config/config.yaml").experiments if name != "lora"
    )
    assert trained(study(lines)) == ["lora-r4", "first", "second"]


def test_a_file_of_prompts_as_windows_writes_it(study):
    Path("prompts.txt").write_bytes("\ufeff# mine\r\na café\r\n".encode())
    assert study("prompts: {a: {file: prompts.txt}}").prompts["a"].texts == ["a café"]
    Path("prompts.txt").write_bytes("a café".encode("latin-1"))
    with pytest.raises(UserError, match=r"a.file is prompts.txt, which is not UTF-8 text$"):
        study("prompts: {a: {file: prompts.txt}}")


# Own pictures


@pytest.mark.parametrize(
    ("name", "words"),
    [("holidays", "-holidays"), ("Été 2023: plage #1", "-Ete-2023-plage-1"), ("写真", "")],
)
def test_a_folder_of_pictures_becomes_a_study(name, words, workplace):
    folder = workplace / name
    folder.mkdir()
    write(folder, "results/pictures.yaml", 'Bild: "text"')
    config = load("results/pictures.yaml")
    source = config.sources["pictures"]
    assert Path(source.path) == folder
    assert source.caption_column == 'Bild: "text"'
    assert re.fullmatch(f"pictures{words}-[0-9a-f]{{6}}", config.study)
    assert {run.dataset for run in config.runs.values()} == {"pictures"}


def test_two_folders_of_one_name_are_two_studies(workplace):
    studies = set()
    for place in ("here", "there"):
        Path(place, "写真").mkdir(parents=True)
        write(Path(place, "写真"), "results/pictures.yaml")
        studies.add(load("results/pictures.yaml").study)
    assert len(studies) == 2


def test_no_folder_of_pictures(workplace):
    with pytest.raises(UserError, match=r"nowhere is not a folder of pictures"):
        write("nowhere", "results/pictures.yaml")
