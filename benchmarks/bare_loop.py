"""A bare U-Net loop: forward, backward and optimizer on resident tensors, nothing else.

What a trainer's loop is measured against: there is nothing left in it to leave out. Arguments:
a JSON object with model, method, batch_size, mixed_precision, compile, steps.
"""

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))


def main():
    wanted = json.loads(sys.argv[1])
    from emaki.training import lazy_imports
    from emaki.training.settings import HyperParameters

    keys = ("method", "batch_size", "mixed_precision", "compile")
    run = HyperParameters(**{key: wanted[key] for key in keys})
    lazy_imports.hide_unused(run)
    torch.set_num_threads(1)
    step = make_step(wanted["model"], run)
    for _ in range(wanted["steps"]):
        step()


def make_step(model, run):
    """A function that trains one step of `run` on the pipeline folder `model`."""
    from emaki.common.devices import dtype
    from emaki.families import find
    from emaki.training import models, optimizers

    unet = models.load_denoiser(find(model), run, torch.device("cpu"))
    precision = dtype(run.mixed_precision)
    if run.method == "lora":
        from emaki.training import lora

        lora.add_lora(unet, run, run.target_modules)
    if run.compile:
        unet.compile()
    parameters = [p for p in unet.parameters() if p.requires_grad]
    optimizer = optimizers.make_optimizer(run, parameters)
    shape = (run.batch_size, unet.config.in_channels, *[unet.config.sample_size] * 2)
    latents, noise = torch.randn(shape), torch.randn(shape)
    timesteps = torch.randint(0, 1000, shape[:1])
    text = torch.randn(shape[0], 77, unet.config.cross_attention_dim)
    mixed = precision != torch.float32

    def step():
        with torch.autocast("cpu", precision if mixed else None, enabled=mixed):
            prediction = unet(latents, timesteps, text, return_dict=False)[0]
        torch.nn.functional.mse_loss(prediction.float(), noise).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


if __name__ == "__main__":
    main()
