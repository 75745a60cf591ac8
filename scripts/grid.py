"""Draw a grid of samples as a PNG file: rows are prompts, columns are variants.

    python scripts/grid.py --plan JSON --samples VARIANT:SET=PATH ... --output GRID.png

--plan is one of emaki.config.comparisons.grids(config, experiment), as JSON. --samples has
samples/{variant}/{set}.parquet for every variant and set of prompts in the plan.
"""

import argparse
import json

from emaki.common.arguments import read_named
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.report.grids import draw, read_samples, save


@friendly
def main():
    arguments = parse_arguments()
    plan = json.loads(arguments.plan)
    variants = {column["variant"]: None for column in plan["columns"]}
    wanted = [(variant, prompt_set) for variant in variants for prompt_set, _ in plan["rows"]]
    samples = read_named("--samples", arguments.samples, wanted, read_samples)
    with replacing(arguments.output) as temporary:
        save(*draw(plan, samples), temporary)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", required=True)
    parser.add_argument("--samples", nargs="+", required=True, metavar="VARIANT:SET=PATH")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
