"""Train the tiny CLIP."""

import argparse
import json

import torch

from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.tiny import clip, corpus


@friendly
def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)  # another number would give other sums
    model, processor = clip.train(*corpus.read(arguments.corpus), **arguments.training)
    measured = {}
    for source, (pixels, texts) in corpus.pick_one_per_text(arguments.held_out).items():
        top1 = clip.measure_retrieval(model, processor.tokenizer, corpus.to_range(pixels), texts)
        measured[source] = {"texts": len(texts), "top1": round(top1, 3)}
        print(f"held-out retrieval, {source}: {top1:.1%} of {len(texts)}")
    with replacing(arguments.output) as folder:
        model.half().save_pretrained(folder)
        processor.save_pretrained(folder)
        (folder / "measured.json").write_text(json.dumps(measured, indent=2) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, help="parquet file of scripts/tiny_corpus.py")
    parser.add_argument("--held-out", required=True, help="the same, of other pictures")
    parser.add_argument("--training", type=from_json, required=True, help="JSON: see tiny/clip.py")
    parser.add_argument("--output", required=True, help="folder for the CLIPModel and processor")
    return parser.parse_args()


if __name__ == "__main__":
    main()
