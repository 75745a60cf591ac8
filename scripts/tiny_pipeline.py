"""Put a tiny Stable Diffusion together: with a random U-Net, or with a trained checkpoint's."""

import argparse
import json

from emaki.common.errors import friendly
from emaki.common.files import replacing


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vae", help="folder of scripts/tiny_vae.py")
    parser.add_argument("--clip", help="folder of scripts/tiny_clip.py")
    parser.add_argument("--unet", type=json.loads, help="JSON: channels and seed")
    parser.add_argument("--pipeline", help="instead of the three: a folder that this script made")
    parser.add_argument("--checkpoint", help="folder of scripts/train.py with raw and EMA weights")
    parser.add_argument("--output", required=True, help="folder for the StableDiffusionPipeline")
    options = parser.parse_args()

    from emaki.tiny import pipeline

    with replacing(options.output) as folder:
        if options.pipeline:
            pipeline.bundle(options.pipeline, options.checkpoint, folder)
        else:
            pipeline.assemble(options.vae, options.clip, folder, **options.unet)


main()
