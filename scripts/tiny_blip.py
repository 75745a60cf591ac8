"""Train the tiny BLIP."""

import argparse
import json

import torch

from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.tiny import blip, corpus


@friendly
def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)  # another number would give other sums
    training = dict(arguments.training)
    pixels, texts, sources = corpus.read(arguments.corpus, training.pop("sources"))
    model, processor = blip.train(pixels, blip.make_captions(texts, sources), **training)
    pixels, texts, sources = corpus.read(arguments.held_out)
    written = blip.write_captions(model, processor.tokenizer, corpus.to_range(pixels))
    measured = blip.measure_agreement(written, blip.make_captions(texts, sources), sources)
    print(json.dumps(measured))
    with replacing(arguments.output) as folder:
        model.half().save_pretrained(folder)
        processor.save_pretrained(folder)
        (folder / "measured.json").write_text(json.dumps(measured, indent=2) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, help="parquet file of scripts/tiny_corpus.py")
    parser.add_argument("--held-out", required=True, help="the same, of other pictures")
    parser.add_argument("--training", type=from_json, required=True, help="JSON: see tiny/blip.py")
    parser.add_argument("--output", required=True, help="folder for the model and its processor")
    return parser.parse_args()


if __name__ == "__main__":
    main()
