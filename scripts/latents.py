"""Encode a dataset's pictures and captions once, for all trainings on it."""

import argparse

from emaki.common.errors import friendly


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True, help="dataset folder with data/*.parquet")
    parser.add_argument("--model", required=True, help="folder of a StableDiffusionPipeline")
    parser.add_argument("--resolution", type=int, required=True, help="pixels, a multiple of 8")
    parser.add_argument("--random-flip", type=int, choices=[0, 1], default=0)
    parser.add_argument("--output", required=True, help="folder to write")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


@friendly
def main():
    job = parse_arguments()
    from emaki.training.encoding import encode_dataset

    encode_dataset(job)


if __name__ == "__main__":
    main()
