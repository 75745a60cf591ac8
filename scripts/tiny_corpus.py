"""Draw the pictures that the tiny models learn from."""

import argparse

from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.tiny import corpus


@friendly
def main() -> None:
    arguments = parse_arguments()
    with replacing(arguments.output) as path:
        corpus.write(arguments.sources, path)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=from_json, required=True, help="JSON: name to source")
    parser.add_argument("--output", required=True, help="parquet file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
