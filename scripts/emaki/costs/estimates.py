"""What a run will take, before it runs: time, GPU memory and disk.

Figures are estimates. What they rest on is in the constants below, each with its source, and every
figure says which of them it used. Where the study has benchmark files of the same run, its time is
taken from those. The Snakefile asks, so nothing heavy is imported here.
"""

import csv
import math
from pathlib import Path
from typing import NamedTuple

from emaki.config.settings import Study
from emaki.costs.sizes import SD14, Size, size_of
from emaki.training.settings import Run

MB = 1_000_000


class Figure(NamedTuple):
    """A number and, for people, where it comes from."""

    value: float
    source: str


class Gpu(NamedTuple):
    """Memory in GB and peak speed in TFLOP/s: tensor cores at 16 bits (dense), and fp32."""

    memory_gb: float
    half: float
    single: float


# NVIDIA's data sheets.
GPUS = {
    "T4": Gpu(16, 65, 8.1),
    "V100": Gpu(16, 125, 15.7),
    "RTX 3090": Gpu(24, 71, 35.6),
    "RTX 4090": Gpu(24, 165, 82.6),
    "L4": Gpu(24, 121, 30.3),
    "A10": Gpu(24, 125, 31.2),
    "A100": Gpu(40, 312, 19.5),
    "A6000": Gpu(48, 154.8, 38.7),
    "H100": Gpu(80, 989, 67),
    "H200": Gpu(141, 989, 67),
}
# Share of the peak. The Lambda Labs notebook says that 15,000 steps of 8 pictures, fp32, took 6 h
# on two A6000: 15,000 x 8 x 3,537 GFLOP in 2 x 6 h x 38.7 TFLOP/s. 16 bits are taken to do as well.
UTILISATION = 0.25
# A core of an AMD EPYC with the miniature's U-Net, forward, backward and AdamW in fp32.
CPU_TFLOPS = 0.06

# SD 1.4 at 512 px, per picture, in GFLOP (benchmarks/results/unet_costs.json; the VAE's decoder
# by the same count). Another model's are taken to grow with its parameters and its latents' area,
# which for the miniature gives 0.6 of what is counted; of what is counted by itself see sizes.py.
UNET_GFLOP, VAE_DECODER_GFLOP = 803, 2515
# In forward passes: the backward pass is two; a LoRA's needs no gradients of the frozen weights,
# and a little for its own; checkpointing computes the forward pass again.
PASSES = {"full": 3.0, "lora": 2.16}

# MiB that autograd keeps of a picture of SD 1.4 at 512 px, with attention that keeps no matrix
# (sdpa, xformers), and with checkpointing also what one block keeps while it is computed again.
# Counted (benchmarks/results/unet_costs.json). They grow with the area and the model's width.
KEPT_MIB = {
    ("full", "half"): 1183,
    ("full", "single"): 1783,
    ("lora", "half"): 1073,
    ("lora", "single"): 1562,
    ("checkpointing", "half"): 175 + 93,
    ("checkpointing", "single"): 295 + 156,
}
# CUDA's context, cuDNN's and cuBLAS's workspaces, fragments: assumed.
CONTEXT_MB = 1500
# Main memory of a process with PyTorch and CUDA's libraries: assumed.
PROGRAM_MB = 4000
# Bytes per trained parameter that an optimizer keeps; 8 bits with their scales per 256 of them.
MOMENTS = {"adamw": 8, "adamw8bit": 2 + 2 * 4 / 256, "adafactor": 0.1}
BYTES = {"fp16": 2, "fp32": 4}
# Bytes of other repositories: of weights their parameters in fp32, of datasets what is brought.
DOWNLOADS = {
    "openai/clip-vit-large-patch14": 428e6 * 4,
    "google/siglip2-base-patch16-224": 375e6 * 4,
    "facebook/dinov2-base": 87e6 * 4,
    "yuvalkirstain/PickScore_v1": 986e6 * 4,
    "Salesforce/blip-image-captioning-large": 470e6 * 4,
    "reach-vb/pokemon-blip-captions": 99_672_355,
    "image-search-2/unsplash_lite_image_dataset": 116e6,
    "1aurent/unsplash-lite": 619e6,
}


