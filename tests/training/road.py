"""The road that a model of any family goes: trained in segments, merged, drawn and loaded."""

import itertools
import json
from unittest import mock

import torch
from safetensors.torch import load_file

from emaki.common import weight_files
from emaki.sampling import sampler
from emaki.training import data, export, loop, merging, segment, settings

CPU = torch.device("cpu")


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
