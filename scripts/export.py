"""Export the model of an experiment that was chosen: weights, card and pictures in a folder.

If a baseline was chosen because nothing is better, the folder has the card alone, which says so.
The answers, the grid and the datasets' cards lie in the study's own folder under results/.
"""

import argparse
import shutil
from pathlib import Path

from emaki.common import digests, png_files
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.config import read_saved
from emaki.report.model_card import write_card
from emaki.training.export import export_lora, export_pipeline
from emaki.workflow.best_files import BestFiles


@friendly
def main() -> None:
    arguments = parse_arguments()
    study = read_saved(arguments.study)
    best = BestFiles(study)
    choice = best.read_choice(arguments.experiment)
    name = f"{study.study}-{arguments.experiment}"
    with replacing(arguments.output) as folder:
        folder.mkdir()
        files, pictures = [], []
        if choice["exported"] and arguments.lora:
            files = export_lora(arguments.lora, arguments.lora_scale, folder, name)
        elif choice["exported"]:
            files = export_pipeline(arguments.model, arguments.weights, folder, name)
        for path in best.grids(arguments.experiment):
            pictures.append(f"pictures/{Path(path).name}")
            (folder / "pictures").mkdir(exist_ok=True)
            with png_files.opened(path):
                shutil.copyfile(path, folder / pictures[-1])
        card = write_card(
            study,
            arguments.experiment,
            digests.read_json(best.answers(arguments.experiment)),
            choice | {"model": best.base(choice["variant"])},
            [digests.read_json(path) for path in best.cards(arguments.experiment)],
            files,
            pictures,
        )
        (folder / "README.md").write_text(card, "utf-8")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, required=True, help="JSON file of the study")
    parser.add_argument("--experiment", required=True, help="name of an experiment in it")
    parser.add_argument("--model", type=Path, required=True, help="pipeline folder")
    parser.add_argument("--weights", type=Path, help="folder in place of the model's own weights")
    parser.add_argument("--lora", type=Path, help="LoRA folder")
    parser.add_argument("--lora-scale", type=float, default=1.0)
    parser.add_argument("--output", required=True, help="folder to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
