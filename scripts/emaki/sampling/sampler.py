"""Pictures of fixed prompts and fixed seeds, so that models can be compared pair by pair."""

import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import PIL.Image
import pyarrow as pa
import torch
from PIL.Image import Image

from emaki.common import parquet_groups, parquet_images, python_code
from emaki.common.batching import filled
from emaki.common.devices import device, dtype
from emaki.common.files import replacing, sha256
from emaki.common.progress import bar, tell
from emaki.common.safetensors_header import read_places
from emaki.families import Family, find, find_class
from emaki.sampling.settings import Sampling

READ = {".json", ".jinja", ".model", ".safetensors", ".txt"}  # what a pipeline is loaded from
SCHEMA = parquet_images.schema(
    variant="string",
    prompts="string",
    prompt="string",
    seed="int64",
    image="image",
    key="string",
    held_out="bool",
)


class Pipelines:
    """The pipelines of one base model that draw with the weights of one variant after another.

    What variants have in common (text encoders, VAE) is loaded once. The denoiser, and encoders
    that a variant has of its own, are loaded for each: a LoRA that was fused in does not come out
    again to the bit.
    """

    def __init__(self, model: str | Path, scheduler: str = "ddim") -> None:
        self.family = find(model)
        self.scheduler = scheduler
        self._shared: dict[str, Any] = {}

    def load(
        self,
        weights: str | Path | None = None,
        lora: str | Path | None = None,
        scale: float = 1.0,
    ) -> Any:
        """The pipeline with the weights of a checkpoint's or merge's folder in place of the base's
        own, or with a LoRA folder fused in at a scale."""
        family, own = self.family, self._own(weights, lora)
        shared = {name: part for name, part in self._shared.items() if name not in own}
        pipeline = family.load_pipeline(weights, precision(family), shared)
        if lora:
            pipeline.load_lora_weights(lora)
            pipeline.fuse_lora(lora_scale=scale)
        parts = {name: part for name, part in pipeline.components.items() if part is not None}
        self._shared |= {name: part for name, part in parts.items() if name not in own}
        pipeline.scheduler = family.make_scheduler(self.scheduler, pipeline.scheduler.config)
        pipeline.set_progress_bar_config(disable=True)
        for part in (family.denoiser, "vae"):
            module = getattr(pipeline, part)
            # these are a tenth to a fifth faster so; there are none for convolutions of films
            if all(weight.ndim < 5 for weight in module.parameters()):
                module.to(memory_format=torch.channels_last)
        return pipeline.to(device())

    def identity(self, digests: Iterable[str], sampling: Sampling, scale: float = 1.0) -> str:
        """A digest of all that a variant's picture depends on besides its prompt and seed.

        `digests` are those of the weights that it has of its own, `sampling` the settings.
        """
        settings = sampling.model_dump(exclude={"seeds"}) | {"lora_scale": scale}
        parts = [*self._digests, *digests, json.dumps(settings, sort_keys=True)]
        parts.append(str(precision(self.family)))
        code = [__file__, inspect.getfile(type(self.family))]
        parts += [*map(python_code.meaning, code), diffusers.__version__]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @functools.cached_property
    def _digests(self) -> list[str]:
        """The digests of the base's files."""
        files = [f for f in sorted(self.family.folder.rglob("*")) if f.suffix in READ]
        return [sha256(path) for path in files if ".non_ema." not in path.name]

    def _own(self, weights: str | Path | None, lora: str | Path | None) -> set[str]:
        """The parts of a pipeline that a variant has of its own."""
        found = {self.family.denoiser}
        if weights:
            found |= {part for part in self.family.encoders if Path(weights, part).is_dir()}
        for path in Path(lora).glob("*.safetensors") if lora else ():
            found |= {name.partition(".")[0] for name in read_places(path)}
        return found


def load_pipeline(
    model: str | Path,
    *,
    weights: str | Path | None = None,
    lora: str | Path | None = None,
    lora_scale: float = 1.0,
    scheduler: str = "ddim",
) -> Any:
    """One pipeline of `Pipelines`."""
    return Pipelines(model, scheduler).load(weights, lora, lora_scale)


