"""Damage a base model's pictures, or some of a dataset's, and score them by one measure."""

import argparse

import torch

from emaki.common import parquet_files
from emaki.common.arguments import from_json
from emaki.common.errors import UserError, friendly
from emaki.common.files import replacing
from emaki.common.parts import Part
from emaki.evaluation import real_calibration, scoring, values
from emaki.evaluation.calibration import calibrate
from emaki.evaluation.measures import KIND, Measure


@friendly
def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)  # another number would give other sums
    measure = KIND.read(arguments.measure)
    if arguments.samples:
        write_calibration(measure, arguments)
        return
    images, prompts = real_calibration.read_set_aside(arguments.pictures, arguments.resolution)
    scoring.write(calibrate(measure, images, prompts, arguments.label), arguments.output)


def write_calibration(measure: Measure, arguments: argparse.Namespace) -> None:
    """Damage pictures of the samples and score them, unless that is kept of these already."""
    table, images = scoring.read_images(
        Part(arguments.samples, (arguments.variant, arguments.prompts))
    )
    kept = values.calibration_path(
        arguments.store, measure, arguments.code, table["key"].to_pylist()
    )
    try:
        found = parquet_files.read(kept)
    except (FileNotFoundError, UserError):  # a damaged one is made anew
        columns = calibrate(measure, images, table["prompt"].to_pylist(), arguments.label)
        scoring.write(columns, kept)
        found = parquet_files.read(kept)
    with replacing(arguments.output) as temporary:
        parquet_files.write(found, temporary)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    pictures = parser.add_mutually_exclusive_group(required=True)
    pictures.add_argument("--samples", help="samples of the first block of prompts")
    pictures.add_argument("--pictures", nargs="+", help="the dataset's data/{split}.parquet")
    parser.add_argument("--variant", help="whose pictures in the samples, with `prompts`")
    parser.add_argument("--prompts", help="of which set of prompts")
    parser.add_argument("--store", help="folder of all values so far")
    parser.add_argument("--code", help="a digest of the code that scores")
    parser.add_argument("--resolution", type=int, help="of the samples, in pixels")
    parser.add_argument("--measure", type=from_json, required=True, help="its entry, as JSON")
    parser.add_argument("--label", default="calibrate", help="what the progress bar says")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
