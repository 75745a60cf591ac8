"""Name the folders that `make best` asks Snakemake for; with --tell, say what is in them."""

import argparse
from pathlib import Path

from emaki.common.errors import UserError, friendly
from emaki.config import load
from emaki.config.reading import unknown
from emaki.workflow.best_files import BestFiles
from emaki.workflow.command_line import check_yaml


@friendly
def main() -> None:
    arguments = parse_arguments()
    study = load(arguments.config)
    check_yaml(arguments.config)
    if arguments.experiment and arguments.experiment not in study.experiments:
        told = unknown("experiment", arguments.experiment, study.experiments)
        raise UserError(f"EXPERIMENT {told}")
    best = BestFiles(study)
    for name in [arguments.experiment] if arguments.experiment else study.experiments:
        folder = f"{best.folder}/best/{name}"
        print(_tell(best, name, folder) if arguments.tell else folder)


def _tell(best: BestFiles, name: str, folder: str) -> str:
    choice = best.read_choice(name)
    sentence = choice["sentence"]
    if not choice["exported"]:
        return f"{name}: {sentence} Nothing is exported; {folder}/README.md has the evidence."
    taken = "" if choice["recommended"] else f" The config takes {choice['variant']}."
    return f"{name}: {sentence}{taken} It is in {Path(folder).resolve()}"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config/config.yaml", help="the study's file")
    parser.add_argument("--experiment", help="one experiment; by default all")
    parser.add_argument("--tell", action="store_true", help="after it was made")
    return parser.parse_args()


if __name__ == "__main__":
    main()
