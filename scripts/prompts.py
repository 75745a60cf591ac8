"""Write a set of prompts as a file."""

import argparse
import json
from pathlib import Path

from emaki.common.errors import friendly
from emaki.common.progress import tell
from emaki.evaluation.intervals import MINIMUM_PROMPTS
from emaki.sampling import prompts


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", required=True, type=json.loads, help="the config's entry")
    parser.add_argument("--dataset", help="folder of the dataset that gives the captions")
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    found = prompts.texts(arguments.prompts, arguments.dataset)
    for remark in prompts.remarks(found, arguments.prompts, MINIMUM_PROMPTS):
        tell(f"prompts {Path(arguments.output).stem}: {remark}")
    prompts.write(found, arguments.output)


if __name__ == "__main__":
    main()
