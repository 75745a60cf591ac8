"""Draw the pictures that the tiny models learn from."""

import argparse
import json

from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.tiny import corpus


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=json.loads, required=True, help="JSON: name to source")
    parser.add_argument("--output", required=True, help="parquet file")
    options = parser.parse_args()
    with replacing(options.output) as path:
        corpus.write(options.sources, path)


main()
