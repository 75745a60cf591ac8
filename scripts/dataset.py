"""Join the pictures of a source with captions into a dataset with a card."""

import argparse
import json

from emaki import datasets
from emaki.errors import friendly


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--dataset", type=json.loads, required=True, help="its mapping as JSON")
    parser.add_argument("--images", required=True, help="folder images/{source}")
    parser.add_argument("--captions", required=True, help="captions/{source}/{captioner}.parquet")
    parser.add_argument("--output", required=True, help="folder datasets/{dataset}")
    args = parser.parse_args()
    datasets.write(args.name, args.dataset, args.images, args.captions, args.output)


if __name__ == "__main__":
    main()
