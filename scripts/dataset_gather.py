"""Describe the shards of a dataset as one: its card and where each picture is."""

import argparse
import functools

from emaki.common.arguments import read_settings
from emaki.common.errors import friendly
from emaki.data import gather
from emaki.data.settings import Dataset


@friendly
def main() -> None:
    arguments = parse_arguments()
    gather.gather_dataset(arguments.name, arguments.dataset, arguments.shards, arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument(
        "--dataset",
        type=functools.partial(read_settings, "--dataset", Dataset),
        required=True,
        help="its mapping as JSON",
    )
    parser.add_argument("--shards", required=True, nargs="+", help="their names, in order")
    parser.add_argument("--output", required=True, help="folder datasets/{dataset}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
