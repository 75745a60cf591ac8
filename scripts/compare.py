"""Compare the scores of an experiment's variants with its baselines; write the answers as JSON.

Below --scores lies {measure}/{variant}/{set}.parquet for every measure and every variant and set of
the experiment that it judges, below --references {measure}/{dataset}.parquet for every measure that
compares with real pictures.
"""

import argparse
import json
from pathlib import Path

from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.config import read_saved
from emaki.config.comparisons import comparisons
from emaki.evaluation.comparison import compare, read_reference, read_scores


@friendly
def main() -> None:
    arguments = parse_arguments()
    study = read_saved(arguments.study)
    plan = comparisons(study, arguments.experiment)
    scores = {
        (name, variant, role): read_scores(arguments.scores / name / variant / f"{prompts}.parquet")
        for name, measure in study.measures.items()
        for variant in plan["variants"]
        for role, prompts in plan["prompts"].items()
        if role in measure.texts
    }
    references = {
        name: read_reference(arguments.references / name / f"{plan['reference']}.parquet")
        for name, measure in study.measures.items()
        if measure.compares_with_real
    }
    answers = compare(plan, study.measures, scores, references)
    with replacing(arguments.output) as temporary:
        temporary.write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, required=True, help="JSON file of the study")
    parser.add_argument("--experiment", required=True, help="name of an experiment in it")
    parser.add_argument("--scores", type=Path, required=True, help="folder of all scores")
    parser.add_argument("--references", type=Path, required=True, help="folder of all references")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
