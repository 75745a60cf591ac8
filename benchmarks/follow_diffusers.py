"""Fifty steps of diffusers' own scripts and of this trainer, on the same random numbers.

    git clone https://github.com/huggingface/diffusers /tmp/diffusers
    python benchmarks/follow_diffusers.py --peer /tmp/diffusers/examples/text_to_image
    python benchmarks/follow_diffusers.py --peer ... --case sdxl-lora
    python benchmarks/follow_diffusers.py --peer /tmp/diffusers/examples/dreambooth --case sd3-lora
    python benchmarks/follow_diffusers.py --peer /tmp/diffusers/examples/dreambooth --case flux-lora

and z-image-lora and qwen-image-lora likewise.

The script runs unchanged; what it draws (data order, posterior, noise, timesteps, a LoRA's first
weights) comes from this trainer's counters instead. It needs torchvision's transforms, not its
compiled part: --peer-path names a folder that holds the package, of any build. Batches are full at
an epoch's end and there are no flips, because there the two differ by design (docs/training.md).
The losses and the largest differences go to benchmarks/results/follow_diffusers.json, or
follow_diffusers-{case}.json.
"""

import argparse
import json
import os
import random
import runpy
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable
from functools import partial
from importlib.machinery import ModuleSpec
from itertools import count
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import models
from small import (
    make_flux_pipeline,
    make_qwen_image_pipeline,
    make_sd3_pipeline,
    make_sdxl_pipeline,
    make_z_image_pipeline,
)

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "scripts"))
os.environ["HF_HUB_OFFLINE"] = "1"  # all is here; peft would ask a hub for the model's card
STEPS, PARTS = 50, 2
COMMON = {
    "resolution": models.SIZE,
    "batch_size": models.BATCH,
    "gradient_accumulation_steps": PARTS,
    "lr_scheduler": "cosine",
    "lr_warmup_steps": 10,
    "lr_total_steps": STEPS,
    "learning_rate": 1e-3,
    "seed": 11,
}
DDPM = COMMON | {"snr_gamma": 5.0}
FULL = DDPM | {"method": "full", "ema": {"preset": "diffusers"}}
# train_text_to_image_lora_sdxl.py multiplies its schedule by the micro-batches of a step, but goes
# on in it once a step: warm-up and the way to 0 are as many times as long as it was told.
SDXL = DDPM | {
    "method": "lora",
    "rank": 4,
    "lr_warmup_steps": COMMON["lr_warmup_steps"] * PARTS,
    "lr_total_steps": STEPS * PARTS,
}


