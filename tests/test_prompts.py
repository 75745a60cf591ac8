"""Sets of prompts: given, or taken from a dataset's captions."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emaki import prompts
from emaki.errors import UserError


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / "data").mkdir()
    for split, texts in {"validation": ["b", "a", "b"], "train": ["c", "a", "d"]}.items():
        pq.write_table(pa.table({"text": texts}), tmp_path / "data" / f"{split}.parquet")
    return tmp_path


def test_texts_are_kept_in_order(tmp_path):
    prompts.write(prompts.texts({"texts": ["pig", "ä cat"]}), tmp_path / "p.parquet")
    assert prompts.read(tmp_path / "p.parquet") == ["pig", "ä cat"]


def test_captions_come_from_the_validation_split_first_and_once(dataset):
    assert prompts.texts({"dataset": "x", "count": 3}, dataset) == ["b", "a", "c"]


def test_fewer_captions_than_asked_for_are_all_taken(dataset):
    assert prompts.texts({"dataset": "x", "count": 9}, dataset) == ["b", "a", "c", "d"]


def test_a_dataset_without_captions_is_told(tmp_path):
    (tmp_path / "data").mkdir()
    for split in ("validation", "train"):
        empty = pa.table({"text": pa.array([], pa.string())})
        pq.write_table(empty, tmp_path / "data" / f"{split}.parquet")
    with pytest.raises(UserError, match="'x' has no captions"):
        prompts.texts({"dataset": "x", "count": 3}, tmp_path)
