"""Put a tiny Stable Diffusion 3 together: with a random transformer, or with a checkpoint's."""

import argparse

from emaki.common.arguments import from_json
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.tiny import sd3


@friendly
def main() -> None:
    arguments = parse_arguments()
    with replacing(arguments.output) as folder:
        if arguments.pipeline:
            sd3.bundle(arguments.pipeline, arguments.checkpoint, folder)
        else:
            sd3.assemble(arguments.vae, arguments.clip, folder, **arguments.transformer)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vae", help="folder of scripts/tiny_vae.py")
    parser.add_argument("--clip", help="folder of scripts/tiny_clip.py")
    parser.add_argument(
        "--transformer", type=from_json, help="JSON: width, layers, tokens and seed"
    )
    parser.add_argument("--pipeline", help="instead of the three: a folder that this script made")
    parser.add_argument("--checkpoint", help="folder of scripts/train.py with averaged weights")
    parser.add_argument("--output", required=True, help="folder for the StableDiffusion3Pipeline")
    return parser.parse_args()


if __name__ == "__main__":
    main()