FLOW = COMMON | {"method": "lora", "rank": 4, "weight_decay": 1e-2}
# The scripts of examples/dreambooth; --instance_prompt must be given and is not used.
DREAMBOOTH = ["--image_column", "image", "--caption_column", "text", "--instance_prompt", "none"]
DREAMBOOTH += ["--rank", 4, "--adam_weight_decay", FLOW["weight_decay"]]
DREAMBOOTH += ["--weighting_scheme", "logit_normal"]
SD3_LAYERS = ["attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"]
SD3_LAYERS += ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out"]
FLUX_LAYERS = ["attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "ff.net.2", "add_k_proj"]


def make_narrow_z_image_pipeline(folder):
    """Write a Z-Image whose VAE is sure of its latents: its script takes the posterior's mean."""
    from safetensors.torch import load_file, save_file

    path = make_z_image_pipeline(folder) / "vae/diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    weights["quant_conv.weight"].chunk(2)[1].zero_()
    weights["quant_conv.bias"].chunk(2)[1].fill_(-30)
    save_file(weights, path, metadata={"format": "pt"})


class Case(NamedTuple):
    """A script and what it is followed in."""

    script: str
    make_model: Callable[[Path], object]
    run: dict
    flags: list
    widths: int = 1
    """Of the pictures, for a model that is told of crops."""
    pictures: int = 208
    """By default thirteen batches of 8 x 2, so that the steps go through several epochs."""
    epochs_before: int = 0
    """How often the script goes through all pictures before it trains, to encode their captions."""

    @property
    def flow(self):
        """Whether its script is of flow matching; these are in examples/dreambooth."""
        return "snr_gamma" not in self.run


CASES = {
    "full": Case(
        "train_text_to_image.py",
        models.make_model,
        FULL,
        ["--use_ema", "--snr_gamma", DDPM["snr_gamma"]],
    ),
    "sdxl-lora": Case(
        "train_text_to_image_lora_sdxl.py",
        make_sdxl_pipeline,
        SDXL,
        ["--rank", 4, "--snr_gamma", DDPM["snr_gamma"]],
        widths=5,
    ),
    "flux-lora": Case(
        "train_dreambooth_lora_flux.py",
        make_flux_pipeline,
        FLOW | {"target_modules": FLUX_LAYERS, "guidance_scale": 2.0},
        [
            *(*DREAMBOOTH, "--lora_alpha", 4, "--guidance_scale", 2.0),
            *("--lora_layers", ",".join(FLUX_LAYERS)),
        ],
    ),
    "sd3-lora": Case(
        "train_dreambooth_lora_sd3.py",
        partial(make_sd3_pipeline, with_t5=True, longest=77),
        FLOW | {"target_modules": SD3_LAYERS},
        # T5's tokens as many as the pipeline draws with; the loss on what the transformer says
        [*DREAMBOOTH, "--max_sequence_length", 256, "--precondition_outputs", 0],
    ),
    # This script has the same batches in every epoch, so the steps are one epoch.
    "z-image-lora": Case(
        "train_dreambooth_lora_z_image.py",
        make_narrow_z_image_pipeline,
        FLOW,
        [*DREAMBOOTH, "--lora_alpha", 4, "--skip_final_inference"],
        pictures=STEPS * PARTS * models.BATCH,
    ),
    "qwen-image-lora": Case(
        "train_dreambooth_lora_qwen_image.py",
        make_qwen_image_pipeline,
        FLOW,
        [*DREAMBOOTH, "--lora_alpha", 4, "--skip_final_inference"],
        epochs_before=1,
    ),
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True, help="the script's folder in diffusers' examples")
    parser.add_argument("--peer-path", help="a folder that holds torchvision")
    parser.add_argument("--case", choices=CASES, default="full")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    case = CASES[arguments.case]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        models.make_dataset(folder / "data", case.pictures, case.widths)
        case.make_model(folder)
        theirs = train_theirs(arguments, case, folder)
        ours = train_ours(case, folder)
    result = compare(ours, theirs)
    name = "follow_diffusers" if arguments.case == "full" else f"follow_diffusers-{arguments.case}"
    (HERE / f"results/{name}.json").write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k != "losses"}, indent=1))


def train_theirs(arguments, case, folder):
    """The losses and the weights by kind of diffusers' script."""
    import accelerate
    import diffusers.models.autoencoders.vae as vae
    import torch
    from diffusers.loaders.peft import PeftAdapterMixin

    from emaki.training import order

    if arguments.peer_path:
        transforms_alone(arguments.peer_path)
    losses, randint, epochs = [], torch.randint, count(-case.epochs_before)
    posterior, noise = draws("posterior"), draws("noise")
    timesteps = draws("places" if case.flow else "timesteps")

    def permutation():
        generator = order.generator(COMMON["seed"], "order", max(0, next(epochs)))
        return generator.permutation(case.pictures).tolist()

    def rows(sampler):
        return iter(permutation())

    def shuffle(items):
        if items == list(range(case.pictures)):  # else they are batches of such
            items[:] = permutation()

    def only_timesteps(*arguments, **named):
        return next(timesteps) if arguments[:2] == (0, 1000) else randint(*arguments, **named)

    def places(**named):
        return next(timesteps)

    def add_adapter(model, config, add=PeftAdapterMixin.add_adapter):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(COMMON["seed"])
            add(model, config)

    with (
        mock.patch.object(PeftAdapterMixin, "add_adapter", add_adapter),
        mock.patch.object(torch.utils.data.RandomSampler, "__iter__", rows),
        mock.patch.object(random, "shuffle", shuffle),
        mock.patch.object(vae, "randn_tensor", lambda shape, **_: next(posterior).view(shape)),
        mock.patch.object(torch, "randn_like", lambda like: next(noise).view_as(like)),
        mock.patch.object(torch, "randint", randint if case.flow else only_timesteps),
        mock.patch.object(torch, "normal", places if case.flow else torch.normal),
        mock.patch.object(
            accelerate.Accelerator, "log", lambda _, values, step: losses.append(values)
        ),
        mock.patch.object(sys, "argv", command(case, folder)),
    ):
        runpy.run_path(str(Path(arguments.peer) / case.script), run_name="__main__")
    weights = read_weights(case, folder / f"theirs/checkpoint-{STEPS}")
    return {"losses": losses_of_steps(losses), **weights}


