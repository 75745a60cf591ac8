"""Compare two folders of one study's results: weights, samples and scores, byte for byte.

    python tests/same_results.py BEFORE/results/miniature AFTER/results/miniature

For a change of the code that is to change no result. Weights are compared as files; samples by the
bytes of each picture, which `key` is not (it has a digest of the code that draws); scores by the
values of each measure: before measures had folders of their own one file held all columns of a
variant. Prints what differs, and what is in one of them only; ends with status 1 if anything that
is in both differs.
"""

import argparse
import sys
from pathlib import Path

import pyarrow.parquet as pq

COLUMNS = {"clip_score": "clip_score", "kid": "features"}  # of measures, in one file of scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    arguments = parser.parse_args()
    different = 0
    readers = {"weights": read_weights, "samples": read_samples, "scores": read_scores}
    for what, read in readers.items():
        before, after = read(arguments.before), read(arguments.after)
        odd = sorted(name for name in before.keys() & after.keys() if before[name] != after[name])
        alone = sorted(before.keys() ^ after.keys())
        different += len(odd)
        print(f"{what}: {len(before)} before, {len(after)} after, {len(odd)} differ", end="")
        print(f"; {len(alone)} in one only, such as {alone[0]}" if alone else "")
        for name in odd[:10]:
            print(f"  {name} differs")
    sys.exit(1 if different else 0)


def read_weights(folder: Path) -> dict[str, bytes]:
    """{path: bytes} of all weights of checkpoints and merges."""
    files = [f for part in ("runs", "merges") for f in (folder / part).rglob("*.safetensors")]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def read_samples(folder: Path) -> dict[str, list]:
    """{path: its pictures' prompt, seed and bytes}."""
    found = {}
    for file in (folder / "samples").rglob("*.parquet"):
        rows = pq.read_table(file, columns=["prompt", "seed", "image"]).to_pylist()
        found[str(file.relative_to(folder))] = [
            (r["prompt"], r["seed"], r["image"]["bytes"]) for r in rows
        ]
    return found


def read_scores(folder: Path) -> dict[str, dict]:
    """{"measure variant/prompts": {prompt and seed: value}}."""
    found = {}
    for file in (folder / "scores").rglob("*.parquet"):
        table = pq.read_table(file)
        keys = list(zip(*(table[name].to_pylist() for name in ("prompt", "seed"))))
        parts = file.relative_to(folder / "scores").with_suffix("").parts
        columns = {parts[0]: "value"} if "value" in table.column_names else COLUMNS
        own = parts[1:] if "value" in table.column_names else parts
        for measure, column in columns.items():
            values = dict(zip(keys, table[column].to_pylist()))
            found[f"{measure} {'/'.join(own)}"] = values
    return found


if __name__ == "__main__":
    main()
