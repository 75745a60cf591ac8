"""Estimates against what is counted, and what is there."""

import json
from pathlib import Path
from typing import get_args

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode

from emaki.config import load
from emaki.config.machine import Gpu, Machine
from emaki.config.settings import Model
from emaki.costs import estimates
from emaki.costs.sizes import KNOWN, SD14, size_of

ROOT = Path(__file__).parents[2]
COUNTED = json.loads((ROOT / "benchmarks/results/unet_costs.json").read_text())
TINY = Model(path=str(ROOT / "resources/tiny-sd"))


@pytest.fixture
def config(monkeypatch):
    """The embedded study's runs at the size of SD 1.4."""
    monkeypatch.chdir(ROOT)
    config = load("config/config.yaml")
    large = {"resolution": 512, "mixed_precision": "fp16", "gradient_checkpointing": True}
    return config.replace(
        study="never-run",
        machine=Machine(gpu="T4"),
        models={"tiny": Model(repo="CompVis/stable-diffusion-v1-4")},
        runs={name: run.model_copy(update=large) for name, run in config.runs.items()},
    )


def change(config, name, **values):
    """The study with other values in one run."""
    return config.replace(runs=config.runs | {name: config.runs[name].model_copy(update=values)})


def test_the_sizes_are_those_of_the_files():
    size = size_of(TINY)
    unet = UNet2DConditionModel.from_pretrained(TINY.path, subfolder="unet")
    assert size.unet == sum(p.numel() for p in unet.parameters())
    assert (size.reduction, size.width) == (4, unet.config.cross_attention_dim)
    unet.requires_grad_(False)
    from peft import LoraConfig

    modules = ["to_k", "to_q", "to_v", "to_out.0"]
    unet.add_adapter(LoraConfig(r=3, target_modules=modules))
    assert sum(p.numel() for p in unet.parameters() if p.requires_grad) == 3 * size.lora


def test_a_model_of_unknown_size_is_said_to_be():
    assert size_of(Model(repo="CompVis/stable-diffusion-v1-4")) == KNOWN[next(iter(KNOWN))]
    assert "somebody/else is not here" in size_of(Model(repo="somebody/else")).source
    three = Model(repo="somebody/sd3", pipeline="StableDiffusion3Pipeline")
    less = three.model_copy(update={"without_t5": True})
    assert size_of(three).text_encoder - size_of(less).text_encoder == 4_762_310_656
    assert size_of(less).source.endswith("the size of SD 3.5 medium is taken without its T5")
    xl = size_of(Model(repo="somebody/xl", pipeline="StableDiffusionXLPipeline"))
    known = KNOWN["stabilityai/stable-diffusion-xl-base-1.0"]
    assert xl == known._replace(source=xl.source)
    assert "somebody/xl is not here" in xl.source


@pytest.mark.parametrize(
    ("name", "repo"),
    [
        ("FLUX.1 dev", "black-forest-labs/FLUX.1-dev"),
        ("Z-Image", "Tongyi-MAI/Z-Image"),
        ("Qwen-Image", "Qwen/Qwen-Image"),
    ],
)
def test_the_transformers_are_as_they_were_counted(name, repo):
    counted = json.loads((ROOT / "benchmarks/results/transformer_costs.json").read_text())[name]
    size = size_of(Model(repo=repo))
    assert size.source == f"the size of {name}"
    assert (size.unet, size.vae) == (counted["transformer"], counted["vae"])
    assert (size.text_encoder, size.lora) == (counted["text encoders"], counted["lora"])
    for pixels, gflop in counted["gflop"].items():
        assert estimates.unet_gflop(size, int(pixels)) == pytest.approx(gflop, rel=1e-3)
    # between them it grows faster than the edge, and slower than from there to the end
    half_way = estimates.unet_gflop(size, 768)
    assert counted["gflop"]["512"] * 1.5 < half_way < counted["gflop"]["1024"] * 0.6


def test_the_constants_are_those_that_were_counted():
    assert SD14.unet == COUNTED["parameters"]
    assert SD14.lora == COUNTED["lora_parameters_per_rank"]
    assert round(COUNTED["gflop"]["forward"]) == estimates.UNET_GFLOP
    for (kind, precision), mib in estimates.KEPT_MIB.items():
        counted = COUNTED["kept_mib"][f"{kind} {precision}"]
        again = counted["largest block"] if kind == "checkpointing" else 0
        assert mib == pytest.approx(counted["all"] + again, abs=1)


