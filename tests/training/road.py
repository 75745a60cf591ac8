"""The road that a model of any family goes: trained in segments, merged, drawn and loaded."""

import itertools
import json
from unittest import mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small import SIZE

from emaki.common import weight_files
from emaki.sampling import sampler
from emaki.sampling.settings import Sampling
from emaki.training import data, export, loop, merging, segment, settings

CPU = torch.device("cpu")
COMMON = {"resolution": SIZE, "batch_size": 2, "random_flip": True, "learning_rate": 1e-3}
SAMPLING = Sampling(
    steps=2, guidance_scale=3.0, seeds=[0], resolution=SIZE, scheduler="euler", batch_size=2
)


def make_trainer(run, model, latents):
    return loop.make_trainer(settings.read(json.dumps(run)), model, latents, CPU)


def train(run, model, latents, folder, *stops):
    """Train in segments that end at `stops`; return the last checkpoint's folder."""
    for first, last in itertools.pairwise((0, *stops)):
        part = segment.Segment(
            name="run",
            model=model,
            latents=latents,
            from_step=first,
            to_step=last,
            state=folder / f"states/{first}" if first else None,
            output=folder / f"runs/{last}",
            state_output=folder / f"states/{last}",
        )
        with mock.patch.object(segment, "device", return_value=CPU):
            segment.run_segment(part, settings.read(json.dumps(run)))
    return folder / f"runs/{stops[-1]}"


def check_losses(ours, transformer, scheduler, normalise, predict):
    """Compare the losses of four steps of a full fine-tune, of which `ours` is the trainer, with
    those of diffusers' scripts of flow matching, written again.

    `normalise` makes the transformer's latents of the VAE's, and `predict` is asked with noisy
    latents, the scheduler's timesteps and what the captions became.
    """
    optimizer, losses = torch.optim.AdamW(transformer.train().parameters(), lr=1e-3), []
    for step in range(4):
        batch = data.batch_of_step(ours.latents, ours.run, step, 2, ours.process)
        normal = data.order.generator(0, "timesteps", step).standard_normal(2, dtype=np.float32)
        indices = (torch.sigmoid(torch.from_numpy(normal)) * 1000).long()
        sigmas = scheduler.sigmas[indices].view(-1, 1, 1, 1)
        rows = torch.from_numpy(data.order.rows(0, step, 2, 7))
        flip = torch.from_numpy(data.order.generator(0, "flip", step).integers(0, 2, 2))
        drawn = torch.from_numpy(data.order.normal(0, "posterior", step, batch.noise.shape))
        sample = normalise(ours.latents.mean[rows, flip] + ours.latents.std[rows, flip] * drawn)
        noisy = (1.0 - sigmas) * sample + sigmas * batch.noise
        prediction = predict(noisy, scheduler.timesteps[indices], batch.conditions)
        loss = torch.mean((prediction - (batch.noise - sample)).square().reshape(2, -1), 1).mean()
        loss.backward()
        losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(transformer.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    loop.train(ours, 0, 4, "ours")
    assert [row["loss"] for row in ours.metrics.rows] == pytest.approx(losses, rel=1e-5)


def check_segments(run, model, latents, folder):
    """Compare a training in one go with one in segments, byte by byte; return its raw weights."""
    one, two = (train(run, model, latents, folder / str(s), *s) for s in ((3,), (1, 3)))
    assert (one / "checkpoint.json").read_text() == (two / "checkpoint.json").read_text()
    return one / "weights/raw"


def check_drawn(run, model, raw, sampling, folder):
    """See that base, fine-tune and what lies between draw three pictures."""
    if run["method"] == "full":
        merging.merge(model, raw, 0.5, folder / "merge")
        files = (model / "transformer", raw, folder / "merge")
        base, ours, between = (load_file(file / weight_files.DIFFUSERS) for file in files)
        for name in base:
            torch.testing.assert_close(between[name], (base[name] + ours[name]) / 2)
        variants = [{}, {"weights": raw}, {"weights": folder / "merge"}]
    else:
        variants = [{}, {"lora": raw}, {"lora": raw, "lora_scale": 0.5}]
    pictures = [
        sampler.sample(
            {"a red disc": None},
            sampling,
            "it",
            lambda variant=variant: sampler.load_pipeline(model, **variant, scheduler="euler"),
            folder / f"store{number}",
        )["image"][0]["bytes"]
        for number, variant in enumerate(variants)
    ]
    assert len(set(pictures)) == 3


def check_exported(model, raw, folder):
    """See that a full fine-tune is exported as a whole pipeline, which reads captions as before."""
    from diffusers import DiffusionPipeline

    assert export.export_pipeline(model, raw, folder, "mine") == []
    whole, base = (DiffusionPipeline.from_pretrained(path) for path in (folder, model))
    ours = load_file(raw / weight_files.DIFFUSERS)
    theirs = whole.transformer.state_dict()
    assert all(torch.equal(theirs[name], tensor) for name, tensor in ours.items())
    with torch.no_grad():
        texts, before = (one.encode_prompt("a red disc")[0] for one in (whole, base))
    assert torch.equal(texts[0], before[0])


def check_loads_in_diffusers(run, model, latents, folder, file=weight_files.LORA):
    """See that a trained LoRA predicts the same where diffusers' stock pipeline loads its file, and
    where another training starts from it."""
    from diffusers import DiffusionPipeline

    trainer = make_trainer(run | {"learning_rate": 0.05}, model, latents)
    loop.train(trainer, 0, 3, "lora")
    loop.save_weights(trainer, folder)
    batch = data.batch_of_step(trainer.latents, trainer.run, 0, 2, trainer.process)
    part, said = trainer.family.denoiser, []
    pipeline = DiffusionPipeline.from_pretrained(model)
    with torch.no_grad():
        said.append(trainer.predict(batch))
        trainer.modules[part] = getattr(pipeline, part)
        said.append(trainer.predict(batch))
        pipeline.load_lora_weights(folder / "raw" / file)
        said.append(trainer.predict(batch))
        again = make_trainer(run | {"train_init": {"folder": str(folder / "raw")}}, model, latents)
        said.append(again.predict(batch))
    ours, before, after, gone_on = said
    torch.testing.assert_close(after, ours)
    torch.testing.assert_close(gone_on, ours)
    assert (after - before).abs().max() > 1e-4
