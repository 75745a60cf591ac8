"""Bring the raw U-Net weights of a pinned commit as safetensors."""

import argparse

from emaki.common import hub_client
from emaki.common.errors import UserError, friendly
from emaki.common.files import replacing, sha256

SAFE = "unet/diffusion_pytorch_model.safetensors"
PICKLE = "unet/diffusion_pytorch_model.bin"


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", required=True)
    parser.add_argument("--revision", required=True, help="commit hash")
    parser.add_argument("--sha256", help="of the pickle, where there are no safetensors")
    parser.add_argument("--output", required=True)
    args = parser.parse_args()
    if args.sha256:
        weights = unpickle(args.repo, args.revision, args.sha256)
    else:
        weights = load_safe(args.repo, args.revision)
    from safetensors.torch import save_file

    with replacing(args.output) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, temporary)


def load_safe(repo, revision):
    from safetensors.torch import load_file

    path = hub_client.fetch(repo, revision, [SAFE, "unet/config.json"]) / SAFE
    if not path.is_file():
        raise UserError(
            f"{repo} at {revision} has no {SAFE}: if it has {PICKLE}, pin that with non_ema_sha256"
        )
    return load_file(path)


def unpickle(repo, revision, digest):
    """The tensors of a pickle whose digest is known; nothing but tensors is read from it."""
    import torch

    path = hub_client.fetch(repo, revision, [PICKLE, "unet/config.json"]) / PICKLE
    if not path.is_file():
        raise UserError(f"{repo} at {revision} has no {PICKLE}: leave non_ema_sha256 out")
    if (found := sha256(path)) != digest:
        raise UserError(f"{PICKLE} of {repo} has the SHA-256 {found}, not non_ema_sha256 {digest}")
    return torch.load(path, map_location="cpu", weights_only=True)


if __name__ == "__main__":
    main()
