"""Train the tiny BLIP."""

import argparse
import json

from emaki.common.errors import friendly
from emaki.common.files import replacing


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, help="parquet file of scripts/tiny_corpus.py")
    parser.add_argument("--held-out", required=True, help="the same, of other pictures")
    parser.add_argument("--training", type=json.loads, required=True, help="JSON: see tiny/blip.py")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="folder for the model and its processor")
    options = parser.parse_args()

    import torch

    from emaki.tiny import blip, corpus

    torch.set_num_threads(options.threads)
    training = dict(options.training)
    pixels, texts, sources = corpus.read(options.corpus, training.pop("sources"))
    model, processor = blip.train(pixels, blip.as_captions(texts, sources), **training)
    pixels, texts, sources = corpus.read(options.held_out)
    written = blip.captions(model, processor.tokenizer, corpus.to_range(pixels))
    measured = blip.agreement(written, blip.as_captions(texts, sources), sources)
    print(json.dumps(measured))
    with replacing(options.output) as folder:
        model.half().save_pretrained(folder)
        processor.save_pretrained(folder)
        (folder / "measured.json").write_text(json.dumps(measured, indent=2) + "\n")


main()
