"""Score the pictures of one samples file by one measure, one row per picture."""

import argparse
import json

import torch

from emaki.common.errors import friendly
from emaki.evaluation import scoring
from emaki.evaluation.measures import KIND


@friendly
def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)  # another number would give other sums
    measure = KIND.read(arguments.measure)
    table, images = scoring.read_images(arguments.samples)
    prompts = table["prompt"].to_pylist()
    columns = {
        "prompt": prompts,
        "seed": table["seed"].to_pylist(),
        "value": measure.score(images, prompts, arguments.label) if images else [],
    }
    if not table["held_out"].null_count:
        columns["held_out"] = table["held_out"].to_pylist()
    scoring.write(columns, arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", required=True)
    parser.add_argument("--measure", type=json.loads, required=True, help="its entry, as JSON")
    parser.add_argument("--label", default="score", help="what the progress bar says")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
