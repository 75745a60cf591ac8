"""Train a run from one checkpoint to the next."""

import argparse

from emaki.common.errors import friendly


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="the run's name, for messages")
    parser.add_argument("--run", required=True, help="hyper-parameters, JSON (docs/training.md)")
    parser.add_argument("--model", required=True, help="folder of a StableDiffusionPipeline")
    parser.add_argument("--latents", required=True, help="folder made by latents.py")
    parser.add_argument("--from-step", type=int, default=0)
    parser.add_argument("--to-step", type=int, required=True)
    parser.add_argument("--state", help="state folder of --from-step, where that is not 0")
    parser.add_argument("--output", required=True, help="checkpoint folder to write")
    parser.add_argument("--state-output", required=True, help="state folder to write")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    return parser.parse_args()


@friendly
def main():
    job = parse_arguments()
    from emaki.training import lazy_imports, settings

    run = settings.read(job.run)
    lazy_imports.hide_unused(run)
    from emaki.training.segment import run_segment

    run_segment(job, run)


if __name__ == "__main__":
    main()