def precision(family: Family) -> torch.dtype:
    """The precision that pictures are drawn in: the family's half on a GPU, float32 on a CPU."""
    return dtype(family.half if device().type == "cuda" else "fp32")


def sample(
    prompts: Mapping[str, bool | None],
    sampling: Sampling,
    identity: str,
    load: Callable[[], Any],
    store: str | Path,
    label: str = "",
) -> dict[str, list]:
    """Draw each prompt with each of the seeds; return columns (see `write`).

    `prompts` is {prompt: whether it is a caption that no run trains on, None if it is no caption}.
    `load` returns the pipeline and is called only if a picture is missing or damaged in `store`, a
    folder that keeps every picture under the digest of what made it: a new prompt or seed, or a job
    that was stopped, does not draw the others again.
    """
    wanted = [(prompt, seed) for prompt in prompts for seed in sampling.seeds]
    paths = {pair: _picture_path(store, identity, *pair) for pair in wanted}
    missing = [pair for pair in wanted if not _is_whole(paths[pair])]
    batches = [
        missing[n : n + sampling.batch_size] for n in range(0, len(missing), sampling.batch_size)
    ]
    pipeline = load() if missing else None
    for batch in bar(batches, unit="batches", label=label):
        for pair, image in zip(batch, _draw(pipeline, batch, sampling)):
            with replacing(paths[pair]) as temporary:
                image.save(temporary, "PNG")
    tell(f"{label}: {len(missing)} pictures drawn, {len(wanted) - len(missing)} kept")
    rows = [
        (prompt, seed, {"bytes": path.read_bytes(), "path": None}, path.stem, prompts[prompt])
        for (prompt, seed), path in paths.items()
    ]
    return {name: [row[place] for row in rows] for place, name in enumerate(SCHEMA.names[2:])}


def noise_seed(prompt: str, seed: int) -> int:
    """The seed, of 63 bits, of the noise that a picture begins with.

    Each prompt has noise of its own: if all had the same, an average over prompts would be one over
    prompts only, and two models would differ by how they take to that noise.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}\n{prompt}".encode()).digest()[:8]) >> 1


def write(drawn: Iterable[tuple[tuple[str, str], dict[str, list]]], output: str | Path) -> None:
    """Write samples as parquet, a row group for each ((variant, set of prompts), columns).

    The columns are prompt, seed, image (PNG bytes), key and held_out; the `datasets` library reads
    them, with variant and prompts before them.
    """
    with replacing(output) as temporary:
        tables = ((key, _table(key, columns)) for key, columns in drawn)
        parquet_groups.write(tables, SCHEMA, temporary)


def _table(key, columns):
    names = [[name] * len(columns["prompt"]) for name in key]
    return pa.table([*names, *columns.values()], schema=SCHEMA)


def _picture_path(store: str | Path, identity: str, prompt: str, seed: int) -> Path:
    key = hashlib.sha256(f"{identity}\n{seed}\n{prompt}".encode()).hexdigest()
    return Path(store) / key[:2] / f"{key}.png"


def _is_whole(path: Path) -> bool:
    """Whether a picture is there, with the checksums that PNG has."""
    try:
        with PIL.Image.open(path) as image:
            image.verify()
    except (OSError, SyntaxError, ValueError):  # Pillow's words for a broken file
        return False
    return True


def _draw(pipeline: Any, batch: list[tuple[str, int]], sampling: Sampling) -> list[Image]:
    """Draw (prompt, seed) pairs.

    A batch is filled up, so that sums are rounded alike whatever the company: a picture depends on
    its own prompt and seed. The noise is made on the CPU, so that it is the same on every device.
    """
    full = filled(batch, sampling.batch_size)
    drawn = pipeline(
        [prompt for prompt, _ in full],
        generator=[torch.Generator("cpu").manual_seed(noise_seed(*pair)) for pair in full],
        num_inference_steps=sampling.steps,
        **find_class(type(pipeline).__name__).guide(sampling.guidance_scale, len(full)),
        height=sampling.resolution,
        width=sampling.resolution,
    )
    return drawn.images[: len(batch)]
