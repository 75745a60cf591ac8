"""Draw a grid of samples as a PNG file: rows are prompts, columns are variants."""

import argparse
from pathlib import Path

from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.config import read_saved
from emaki.config.comparisons import grids
from emaki.report.grids import draw, read_samples, save


@friendly
def main() -> None:
    arguments = parse_arguments()
    plan = grids(read_saved(arguments.study), arguments.experiment)[arguments.grid]
    variants = dict.fromkeys(column["variant"] for column in plan["columns"])
    samples = {
        (variant, prompts): read_samples(arguments.samples / variant / f"{prompts}.parquet")
        for variant in variants
        for prompts, _ in plan["rows"]
    }
    with replacing(arguments.output) as temporary:
        save(*draw(plan, samples), temporary)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, required=True, help="JSON file of the study")
    parser.add_argument("--experiment", required=True, help="name of an experiment in it")
    parser.add_argument("--grid", required=True, help="name of one of its grids")
    parser.add_argument("--samples", type=Path, required=True, help="folder of all samples")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
