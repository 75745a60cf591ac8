"""Tell how far the trainings of each kind of recipe lie apart, as JSON.

A study's runs by several seeds are compared up to the first look; their scores and references lie
in its own folder under results/.
"""

import argparse
from pathlib import Path

from emaki.common import digests
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.config import read_saved
from emaki.evaluation.comparison import find_spreads, read_reference, read_scores
from emaki.workflow.evaluation_files import EvaluationFiles


@friendly
def main() -> None:
    arguments = parse_arguments()
    files = EvaluationFiles(read_saved(arguments.study))
    scores = {
        experiment: {key: read_scores(*parts) for key, parts in own.items()}
        for experiment, own in files.spread_scores().items()
    }
    references = {
        experiment: {n: read_reference(path) for n, path in files.references(experiment).items()}
        for experiment in files.recipes
    }
    found = find_spreads(files.recipes, files.study.measures, scores, references)
    rows = [{"kind": kind, **spread._asdict()} for kind, spread in found.items()]
    with replacing(arguments.output) as temporary:
        digests.write_json(temporary, {"spreads": rows})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, required=True, help="JSON file of the study")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
