"""A folder with this repository's config and stand-ins for the models, of which the config asks
only that the files are there."""

from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    (tmp_path / "config").symlink_to(CONFIG)
    for model in ("tiny-sd/unet", "tiny-clip", "tiny-blip"):
        (tmp_path / "resources" / model).mkdir(parents=True)
    pipeline = tmp_path / "resources" / "tiny-sd"
    (pipeline / "model_index.json").touch()
    (pipeline / "unet" / "diffusion_pytorch_model.non_ema.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path
