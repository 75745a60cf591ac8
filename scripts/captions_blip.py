"""Write a table of captions that a BLIP model gives the pictures of a source."""

import argparse
import json

from emaki import blip, captions, generation
from emaki.errors import friendly


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captioner", type=json.loads, required=True, help="its mapping as JSON")
    parser.add_argument("--images", required=True, help="folder images/{source}")
    parser.add_argument("--output", required=True, help="captions/{source}/{captioner}.parquet")
    args = parser.parse_args()
    options = {name: value for name, value in args.captioner.items() if name != "type"}
    pairs = generation.captions(args.images, blip.Captioner(**options), "captions blip")
    captions.write(pairs, args.output)


if __name__ == "__main__":
    main()
