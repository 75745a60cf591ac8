"""Fifty steps of diffusers' own script and of this trainer, on the same random numbers.

    git clone https://github.com/huggingface/diffusers /tmp/diffusers
    python benchmarks/follow_diffusers.py --peer /tmp/diffusers/examples/text_to_image

train_text_to_image.py runs unchanged; what it draws (data order, posterior, noise, timesteps) comes
from this trainer's counters instead. It needs torchvision's transforms, not its compiled part:
--peer-path names a folder that holds the package, of any build. Batches are full at an epoch's end
and there are no flips, because there the two differ by design (docs/training.md). The losses and
the largest differences go to benchmarks/results/follow_diffusers.json.
"""

import argparse
import json
import runpy
import subprocess
import sys
import tempfile
import types
from importlib.machinery import ModuleSpec
from itertools import count
from pathlib import Path
from unittest import mock

import models

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "scripts"))
STEPS, PARTS = 50, 2
RUN = {
    "method": "full",
    "resolution": models.SIZE,
    "batch_size": models.BATCH,
    "gradient_accumulation_steps": PARTS,
    "lr_scheduler": "cosine",
    "lr_warmup_steps": 10,
    "lr_total_steps": STEPS,
    "learning_rate": 1e-3,
    "snr_gamma": 5.0,
    "ema": {"preset": "diffusers"},
    "seed": 11,
}
PICTURES = 208  # thirteen batches of 8 x 2, so that the steps go through several epochs


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True, help="diffusers' examples/text_to_image")
    parser.add_argument("--peer-path", help="a folder that holds torchvision")
    parser.add_argument("--output", default=HERE / "results/follow_diffusers.json")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        models.make_dataset(folder / "data", PICTURES)
        models.make_model(folder)
        theirs = train_theirs(arguments, folder)
        ours = train_ours(folder)
    result = compare(ours, theirs)
    Path(arguments.output).write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k != "losses"}, indent=1))


def train_theirs(arguments, folder):
    """The losses, raw weights and averages of diffusers' script."""
    import accelerate
    import diffusers.models.autoencoders.vae as vae
    import torch
    from safetensors.torch import load_file

    from emaki.common import weight_files
    from emaki.training import order

    if arguments.peer_path:
        transforms_alone(arguments.peer_path)
    losses, randint, epochs = [], torch.randint, count()
    posterior, noise, timesteps = draws("posterior"), draws("noise"), draws("timesteps")

    def rows(sampler):
        return iter(order.generator(RUN["seed"], "order", next(epochs)).permutation(PICTURES))

    def only_timesteps(*arguments, **named):
        return next(timesteps) if arguments[:2] == (0, 1000) else randint(*arguments, **named)

    with (
        mock.patch.object(torch.utils.data.RandomSampler, "__iter__", rows),
        mock.patch.object(vae, "randn_tensor", side_effect=lambda *_, **__: next(posterior)),
        mock.patch.object(torch, "randn_like", side_effect=lambda _: next(noise)),
        mock.patch.object(torch, "randint", only_timesteps),
        mock.patch.object(
            accelerate.Accelerator, "log", lambda _, values, step: losses.append(values)
        ),
        mock.patch.object(sys, "argv", command(folder)),
    ):
        runpy.run_path(str(Path(arguments.peer) / "train_text_to_image.py"), run_name="__main__")
    kept = folder / f"theirs/checkpoint-{STEPS}"
    raw, ema = (load_file(kept / part / weight_files.DIFFUSERS) for part in ("unet", "unet_ema"))
    return {"losses": [row["train_loss"] for row in losses], "raw": raw, "ema": ema}


def transforms_alone(folder):
    """Make torchvision.transforms importable without what the package loads at its start."""
    import datasets  # noqa: F401 (looks whether there is a torchvision, to use its compiled part)

    package = types.ModuleType("torchvision")
    package.__path__ = [str(Path(folder) / "torchvision")]
    package.__spec__ = ModuleSpec("torchvision", None, is_package=True)
    sys.modules["torchvision"] = package


def draws(purpose):
    """What the script draws for one purpose, micro-batch by micro-batch."""
    import torch

    from emaki.training import order

    size = models.BATCH * PARTS
    for step in count():
        if purpose == "timesteps":
            numbers = order.generator(RUN["seed"], purpose, step).integers(0, 1000, size)
        else:
            shape = (size, 4, models.SIZE // 4, models.SIZE // 4)
            numbers = order.normal(RUN["seed"], purpose, step, shape)
        yield from torch.from_numpy(numbers).chunk(PARTS)


def command(folder):
    words = ["train_text_to_image.py", "--pretrained_model_name_or_path", folder / "model"]
    words += ["--train_data_dir", folder / "data/theirs", "--cache_dir", folder / "cache"]
    words += ["--output_dir", folder / "theirs", "--resolution", models.SIZE, "--center_crop"]
    words += ["--train_batch_size", models.BATCH, "--gradient_accumulation_steps", PARTS]
    words += ["--learning_rate", RUN["learning_rate"], "--lr_scheduler", RUN["lr_scheduler"]]
    words += ["--lr_warmup_steps", RUN["lr_warmup_steps"], "--snr_gamma", RUN["snr_gamma"]]
    words += ["--max_train_steps", STEPS, "--checkpointing_steps", STEPS, "--use_ema"]
    return [*map(str, words)]


def train_ours(folder):
    """The losses, raw weights and averages of this trainer."""
    import torch

    from emaki.training import loop, settings

    script = HERE.parent / "scripts/latents.py"
    encode = [sys.executable, script, "--dataset", folder / "data/ours"]
    encode += ["--model", folder / "model", "--resolution", str(models.SIZE)]
    subprocess.run([*encode, "--output", folder / "latents"], check=True, capture_output=True)
    run = settings.read(json.dumps(RUN))
    trainer = loop.make_trainer(run, folder / "model", folder / "latents", torch.device("cpu"))
    loop.train(trainer, 0, STEPS, "ours")
    losses = [row["loss"] for row in trainer.metrics.rows]
    return {"losses": losses, "raw": trainer.parameters, "ema": trainer.ema.averages}


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
    for kind in ("raw", "ema"):
        far = [
            (ours[kind][name].detach() - other).abs().max() for name, other in theirs[kind].items()
        ]
        result[f"largest difference of a weight, {kind}"] = float(max(far))
    return result


if __name__ == "__main__":
    main()
