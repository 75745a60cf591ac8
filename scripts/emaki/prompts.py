"""Sets of prompts, as files."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emaki.errors import UserError
from emaki.files import replacing


def texts(entry, dataset=None):
    """The prompts of a config entry: its `texts`, or `count` captions of a dataset's folder.

    Captions are taken from the validation split, which no run trains on, and then, where that is
    too short, from the training split; each text once.
    """
    if "texts" in entry:
        return entry["texts"]
    data = Path(dataset) / "data"
    splits = [data / "validation.parquet", data / "train.parquet"]
    captions = [text for split in splits for text in pq.read_table(split)["text"].to_pylist()]
    found = list(dict.fromkeys(captions))[: entry["count"]]
    if not found:
        raise UserError(f"dataset {entry['dataset']!r} has no captions to take prompts from")
    return found


def write(prompts, output):
    """Write prompts as parquet: prompt_id (int64, from 0), prompt (string)."""
    table = pa.table({"prompt_id": range(len(prompts)), "prompt": prompts})
    with replacing(output) as temporary:
        pq.write_table(table, temporary)


def read(path):
    """The prompts of a set in their order."""
    return pq.read_table(path)["prompt"].to_pylist()
