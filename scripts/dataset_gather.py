"""Describe the shards of a dataset as one: its card and where each picture is."""

import argparse
import json

from emaki.common.errors import friendly
from emaki.data import gather


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--dataset", type=json.loads, required=True, help="its mapping as JSON")
    parser.add_argument("--shards", required=True, nargs="+", help="their names, in order")
    parser.add_argument("--output", required=True, help="folder datasets/{dataset}")
    args = parser.parse_args()
    gather.dataset(args.name, args.dataset, args.shards, args.output)


if __name__ == "__main__":
    main()
