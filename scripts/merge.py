"""Merge a full fine-tune with its base model: base + alpha x (tuned - base)."""

import argparse

from emaki.common.errors import friendly
from emaki.training.merging import merge


@friendly
def main() -> None:
    arguments = parse_arguments()
    merge(arguments.model, arguments.tuned, arguments.alpha, arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="pipeline folder of the base model")
    parser.add_argument("--tuned", required=True, help="folder of a checkpoint's weights")
    parser.add_argument("--alpha", required=True, type=float)
    parser.add_argument("--output", required=True, help="folder to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
