"""Tell what is wrong with a config. Snakemake reads it first, and of broken YAML names no line."""

import argparse

from emaki.common.errors import friendly
from emaki.config import load


@friendly
def main() -> None:
    load(parse_arguments().config)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="the study's file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
