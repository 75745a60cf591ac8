"""Latents, weights and states that are damaged are not used: the error says what to delete."""

import re
import shutil

import pytest
from test_exact import FULL, LORA, train  # noqa: F401 - a fixture

from emaki.common import digests, weight_files
from emaki.common.errors import UserError
from emaki.training import data, merging


def flip(path):
    """Change one bit in the middle of a file."""
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 16
    path.write_bytes(whole)


def zero(path):
    """Make the second half of a file zeros."""
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size // 2] + bytes(size - size // 2))


def swap(path):
    """Put a whole file in the place of another."""
    shutil.copy(path.with_name("text.safetensors"), path)


@pytest.mark.parametrize("damage", [flip, zero, swap])
def test_damaged_latents_are_not_trained_on(damage, latents, train, tmp_path):  # noqa: F811
    copy = shutil.copytree(latents, tmp_path / "latents")
    damage(copy / "moments.safetensors")
    delete = re.escape(f"delete {copy / 'moments.safetensors'} and give the same command again")
    with pytest.raises(UserError, match=rf"moments\.safetensors is damaged.*{delete}"):
        train("run", LORA, 0, 1, latents=copy)


def test_damaged_text_and_manifest_are_not_trained_on(latents, tmp_path):
    for name in ("text.safetensors", "manifest.json"):
        copy = shutil.copytree(latents, tmp_path / name)
        flip(copy / name)
        with pytest.raises(UserError, match=rf"{name} is damaged"):
            data.check(copy)
    data.check(latents)


@pytest.mark.parametrize("name", ["state.safetensors", "state.json"])
def test_a_damaged_state_is_not_gone_on_from(name, train, tmp_path):  # noqa: F811
    _, state = train("run", LORA, 0, 1)
    flip(state / name)
    with pytest.raises(UserError, match=rf"{name} is damaged.*delete .* and give the same command"):
        train("run", LORA, 1, 2)


@pytest.mark.parametrize("run", [FULL, LORA], ids=["full", "lora"])
def test_damaged_weights_are_not_drawn_with(run, train):  # noqa: F811
    folder, _ = train("run", run, 0, 1)
    weights = folder / "weights"
    names = ["raw/config.json", f"raw/{weight_files.DIFFUSERS}", f"ema/{weight_files.DIFFUSERS}"]
    if run is LORA:
        names = [f"raw/{weight_files.LORA}", "ema/webui/lora.safetensors"]
    for name in names:
        whole = (weights / name).read_bytes()
        flip(weights / name)
        part, _, file = name.partition("/")
        with pytest.raises(UserError, match=rf"{file} is damaged.*delete {weights} and give"):
            digests.check_weights(weights / part)
        digests.check_weights(weights / ({"raw", "ema"} - {part}).pop())
        (weights / name).write_bytes(whole)
    digests.check_weights(weights / "raw")


def test_weights_that_are_missing_are_named(train):  # noqa: F811
    folder, _ = train("run", LORA, 0, 1)
    (folder / "weights/raw" / weight_files.LORA).unlink()
    told = rf"{weight_files.LORA} is missing: delete {folder / 'weights'} and give the same command"
    with pytest.raises(UserError, match=told):
        digests.check_weights(folder / "weights/raw")


def test_damaged_weights_are_neither_merged_nor_started_from(train, model, tmp_path):  # noqa: F811
    folder, _ = train("run", FULL, 0, 1)
    tuned = folder / "weights/raw"
    merging.merge(model, tuned, 0.5, tmp_path / "half")
    flip(tmp_path / "half" / weight_files.DIFFUSERS)
    with pytest.raises(UserError, match=rf"half/.* is damaged.*delete {tmp_path / 'half'} and"):
        digests.check_weights(tmp_path / "half")
    flip(tuned / weight_files.DIFFUSERS)
    with pytest.raises(UserError, match=r"raw/.* is damaged"):
        merging.merge(model, tuned, 0.5, tmp_path / "other")
    assert not (tmp_path / "other").exists()
    with pytest.raises(UserError, match=r"raw/.* is damaged"):
        train("next", FULL | {"train_init": {"folder": str(tuned)}}, 0, 1)
