"""Folders of a transformers model, as `save_pretrained` writes them."""

import json
from pathlib import Path

from emaki.common import weight_files
from emaki.common.errors import UserError

HUB_FOLDER = "results/hub"  # where models of the hub lie, by repository and commit


def check_type(folder: str | Path, kind: str) -> None:
    """Raise UserError where `folder` holds no model of the type that its config.json must name."""
    config = Path(folder) / "config.json"
    if not config.is_file():
        raise UserError(f"there is no {kind} model in {folder}: config.json is missing")
    found = json.loads(config.read_text("utf-8")).get("model_type")
    if found != kind:
        raise UserError(f"{folder} holds a model of type {found!r}, not {kind!r}")


def transformers_files(*folders: str) -> list[str]:
    """What decides the output of models in folders that transformers wrote."""
    names = ("config.json", weight_files.TRANSFORMERS)
    return [f"{path}/{name}" for path in folders for name in names]


def image_text_files(folder: str | Path) -> list[str]:
    """All that transformers may read of an image-text-to-text model: settings, tokenizer, chat
    template, weights.

    Of a model of the hub that is the list which the rule makes that brings it.
    """
    folder = Path(folder)
    if folder.is_relative_to(HUB_FOLDER):
        return [f"{folder}/files.json"]
    kinds = {".json", ".jinja", ".model", ".txt", ".safetensors"}
    return sorted(str(file) for file in folder.iterdir() if file.suffix in kinds)
