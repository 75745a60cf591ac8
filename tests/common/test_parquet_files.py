"""Tables between jobs: Parquet for everybody, and no damage to one is overlooked."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emaki.common import parquet_files
from emaki.common.errors import UserError
from emaki.common.files import replacing

SCHEMA = pa.schema([("prompt", pa.string()), ("value", pa.float64())], {"notes": "by hand"})
TABLE = pa.table([[f"a picture of {n}" for n in range(12)], [n / 7 for n in range(12)]], SCHEMA)


@pytest.fixture
def path(tmp_path):
    parquet_files.write(TABLE, tmp_path / "scores.parquet")
    return tmp_path / "scores.parquet"


def test_what_is_written_is_read_also_by_others(path):
    assert parquet_files.read(path).equals(TABLE, check_metadata=True)
    assert pq.read_table(path).equals(TABLE, check_metadata=True)
    assert parquet_files.read_schema(path).equals(SCHEMA, check_metadata=True)
    assert parquet_files.ParquetFile(path).read_row_group(0).equals(TABLE)
    filtered = parquet_files.read(path, ["prompt"], [("value", "<", 0.1)])
    assert filtered.to_pylist() == [{"prompt": "a picture of 0"}]


def test_a_file_that_others_wrote_is_read(tmp_path):
    pq.write_table(TABLE, tmp_path / "theirs.parquet")
    assert parquet_files.read(tmp_path / "theirs.parquet").equals(TABLE)


def test_no_flipped_bit_changes_what_is_read(path):
    """Each byte of the file with one of its bits flipped: noticed, or the same table."""
    whole = path.read_bytes()
    errors = []
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            assert parquet_files.read(path).equals(TABLE, check_metadata=True), place
        except UserError as error:
            errors.append(str(error))
    assert len(errors) > 0.8 * len(whole)  # the others are in what says where the digest is
    assert {error.partition(" (")[0] for error in errors} == {f"{path} is damaged"}
    assert all("delete it and give the same command again" in error for error in errors)


def test_another_file_in_the_place_of_one_is_noticed_within_a_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own, other = (Path(f"results/small/scores/{name}/0000-0032.parquet") for name in ("a", "b"))
    for path in (own, other):
        with replacing(path) as temporary:
            parquet_files.write(TABLE, temporary)
        assert parquet_files.read(path).equals(TABLE)
    shutil.copy(other, "mine.parquet")
    assert parquet_files.read("mine.parquet").equals(TABLE)
    shutil.copy(other, own)
    name = r"0000-0032\.parquet"
    told = f"scores/a/{name} is damaged, it is a copy of scores/b/{name}: delete"
    for read in (parquet_files.read, parquet_files.read_schema, parquet_files.ParquetFile):
        with pytest.raises(UserError, match=told):
            read(own)
    whole = own.read_bytes()
    own.write_bytes(whole.replace(b"scores/b", b"scores/a"))
    with pytest.raises(UserError, match=r"parquet is damaged \(its footer is not"):
        parquet_files.read(own)


@pytest.mark.parametrize("kept", [0, 1, 7, 400, -1])
def test_a_file_that_is_cut_is_named(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    for read in (parquet_files.read, parquet_files.read_schema, parquet_files.ParquetFile):
        with pytest.raises(UserError, match=r"scores\.parquet is damaged"):
            read(path)


def test_damage_is_noticed_where_a_file_is_read_in_parts(path):
    data = bytearray(path.read_bytes())
    place = data.index(b"picture of")
    data[place] ^= 1
    path.write_bytes(data)
    file = parquet_files.ParquetFile(path)
    with pytest.raises(UserError, match=r"scores\.parquet is damaged"):
        list(file.iter_batches(4))
    with pytest.raises(UserError, match=r"scores\.parquet is damaged"):
        file.read_row_group(0)


def test_a_missing_file_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        parquet_files.read(tmp_path / "none.parquet")
