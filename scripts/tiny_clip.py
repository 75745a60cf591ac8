"""Train the tiny CLIP."""

import argparse
import json

from emaki.common.errors import friendly
from emaki.common.files import replacing


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, help="parquet file of scripts/tiny_corpus.py")
    parser.add_argument("--held-out", required=True, help="the same, of other pictures")
    parser.add_argument("--training", type=json.loads, required=True, help="JSON: see tiny/clip.py")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="folder for the CLIPModel and processor")
    options = parser.parse_args()

    import torch

    from emaki.tiny import clip, corpus

    torch.set_num_threads(options.threads)
    model, processor = clip.train(*corpus.read(options.corpus), **options.training)
    measured = {}
    for source, (pixels, texts) in corpus.distinct(options.held_out).items():
        top1 = clip.retrieval(model, processor.tokenizer, corpus.to_range(pixels), texts)
        measured[source] = {"texts": len(texts), "top1": round(top1, 3)}
        print(f"held-out retrieval, {source}: {top1:.1%} of {len(texts)}")
    with replacing(options.output) as folder:
        model.half().save_pretrained(folder)
        processor.save_pretrained(folder)
        (folder / "measured.json").write_text(json.dumps(measured, indent=2) + "\n")


main()
