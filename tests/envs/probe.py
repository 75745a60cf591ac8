"""Runs in an environment of a role, and tells as JSON what worked there: probe.py ROLE."""

import importlib
import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/training")]


def main():
    told = {
        "prefix": sys.prefix,
        "packages": sorted(d.metadata["Name"].lower() for d in importlib.metadata.distributions()),
    }
    told |= {"report": report, "training": training}[sys.argv[1]]()
    print(json.dumps(told))


def report():
    for script in ("report", "compare", "grid"):
        importlib.import_module(script)
    return {"report": "imported"}


def training():
    with tempfile.TemporaryDirectory() as folder:
        return adam_and_lora(Path(folder)) | {"caption": caption()}


def adam_and_lora(folder):
    """Train a LoRA with 8-bit Adam for a step, save it and load it into diffusers' pipeline."""
    import torch
    from diffusers import StableDiffusionPipeline
    from small import make_dataset, make_latents, make_pipeline

    from emaki.common import weight_files
    from emaki.training import loop, settings

    model = make_pipeline(folder / "pipeline")
    latents = make_latents(make_dataset(folder / "discs"), model, folder / "latents")
    run = {"method": "lora", "resolution": 32, "batch_size": 4, "rank": 64, "learning_rate": 0.05}
    run = settings.read(json.dumps(run | {"optimizer": "adamw8bit"}))
    trainer = loop.make_trainer(run, model, latents, torch.device("cpu"))
    before = {name: value.detach().clone() for name, value in trainer.parameters.items()}
    loop.train(trainer, 0, 1, "probe")
    moved = any(not torch.equal(before[name], trainer.parameters[name]) for name in before)
    states = {
        value.dtype
        for state in trainer.optimizer.state.values()
        for value in state.values()
        if torch.is_tensor(value)
    }
    loop.save_weights(trainer, folder)
    pipeline = StableDiffusionPipeline.from_pretrained(model)
    pipeline.load_lora_weights(folder / "raw", weight_name=weight_files.LORA)
    inputs = (torch.randn(1, 4, 8, 8), torch.tensor([10]), torch.randn(1, 16, 32))
    with torch.no_grad():
        loaded, trained = pipeline.unet(*inputs).sample, trainer.modules["unet"](*inputs).sample
    return {
        "moved": moved,
        "uint8_state": torch.uint8 in states,
        "lora_read_back": torch.allclose(loaded, trained, atol=1e-5),
    }


def caption():
    from PIL import Image

    from emaki.captioners.blip import Blip

    model = Blip(model=str(ROOT / "resources/tiny-blip")).load()
    return model.caption(Image.open(ROOT / "resources/samples.png").convert("RGB"), "probe")


if __name__ == "__main__":
    main()
