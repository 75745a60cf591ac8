"""Draw a grid of samples as a PNG file: rows are prompts, columns are variants.

The samples lie in the study's own folder under results/.
"""

import argparse
from pathlib import Path

from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.config import read_saved
from emaki.report.grids import draw, read_samples, save
from emaki.workflow.evaluation_files import EvaluationFiles


@friendly
def main() -> None:
    arguments = parse_arguments()
    files = EvaluationFiles(read_saved(arguments.study))
    samples = files.samples(arguments.experiment, arguments.grid)
    plan = files.grid_plan(arguments.experiment, arguments.grid)
    with replacing(arguments.output) as temporary:
        save(*draw(plan, {key: read_samples(*parts) for key, parts in samples.items()}), temporary)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, required=True, help="the study's config.json")
    parser.add_argument("--experiment", required=True, help="name of an experiment in it")
    parser.add_argument("--grid", required=True, help="name of one of its grids")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
