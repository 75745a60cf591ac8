"""Score the pictures of one samples file: CLIPScore and features, one row per picture."""

import argparse

import torch

from emaki import scoring
from emaki.errors import friendly


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", required=True)
    parser.add_argument("--clip", required=True, help="folder of a CLIPModel and its processor")
    parser.add_argument("--label", default="score", help="what the progress bar says")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    table, images = scoring.read_images(arguments.samples)
    prompts = table["prompt"].to_pylist()
    columns = {
        "prompt": prompts,
        "seed": table["seed"].to_pylist(),
        "clip_score": scoring.clip_scores(images, prompts, arguments.clip, arguments.label),
        "features": scoring.features(images, arguments.label),
    }
    scoring.write(columns, arguments.output)


if __name__ == "__main__":
    main()
