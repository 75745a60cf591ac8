"""Weights between a base model and its fine-tune."""

import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from emaki.common import digests, weight_files
from emaki.common.errors import UserError
from emaki.common.files import replacing, sha256
from emaki.families import find


def merge(model: str | Path, tuned: str | Path, alpha: float, output: str | Path) -> None:
    """Write base + alpha x (tuned - base) as a denoiser's folder of diffusers with a `merge.json`.

    `model` is the base's pipeline folder, `tuned` a denoiser's, whose text encoders are merged too
    where they were trained (text_encoder/); alpha 0 is the base, 1 the fine-tune, beyond 1
    extrapolates. Computed in float32, kept in the fine-tune's type. Raises UserError where the two
    do not have the same tensors, or the fine-tune is damaged.
    """
    digests.check_weights(tuned)
    family, tuned = find(model), Path(tuned)
    parts = {weight_files.DIFFUSERS: family.folder / family.weights_file()}
    for part in family.encoders:
        name = f"{part}/{weight_files.TRANSFORMERS}"
        if (tuned / name).exists():
            parts[name] = family.folder / name
    with replacing(output) as folder:
        for name, base in parts.items():
            (folder / name).parent.mkdir()
            merged = _merge_files(base, tuned / name, alpha)
            save_file(merged, folder / name, metadata={"format": "pt"})
            shutil.copy((tuned / name).with_name("config.json"), (folder / name).parent)
        written = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        about = {"alpha": alpha, "files": {str(name): sha256(folder / name) for name in written}}
        (folder / "merge.json").write_text(digests.to_json(about), "utf-8")


def _merge_files(base: Path, tuned: Path, alpha: float) -> dict[str, np.ndarray]:
    theirs, ours = load_file(base), load_file(tuned)
    # A table of 0, 1, 2, ... that older versions of transformers saved with CLIP's weights.
    theirs.pop("text_model.embeddings.position_ids", None)
    _check_alike(theirs, ours, base, tuned)
    return {name: _interpolate(theirs[name], ours[name], alpha) for name in sorted(ours)}


def _interpolate(base: np.ndarray, tuned: np.ndarray, alpha: float) -> np.ndarray:
    start = base.astype("float32")
    return (start + alpha * (tuned.astype("float32") - start)).astype(tuned.dtype)


def _check_alike(
    theirs: dict[str, np.ndarray], ours: dict[str, np.ndarray], base: Path, tuned: Path
) -> None:
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
