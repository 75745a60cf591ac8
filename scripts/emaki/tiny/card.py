"""The models' card and its picture of samples."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from emaki.sampling.sampler import load_pipeline
from emaki.sampling.settings import Sampling

MARGIN = 2  # pixels between two samples
STAGES = ("vae", "clip", "blip", "attributes", "base", "sd3")
FOLDERS = ("tiny-sd", "tiny-sd3", "tiny-clip", "tiny-blip", "tiny-attributes")


def draw_samples(resources: Path, prompts: Sequence[str], sampling: Sampling) -> Image.Image:
    """A sheet of three rows of the same prompts: by the EMA weights of tiny-sd, by its raw ones, by
    tiny-sd3."""
    pipeline: Any = load_pipeline(resources / "tiny-sd")
    rows = [_draw(pipeline, prompts, sampling)]
    raw = type(pipeline.unet).from_pretrained(resources / "tiny-sd/unet", variant="non_ema")
    pipeline.unet = raw.float()
    rows.append(_draw(pipeline, prompts, sampling))
    flow = load_pipeline(resources / "tiny-sd3", scheduler="euler")
    rows.append(_draw(flow, prompts, sampling))
    step = rows[0][0].width + MARGIN
    sheet = Image.new("RGB", (step * len(prompts) - MARGIN, 3 * step - MARGIN), "white")
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            sheet.paste(image, (x * step, y * step))
    return sheet


def _draw(pipeline: Any, prompts: Sequence[str], sampling: Sampling) -> list[Image.Image]:
    result = pipeline(
        list(prompts),
        generator=[torch.Generator().manual_seed(sampling.seeds[0]) for _ in prompts],
        num_inference_steps=sampling.steps,
        guidance_scale=sampling.guidance_scale,
        height=sampling.resolution,
        width=sampling.resolution,
    )
    return result.images


def render(
    made: str | Path, settings: Mapping[str, Any], sampling: Sampling, resources: str | Path
) -> str:
    """The card as Markdown, of what the trainings in the folder `made` measured."""
    made, resources = Path(made), Path(resources)
    measured = {
        stage: json.loads((made / stage / "measured.json").read_text())
        for stage in ("vae", "clip", "blip", "attributes")
    }
    environment = Environment(  # noqa: S701 - it writes Markdown of this repository's texts
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("card.md.j2").render(
        settings=settings,
        sampling=sampling,
        measured=measured,
        minutes={stage: _minutes(made / "benchmarks" / f"{stage}.tsv") for stage in STAGES},
        megabytes={name: _megabytes(resources / name) for name in FOLDERS},
    )


def _minutes(benchmark: Path) -> int:
    """The wall-clock time in Snakemake's benchmark file, in whole minutes."""
    with open(benchmark, newline="") as file:
        row = next(csv.DictReader(file, delimiter="\t"))
    return round(float(row["s"]) / 60)


def _megabytes(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 1)