def training_minutes(study: Study, run: str, steps: int) -> int:
    """Minutes that `steps` optimizer steps of a run take on the study's machine, rounded up."""
    return math.ceil(seconds_per_step(study, run).value * steps / 60)


def gpu_memory_mb(study: Study, run: str) -> int:
    """MB of GPU memory that each process of a run's training needs at its peak, rounded up."""
    return math.ceil(training_memory(study, run).value / MB)


def main_memory_mb(study: Study, run: str) -> int:
    """MB of main memory that each process of a run's training needs at its peak, rounded up.

    Without a GPU the training is there. With one, the state is when it is read or written. What the
    job reads, the base model and latents, comes in addition.
    """
    held = training_memory if gpu_of(study) is None else state_bytes
    return PROGRAM_MB + math.ceil(held(study, run).value / MB)


def gpu_model(study: Study, megabytes: float) -> str:
    """The smallest of the machine's `gpu_models` with so much memory, else the largest.

    An estimate is no reason to refuse a job. "" where the machine has no such table.
    """
    models = study.machine.gpu_models
    fitting = [name for name in models if models[name] * 1000 >= megabytes]
    if fitting:
        return min(fitting, key=models.__getitem__)
    return max(models, key=models.__getitem__, default="")


def seconds_per_step(study: Study, run: str) -> Figure:
    """Figure: seconds of an optimizer step on the study's machine."""
    entry = study.runs[run]
    if measured := _measured(study, run):
        return measured
    size = size_of(study.models[entry.model])
    passes = PASSES[entry.method] + entry.gradient_checkpointing
    pictures = entry.batch_size * entry.gradient_accumulation_steps
    gflop = passes * unet_gflop(size, entry.resolution) * pictures
    speed = _tflops(study, entry)
    return Figure(
        gflop / 1000 / speed.value,
        f"estimated, not measured: {gflop:,.0f} GFLOP a step ({passes:g} forward passes x"
        f" {pictures} pictures; {size.source}) at {speed.source}",
    )


def unet_gflop(size: Size, resolution: int) -> float:
    """GFLOP of a denoiser's forward pass for one picture of `resolution` pixels."""
    area = _area(size, resolution)
    if size.gflop is None:
        return UNET_GFLOP * size.unet / SD14.unet * area
    small, middle, large = size.gflop  # of areas 1/4, 1 and 4: attention grows with their squares
    first, second = (middle - small) / 0.75, (large - middle) / 3
    return middle + (area - 1) * (first + (area - 0.25) * (second - first) / 3.75)


def decoder_gflop(size: Size, resolution: int) -> float:
    """GFLOP of a VAE's decoder for one picture of `resolution` pixels."""
    return VAE_DECODER_GFLOP * size.vae / SD14.vae * _area(size, resolution)


def training_memory(study: Study, run: str) -> Figure:
    """Figure: bytes of GPU memory of one process of a run's training at its peak."""
    entry = study.runs[run]
    size = size_of(study.models[entry.model])
    kept, half = _kept(entry, size), entry.mixed_precision != "no"
    trained = trained_parameters(entry, size)
    frozen = 0 if entry.method == "full" else size.unet
    parts = {
        "frozen weights": frozen * (2 if half else 4),
        "trained weights and gradients": trained * (8 + 2 * half),  # autocast keeps 16-bit copies
        f"{entry.optimizer}'s moments": trained * MOMENTS[entry.optimizer],
        "averages": trained * 4 if entry.ema else 0,
        f"activations of {entry.batch_size} pictures": kept * entry.batch_size,
        "context and workspace": CONTEXT_MB * MB,
    }
    if entry.train_text_encoder and entry.method == "lora":
        parts["text encoder"] = size.text_encoder * 4
    said = " + ".join(f"{value / 1e9:.1f} {name}" for name, value in parts.items() if value > 5e7)
    return Figure(sum(parts.values()), f"estimated, not measured, GB: {said} ({size.source})")


def trained_parameters(entry: Run, size: Size) -> int:
    """How many parameters a run (its entry) trains: whole models', or the LoRA's on the U-Net.

    A LoRA's `target_modules` are taken to be the default ones, its text encoder's not counted.
    """
    if entry.method == "lora":
        return size.lora * entry.rank
    return size.unet + (size.text_encoder if entry.train_text_encoder else 0)


