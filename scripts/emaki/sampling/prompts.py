"""Sets of prompts, as files."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from emaki.common import parquet_files
from emaki.common.errors import UserError
from emaki.common.files import replacing
from emaki.sampling.settings import PromptSet

SCHEMA = pa.schema([("prompt_id", pa.int64()), ("prompt", pa.string()), ("held_out", pa.bool_())])


def choose_prompts(entry: PromptSet, dataset: str | Path | None = None) -> dict[str, bool | None]:
    """The prompts of a set: its `texts`, or `count` captions of the folder of its dataset.

    {prompt: whether no run trains on it}, which is None of given texts. Captions that are in the
    validation split and not in the training split come first, then the others, each text once.
    Raises UserError where there are none.
    """
    if dataset is None:
        return dict.fromkeys(entry.texts or [])
    tables = (
        parquet_files.read(Path(dataset) / f"data/{split}.parquet", columns=["text"])
        for split in ("validation", "train")
    )
    validation, train = (table["text"].to_pylist() for table in tables)
    trained = set(train)
    found = {text: text not in trained for text in [*validation, *train]}
    if not found:
        raise UserError(f"dataset {entry.dataset!r} has no captions to take prompts from")
    first = sorted(found, key=lambda text: not found[text])
    return {text: found[text] for text in first[: entry.count]}


def find_remarks(prompts: dict[str, bool | None], entry: PromptSet, fewest: int) -> Iterator[str]:
    """Sentences about what a reader of the answers should know of these prompts.

    With less than `fewest` of them nothing is decided.
    """
    number, held_out = len(prompts), list(prompts.values()).count(True)
    if number < (entry.count or 0):
        yield f"{number} prompts, not {entry.count}: the dataset has no more distinct captions"
    if entry.dataset and held_out < number:
        yield f"{held_out} of {number} prompts are captions that no run trains on"
    if number < fewest:
        yield f"with fewer than {fewest} prompts no comparison is decided"


def write(prompts: dict[str, bool | None], output: str | Path) -> None:
    """Write prompts as parquet: prompt_id (from 0), prompt, held_out (see `choose_prompts`)."""
    columns = [range(len(prompts)), list(prompts), list(prompts.values())]
    with replacing(output) as temporary:
        parquet_files.write(pa.table(columns, schema=SCHEMA), temporary)


def read(path: str | Path) -> dict[str, bool | None]:
    """The prompts of a set in their order: as `choose_prompts` gives them."""
    table = parquet_files.read(path)
    return dict(zip(table["prompt"].to_pylist(), table["held_out"].to_pylist()))
