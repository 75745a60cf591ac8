"""Train the tiny classifier."""

import argparse
import json

import torch

from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.evaluation.attributes import FILE
from emaki.tiny import attributes, corpus


@friendly
def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)  # another number would give other sums
    training = dict(arguments.training)
    known, unsaid = attributes.read_settings(training.pop("read"))
    shares = training.pop("shares")
    pixels, texts, sources = corpus.read(arguments.corpus, shares)
    targets, weights = attributes.truth(known, unsaid, texts), attributes.weigh(sources, shares)
    model, processor = attributes.train(pixels, known, targets, weights, **training)
    model.half().float()  # as they are kept
    pixels, texts, _ = corpus.read(arguments.held_out, shares)
    targets, real = attributes.truth(known, unsaid, texts), corpus.to_range(pixels)
    torch.manual_seed(training["seed"])
    measured = {
        "plain": attributes.measure_accuracy(model, known, real, targets),
        "worn": attributes.measure_accuracy(model, known, attributes.wear(real), targets),
    }
    print(json.dumps(measured))
    with replacing(arguments.output) as folder:
        model.half().save_pretrained(folder)
        processor.save_pretrained(folder)
        known = attributes.with_accuracy(known, measured["plain"])
        (folder / FILE).write_text(
            json.dumps(known.model_dump(exclude_defaults=True), indent=1) + "\n"
        )
        (folder / "measured.json").write_text(json.dumps(measured, indent=2) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, help="parquet file of scripts/tiny_corpus.py")
    parser.add_argument("--held-out", required=True, help="the same, of other pictures")
    parser.add_argument(
        "--training", type=from_json, required=True, help="JSON: see tiny/attributes.py"
    )
    parser.add_argument("--output", required=True, help="folder for the classifier")
    return parser.parse_args()


if __name__ == "__main__":
    main()
