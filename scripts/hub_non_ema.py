"""Bring the raw U-Net weights of a pinned commit as safetensors.

They are the variant `non_ema` of a commit, linked as it is in the hub's cache, or all the U-Net
that a commit of an older repository has (a branch `non-ema`).
"""

import argparse
import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from emaki.common import hub_client
from emaki.common.errors import UserError, friendly
from emaki.common.files import replacing, sha256
from emaki.common.weight_files import NON_EMA_UNET, UNET, UNET_PICKLE


@friendly
def main() -> None:
    arguments = parse_arguments()
    if arguments.variant:
        link_variant(arguments.repo, arguments.revision, arguments.output)
        return
    if arguments.sha256:
        weights = unpickle(arguments.repo, arguments.revision, arguments.sha256)
    else:
        weights = load_safe(arguments.repo, arguments.revision)
    with replacing(arguments.output) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, temporary)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", required=True)
    parser.add_argument("--revision", required=True, help="commit hash")
    parser.add_argument("--variant", action="store_true", help="the commit's variant non_ema")
    parser.add_argument("--sha256", help="of the pickle, where there are no safetensors")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def link_variant(repo: str, revision: str, output: Path) -> None:
    """Make `output` a link to the variant in the hub's cache. Raises UserError if there is none."""
    path = hub_client.fetch(repo, revision, [NON_EMA_UNET, "unet/config.json"]) / NON_EMA_UNET
    if not path.is_file():
        raise UserError(
            f"{repo} at {revision} has no {NON_EMA_UNET}: name the commit whose U-Net is the raw "
            "weights as non_ema_revision (`make pin` prints that of a branch non-ema)"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.unlink(missing_ok=True)
    os.symlink(path.resolve(), output)


def load_safe(repo: str, revision: str) -> dict[str, torch.Tensor]:
    """The tensors of the safetensors file. Raises UserError if there is none."""
    path = hub_client.fetch(repo, revision, [UNET, "unet/config.json"]) / UNET
    if not path.is_file():
        raise UserError(
            f"{repo} at {revision} has no {UNET}: "
            f"if it has {UNET_PICKLE}, pin that with non_ema_sha256"
        )
    return load_file(path)


def unpickle(repo: str, revision: str, digest: str) -> dict[str, torch.Tensor]:
    """The tensors of a pickle whose SHA-256 is known; nothing but tensors is read from it.

    Raises UserError if there is none or another.
    """
    path = hub_client.fetch(repo, revision, [UNET_PICKLE, "unet/config.json"]) / UNET_PICKLE
    if not path.is_file():
        raise UserError(f"{repo} at {revision} has no {UNET_PICKLE}: leave non_ema_sha256 out")
    if (found := sha256(path)) != digest:
        raise UserError(
            f"{UNET_PICKLE} of {repo} has the SHA-256 {found}, not non_ema_sha256 {digest}"
        )
    return torch.load(path, map_location="cpu", weights_only=True)


if __name__ == "__main__":
    main()
