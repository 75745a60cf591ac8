"""Put a tiny Stable Diffusion together: with a random U-Net, or with a trained checkpoint's."""

import argparse

from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.tiny import pipeline


@friendly
def main() -> None:
    arguments = parse_arguments()
    with replacing(arguments.output) as folder:
        if arguments.pipeline:
            pipeline.bundle(arguments.pipeline, arguments.checkpoint, folder)
        else:
            pipeline.assemble(arguments.vae, arguments.clip, folder, **arguments.unet)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vae", help="folder of scripts/tiny_vae.py")
    parser.add_argument("--clip", help="folder of scripts/tiny_clip.py")
    parser.add_argument("--unet", type=from_json, help="JSON: channels and seed")
    parser.add_argument("--pipeline", help="instead of the three: a folder that this script made")
    parser.add_argument("--checkpoint", help="folder of scripts/train.py with raw and EMA weights")
    parser.add_argument("--output", required=True, help="folder for the StableDiffusionPipeline")
    return parser.parse_args()


if __name__ == "__main__":
    main()
