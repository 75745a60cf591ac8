"""Draw a grid of samples as a PNG file: rows are prompts, columns are variants.

    python scripts/grid.py --plan JSON --samples VARIANT:SET=PATH ... --output GRID.png

--plan is one of emaki.plans.grids(config, experiment), as JSON. --samples has
samples/{variant}/{set}.parquet for every variant and set of prompts in the plan.
"""

import argparse
import json

from emaki.errors import UserError, friendly
from emaki.files import replacing
from emaki.grids import draw, read_samples, save


@friendly
def main():
    arguments = parse_arguments()
    plan = json.loads(arguments.plan)
    paths = dict(pair.rsplit("=", 1) for pair in arguments.samples)
    samples = {}
    for variant in {column["variant"]: None for column in plan["columns"]}:
        for prompt_set, _ in plan["rows"]:
            if (key := f"{variant}:{prompt_set}") not in paths:
                raise UserError(f"--samples has no {key}")
            samples[variant, prompt_set] = read_samples(paths[key])
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
