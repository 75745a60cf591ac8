"""Encode the real pictures of a dataset, for one measure to compare samples with."""

import argparse

import torch

from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.evaluation import reference, scoring
from emaki.evaluation.measures import KIND


@friendly
def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)  # another number would give other sums
    measure = KIND.read(arguments.measure)
    pictures, resolution = arguments.pictures, arguments.resolution
    columns = reference.columns(measure, pictures, resolution, arguments.label)
    scoring.write(columns, arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--pictures", required=True, nargs="+", help="the dataset's data/{split}.parquet"
    )
    parser.add_argument("--resolution", required=True, type=int, help="of the samples, in pixels")
    parser.add_argument("--measure", type=from_json, required=True, help="its entry, as JSON")
    parser.add_argument("--label", default="reference", help="what the progress bar says")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
