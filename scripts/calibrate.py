"""Damage a base model's pictures of some prompts and score them by one measure."""

import argparse
import json

import torch

from emaki.common.errors import friendly
from emaki.evaluation import scoring
from emaki.evaluation.calibration import calibrate
from emaki.evaluation.measures import KIND


@friendly
def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)  # another number would give other sums
    measure = KIND.read(arguments.measure)
    table, images = scoring.read_images(arguments.samples)
    prompts = table["prompt"].to_pylist()
    scoring.write(calibrate(measure, images, prompts, arguments.label), arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", required=True, help="pictures of the first block of prompts")
    parser.add_argument("--measure", type=json.loads, required=True, help="its entry, as JSON")
    parser.add_argument("--label", default="calibrate", help="what the progress bar says")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
