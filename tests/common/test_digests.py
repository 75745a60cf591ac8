"""What is written with its digest is not read when it is damaged."""

import json
import shutil
from pathlib import Path

import pytest

from emaki.common import digests
from emaki.common.errors import UserError
from emaki.common.files import replacing

ABOUT = {"alpha": 0.1, "files": {"b": "é", "a": None}, "steps": {10: 1.5, 9: 2}}


def test_json_is_read_as_it_was_written(tmp_path):
    digests.write_json(tmp_path / "x.json", ABOUT)
    assert digests.read_json(tmp_path / "x.json") == ABOUT | {"steps": {"10": 1.5, "9": 2}}
    assert json.loads((tmp_path / "x.json").read_text("utf-8"))["alpha"] == 0.1


def test_json_of_others_is_read(tmp_path):
    (tmp_path / "x.json").write_text('{"alpha": 1}')
    assert digests.read_json(tmp_path / "x.json") == {"alpha": 1}


def test_no_flipped_bit_in_json_changes_what_is_read(tmp_path):
    path = tmp_path / "x.json"
    digests.write_json(path, ABOUT)
    whole, read = path.read_bytes(), set()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 7
        path.write_bytes(damaged)
        try:
            found = digests.read_json(path)
        except UserError as error:
            read.add(str(error).partition(",")[0])
        else:  # white space, or the digest's own key
            found.pop(next((key for key in found if key not in ABOUT), None), None)
            assert found == json.loads(json.dumps(ABOUT))
    assert read == {f"{path} is damaged"}


def test_another_file_in_the_place_of_one_is_noticed_within_studies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = [
        Path(f"results/{name}.json") for name in ("small/runs/a", "small/runs/b", "new/runs/a")
    ]
    for path in places:
        with replacing(path) as temporary:
            digests.write_json(temporary, {"of": str(path)})
    own, other, renamed = places
    assert digests.read_json(own) == {"of": str(own)}
    shutil.copy(own, renamed)  # a study that was copied as another
    shutil.copy(own, "elsewhere.json")
    for path in (renamed, renamed.resolve(), Path("elsewhere.json")):
        assert digests.read_json(path) == {"of": str(own)}
    shutil.copy(other, own)
    with pytest.raises(
        UserError, match=r"a\.json is damaged, it is a copy of runs/b\.json: delete"
    ):
        digests.read_json(own)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe"])
def test_what_is_no_json_is_named(data, tmp_path):
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(UserError, match=r"x\.json is damaged.*delete it and give the same"):
        digests.read_json(tmp_path / "x.json")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"x\.json cannot be read: No such file"):
        digests.read_json(tmp_path / "x.json")
