"""Score the pictures of one samples file, one row per picture, by the config's evaluators."""

import argparse
import json

import torch

from emaki.common.errors import friendly
from emaki.evaluation import scoring


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", required=True)
    parser.add_argument("--evaluators", type=json.loads, required=True, help="as JSON")
    parser.add_argument("--label", default="score", help="what the progress bar says")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    table, images = scoring.read_images(arguments.samples)
    prompts, label = table["prompt"].to_pylist(), arguments.label
    evaluators = arguments.evaluators
    seen = scoring.see(images, prompts, evaluators["clip"], f"{label} CLIP")
    columns = {
        "prompt": prompts,
        "seed": table["seed"].to_pylist(),
        "clip_score": seen.clip_scores(),
        "features": scoring.features(images, evaluators["features"], label),
    }
    if evaluators["cmmd"]:
        columns["embedding"] = seen.images
    if evaluators["preference"]:
        judge = scoring.see(images, prompts, evaluators["preference"], f"{label} preference")
        columns["preference"] = judge.preferences()
    if not table["held_out"].null_count:
        columns["held_out"] = table["held_out"].to_pylist()
    scoring.write(columns, arguments.output)


if __name__ == "__main__":
    main()
