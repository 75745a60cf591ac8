"""Join the pictures of a shard of a source with captions: a shard of a dataset."""

import argparse
import json

from emaki import shards
from emaki.errors import friendly


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--dataset", type=json.loads, required=True, help="its mapping as JSON")
    parser.add_argument("--images", required=True, help="folder images/{source}/shards/{shard}")
    parser.add_argument("--captions", required=True, help="their captions")
    parser.add_argument("--output", required=True, help="folder datasets/{dataset}/shards/{shard}")
    args = parser.parse_args()
    shards.write_dataset(args.name, args.dataset, args.images, args.captions, args.output)


if __name__ == "__main__":
    main()
