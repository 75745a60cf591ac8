"""A split of a dataset of the Hugging Face hub, by commit. No code of a dataset is ever run.

Options: `repo`, `revision` (a commit hash); `config`, where the dataset has several; `split`;
`image_column` and `text_column` (null: no captions); `count`, the first rows alone; `min_size`, the
least length of a side in pixels (32); `licence` and `credit`, where no column of that name tells:
else those are what the dataset's card says, and the repository.

The library `datasets` finds the split's files and reads them: Parquet, folders of pictures with
metadata, tar files. They are brought and checked as models are (emaki.common.hub_client).
"""

import dataclasses
import functools
import glob
import itertools
from pathlib import Path

from emaki.common import hub_client
from emaki.common.errors import UserError
from emaki.data.picture import Reject
from emaki.data.sources.folder import picture


def pictures(source):
    """Yield a `FilePicture` (emaki.data.sources.folder) or a `Reject` for every row.

    Raises UserError where the dataset, its split or a column is not there, with what there is.
    """
    from datasets import load_dataset

    kind, files, card = _bring(
        source["repo"], source["revision"], source.get("config"), _split(source)
    )
    data = {"split": [str(path) for path in files]}
    rows = iter(load_dataset(kind, data_files=data, split="split", streaming=True).decode(False))
    count = source.get("count")
    read = 0
    for read, row in enumerate(itertools.islice(rows, count), 1):
        if read == 1:
            _check(source, row)
        yield _picture(source, f"{_split(source)} row {read - 1}", row, card)
    if count and read < count:
        raise UserError(f"{source['repo']} has {read} rows, not {count}: take a smaller count")


def total(source):
    """How many rows there are, or files where that is not known."""
    from emaki.data.tables import open_parquet

    _, files, _ = _bring(source["repo"], source["revision"], source.get("config"), _split(source))
    parquet = [path for path in files if path.suffix == ".parquet"]
    rows = sum(open_parquet(path).metadata.num_rows for path in parquet)
    return rows + len(files) - len(parquet)


def _split(source):
    return source.get("split", "train")


@functools.cache
def _bring(repo, revision, config, split):
    """Download a split: (datasets' name for its format, the files' paths, what its card says)."""
    about = hub_client.card(repo, revision)
    builder = _builder(repo, revision, config)
    splits = builder.config.data_files
    if split not in splits:
        raise UserError(f"{repo} has no split {split!r}, only {', '.join(sorted(splits))}")
    root = f"hf://datasets/{repo}@{revision}/"
    names = sorted(url.removeprefix(root) for url in splits[split])
    folder = hub_client.fetch(repo, revision, [glob.escape(name) for name in names], "dataset")
    return builder.name, [folder / name for name in names], about


def _builder(repo, revision, config):
    from datasets import exceptions, load_dataset_builder

    known = (ValueError, RuntimeError, FileNotFoundError, ConnectionError, exceptions.DatasetsError)
    try:
        with hub_client.telling(repo, revision, "dataset"):
            return load_dataset_builder(repo, config, revision=revision, token=hub_client.token())
    except known as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{repo} at {revision} cannot be read as a dataset (its code, if it has any, is never "
            f"run): {reason}"
        ) from None


def _check(source, row):
    from emaki.data.tables import check_column

    for key, default in (("image_column", "image"), ("text_column", "text")):
        if (name := source.get(key, default)) is not None:
            check_column(source["repo"], row, name, f" (the source's {key} says which to read)")


def _picture(source, place, row, card):
    from emaki.data.decoding import BadPicture

    texts = {name: value for name, value in row.items() if isinstance(value, str)}
    column = source.get("text_column", "text")
    if column is not None and row[column] is not None and column not in texts:
        kind = type(row[column]).__name__
        raise UserError(f"{source['repo']} {place}: column {column!r} holds a {kind}, not a text")
    try:
        data = _bytes(source, place, row[source.get("image_column", "image")])
    except BadPicture as reason:
        return Reject(place, str(reason))
    own = {
        "caption": " ".join(texts.get(column, "").split()) or None,
        "licence": texts.get("licence") or texts.get("license"),
        "credit": texts.get("credit"),
    }
    general = {
        "min_size": source.get("min_size", 32),
        "licence": str(source.get("licence") or card.get("license") or "unknown"),
        "credit": source.get("credit") or source["repo"],
    }
    made = picture(general, place, data, own)
    if isinstance(made, Reject):
        return made
    name, number = source["repo"].split("/")[1], int(place.split()[-1])
    return dataclasses.replace(made, id=f"{name}-{number:06d}")


def _bytes(source, place, value):
    """The bytes of a picture as a column holds it: themselves, or a mapping with them or a path."""
    from emaki.data.decoding import BadPicture

    if value is None:
        raise BadPicture("no picture in this row")
    if isinstance(value, dict) and {"bytes", "path"} <= value.keys():
        value = value["bytes"] or Path(value["path"]).read_bytes()
    if not isinstance(value, bytes):
        raise UserError(
            f"{source['repo']} {place}: the column of pictures holds a {type(value).__name__}: "
            "name another one as image_column"
        )
    return value
