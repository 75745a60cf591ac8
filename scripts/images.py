"""Write the pictures of a source, a table about them and a table of what was set aside."""

import argparse
import json

from emaki.common.errors import friendly
from emaki.common.progress import bar
from emaki.data import images, sources


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=json.loads, required=True, help="its mapping as JSON")
    parser.add_argument("--output", required=True, help="folder images/{source}")
    args = parser.parse_args()
    items = bar(
        sources.build(args.source),
        total=images.expected(args.source),
        unit="pictures",
        label=f"images {args.source['type']}",
    )
    images.write(items, args.output, args.source["type"] in sources.ARCHIVES)


if __name__ == "__main__":
    main()
