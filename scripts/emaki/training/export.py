"""A model as others take it: a pipeline's folder or a LoRA, and one file for web UIs."""

import json
import shutil
from pathlib import Path

from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from emaki.common import digests, weight_files
from emaki.families import INDEX, find
from emaki.training import single_file

READ = {".json", ".jinja", ".model", ".txt", ".safetensors"}  # no pickles
WEBUI_LORA = "webui/lora.safetensors"  # in a checkpoint: see emaki.training.lora
# the second factor of a LoRA, by the names of diffusers' and of the web UIs' file
SECOND_FACTOR = (".lora_B.weight", ".lora_up.weight")


def export_pipeline(model: Path, weights: Path | None, folder: Path, name: str) -> list[str]:
    """Write a whole pipeline into `folder`, and webui/{name}.safetensors where its kind has one.

    `model` is the base's pipeline folder; `weights` a checkpoint's or merge's folder, which takes
    the place of its denoiser, and of its text encoders if it has some. Returns the names of the
    files with weights for web UIs. Raises UserError where the weights are damaged.
    """
    family = find(model)
    others = (*family.encoders, *family.tokenizers)
    own = () if weights is not None else (family.denoiser,)
    for part in (*own, "vae", *others, "scheduler"):
        _copy(model / part, folder / part)
    if weights is not None:
        digests.check_weights(weights)
        (folder / family.denoiser).mkdir()
        for file in ("config.json", weight_files.DIFFUSERS):
            shutil.copy(weights / file, folder / family.denoiser / file)
        for part in family.encoders:
            if (weights / part).is_dir():
                shutil.rmtree(folder / part)
                _copy(weights / part, folder / part)
    _write_index(model, folder)
    if not single_file.can_be_written(folder):
        return []
    single_file.write(folder, folder / f"webui/{name}.safetensors")
    return [f"webui/{name}.safetensors"]


def export_lora(lora: Path, scale: float, folder: Path, name: str) -> list[str]:
    """Write a checkpoint's LoRA into `folder` and webui/{name}.safetensors, its scale in its
    weights: loaded at 1 it is what was drawn at `scale`.

    Returns the names of the files for web UIs. Raises UserError where the weights are damaged.
    """
    digests.check_weights(lora)
    ours = f"webui/{name}.safetensors"
    (folder / ours).parent.mkdir(parents=True)
    for file, output in ((weight_files.LORA, weight_files.LORA), (WEBUI_LORA, ours)):
        _scale(lora / file, scale, folder / output)
    return [ours]


def _scale(path: Path, scale: float, output: Path) -> None:
    with safe_open(path, framework="np") as opened:
        metadata = opened.metadata()
    tensors = {
        key: (tensor * scale).astype(tensor.dtype) if key.endswith(SECOND_FACTOR) else tensor
        for key, tensor in load_file(path).items()
    }
    save_file(tensors, output, metadata=metadata)


def _copy(source: Path, target: Path) -> None:
    """Copy a part of a pipeline, without raw weights beside the EMA ones; links become files."""
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.suffix in READ and ".non_ema." not in path.name and path.is_file():
            shutil.copyfile(path, target / path.name)


def _write_index(model: Path, folder: Path) -> None:
    """The list of a pipeline's parts, without the safety checker and what goes with it."""
    index = json.loads((model / INDEX).read_text("utf-8"))
    for part in {"safety_checker", "feature_extractor", "image_encoder"} & index.keys():
        index[part] = [None, None]
    if "requires_safety_checker" in index:
        index["requires_safety_checker"] = False
    text = json.dumps(index, indent=2, sort_keys=True)
    (folder / INDEX).write_text(f"{text}\n", "utf-8")
