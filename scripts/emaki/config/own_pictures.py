"""The short config for a folder of the user's own pictures."""

import hashlib
import json
import os
import re
import unicodedata
from pathlib import Path

from emaki.common.errors import UserError
from emaki.common.files import replacing

BASE = Path(__file__).parents[3] / "config" / "pictures.yaml"


def write(folder, path, caption_column=None):
    """Write to `path` a config that extends config/pictures.yaml with the pictures in `folder`.

    The study is named after the folder and a digest of where it is, so that two folders keep two
    sets of results. Raises UserError where there is no such folder.
    """
    folder = Path(folder).expanduser().resolve()
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder of pictures: give PICTURES=path/to/folder")
    source = {"path": str(folder)}
    if caption_column:
        source["caption_column"] = caption_column
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()
    plain = unicodedata.normalize("NFKD", folder.name).encode("ascii", "ignore").decode()
    words = "-".join(re.findall(r"[A-Za-z0-9._]+", plain))[:60].rstrip("-")
    study = "-".join(filter(None, ["pictures", words, digest[:6]]))
    base = os.path.relpath(BASE, Path(path).resolve().parent)
    lines = [
        f"extends: {json.dumps(base)}",
        f"study: {study}",
        "sources:",
        "  pictures:",
        "    type: folder",
        *(f"    {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in source.items()),
    ]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