def test_another_models_work_is_right_within_a_factor_of_two():
    unet = UNet2DConditionModel.from_pretrained(TINY.path, subfolder="unet")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        unet(torch.zeros(1, 4, 16, 16), 0, torch.zeros(1, 77, unet.config.cross_attention_dim))
    counted = counter.get_total_flops() / 1e9
    assert counted / 2 < estimates.unet_gflop(size_of(TINY), 64) < counted * 2


def test_eight_bit_adam_is_what_makes_a_full_fine_tune_fit_a_t4(config):
    config = change(config, "full-8bit", batch_size=1)
    assert estimates.gpu_memory_mb(config, "full-8bit") < 16_000
    config = change(config, "full-8bit", optimizer="adamw")
    assert estimates.gpu_memory_mb(config, "full-8bit") > 16_000


def test_a_training_asks_for_the_smallest_gpu_that_it_fits(config):
    models = {"a100": 40, "t4": 16, "a10": 24}
    config = config.replace(machine=Machine(gpu="T4", gpu_models=models))
    assert [estimates.gpu_model(config, mb) for mb in (15_000, 20_000, 99_000)] == [
        *("t4", "a10"),
        "a100",  # an estimate is no reason to refuse
    ]
    config = config.replace(machine=Machine(gpu="T4"))
    assert estimates.gpu_model(config, 15_000) == ""


def test_a_state_passes_through_main_memory(config):
    # 12.8 GiB, as below
    averaged = estimates.main_memory_mb(config, "critters-non-ema")
    assert averaged == pytest.approx(4000 + 12.8 * 1024**3 / 1e6, rel=0.02)
    assert estimates.main_memory_mb(config, "lora-r4") < 4100
    config = config.replace(machine=Machine(gpu="cpu"))  # the activations are there too
    assert estimates.main_memory_mb(config, "critters-non-ema") > averaged


def test_time_grows_with_the_work_and_says_what_it_rests_on(config):
    once = estimates.seconds_per_step(config, "full-8bit")
    assert "estimated, not measured" in once.source
    batch = config.runs["full-8bit"].batch_size
    config = change(config, "full-8bit", batch_size=2 * batch)
    assert estimates.seconds_per_step(config, "full-8bit").value == pytest.approx(2 * once.value)
    config = config.replace(machine=Machine(gpu="A6000"))
    assert estimates.seconds_per_step(config, "full-8bit").value < once.value


def test_a_benchmark_of_the_run_takes_the_estimates_place(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results/never-run/benchmarks/runs/full-8bit"
    folder.mkdir(parents=True)
    (folder / "000050.tsv").write_text("s\th:m:s\n100.0\t0:01:40\n")
    # stopped at the end and gone on: the file knows the last attempt only
    (folder / "000100.tsv").write_text("s\th:m:s\n4.0\t0:00:04\n")
    assert estimates.training_minutes(config, "full-8bit", 150) == 5
    source = estimates.seconds_per_step(config, "full-8bit").source
    assert "measured: the slowest of 2 segments" in source


def test_the_settings_know_the_gpus():
    assert set(get_args(Gpu)) == {*estimates.GPUS, "cpu"}


def test_the_size_of_what_is_written(config):
    weights = {"full-8bit": 859.5 * 4, "lora-r4": 0.797 * 8, "critters-non-ema": 859.5 * 8}
    for run, megabytes in weights.items():
        counted = estimates.checkpoint_bytes(config, run).value / 1e6
        assert counted == pytest.approx(megabytes, rel=0.01)
    config = change(config, "full-8bit", train_text_encoder=True)
    assert estimates.checkpoint_bytes(config, "full-8bit").value == (859_520_964 + 123_060_480) * 4
    # 12.8 GiB is what diffusers' script writes for a full fine-tune with an average
    state = estimates.state_bytes(config, "critters-non-ema").value
    assert state / 2**30 == pytest.approx(12.8, abs=0.1)
