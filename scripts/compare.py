"""Compare the scores of an experiment's variants with its baselines; write the answers as JSON.

Scores, references and calibrations lie in the study's own folder under results/, and in looks/ what
is decided, which says how many blocks of scores there are.
"""

import argparse
from pathlib import Path

from emaki.common import digests
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.config import read_saved
from emaki.evaluation.calibration import read_calibration
from emaki.evaluation.comparison import compare, read_reference, read_scores, read_spreads
from emaki.evaluation.effects import find_effects
from emaki.evaluation.recommendation import recommend
from emaki.workflow.evaluation_files import EvaluationFiles


@friendly
def main() -> None:
    arguments = parse_arguments()
    study = read_saved(arguments.study)
    files = EvaluationFiles(study)
    plan = files.plans[arguments.experiment]
    scores = {k: read_scores(*parts) for k, parts in files.scores(arguments.experiment).items()}
    references = {n: read_reference(p) for n, p in files.references(arguments.experiment).items()}
    calibrations = {
        k: read_calibration(path) for k, path in files.calibrations(arguments.experiment).items()
    }
    spreads = read_spreads(*files.spreads(arguments.experiment))
    answers = compare(plan, study.measures, scores, references, calibrations, spreads)
    answers["recommendation"] = recommend(
        plan, study.measures, scores, references, answers, study.evaluation.error
    )
    answers["effects"] = find_effects(
        plan, study.measures, scores, references, answers, study.evaluation.error
    )
    with replacing(arguments.output) as temporary:
        digests.write_json(temporary, answers)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, required=True, help="JSON file of the study")
    parser.add_argument("--experiment", required=True, help="name of an experiment in it")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
