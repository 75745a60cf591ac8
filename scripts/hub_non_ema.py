"""Bring the raw U-Net weights of a pinned commit as safetensors."""

import argparse

import torch
from safetensors.torch import load_file, save_file

from emaki.common import hub_client
from emaki.common.errors import UserError, friendly
from emaki.common.files import replacing, sha256
from emaki.common.weight_files import UNET, UNET_PICKLE


@friendly
def main() -> None:
    arguments = parse_arguments()
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
    parser.add_argument("--sha256", help="of the pickle, where there are no safetensors")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


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
