"""Train the tiny VAE."""

import argparse
import json

import torch

from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.tiny import corpus, vae


@friendly
def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)  # another number would give other sums
    pixels, _, _ = corpus.read(arguments.corpus)
    model, psnr = vae.train(pixels, **arguments.training)
    print(f"held-out PSNR {psnr:.2f} dB")
    with replacing(arguments.output) as folder:
        model.save_pretrained(folder)
        (folder / "measured.json").write_text(json.dumps({"psnr_db": round(psnr, 2)}) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, help="parquet file of scripts/tiny_corpus.py")
    parser.add_argument("--training", type=from_json, required=True, help="JSON: see tiny/vae.py")
    parser.add_argument("--output", required=True, help="folder for the AutoencoderKL")
    return parser.parse_args()


if __name__ == "__main__":
    main()
