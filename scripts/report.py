"""Write the report of a study: one HTML file that needs nothing else, or with many entries several.

What is shown lies in the study's own folder under results/. A dataset has there card.json and
contact_sheet.png. Timings are from the benchmark files, as many as there are.
"""

import argparse
import shutil
from pathlib import Path

from emaki.common import digests
from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.config import read_saved
from emaki.config.pages import PAGES
from emaki.report.page import Report
from emaki.workflow import accepting
from emaki.workflow.evaluation_files import EvaluationFiles
from emaki.workflow.nearest_files import NearestFiles
from emaki.workflow.vote_files import VoteFiles


@friendly
def main() -> None:
    arguments = parse_arguments()
    study = read_saved(arguments.study)
    files, nearest = EvaluationFiles(study), NearestFiles(study)
    report = Report(
        study,
        answers={name: digests.read_json(files.answers(name)) for name in study.experiments},
        grids={
            name: {grid: files.grid(name, grid) for grid in grids}
            for name, grids in files.grids.items()
        },
        training={run: files.metrics(run) for run in files.shown_runs()},
        datasets=files.shown_datasets(),
        people=digests.read_json(path) if (path := VoteFiles(study).counted()) else None,
        nearest={name: nearest.pairs(name) for name in nearest.variants},
        accepted=accepting.read(files.folder),
        benchmarks=sorted(Path(files.folder, "benchmarks").rglob("*.tsv")),
    )
    if folders := files.entry_pages():
        index = write_pages(report, *folders)
    else:
        shutil.rmtree(Path(files.folder, PAGES), ignore_errors=True)  # of when there were more
        index = report.whole()
    with replacing(arguments.output) as temporary:
        temporary.write_text(index, encoding="utf-8")


def write_pages(report: Report, folder: str) -> str:
    """Write the entries' pages and return their index."""
    with replacing(folder) as temporary:
        temporary.mkdir()
        for name, page in report.pages():
            if name:
                Path(temporary, f"{name}.html").write_text(page, encoding="utf-8")
    return page


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, required=True, help="JSON file of the study")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
