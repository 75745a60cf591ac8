"""Ask the hub for the commits that a config lacks, and print the lines to put in. Edits nothing."""

import argparse
import sys

from emaki.common import hub_client
from emaki.common.errors import UserError, friendly
from emaki.common.messages import spell
from emaki.common.weight_files import UNET, UNET_PICKLE
from emaki.config import read_study
from emaki.config.repositories import unpinned


@friendly
def main() -> None:
    arguments = parse_arguments()
    study, document = read_study(arguments.config)
    wanted = list(unpinned(study))
    if not wanted:
        print(f"{arguments.config} has a commit for every repository")
    problems = []
    for path, key, repo in wanted:
        kind = "dataset" if path[0] == "sources" else "model"
        try:
            lines = {key: commit(repo, kind, key)}
            if key == "non_ema_revision":
                lines |= pickle_digest(repo, lines[key])
        except UserError as error:
            problems.append(f"{spell(path)}: {error}")
            continue
        print(document.error(path, f"({repo}): put in"))
        for name, value in lines.items():
            print(f"    {name}: '{value}'")
    if problems:
        sys.stdout.flush()
        raise UserError("\n".join(problems))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config/config.yaml", help="the study's file")
    return parser.parse_args()


def commit(repo: str, kind: str, key: str) -> str:
    """The commit of a repository's branch today: main, or non-ema for raw weights."""
    from huggingface_hub import HfApi

    branch = "non-ema" if key == "non_ema_revision" else "main"
    with hub_client.explain_hub_errors(repo, branch, kind):
        refs = HfApi(token=hub_client.read_token()).list_repo_refs(repo, repo_type=kind)
    heads = {ref.name: ref.target_commit for ref in refs.branches}
    if branch not in heads:
        raise UserError(f"{repo} has no branch {branch}, only {', '.join(sorted(heads))}")
    return heads[branch]


def pickle_digest(repo: str, revision: str) -> dict[str, str]:
    """{"non_ema_sha256": digest} where the commit has the U-Net as a pickle alone; else {}."""
    from huggingface_hub import HfApi

    with hub_client.explain_hub_errors(repo, revision):
        found = HfApi(token=hub_client.read_token()).get_paths_info(
            repo, [UNET, UNET_PICKLE], revision=revision
        )
    files = {entry.path: entry for entry in found}
    if UNET in files or UNET_PICKLE not in files:
        return {}
    return {"non_ema_sha256": files[UNET_PICKLE].lfs.sha256}


if __name__ == "__main__":
    main()
