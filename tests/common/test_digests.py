"""What is written with its digest is not read when it is damaged."""

import json

import pytest

from emaki.common import digests
from emaki.common.errors import UserError

ABOUT = {"alpha": 0.1, "files": {"b": "é", "a": None}, "steps": {10: 1.5, 9: 2}}


def test_json_is_read_as_it_was_written(tmp_path):
    (tmp_path / "x.json").write_text(digests.to_json(ABOUT), "utf-8")
    assert digests.read_json(tmp_path / "x.json") == ABOUT | {"steps": {"10": 1.5, "9": 2}}
    assert json.loads((tmp_path / "x.json").read_text("utf-8"))["alpha"] == 0.1


def test_json_of_others_is_read(tmp_path):
    (tmp_path / "x.json").write_text('{"alpha": 1}')
    assert digests.read_json(tmp_path / "x.json") == {"alpha": 1}


def test_no_flipped_bit_in_json_changes_what_is_read(tmp_path):
    path = tmp_path / "x.json"
    whole = digests.to_json(ABOUT).encode()
    read = set()
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


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe"])
def test_what_is_no_json_is_named(data, tmp_path):
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(UserError, match=r"x\.json is damaged.*delete it and give the same"):
        digests.read_json(tmp_path / "x.json")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"x\.json cannot be read: No such file"):
        digests.read_json(tmp_path / "x.json")
