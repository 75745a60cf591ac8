"""Divide the pictures of a source into shards."""

import argparse

from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.data import shards


@friendly
def main() -> None:
    arguments = parse_arguments()
    shards.scatter(arguments.images, arguments.shards, arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="folder images/{source}")
    parser.add_argument("--shards", type=from_json, required=True, help="their names, as JSON")
    parser.add_argument("--output", required=True, help="folder images/{source}/shards")
    return parser.parse_args()


if __name__ == "__main__":
    main()
