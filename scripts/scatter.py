"""Divide the pictures of a source into shards."""

import argparse

from emaki.common.errors import friendly
from emaki.data import shards


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="folder images/{source}")
    parser.add_argument("--shards", required=True, nargs="+", help="their names, in order")
    parser.add_argument("--output", required=True, help="folder images/{source}/shards")
    args = parser.parse_args()
    shards.scatter(args.images, args.shards, args.output)


if __name__ == "__main__":
    main()
