"""Write the pictures of a source, a table about them and a table of what was set aside."""

import argparse

from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.common.progress import bar
from emaki.data import images
from emaki.data.sources import KIND


@friendly
def main() -> None:
    arguments = parse_arguments()
    source = KIND.read(arguments.source)
    items = bar(
        source.pictures(),
        total=source.count_pictures(),
        unit="pictures",
        label=f"images {source.type}",
    )
    images.write(items, arguments.output, archived=bool(source.archives()), notes=source.notes)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=from_json, required=True, help="its mapping as JSON")
    parser.add_argument("--output", required=True, help="folder images/{source}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
