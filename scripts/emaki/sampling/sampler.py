"""Pictures of fixed prompts and fixed seeds, so that models can be compared pair by pair."""

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


def load_pipeline(
    model: str | Path,
    *,
    weights: str | Path | None = None,
    lora: str | Path | None = None,
    lora_scale: float = 1.0,
    scheduler: str = "ddim",
) -> Any:
    """The pipeline of `model`, with the weights of a checkpoint's or merge's folder in place of its
    own, or with a LoRA folder fused in."""
    family = find(model)
    pipeline = family.load_pipeline(weights, precision(family))
    if lora:
        pipeline.load_lora_weights(lora)
        pipeline.fuse_lora(lora_scale=lora_scale)
    pipeline.scheduler = family.make_scheduler(scheduler, pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    for part in (family.denoiser, "vae"):
        module = getattr(pipeline, part)
        if all(weight.ndim < 5 for weight in module.parameters()):  # no convolutions of films
            module.to(memory_format=torch.channels_last)  # these are a tenth to a fifth faster so
    return pipeline.to(device())


def precision(family: Family) -> torch.dtype:
    """The precision that pictures are drawn in: the family's half on a GPU, float32 on a CPU."""
    return dtype(family.half if device().type == "cuda" else "fp32")


def identity(
    model: str | Path, weights: Iterable[Path], sampling: Sampling, lora_scale: float
) -> str:
    """A digest of all that a picture depends on besides its prompt and seed.

    `model` is a pipeline folder, `weights` a list of safetensors files, `sampling` the settings.
    """
    of_model = [path for path in sorted(Path(model).rglob("*")) if path.suffix in READ]
    files = [path for path in of_model if ".non_ema." not in path.name] + list(weights)
    parts = [sha256(path) for path in files]
    family = find(model)
    settings = sampling.model_dump(exclude={"seeds"}) | {"lora_scale": lora_scale}
    parts += [json.dumps(settings, sort_keys=True), str(precision(family))]
    code = [__file__, inspect.getfile(type(family))]
    parts += [*map(python_code.meaning, code), diffusers.__version__]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


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
