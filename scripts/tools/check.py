"""Tell what is wrong with a config. Snakemake reads it first, and of broken YAML names no line."""

import argparse

from emaki.common.errors import friendly
from emaki.config import load
from emaki.workflow.command_line import check_yaml


@friendly
def main() -> None:
    config = parse_arguments().config
    load(config)
    check_yaml(config)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="the study's file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
