"""Draw pictures of a set of prompts with one model: a base, a checkpoint, a merge or a LoRA."""

import argparse
import functools
from pathlib import Path

import torch

from emaki.common import digests
from emaki.common.arguments import read_settings
from emaki.common.errors import friendly
from emaki.sampling import prompts, sampler
from emaki.sampling.settings import Sampling


@friendly
def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)  # another number would give other sums
    sampling = read_settings("--sampling", Sampling, arguments.sampling)
    weights = arguments.weights or arguments.lora
    if weights:
        digests.check_weights(weights)
    files = sorted(Path(weights).rglob("*.safetensors")) if weights else []
    load = functools.partial(
        sampler.load_pipeline,
        arguments.model,
        weights=arguments.weights,
        lora=arguments.lora,
        lora_scale=arguments.lora_scale,
        scheduler=sampling.scheduler,
    )
    table = sampler.sample(
        prompts.read(arguments.prompts),
        sampling,
        sampler.identity(arguments.model, files, sampling, arguments.lora_scale),
        load,
        arguments.store,
        label=arguments.label,
    )
    # a dataset may have fewer captions than were asked for, and then a block has none
    sampler.write(table or {name: [] for name in sampler.SCHEMA.names}, arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="pipeline folder")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--weights",
        help="a full fine-tune's or merge's folder, in place of the model's own weights",
    )
    kind.add_argument("--lora", help="folder with pytorch_lora_weights.safetensors")
    parser.add_argument("--lora-scale", type=float, default=1.0)
    parser.add_argument("--sampling", required=True, help="the config's entry, JSON")
    parser.add_argument("--prompts", required=True, help="parquet file of a block of prompts")
    parser.add_argument("--store", required=True, help="folder of all pictures drawn so far")
    parser.add_argument("--label", default="sample", help="what the progress bar says")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
