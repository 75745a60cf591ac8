"""Write the config of a study's rehearsal, and tell what it cannot try on this machine.

Prints the report to ask Snakemake for.
"""

import argparse
import json
import sys
from pathlib import Path

from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.config import load
from emaki.config.reading import read
from emaki.config.rehearsal import PICTURES, SEEDS, STEPS, rehearse
from emaki.costs.preflight import find_gpus


@friendly
def main() -> None:
    arguments = parse_arguments()
    study = load(arguments.config)
    config, untried = rehearse(read(arguments.config).data, study, bool(find_gpus()))
    with replacing(arguments.output) as temporary:
        Path(temporary).write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    folder = f"results/{config['study']}"
    told = [
        f"A rehearsal of {arguments.config}: {STEPS} steps a run, at most {PICTURES} pictures of a "
        f"source, {SEEDS} of one prompt of each set, all else as it is. It lies in {folder}",
        *(f"  it cannot try {what}" for what in untried),
    ]
    print("\n".join(told), file=sys.stderr)
    print(f"{folder}/report.html")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="config/config.yaml", help="the study's file")
    parser.add_argument("--output", required=True, help="the YAML file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
