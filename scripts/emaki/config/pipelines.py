"""Whether the folder of a base model is what Emaki can fine-tune: told before the first job."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from emaki import families
from emaki.common import weight_files
from emaki.common.errors import UserError, nearest
from emaki.common.safetensors_header import read_shapes

PIPELINE = "StableDiffusionPipeline"
CHANNELS = 4  # of a latent picture; a U-Net for inpainting takes a mask and a second one beside it
SINGLE_FILES = (".safetensors", ".ckpt")


def problems(folder: str) -> Iterator[str]:
    """Sentences, which go on after the model's key, about the folder of a base model."""
    path = Path(folder)
    if os.path.isfile(path) and path.suffix in SINGLE_FILES:
        new = path.with_suffix("")
        yield (
            f"is {folder}, a single file: make a folder of it with diffusers, `{PIPELINE}"
            f'.from_single_file("{folder}").save_pretrained("{new}")`, and give that'
        )
    elif not os.path.isdir(path):
        yield f"is {folder}, which is no folder"
    elif not (path / families.INDEX).is_file():
        yield f"is {folder}, which is no diffusers pipeline: it has no {families.INDEX}"
    else:
        yield from _pipeline(path)


def layers(folder: str) -> list[str] | None:
    """The names of the layers that a LoRA can be put on; None where they are not known."""
    try:
        parts = weight_files.parts_of(Path(folder, families.find(folder).weights_file()))
        shapes = {name: shape for part in parts for name, shape in read_shapes(part).items()}
    except (OSError, ValueError, KeyError, UserError):
        return None
    return [
        name.removesuffix(".weight")
        for name, shape in shapes.items()
        if name.endswith(".weight") and len(shape) in (2, 4)
    ]


def unknown_layers(folder: str, modules: Iterable[str]) -> Iterator[str]:
    """Sentences about the ends of names with which no layer of what is trained ends."""
    known = layers(folder)
    for module in modules if known is not None else ():
        if not any(f".{name}".endswith(f".{module}") for name in known or ()):
            file = families.find(folder).weights_file()
            ends = {end for name in known or () for end in _ends(name)}
            yield (
                f"has {module!r}, but no layer of {file} in {folder} ends so"
                f"{nearest(module, sorted(ends))}"
            )


def missing_file(folder: Path, path: Path) -> str:
    """What to say of a file of weights, or any, that is not in the folder of a model."""
    name = path.relative_to(folder)
    there = {file.name for file in path.parent.iterdir()} if path.parent.is_dir() else set()
    stem = path.name.removesuffix(".safetensors")
    again = "load the model with diffusers or transformers and save it again with `save_pretrained`"
    if path.suffix != ".safetensors":
        return f"which has no {name}"
    if weight_files.index_of(path.name) in there:
        return f'which has its weights in parts: {again}(..., max_shard_size="100GB")'
    if variants := sorted(n for n in there if n.startswith(f"{stem}.") and n.endswith(path.suffix)):
        variants = [name for name in variants if ".non_ema." not in name]
    if variants:
        variant = variants[0].removeprefix(f"{stem}.").removesuffix(path.suffix)
        return (
            f"which has {name.with_name(variants[0])} only: load it with "
            f'`{PIPELINE}.from_pretrained(..., variant="{variant}")` and save it again with '
            "`save_pretrained`"
        )
    if pickles := sorted(n for n in there if n.endswith((".bin", ".ckpt", ".pt", ".pth"))):
        return (
            f"which has {name.with_name(pickles[0])}, a pickle, which may run code when it is "
            f"read: {again}, which writes {path.name}"
        )
    return f"which has no {name}"


def _pipeline(folder: Path) -> Iterator[str]:
    kind = _entry(folder / families.INDEX, "_class_name")
    try:
        kind = kind if isinstance(kind, str) else "pipeline without a class"
        family = families.find_class(kind)(folder)
    except UserError as error:
        yield f"is {folder}, which {error}"
        return
    try:
        needed = family.needed()
    except UserError as error:
        yield f"is {folder}: {error}"
        return
    missing = [folder / file for file in needed if not (folder / file).is_file()]
    if missing:
        yield f"is {folder}, {missing_file(folder, missing[0])}"
        return
    channels = _entry(folder / "unet/config.json", "in_channels")
    if family.denoiser == "unet" and channels not in (None, CHANNELS):
        yield (
            f"is {folder}, whose U-Net takes {channels} channels, not {CHANNELS}: models for "
            "inpainting, depth or editing are not there"
        )
    for file in needed:
        if file.endswith(".safetensors"):
            try:
                read_shapes(folder / file)
            except UserError as error:
                yield f"is {folder}: {error}"


def _entry(path: Path, key: str) -> Any:
    """A value of a JSON file, None where there is none."""
    try:
        return json.loads(path.read_text("utf-8"))[key]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _ends(name: str) -> Iterator[str]:
    """The ends of a layer's name by which one would call it: to_out.0, but not 0 alone."""
    *_, last = parts = name.split(".")
    yield ".".join(parts[-2:]) if last.isdigit() else last
