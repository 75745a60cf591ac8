"""Look at what is not decided yet in a study; write which comparisons go on, as JSON.

Scores, references and calibrations lie in the study's own folder under results/.
"""

import argparse
from pathlib import Path
from typing import Any

from emaki.common import digests
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.config import read_saved
from emaki.evaluation.calibration import find_margins, read_calibration
from emaki.evaluation.comparison import (
    judge,
    read_reference,
    read_scores,
    read_spreads,
    undecided,
)
from emaki.evaluation.metrics import metrics_of
from emaki.workflow.evaluation_files import EvaluationFiles


@friendly
def main() -> None:
    arguments = parse_arguments()
    files = EvaluationFiles(read_saved(arguments.study))
    found = {
        experiment: look(files, experiment, arguments.look)
        for experiment in files.look_scores(arguments.look)
    }
    with replacing(arguments.output) as temporary:
        digests.write_json(temporary, found)


def look(files: EvaluationFiles, experiment: str, number: int) -> list[dict[str, Any]]:
    """What a look finds of an experiment: see emaki.workflow.looks.Look."""
    measures = files.study.measures
    scores = {k: read_scores(*parts) for k, parts in files.look_scores(number)[experiment].items()}
    references = {n: read_reference(path) for n, path in files.references(experiment).items()}
    calibrations = {k: read_calibration(p) for k, p in files.calibrations(experiment).items()}
    plan = files.look_plan(experiment, number)
    margins = find_margins(plan, measures, references, calibrations)
    spreads = read_spreads(*files.spreads(experiment))
    pairs = judge(plan, measures, scores, references, margins, spreads)
    roles = {name: metric.role for name, metric in metrics_of(measures).items()}
    return [
        {
            "variant": pair["variant"],
            "baseline": pair["baseline"],
            "verdicts": {name: pair["metrics"][name]["verdict"] for name in pair["errors"]},
            "undecided": sorted({roles[name] for name in undecided(pair)}),
        }
        for pair in pairs
    ]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, required=True, help="the study's config.json")
    parser.add_argument("--look", type=int, required=True, help="its number, from 1")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
