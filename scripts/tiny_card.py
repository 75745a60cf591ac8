"""Put CLIP and BLIP beside the tiny Stable Diffusion; draw samples and write the models' card."""

import argparse
import json
import shutil
from pathlib import Path

from emaki.common.errors import friendly
from emaki.common.files import replacing


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="section `tiny`, JSON")
    parser.add_argument("--sampling", type=json.loads, required=True, help="section `sampling`")
    parser.add_argument("--made", required=True, help="folder with vae, clip, blip, benchmarks")
    parser.add_argument("--output", required=True, help="folder that has tiny-sd already")
    options = parser.parse_args()
    output = Path(options.output)

    from emaki.tiny import card

    for name in ("clip", "blip"):
        with replacing(output / f"tiny-{name}") as folder:
            made = Path(options.made) / name
            shutil.copytree(made, folder, ignore=shutil.ignore_patterns("measured.json"))
    sheet = card.draw_samples(output / "tiny-sd", options.settings["samples"], options.sampling)
    with replacing(output / "samples.png") as path:
        sheet.save(path, optimize=True)
    with replacing(output / "README.md") as path:
        text = card.write(options.made, options.settings, options.sampling, output)
        path.write_text(text, encoding="utf-8")


main()
