"""Write where the latents of each picture of a dataset in shards are."""

import argparse

from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.data import gather


@friendly
def main() -> None:
    arguments = parse_arguments()
    gather.gather_latents(arguments.dataset, arguments.shards, arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True, help="folder datasets/{dataset}")
    parser.add_argument("--shards", type=from_json, required=True, help="their names, as JSON")
    parser.add_argument("--output", required=True, help="folder latents/{dataset}/...")
    return parser.parse_args()


if __name__ == "__main__":
    main()
