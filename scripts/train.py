"""Train a run from one checkpoint to the next."""

import argparse
from pathlib import Path

from emaki.common.errors import friendly
from emaki.training import lazy_imports, settings


@friendly
def main() -> None:
    arguments = vars(parse_arguments())
    run = settings.read(arguments.pop("run"))
    # before anything imports diffusers, which takes all along that it finds
    lazy_imports.hide_unused(run)
    from emaki.training.segment import Segment, run_segment

    run_segment(Segment(**arguments), run)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="the run's name, for messages")
    parser.add_argument("--run", required=True, help="hyper-parameters, JSON (docs/training.md)")
    parser.add_argument("--model", type=Path, required=True, help="a pipeline of diffusers")
    parser.add_argument("--latents", type=Path, required=True, help="folder made by latents.py")
    parser.add_argument("--from-step", type=int, default=0)
    parser.add_argument("--to-step", type=int, required=True)
    parser.add_argument("--state", type=Path, help="folder of the state at --from-step, if not 0")
    parser.add_argument("--output", type=Path, required=True, help="checkpoint folder to write")
    parser.add_argument("--state-output", type=Path, required=True, help="state folder to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
