"""Compare two folders of one study's results: weights, samples and scores, byte for byte.

    python tests/same_results.py BEFORE/results/miniature AFTER/results/miniature

For a change of the code that is to change no result. Weights are compared as files; samples by the
bytes of each picture, which `key` is not (it has a digest of the code that draws); scores by the
values of each measure. In which files samples and scores lie does not matter: once each variant and
set of prompts had files of its own. Prints what differs, and what is in one of them only; ends with
status 1 if anything that is in both differs.
"""

import argparse
import sys
from pathlib import Path

import pyarrow.parquet as pq


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


def read_samples(folder: Path) -> dict[str, dict]:
    """{"variant/set": {prompt and seed: PNG bytes}}."""
    found: dict[str, dict] = {}
    for file in (folder / "samples").rglob("*.parquet"):
        own = file.relative_to(folder / "samples").parent
        for row in pq.read_table(file).to_pylist():
            name = f"{row['variant']}/{row['prompts']}" if "variant" in row else str(own)
            key = row["prompt"], row["seed"]
            found.setdefault(name, {})[key] = row["image"]["bytes"]
    return found


def read_scores(folder: Path) -> dict[str, dict]:
    """{"measure variant/set": {prompt and seed: value}}."""
    found: dict[str, dict] = {}
    for file in (folder / "scores").rglob("*.parquet"):
        measure, *own = file.relative_to(folder / "scores").parent.parts
        for row in pq.read_table(file).to_pylist():
            name, value = f"{measure} {'/'.join(own)}", row["value"]
            if "measure" in row:
                name = f"{row['measure']} {row['variant']}/{row['prompts']}"
                value = row["vector"] if value is None else value
            found.setdefault(name, {})[row["prompt"], row["seed"]] = value
    return found


if __name__ == "__main__":
    main()
