"""Bring a pinned model from the hub as a folder of links into the hub's cache."""

import argparse
import os
from pathlib import Path

from emaki import hub
from emaki.errors import UserError, friendly

# Configurations, vocabularies and safetensors; never pickles, code or other precisions.
SIDE = ["*.json", "*/*.json", "*/merges.txt", "merges.txt", "vocab.txt"]


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", required=True)
    parser.add_argument("--revision", required=True, help="commit hash")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--files", nargs="+", required=True, help="what must be there")
    args = parser.parse_args()
    snapshot = hub.fetch(args.repo, args.revision, [*args.files, *SIDE])
    missing = [file for file in args.files if not (snapshot / file).is_file()]
    if missing:
        raise UserError(f"{args.repo} at {args.revision} has no {', '.join(missing)}")
    for path in snapshot.rglob("*"):
        file = path.relative_to(snapshot)
        if path.is_file() and (str(file) in args.files or any(map(file.match, SIDE))):
            link = args.folder / file
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            os.symlink(path.resolve(), link)


if __name__ == "__main__":
    main()
