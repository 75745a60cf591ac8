"""Write a table of captions that a BLIP model gives the pictures of a source."""

import argparse
import json

import pyarrow.parquet as pq

from emaki import blip, captions
from emaki.errors import friendly
from emaki.progress import bar


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captioner", type=json.loads, required=True, help="its mapping as JSON")
    parser.add_argument("--images", required=True, help="folder images/{source}")
    parser.add_argument("--output", required=True, help="captions/{source}/{captioner}.parquet")
    args = parser.parse_args()
    options = {name: value for name, value in args.captioner.items() if name != "type"}
    pairs = blip.captions(args.images, blip.Captioner(**options))
    total = pq.read_metadata(f"{args.images}/metadata.parquet").num_rows
    captions.write(bar(pairs, total=total, unit="pictures", label="captions blip"), args.output)


if __name__ == "__main__":
    main()
