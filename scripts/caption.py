"""Write a table of captions that a captioner gives the pictures of a source."""

import argparse
from pathlib import Path

from emaki.captioners import KIND
from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.data.captions import read_captions, write_captions


@friendly
def main() -> None:
    arguments = parse_arguments()
    captioner = KIND.read(arguments.captioner)
    below = read_captions(arguments.of) if arguments.of else []
    write_captions(captioner.caption_pictures(arguments.images, below), arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captioner", type=from_json, required=True, help="its mapping as JSON")
    parser.add_argument("--images", type=Path, required=True, help="folder images/{source}")
    parser.add_argument("--of", help="the table of captions that is changed")
    parser.add_argument("--output", required=True, help="captions/{source}/{captioner}.parquet")
    return parser.parse_args()


if __name__ == "__main__":
    main()
