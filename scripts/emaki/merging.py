"""Weights between a base model and its fine-tune."""

import json
import shutil
from pathlib import Path

from safetensors.numpy import load_file, save_file

from emaki.errors import UserError
from emaki.files import replacing, sha256

UNET_WEIGHTS = "diffusion_pytorch_model.safetensors"


def merge(base, tuned, alpha, output):
    """Write base + alpha x (tuned - base) as a diffusers U-Net folder with a `merge.json`.

    `base` and `tuned` are U-Net folders; alpha 0 is the base, 1 the fine-tune, beyond 1
    extrapolates. Computed in float32, kept in the fine-tune's type. Raises UserError where the
    two do not have the same tensors.
    """
    base, tuned = Path(base), Path(tuned)
    theirs, ours = load_file(base / UNET_WEIGHTS), load_file(tuned / UNET_WEIGHTS)
    _check_alike(theirs, ours, base, tuned)
    merged = {name: _between(theirs[name], ours[name], alpha) for name in sorted(ours)}
    with replacing(output) as folder:
        folder.mkdir()
        shutil.copy(tuned / "config.json", folder)
        save_file(merged, folder / UNET_WEIGHTS, metadata={"format": "pt"})
        digests = {UNET_WEIGHTS: sha256(folder / UNET_WEIGHTS)}
        about = {"alpha": alpha, "files": digests}
        (folder / "merge.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")


def _between(base, tuned, alpha):
    start = base.astype("float32")
    return (start + alpha * (tuned.astype("float32") - start)).astype(tuned.dtype)


def _check_alike(theirs, ours, base, tuned):
    different = {
        name
        for name in theirs.keys() | ours.keys()
        if name not in theirs or name not in ours or theirs[name].shape != ours[name].shape
    }
    if different:
        raise UserError(
            f"{tuned} is no fine-tune of {base}: {len(different)} tensors are not in both or have"
            f" another shape, such as {min(different)}"
        )
