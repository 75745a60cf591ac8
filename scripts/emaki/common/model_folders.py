"""Folders of a transformers model, as `save_pretrained` writes them."""

import functools
import json
from pathlib import Path

from emaki.common.errors import UserError


def check_type(folder, kind):
    """Raise UserError where `folder` holds no model of the type that its config.json must name."""
    config = Path(folder) / "config.json"
    if not config.is_file():
        raise UserError(f"there is no {kind} model in {folder}: config.json is missing")
    found = json.loads(config.read_text("utf-8")).get("model_type")
    if found != kind:
        raise UserError(f"{folder} holds a model of type {found!r}, not {kind!r}")


@functools.cache
def device():
    """A GPU where there is one."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
