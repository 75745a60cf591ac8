"""Describe the shards of a dataset as one: its card and where each picture is."""

import argparse

from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.data import dataset_files, gather


@friendly
def main() -> None:
    arguments = parse_arguments()
    gather.gather_dataset(arguments.name, arguments.dataset, arguments.shards, arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    dataset_files.add_dataset(parser)
    parser.add_argument("--shards", type=from_json, required=True, help="their names, as JSON")
    parser.add_argument("--output", required=True, help="folder datasets/{dataset}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
