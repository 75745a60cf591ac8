"""Encode a dataset's pictures and captions once, for all trainings on it."""

import argparse

from emaki.common.errors import friendly
from emaki.training.encoding import encode_dataset


@friendly
def main() -> None:
    encode_dataset(**vars(parse_arguments()))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True, help="dataset folder with data/*.parquet")
    parser.add_argument("--model", required=True, help="folder of a pipeline of diffusers")
    parser.add_argument("--resolution", type=int, required=True, help="pixels, a multiple of 8")
    parser.add_argument("--random-flip", action="store_true", help="mirrored pictures as well")
    parser.add_argument("--output", required=True, help="folder to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
