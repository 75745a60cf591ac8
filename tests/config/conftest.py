"""A folder with this repository's config and models."""

import os
import shutil
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    (tmp_path / "config").symlink_to(CONFIG)
    # links: who changes a file of one takes it away first
    shutil.copytree(CONFIG.parent / "resources", tmp_path / "resources", copy_function=os.symlink)
    monkeypatch.chdir(tmp_path)
    return tmp_path
