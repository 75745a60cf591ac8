"""Write a set of prompts as a file."""

import argparse
import json
from pathlib import Path

from emaki.common.errors import friendly
from emaki.common.progress import tell
from emaki.evaluation.by_prompt import MINIMUM_PROMPTS
from emaki.sampling import prompts
from emaki.sampling.settings import PromptSet


@friendly
def main() -> None:
    arguments = parse_arguments()
    study = json.loads(arguments.study.read_bytes())
    entry = PromptSet.model_validate(study["prompts"][arguments.prompts])
    found = prompts.choose_prompts(entry, arguments.dataset)
    for remark in prompts.find_remarks(found, entry, MINIMUM_PROMPTS):
        tell(f"prompts {arguments.prompts}: {remark}")
    prompts.write(found, arguments.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, required=True, help="JSON file of the study")
    parser.add_argument("--prompts", required=True, help="name of the set in it")
    parser.add_argument("--dataset", help="folder of the dataset that gives the captions")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
