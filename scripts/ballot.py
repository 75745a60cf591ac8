"""Write the page on which people vote on a study's pictures: one HTML file that needs nothing else.

The samples lie in the study's own folder under results/.
"""

import argparse
from pathlib import Path

from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.config import read_saved
from emaki.report.ballot import read_pictures, render
from emaki.workflow.vote_files import VoteFiles


@friendly
def main() -> None:
    arguments = parse_arguments()
    files = VoteFiles(read_saved(arguments.study))
    samples = {key: read_pictures(paths) for key, paths in files.samples().items()}
    with replacing(arguments.output) as temporary:
        temporary.write_text(render(files.contests, samples), encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, required=True, help="JSON file of the study")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
