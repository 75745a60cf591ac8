"""Write a table of captions that an image-text-to-text model gives the pictures of a source."""

import argparse
import json

from emaki import captions, generation, image_text
from emaki.errors import friendly


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captioner", type=json.loads, required=True, help="its mapping as JSON")
    parser.add_argument("--images", required=True, help="folder images/{source}")
    parser.add_argument("--output", required=True, help="captions/{source}/{captioner}.parquet")
    args = parser.parse_args()
    options = {name: value for name, value in args.captioner.items() if name != "type"}
    pairs = generation.captions(args.images, image_text.Captioner(**options), "captions")
    captions.write(pairs, args.output)


if __name__ == "__main__":
    main()
