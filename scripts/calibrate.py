"""Damage a base model's pictures, or some of a dataset's, and score them by one measure."""

import argparse
import json

import torch

from emaki.common.errors import friendly
from emaki.evaluation import real_calibration, scoring
from emaki.evaluation.calibration import calibrate
from emaki.evaluation.measures import KIND


@friendly
def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)  # another number would give other sums
    measure = KIND.read(arguments.measure)
    if arguments.samples:
        table, images = scoring.read_images(arguments.samples)
        prompts = table["prompt"].to_pylist()
    else:
        images, prompts = real_calibration.read_set_aside(arguments.pictures, arguments.resolution)
    scoring.write(calibrate(measure, images, prompts, arguments.label), arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    pictures = parser.add_mutually_exclusive_group(required=True)
    pictures.add_argument("--samples", help="pictures of the first block of prompts")
    pictures.add_argument("--pictures", nargs="+", help="the dataset's data/{split}.parquet")
    parser.add_argument("--resolution", type=int, help="of the samples, in pixels")
    parser.add_argument("--measure", type=json.loads, required=True, help="its entry, as JSON")
    parser.add_argument("--label", default="calibrate", help="what the progress bar says")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
