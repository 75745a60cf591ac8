"""Write a block of a set of prompts as a file."""

import argparse
import itertools
import json
from pathlib import Path

from emaki.common.errors import UserError, friendly
from emaki.common.progress import tell
from emaki.config.blocks import bounds
from emaki.evaluation.settings import Evaluation
from emaki.sampling import prompts
from emaki.sampling.settings import PromptSet


@friendly
def main() -> None:
    arguments = parse_arguments()
    study = json.loads(arguments.study.read_bytes())
    entry = PromptSet.model_validate(study["prompts"][arguments.prompts])
    found = prompts.choose_prompts(entry, arguments.dataset)
    if len(found) * len(study["sampling"]["seeds"]) < 2:
        raise UserError(
            f"prompts {arguments.prompts}: the dataset has one caption, drawn with one seed, and a "
            "comparison needs two pictures or more: add pictures, or sampling.seeds"
        )
    first, last = bounds(arguments.block)
    if first == 0:  # once for a set
        fewest = min(Evaluation.model_validate(study.get("evaluation", {})).looks)
        for remark in prompts.find_remarks(found, entry, fewest):
            tell(f"prompts {arguments.prompts}: {remark}")
    prompts.write(dict(itertools.islice(found.items(), first, last)), arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, required=True, help="JSON file of the study")
    parser.add_argument("--prompts", required=True, help="name of the set in it")
    parser.add_argument("--block", required=True, help="which prompts: FIRST-LAST, without LAST")
    parser.add_argument("--dataset", help="folder of the dataset that gives the captions")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
