"""Put the encoded real pictures of a dataset's shards into one table."""

import argparse
from pathlib import Path

from emaki.common.errors import friendly
from emaki.data import gather


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", required=True, help="the gathered dataset's data/train.parquet")
    parser.add_argument("--shards", required=True, nargs="+", help="their names, in order")
    parser.add_argument("--references", required=True, help="folder references/{dataset}/shards")
    parser.add_argument("--output", required=True)
    args = parser.parse_args()
    tables = {shard: Path(args.references, f"{shard}.parquet") for shard in args.shards}
    gather.references(args.index, tables, args.output)


if __name__ == "__main__":
    main()
