"""Weights between a base model and its fine-tune."""

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from emaki.common import digests, weight_files
from emaki.common.errors import UserError
from emaki.common.files import replacing, sha256
from emaki.common.safetensors_header import Place, read_places
from emaki.families import find

# A table of 0, 1, 2, ... that older versions of transformers saved with CLIP's weights.
OLD_TABLE = "text_model.embeddings.position_ids"
NUMPY: dict[str, np.dtype[Any]] = {
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}


def merge(model: str | Path, tuned: str | Path, alpha: float, output: str | Path) -> None:
    """Write base + alpha x (tuned - base) as a denoiser's folder of diffusers with a `merge.json`.

    `model` is the base's pipeline folder, `tuned` a denoiser's, whose text encoders are merged too
    where they were trained (text_encoder/); alpha 0 is the base, 1 the fine-tune, beyond 1
    extrapolates. Computed in float32, kept in the fine-tune's type, a tensor at a time in memory.
    Raises UserError where the two do not have the same tensors, or the fine-tune is damaged.
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
            _merge_files(base, tuned / name, alpha, folder / name)
            shutil.copy((tuned / name).with_name("config.json"), (folder / name).parent)
        written = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        about = {"alpha": alpha, "files": {str(name): sha256(folder / name) for name in written}}
        digests.write_json(folder / "merge.json", about)


def _merge_files(base: Path, tuned: Path, alpha: float, output: Path) -> None:
    """Write a file with the header of `tuned`, whose tensors it has, and the merged values.

    `base` may be in parts.
    """
    theirs: dict[str, Place] = {}
    homes: dict[str, Path] = {}
    for part in weight_files.parts_of(base):
        places = read_places(part)
        theirs |= places
        homes |= dict.fromkeys(places, part)
    ours = read_places(tuned)
    theirs.pop(OLD_TABLE, None)
    _check_alike(theirs, ours, base, tuned)
    with ExitStack() as stack:
        starts = {part: stack.enter_context(open(part, "rb")) for part in set(homes.values())}
        end = stack.enter_context(open(tuned, "rb"))
        merged = stack.enter_context(open(output, "wb"))
        merged.write(end.read(next(iter(ours.values())).start))
        for name, place in ours.items():
            start = _read(starts[homes[name]], theirs[name])
            merged.write(_interpolate(start, _read(end, place), alpha).tobytes())


def _read(file: BinaryIO, place: Place) -> np.ndarray:
    """A tensor's values, flat; those of bfloat16, which numpy lacks, as float32."""
    file.seek(place.start)
    if place.dtype == "BF16":  # the upper half of a float32
        return (np.frombuffer(file.read(place.size), "<u2").astype("<u4") << 16).view("<f4")
    if place.dtype not in NUMPY:
        raise UserError(f"{file.name} has tensors of type {place.dtype}, which cannot be merged")
    return np.frombuffer(file.read(place.size), NUMPY[place.dtype])


def _interpolate(base: np.ndarray, tuned: np.ndarray, alpha: float) -> np.ndarray:
    start = base.astype("float32")
    return (start + alpha * (tuned.astype("float32") - start)).astype(tuned.dtype)


def _check_alike(theirs: dict[str, Place], ours: dict[str, Place], base: Path, tuned: Path) -> None:
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
