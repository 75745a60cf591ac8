"""Pictures between jobs: PNG for everybody, and no damage to one is overlooked."""

import random
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from emaki.common import png_files
from emaki.common.errors import UserError
from emaki.common.files import replacing


def picture(colour):
    image = Image.linear_gradient("L").resize((40, 30)).convert("RGB")
    image.paste(colour, (5, 5, 20, 20))
    return image


def test_it_is_a_png_with_its_texts(tmp_path):
    png_files.write(picture("red"), tmp_path / "grid.png", {"about": "a title, é"})
    with png_files.opened(tmp_path / "grid.png") as image:
        assert image.text["about"] == "a title, é"
        assert image.tobytes() == picture("red").tobytes()


def test_no_flipped_bit_changes_what_is_seen(tmp_path):
    path = tmp_path / "grid.png"
    texts = {"about": "a title"}
    png_files.write(picture("red"), path, texts)
    whole, chance, noticed = path.read_bytes(), random.Random(1), []
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            with png_files.opened(path) as image:
                assert (image.tobytes(), image.text) == (picture("red").tobytes(), texts)
        except UserError as error:
            noticed.append(str(error))
    assert len(noticed) >= len(whole) - 12  # the others are in the end mark
    assert all(re.search(r"grid\.png is damaged.*: delete it and", told) for told in noticed)


@pytest.mark.parametrize("kept", [0, 1, 40, 0.5, 0.9])
def test_a_file_that_is_cut_is_named(kept, tmp_path):
    path = tmp_path / "grid.png"
    png_files.write(picture("red"), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(UserError, match=r"grid\.png is damaged"):
        png_files.opened(path).__enter__()


def test_another_picture_in_the_place_of_one_is_noticed_within_a_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own, other = (Path(f"results/small/grids/{name}.png") for name in ("a", "b"))
    for path, colour in ((own, "red"), (other, "blue")):
        with replacing(path) as temporary:
            png_files.write(picture(colour), temporary)
        with png_files.opened(path) as image:
            assert image.tobytes() == picture(colour).tobytes()
    shutil.copy(other, own)
    with pytest.raises(UserError, match=r"a\.png is damaged, it is a copy of grids/b\.png: delete"):
        png_files.opened(own).__enter__()
