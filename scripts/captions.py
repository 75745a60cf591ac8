"""Write a table of captions: the source's own, or another table's with a keyword or edits."""

import argparse
import json

from emaki.captioners import captions
from emaki.common.errors import friendly


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captioner", type=json.loads, required=True, help="its mapping as JSON")
    parser.add_argument("--images", required=True, help="folder images/{source}")
    parser.add_argument("--of", help="the table of captions that is changed")
    parser.add_argument("--edits", help="the user's table of other captions")
    parser.add_argument("--output", required=True, help="captions/{source}/{captioner}.parquet")
    args = parser.parse_args()
    options = {
        name: args.captioner[name]
        for name in ("keyword", "position", "separator")
        if name in args.captioner
    }
    if args.captioner["type"] == "keyword":
        pairs = captions.keyword(captions.read(args.of), **options)
    elif args.captioner["type"] == "table":
        pairs = captions.edited(captions.read(args.of), args.edits, args.images)
    else:
        pairs = captions.alt(args.images)
    captions.write(pairs, args.output)


if __name__ == "__main__":
    main()
