"""Write the report of a study: one HTML file that needs nothing else.

    python scripts/report.py --config JSON-FILE --experiments experiments/NAME.json ...
        --grids EXPERIMENT/NAME=PNG ... --metrics RUN/STEP=PARQUET ... --datasets FOLDER ...
        --benchmarks FOLDER --output report.html

The config is the resolved one (emaki.config.save). A dataset's folder has card.json and
contact_sheet.png. Timings are from the files FOLDER/STAGE/NAME.tsv, as many as there are.
"""

import argparse
import json
from pathlib import Path

from emaki.common.arguments import named
from emaki.common.errors import UserError, friendly
from emaki.common.files import replacing
from emaki.report.page import render


@friendly
def main():
    arguments = parse_arguments()
    grids, metrics = {}, {}
    for name, path in named(arguments.grids).items():
        experiment, _, grid = name.partition("/")
        grids.setdefault(experiment, {})[grid] = path
    for name, path in named(arguments.metrics).items():
        metrics.setdefault(name.partition("/")[0], []).append(path)
    page = render(
        config=read_json(arguments.config),
        answers={Path(path).stem: read_json(path) for path in arguments.experiments},
        grids=grids,
        metrics=metrics,
        datasets=arguments.datasets,
        benchmarks=sorted(arguments.benchmarks.rglob("*.tsv")),
    )
    with replacing(arguments.output) as temporary:
        temporary.write_text(page, encoding="utf-8")


def read_json(path):
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--experiments", nargs="+", required=True)
    parser.add_argument("--grids", nargs="+", required=True, metavar="EXPERIMENT/NAME=PNG")
    parser.add_argument("--metrics", nargs="+", required=True, metavar="RUN/STEP=PARQUET")
    parser.add_argument("--datasets", nargs="+", required=True)
    parser.add_argument("--benchmarks", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