def checkpoint_bytes(study: Study, run: str) -> Figure:
    """Figure: bytes of the weights of one checkpoint of a run."""
    entry = study.runs[run]
    size = size_of(study.models[entry.model])
    kinds = 2 if entry.ema else 1
    if entry.method == "lora":
        kinds *= 2  # each once more for web UIs
    width, trained = BYTES[entry.save_precision], trained_parameters(entry, size)
    source = f"{trained / 1e6:,.1f} M parameters x {width} bytes x {kinds} ({size.source})"
    return Figure(trained * width * kinds, source)


def state_bytes(study: Study, run: str) -> Figure:
    """Figure: bytes of the state that a run goes on from."""
    entry = study.runs[run]
    size = size_of(study.models[entry.model])
    width = 4 + MOMENTS[entry.optimizer] + (4 if entry.ema else 0)
    trained = trained_parameters(entry, size)
    source = f"{trained / 1e6:,.1f} M parameters x {width:.1f} bytes ({size.source})"
    return Figure(trained * width, source)


def gpu_of(study: Study) -> Gpu | None:
    """The Gpu of the study's machine, its memory as the config says; None for a CPU."""
    machine = study.machine
    if machine.gpu == "cpu":
        return None
    gpu = GPUS[machine.gpu]
    return gpu._replace(memory_gb=machine.gpu_memory_gb or gpu.memory_gb)


def _tflops(study: Study, entry: Run) -> Figure:
    """Figure: TFLOP/s of the study's machine in a run's precision, as far as it is used."""
    return _speed(study, entry.mixed_precision != "no", entry.threads)


def seconds_of(study: Study, gflop: float, half: bool) -> Figure:
    """Figure: seconds for so much work on the study's machine; `half` is 16 bits on a GPU."""
    speed = _speed(study, half, 1)
    return Figure(gflop / 1000 / speed.value, f"estimated, not measured, at {speed.source}")


def drawing_seconds(study: Study, model: str, pictures: int) -> Figure:
    """Figure: seconds of drawing so many pictures with a base model or its fine-tunes.

    Two forward passes a step where there is guidance that the model is not told, and the VAE's
    decoder.
    """
    sampling, size = study.sampling, size_of(study.models[model])
    twice = sampling.guidance_scale > 1 and study.models[model].family.guidance is None
    unet = sampling.steps * (1 + twice) * unet_gflop(size, sampling.resolution)
    decoder = decoder_gflop(size, sampling.resolution)
    return seconds_of(study, pictures * (unet + decoder), half=True)


def _speed(study: Study, half: bool, threads: int) -> Figure:
    gpu = gpu_of(study)
    if gpu is None:
        return Figure(CPU_TFLOPS * threads, f"{CPU_TFLOPS} TFLOP/s a core x {threads}")
    peak, name = gpu.half if half else gpu.single, study.machine.gpu
    source = f"{UTILISATION:.0%} of the {peak:g} TFLOP/s of {name} in {16 if half else 32} bits"
    return Figure(UTILISATION * peak, source)


def _kept(entry: Run, size: Size) -> float:
    """Bytes that autograd keeps of one picture."""
    kind = "checkpointing" if entry.gradient_checkpointing else entry.method
    mib = KEPT_MIB[kind, "half" if entry.mixed_precision != "no" else "single"]
    return mib * 2**20 * math.sqrt(size.unet / SD14.unet) * _area(size, entry.resolution)


def _area(size: Size, resolution: int) -> float:
    """Pixels of a latent, in those of SD 1.4 at 512 px."""
    return (resolution / size.reduction / 64) ** 2


def _measured(study: Study, run: str) -> Figure | None:
    """Figure: seconds of a step from the run's benchmark files; None where there are none.

    Of the slowest segment, because the file of one that was resumed has its last attempt only.
    """
    entry = study.runs[run]
    files = sorted(Path(f"results/{study.study}/benchmarks/runs/{run}").glob("*.tsv"))
    seconds = [float(row["s"]) for path in files for row in _rows(path)]
    if not seconds:
        return None
    slowest = max(seconds) / entry.checkpoint_every
    source = f"measured: the slowest of {len(seconds)} segments of this run in {files[0].parent}"
    return Figure(slowest, source)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))
