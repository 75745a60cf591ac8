"""Ask the hub for the commits that a config lacks, and print the lines to put in. Edits nothing."""

import argparse
import sys

from emaki.common import hub_client
from emaki.common.errors import UserError, friendly
from emaki.config import shaped
from emaki.config.reading import spell
from emaki.config.repositories import unpinned

SAFE = "unet/diffusion_pytorch_model.safetensors"
PICKLE = "unet/diffusion_pytorch_model.bin"


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config/config.yaml", help="the study's file")
    arguments = parser.parse_args()
    document = shaped(arguments.config)
    wanted = list(unpinned(document.data))
    if not wanted:
        print(f"{arguments.config} has a commit for every repository")
    problems = []
    for path, entry, key in wanted:
        kind = "dataset" if path[0] == "sources" else "model"
        try:
            lines = {key: commit(entry["repo"], kind, key)}
            if key == "non_ema_revision":
                lines |= pickle_digest(entry["repo"], lines[key])
        except UserError as error:
            problems.append(f"{spell(path)}: {error}")
            continue
        print(document.error(path, f"({entry['repo']}): put in"))
        for name, value in lines.items():
            print(f"    {name}: '{value}'")
    if problems:
        sys.stdout.flush()
        raise UserError("\n".join(problems))


def commit(repo, kind, key):
    """The commit of a repository's branch today: main, or non-ema for raw weights."""
    from huggingface_hub import HfApi

    branch = "non-ema" if key == "non_ema_revision" else "main"
    with hub_client.telling(repo, branch, kind):
        refs = HfApi(token=hub_client.token()).list_repo_refs(repo, repo_type=kind)
    heads = {ref.name: ref.target_commit for ref in refs.branches}
    if branch not in heads:
        raise UserError(f"{repo} has no branch {branch}, only {', '.join(sorted(heads))}")
    return heads[branch]


def pickle_digest(repo, revision):
    """{"non_ema_sha256": digest} where the commit has the U-Net as a pickle alone; else {}."""
    from huggingface_hub import HfApi

    with hub_client.telling(repo, revision):
        found = HfApi(token=hub_client.token()).get_paths_info(
            repo, [SAFE, PICKLE], revision=revision
        )
    files = {entry.path: entry for entry in found}
    if SAFE in files or PICKLE not in files:
        return {}
    return {"non_ema_sha256": files[PICKLE].lfs.sha256}


if __name__ == "__main__":
    main()
