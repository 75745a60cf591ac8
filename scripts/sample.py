"""Draw a block of prompts with all variants of a base model or run: checkpoints, merges, scales."""

import argparse
import functools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from emaki.common import digests, python_code
from emaki.common.arguments import read_settings
from emaki.common.errors import friendly
from emaki.sampling import prompts, sampler
from emaki.sampling.settings import Sampling
from emaki.training import merging


@friendly
def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)  # another number would give other sums
    sampling = read_settings("--sampling", Sampling, arguments.sampling)
    plan = json.loads(arguments.plan.read_bytes())
    sampler.write(draw(plan, arguments, sampling), arguments.output)


def draw(
    plan: dict[str, Any], arguments: argparse.Namespace, sampling: Sampling
) -> Iterator[tuple[tuple[str, str], dict[str, list]]]:
    """((variant, set of prompts), columns) for each that the plan draws, variant by variant."""
    sets = {name: prompts.read(path) for name, path in plan["prompts"].items()}
    pipelines = sampler.Pipelines(arguments.model, sampling.scheduler)
    for variant, own in plan["weights"].items():
        folder = own.get("weights") or own.get("lora")
        weights = digests.check_weights(folder) if folder else []
        if "alpha" in own:
            weights += [f"alpha {own['alpha']}", python_code.meaning(merging.__file__)]
            place = Path(arguments.store, f".merge-{arguments.block}-{variant.replace('/', '-')}")
            load = functools.partial(load_merge, pipelines, **own, place=place)
        else:
            load = functools.partial(pipelines.load, **own)
        load = functools.lru_cache(load)
        identity = pipelines.identity(weights, sampling, own.get("scale", 1.0))
        for name in [name for drawn, name in plan["drawn"] if drawn == variant]:
            label = f"{variant}/{name}/{arguments.block}"
            yield (
                (variant, name),
                sampler.sample(sets[name], sampling, identity, load, arguments.store, label),
            )


def load_merge(pipelines: sampler.Pipelines, weights: str, alpha: float, place: Path) -> Any:
    """The pipeline of a merge, which lies on the disk only until it is loaded.

    Beside the pictures there is room for it. What a killed job left there is replaced.
    """
    try:
        merging.merge(pipelines.family.folder, weights, alpha, place)
        return pipelines.load(weights=place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="pipeline folder of the base model")
    parser.add_argument(
        "--plan",
        type=Path,
        required=True,
        help="JSON file: `drawn`, a list of [variant, set of prompts]; `prompts` {set: parquet file"
        ' of the block}; `weights` {variant: {"weights": folder}, a full fine-tune, with "alpha" a'
        ' merge of one, {"lora": folder, "scale": number}, or {}}',
    )
    parser.add_argument("--sampling", required=True, help="the config's entry, JSON")
    parser.add_argument("--store", required=True, help="folder of all pictures drawn so far")
    parser.add_argument("--block", default="0", help="its number, which the progress bar says")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
