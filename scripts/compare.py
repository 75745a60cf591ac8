"""Compare the scores of an experiment's variants with its baselines; write the answers as JSON.

    python scripts/compare.py --plan JSON --scores VARIANT:SET=PATH ... --reference PATH
        --output experiments/EXPERIMENT.json

--plan is the JSON of emaki.config.comparisons.comparisons(config, experiment). --scores
has scores/{variant}/{set}.parquet for every variant in the plan and every set in its prompts,
--reference the features of the plan's reference dataset, references/{dataset}.parquet.
"""

import argparse
import json

from emaki.common.arguments import read_named
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.evaluation.comparison import compare, read_reference, read_scores


@friendly
def main():
    arguments = parse_arguments()
    plan = json.loads(arguments.plan)
    roles = plan["prompts"]
    wanted = [(variant, sets) for variant in plan["variants"] for sets in roles.values()]
    found = read_named("--scores", arguments.scores, wanted, read_scores)
    scores = {
        (variant, role): found[variant, sets]
        for variant in plan["variants"]
        for role, sets in roles.items()
    }
    answers = compare(plan, scores, read_reference(arguments.reference))
    with replacing(arguments.output) as temporary:
        temporary.write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", required=True)
    parser.add_argument("--scores", nargs="+", required=True, metavar="VARIANT:SET=PATH")
    parser.add_argument("--reference", required=True)
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
