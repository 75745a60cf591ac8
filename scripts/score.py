"""Score the pictures of one samples file by several measures, one row per picture and measure."""

import argparse
import json
from pathlib import Path

import torch

from emaki.common.errors import friendly
from emaki.evaluation import values
from emaki.evaluation.measures import KIND


@friendly
def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)  # another number would give other sums
    plan = json.loads(arguments.plan.read_bytes())
    measures = {name: KIND.read(entry) for name, entry in plan["measures"].items()}
    stores = {
        name: values.Store(arguments.store, measure, plan["code"][name], arguments.label)
        for name, measure in measures.items()
    }
    scored = [tuple(key) for key in plan["scored"]]
    values.score(arguments.samples, scored, measures, stores, arguments.label)
    values.write(arguments.samples, scored, stores, arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", required=True)
    parser.add_argument(
        "--plan",
        type=Path,
        required=True,
        help="JSON file: `scored`, a list of [measure, variant, set of prompts]; `measures` {name:"
        " its entry}; `code` {name: a digest of the code that scores by it}",
    )
    parser.add_argument("--store", required=True, help="folder of all values so far")
    parser.add_argument("--label", required=True, help="the owner and the block: OWNER/BLOCK")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