def losses_of_steps(rows):
    """The loss of each step from what the script has logged: of each step, or of each part."""
    if "train_loss" in rows[0]:
        return [row["train_loss"] for row in rows]
    parts = [row["loss"] for row in rows]
    return [sum(parts[first : first + PARTS]) / PARTS for first in range(0, len(parts), PARTS)]


def read_weights(case, kept):
    """{kind: weights} of a checkpoint of theirs, by the names of our parameters."""
    from diffusers.utils import convert_unet_state_dict_to_peft
    from safetensors.torch import load_file

    from emaki.common import weight_files

    if case.run["method"] == "full":
        parts = {"raw": "unet", "ema": "unet_ema"}
        return {kind: load_file(kept / parts[kind] / weight_files.DIFFUSERS) for kind in parts}
    named = convert_unet_state_dict_to_peft(load_file(kept / weight_files.LORA))
    return {
        "raw": {
            name.split(".", 1)[1].replace(".weight", ".default.weight"): tensor
            for name, tensor in named.items()
        }
    }


def transforms_alone(folder):
    """Make torchvision.transforms importable without what the package loads at its start."""
    import datasets  # noqa: F401 (looks whether there is a torchvision, to use its compiled part)

    package = types.ModuleType("torchvision")
    package.__path__ = [str(Path(folder) / "torchvision")]
    package.__spec__ = ModuleSpec("torchvision", None, is_package=True)
    sys.modules["torchvision"] = package


def draws(purpose):
    """What the script draws for one purpose, micro-batch by micro-batch; "places" are those of flow
    matching in the schedule, before the sigmoid."""
    import torch

    from emaki.training import order

    size = models.BATCH * PARTS
    for step in count():
        if purpose == "timesteps":
            numbers = order.generator(COMMON["seed"], purpose, step).integers(0, 1000, size)
        elif purpose == "places":
            generator = order.generator(COMMON["seed"], "timesteps", step)
            numbers = generator.standard_normal(size, dtype="float32")
        else:
            shape = (size, 4, models.SIZE // 4, models.SIZE // 4)
            numbers = order.normal(COMMON["seed"], purpose, step, shape)
        yield from torch.from_numpy(numbers).chunk(PARTS)


def command(case, folder):
    words = [case.script, "--pretrained_model_name_or_path", folder / "model"]
    words += ["--dataset_name" if case.flow else "--train_data_dir", folder / "data/theirs"]
    words += ["--cache_dir", folder / "cache"]
    words += ["--output_dir", folder / "theirs", "--resolution", models.SIZE, "--center_crop"]
    words += ["--train_batch_size", models.BATCH, "--gradient_accumulation_steps", PARTS]
    words += ["--learning_rate", COMMON["learning_rate"], "--lr_scheduler", COMMON["lr_scheduler"]]
    words += ["--lr_warmup_steps", COMMON["lr_warmup_steps"]]
    words += ["--max_train_steps", STEPS, "--checkpointing_steps", STEPS, *case.flags]
    return [*map(str, words)]


def train_ours(case, folder):
    """The losses and the weights by kind of this trainer."""
    import torch

    from emaki.training import loop, settings

    script = HERE.parent / "scripts/latents.py"
    encode = [sys.executable, script, "--dataset", folder / "data/ours"]
    encode += ["--model", folder / "model", "--resolution", str(models.SIZE)]
    subprocess.run([*encode, "--output", folder / "latents"], check=True, capture_output=True)
    run = settings.read(json.dumps(case.run))
    trainer = loop.make_trainer(run, folder / "model", folder / "latents", torch.device("cpu"))
    loop.train(trainer, 0, STEPS, "ours")
    losses = [row["loss"] for row in trainer.metrics.rows]
    averages = {"ema": trainer.ema.averages} if trainer.ema else {}
    return {"losses": losses, "raw": trainer.parameters, **averages}


def compare(ours, theirs):
    pairs = list(zip(ours["losses"], theirs["losses"], strict=True))
    apart = [abs(mine - other) / other for mine, other in pairs]
    result = {
        "losses": {"ours": ours["losses"], "diffusers": theirs["losses"]},
        "relative difference of the loss": {
            "steps 1 to 5": max(apart[:5]),
            f"steps 1 to {STEPS}": max(apart),
        },
    }
    for kind in theirs.keys() - {"losses"}:
        far = [
            (ours[kind][name].detach() - other).abs().max() for name, other in theirs[kind].items()
        ]
        result[f"largest difference of a weight, {kind}"] = float(max(far))
    return result


if __name__ == "__main__":
    main()
