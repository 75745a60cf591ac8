"""Bring a pinned model from the hub as a folder of links into the hub's cache, with a list of them.

files.json has each file's digest as the commit gives it: SHA-256 of a large one, else git's SHA-1.
"""

import argparse
import json
import os
import re
from collections.abc import Container, Iterator
from pathlib import Path

from emaki.common import hub_client
from emaki.common.errors import UserError, friendly
from emaki.common.files import replacing
from emaki.common.weight_files import index_of
from emaki.families import INDEX, pipeline_class

# Configurations, vocabularies and templates; never pickles, code or other precisions.
SIDE = ["*.json", "*/*.json", "*/merges.txt", "merges.txt", "vocab.txt", "*.jinja", "*.model"]


@friendly
def main() -> None:
    arguments = parse_arguments()
    if arguments.pipeline:
        check_pipeline(arguments.repo, arguments.revision, arguments.pipeline)
    wanted = arguments.files
    if arguments.in_parts:
        wanted = list(find_parts(arguments.repo, arguments.revision, wanted))
    snapshot = hub_client.fetch(arguments.repo, arguments.revision, [*wanted, *SIDE])
    missing = [pattern for pattern in wanted if not any(snapshot.glob(pattern))]
    if missing:
        raise UserError(f"{arguments.repo} at {arguments.revision} has no {', '.join(missing)}")
    link_files(snapshot, [*wanted, *SIDE], arguments.folder, arguments.without)


def link_files(snapshot: Path, patterns: list[str], folder: Path, without: Container[str]) -> None:
    """Make `folder` links to the files of a snapshot that match `patterns`, and a list of them.

    The parts of a pipeline in `without` are left out, and its index says so.
    """
    digests = {}
    for path in sorted(snapshot.rglob("*")):
        file = path.relative_to(snapshot)
        chosen = any(map(file.match, patterns)) and file.parts[0] not in without
        if path.is_file() and chosen:
            link = folder / file
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            os.symlink(path.resolve(), link)
            digests[file.as_posix()] = path.resolve().name
    if without:
        index = json.loads((snapshot / INDEX).read_bytes())
        index |= {part: [None, None] for part in index if part in without}
        with replacing(folder / INDEX) as temporary:
            temporary.write_text(json.dumps(index, indent=2) + "\n")
    with replacing(folder / "files.json") as temporary:
        temporary.write_text(json.dumps(digests, indent=1) + "\n")


def find_parts(repo: str, revision: str, files: list[str]) -> Iterator[str]:
    """Yield `files`, and of weights that the commit has in parts these and their list.

    Raises UserError where it has weights in another precision only.
    """
    there = hub_client.list_files(repo, revision)
    for file in files:
        stem, _, suffix = file.rpartition(".")
        parts = re.compile(rf"{re.escape(stem)}-\d+-of-\d+\.safetensors")
        other = re.compile(rf"{re.escape(stem)}\.\w+[-.].*tensors")
        if file in there or suffix != "safetensors":
            yield file
        elif index_of(file) in there:
            yield index_of(file)
            yield from filter(parts.fullmatch, there)
        elif variants := list(filter(other.fullmatch, there)):
            raise UserError(
                f"{repo} at {revision} has no {file}, but {variants[0]}: load that variant with "
                "diffusers, save it with `save_pretrained`, and give the folder as path"
            )
        else:
            yield file


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
    parser.add_argument("--in-parts", action="store_true", help="weights may be in several files")
    parser.add_argument("--without", nargs="+", default=[], help="parts of the pipeline")
    return parser.parse_args()


if __name__ == "__main__":
    main()
