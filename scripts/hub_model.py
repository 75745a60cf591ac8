"""Bring a pinned model from the hub as a folder of links into the hub's cache, with a list of them.

files.json has each file's digest as the commit gives it: SHA-256 of a large one, else git's SHA-1.
"""

import argparse
import json
import os
from pathlib import Path

from emaki.common import hub_client
from emaki.common.errors import UserError, friendly
from emaki.common.files import replacing
from emaki.families import INDEX, pipeline_class

# Configurations, vocabularies and templates; never pickles, code or other precisions.
SIDE = ["*.json", "*/*.json", "*/merges.txt", "merges.txt", "vocab.txt", "*.jinja", "*.model"]


@friendly
def main() -> None:
    arguments = parse_arguments()
    if arguments.pipeline:
        check_pipeline(arguments.repo, arguments.revision, arguments.pipeline)
    snapshot = hub_client.fetch(arguments.repo, arguments.revision, [*arguments.files, *SIDE])
    missing = [pattern for pattern in arguments.files if not any(snapshot.glob(pattern))]
    if missing:
        raise UserError(f"{arguments.repo} at {arguments.revision} has no {', '.join(missing)}")
    digests = {}
    for path in sorted(snapshot.rglob("*")):
        file = path.relative_to(snapshot)
        if path.is_file() and any(map(file.match, [*arguments.files, *SIDE])):
            link = arguments.folder / file
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            os.symlink(path.resolve(), link)
            digests[file.as_posix()] = path.resolve().name
    with replacing(arguments.folder / "files.json") as temporary:
        temporary.write_text(json.dumps(digests, indent=1) + "\n")


def check_pipeline(repo: str, revision: str, expected: str) -> None:
    """Raise UserError where a pipeline is of another class; nothing but its index is brought."""
    found = pipeline_class(hub_client.fetch(repo, revision, [INDEX]))
    if found not in (None, expected):  # that it has none is told with what else is missing
        raise UserError(
            f"{repo} at {revision} is a {found}, not a {expected}: say so with the key `pipeline` "
            "of its model, if there is a family of these (docs/training.md)"
        )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", required=True)
    parser.add_argument("--revision", required=True, help="commit hash")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--pipeline", help="class of diffusers that it must be")
    parser.add_argument("--files", nargs="+", required=True, help="what must be there: patterns")
    return parser.parse_args()


if __name__ == "__main__":
    main()
