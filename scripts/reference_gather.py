"""Put the encoded real pictures of a dataset's shards into one table."""

import argparse
from pathlib import Path

from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.data import gather


@friendly
def main() -> None:
    arguments = parse_arguments()
    tables = {shard: Path(arguments.references, f"{shard}.parquet") for shard in arguments.shards}
    gather.gather_references(arguments.index, tables, arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--index", required=True, nargs="+", help="the gathered dataset's data/{split}.parquet"
    )
    parser.add_argument("--shards", type=from_json, required=True, help="their names, as JSON")
    parser.add_argument("--references", required=True, help="folder references/{dataset}/shards")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
