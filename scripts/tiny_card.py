"""Put the other models beside those that draw; draw samples, write the models' card."""

import argparse
import shutil
from pathlib import Path

from emaki.common.arguments import from_json, read_settings
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.sampling.settings import Sampling
from emaki.tiny import card


@friendly
def main() -> None:
    arguments = parse_arguments()
    output = Path(arguments.output)
    sampling = read_settings("--sampling", Sampling, arguments.sampling)

    for name in ("clip", "blip", "attributes"):
        with replacing(output / f"tiny-{name}") as folder:
            made = Path(arguments.made) / name
            shutil.copytree(made, folder, ignore=shutil.ignore_patterns("measured.json"))
    sheet = card.draw_samples(output, arguments.settings["samples"], sampling)
    with replacing(output / "samples.png") as path:
        sheet.save(path, optimize=True)
    with replacing(output / "README.md") as path:
        text = card.render(arguments.made, arguments.settings, sampling, output)
        path.write_text(text, encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=from_json, required=True, help="section `tiny`, JSON")
    parser.add_argument("--sampling", required=True, help="section `sampling`, JSON")
    parser.add_argument("--made", required=True, help="folder of what rules/tiny.smk made")
    parser.add_argument("--output", required=True, help="folder that has tiny-sd, tiny-sd3")
    return parser.parse_args()


if __name__ == "__main__":
    main()
