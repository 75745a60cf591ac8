"""Ask the hub for the commits that a config lacks, and print the lines to put in. Edits nothing."""

import argparse
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

from emaki.common import hub_client
from emaki.common.errors import UserError, friendly
from emaki.common.messages import KeyPath, spell
from emaki.common.weight_files import NON_EMA_UNET, UNET, UNET_PICKLE
from emaki.config import read_study
from emaki.config.repositories import raw_starts, unpinned
from emaki.config.settings import Study


@friendly
def main() -> None:
    arguments = parse_arguments()
    study, document = read_study(arguments.config)
    problems, printed = [], 0
    for path, repo, find in wanted(study):
        try:
            lines = find()
        except UserError as error:
            problems.append(f"{spell(path)}: {error}")
            continue
        if lines:
            print(document.error(path, f"({repo}): put in"))
        for name, value in lines.items():
            print(f"    {name}: '{value}'")
        printed += len(lines)
    if not printed and not problems:
        print(f"{arguments.config} has a commit for every repository")
    if problems:
        sys.stdout.flush()
        raise UserError("\n".join(problems))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config/config.yaml", help="the study's file")
    return parser.parse_args()


def wanted(study: Study) -> Iterator[tuple[KeyPath, str, Callable[[], dict[str, str]]]]:
    """(entry, repository, what gives the lines to put in there): commits, then raw weights."""
    for entry, repo in unpinned(study):
        kind = "dataset" if entry[0] == "sources" else "model"
        yield entry, repo, functools.partial(newest, repo, kind)
    for name, model in study.models.items():
        if model.repo and not model.non_ema_revision and raw_starts(study, name):
            revision = model.revision or "main"
            yield ("models", name), model.repo, functools.partial(raw, model.repo, revision)


def newest(repo: str, kind: str) -> dict[str, str]:
    """{"revision": the commit of the branch main}. Raises UserError where there is none."""
    heads = list_heads(repo, kind)
    if "main" not in heads:
        raise UserError(f"{repo} has no branch main, only {', '.join(sorted(heads))}")
    return {"revision": heads["main"]}


def list_heads(repo: str, kind: str = "model") -> dict[str, str]:
    """{branch: its commit} of a repository."""
    from huggingface_hub import HfApi

    with hub_client.explain_hub_errors(repo, "main", kind):
        refs = HfApi(token=hub_client.read_token()).list_repo_refs(repo, repo_type=kind)
    return {ref.name: ref.target_commit for ref in refs.branches}


def raw(repo: str, revision: str) -> dict[str, str]:
    """What to put in for the raw weights of a commit: {} where they are its variant non_ema.

    Else the commit of the branch non-ema, and the SHA-256 of its U-Net if that is a pickle alone.
    """
    if list_files(repo, revision, NON_EMA_UNET):
        return {}
    heads = list_heads(repo)
    if "non-ema" not in heads:
        raise UserError(f"{repo} has no {NON_EMA_UNET} and no branch non-ema: no raw weights")
    lines = {"non_ema_revision": heads["non-ema"]}
    files = list_files(repo, heads["non-ema"], UNET, UNET_PICKLE)
    if UNET not in files and UNET_PICKLE in files:
        lines["non_ema_sha256"] = files[UNET_PICKLE].lfs.sha256
    return lines


def list_files(repo: str, revision: str, *paths: str) -> dict[str, Any]:
    """{path: the hub's entry} of those files that a commit has."""
    from huggingface_hub import HfApi

    with hub_client.explain_hub_errors(repo, revision):
        found = HfApi(token=hub_client.read_token()).get_paths_info(
            repo, list(paths), revision=revision
        )
    return {entry.path: entry for entry in found}


if __name__ == "__main__":
    main()
