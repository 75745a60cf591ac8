"""Sets of prompts: given, or taken from a dataset's captions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emaki.common.errors import UserError
from emaki.sampling import prompts
from emaki.sampling.settings import PromptSet


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / "data").mkdir()
    for split, texts in {"validation": ["b", "a", "b", "e"], "train": ["c", "a", "d"]}.items():
        pq.write_table(pa.table({"text": texts}), tmp_path / "data" / f"{split}.parquet")
    return tmp_path


def test_texts_are_kept_in_order(tmp_path):
    prompts.write(prompts.choose_prompts(PromptSet(texts=["pig", "ä cat"])), tmp_path / "p.parquet")
    assert prompts.read(tmp_path / "p.parquet") == {"pig": None, "ä cat": None}


def test_captions_that_no_run_trains_on_come_first_and_say_so(dataset, tmp_path):
    found = prompts.choose_prompts(PromptSet(dataset="x", count=4), dataset)
    assert list(found.items()) == [("b", True), ("e", True), ("a", False), ("c", False)]
    prompts.write(found, tmp_path / "p.parquet")
    assert prompts.read(tmp_path / "p.parquet") == found


def test_fewer_captions_than_asked_for_are_all_taken(dataset):
    found = prompts.choose_prompts(PromptSet(dataset="x", count=9), dataset)
    assert list(found) == ["b", "e", "a", "c", "d"]


def study(**prompts):
    return json.dumps({"sampling": {"seeds": [0]}, "prompts": {"mine": prompts}})


def test_a_user_is_told_what_the_prompts_cannot_do(dataset, tmp_path):
    told = tmp_path / "terminal"
    script = Path(__file__).parents[2] / "scripts/prompts.py"
    config = tmp_path / "config.json"
    config.write_text(study(dataset="x", count=9))
    arguments = ["--study", config, "--prompts", "mine", "--dataset", dataset]
    arguments += ["--block", "0000-0032"]
    with told.open("w") as terminal:
        subprocess.run(
            [sys.executable, script, *arguments, "--output", tmp_path / "mine.parquet"],
            check=True,
            env={**os.environ, "EMAKI_TERMINAL": str(terminal.fileno())},
            pass_fds=[terminal.fileno()],
        )
    assert told.read_text().splitlines() == [
        "prompts mine: 5 prompts, not 9: the dataset has no more distinct captions",
        "prompts mine: 2 of 5 prompts are captions that no run trains on",
        "prompts mine: with fewer than 128 prompts no comparison is decided",
    ]
    enough = dict.fromkeys("abcdef")
    assert not list(prompts.find_remarks(enough, PromptSet(texts=[*enough]), 6))


def test_a_dataset_without_captions_is_told(tmp_path):
    (tmp_path / "data").mkdir()
    for split in ("validation", "train"):
        empty = pa.table({"text": pa.array([], pa.string())})
        pq.write_table(empty, tmp_path / "data" / f"{split}.parquet")
    with pytest.raises(UserError, match="'x' has no captions"):
        prompts.choose_prompts(PromptSet(dataset="x", count=3), tmp_path)


def test_a_block_is_some_prompts_of_a_set(tmp_path):
    script = Path(__file__).parents[2] / "scripts/prompts.py"
    (tmp_path / "config.json").write_text(study(texts=["a", "b", "c", "d"]))
    command = [sys.executable, script, "--study", tmp_path / "config.json", "--prompts", "mine"]
    for block, texts in {"0000-0001": "a", "0001-0003": "bc", "0003-0009": "d"}.items():
        output = tmp_path / f"{block}.parquet"
        subprocess.run([*command, "--block", block, "--output", output], check=True)
        assert list(prompts.read(output)) == list(texts)
