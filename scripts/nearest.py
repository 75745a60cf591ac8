"""Find the training pictures to which an experiment's drawn pictures are nearest, for the report.

Samples, scores, references and datasets lie in the study's own folder under results/.
"""

import argparse
from pathlib import Path

from emaki.common import parquet_files
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.config import read_saved
from emaki.evaluation.nearest import find_pairs
from emaki.workflow.nearest_files import NearestFiles


@friendly
def main() -> None:
    arguments = parse_arguments()
    study, experiment = read_saved(arguments.study), arguments.experiment
    files = NearestFiles(study)
    pairs = find_pairs(
        study.measures[files.measure],
        files.scores(experiment),
        files.samples(experiment),
        files.reference(experiment),
        files.training_pictures(experiment),
        study.sampling.resolution,
    )
    with replacing(arguments.output) as temporary:
        parquet_files.write(pairs, temporary)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, required=True, help="the study's config.json")
    parser.add_argument("--experiment", required=True, help="name of an experiment in it")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
