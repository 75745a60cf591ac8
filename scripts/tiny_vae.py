"""Train the tiny VAE."""

import argparse
import json

from emaki.common.errors import friendly
from emaki.common.files import replacing


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, help="parquet file of scripts/tiny_corpus.py")
    parser.add_argument("--training", type=json.loads, required=True, help="JSON: see tiny/vae.py")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="folder for the AutoencoderKL")
    options = parser.parse_args()

    import torch

    from emaki.tiny import corpus, vae

    torch.set_num_threads(options.threads)
    pixels, _, _ = corpus.read(options.corpus)
    model, psnr = vae.train(pixels, **options.training)
    print(f"held-out PSNR {psnr:.2f} dB")
    with replacing(options.output) as folder:
        model.save_pretrained(folder)
        (folder / "measured.json").write_text(json.dumps({"psnr_db": round(psnr, 2)}) + "\n")


main()
