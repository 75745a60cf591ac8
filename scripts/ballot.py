"""Write the page on which people vote on a study's pictures: one HTML file that needs nothing else.

The samples lie in the study's own folder under results/.
"""

import argparse
from pathlib import Path

from emaki.common.errors import friendly
from emaki.common.files import replacing
from emaki.config import read_saved
from emaki.config.contests import choose_prompts
from emaki.report.ballot import read_pictures, read_prompts, render
from emaki.workflow.vote_files import VoteFiles


@friendly
def main() -> None:
    arguments = parse_arguments()
    files = VoteFiles(read_saved(arguments.study))
    page = render(*read_contests(files))
    with replacing(arguments.output) as temporary:
        temporary.write_text(page, encoding="utf-8")


def read_contests(files: VoteFiles, place: Path = Path()) -> tuple[list, dict]:
    """What `render` takes, from the files in a place: no more pictures than are shown."""
    parts = {key: [part.below(place) for part in own] for key, own in files.samples().items()}
    asked = []
    wanted: dict[tuple[str, str], set[str]] = {key: set() for key in parts}
    for one in files.contests:
        prompts = choose_prompts(one, read_prompts(parts[one.variant, one.prompts]))
        asked.append((one, prompts))
        for path in (one.variant, one.baseline):
            wanted[path, one.prompts].update(prompts)
    return asked, {key: read_pictures(parts[key], wanted[key]) for key in parts}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, required=True, help="JSON file of the study")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
