"""Count the votes of people: who is preferred, and which measures agree. Writes JSON.

The samples and their scores lie in the study's own folder under results/.
"""

import argparse
from pathlib import Path

import numpy as np

from emaki.common import digests, parquet_groups
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.config import read_saved
from emaki.evaluation.comparison import read_scores
from emaki.evaluation.metrics import metrics_of
from emaki.evaluation.votes import Place, Sides, count, picture_id, read_votes
from emaki.workflow.vote_files import VoteFiles


@friendly
def main() -> None:
    arguments = parse_arguments()
    study = read_saved(arguments.study)
    files = VoteFiles(study)
    places = {}
    for (variant, prompts), parts in files.samples().items():
        for part in parts:
            table = parquet_groups.read(part, ["prompt", "seed", "key"])
            for row in table.to_pylist():
                place = Place(variant, prompts, row["prompt"], row["seed"])
                places[picture_id(row["key"])] = place
    scores = {}
    for key, parts in files.scores().items():
        table = read_scores(*parts)
        if np.ndim(table["value"]) == 1:  # a number a picture
            scores[key] = dict(zip(zip(table["prompt"], table["seed"]), table["value"]))
    found = count(
        [vote for path in study.votes for vote in read_votes(path)],
        places,
        [Sides(one.variant, one.baseline, one.role, one.prompts) for one in files.contests],
        metrics_of(study.measures),
        scores,
    )
    with replacing(arguments.output) as temporary:
        digests.write_json(temporary, found)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, required=True, help="JSON file of the study")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
