"""What a study has cost, from the benchmark files that Snakemake writes."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emaki.common.errors import UserError
from emaki.common.parts import Part

# The stages in the order of the road, by the first folder of a benchmark file.
STAGES = {
    "images": "pictures collected",
    "captions": "pictures captioned",
    "datasets": "datasets put together",
    "latents": "latents encoded",
    "runs": "training",
    "merges": "weights merged",
    "samples": "pictures drawn",
    "scores": "pictures scored",
    "references": "real pictures encoded",
    "calibrations": "margins calibrated",
}


def read(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """[{"stage", "parts" (the rest of the path without suffix), "seconds"}] of benchmark files.

    A path is .../benchmarks/{stage}/{...}.tsv. Raises UserError for another path and for a file
    that Snakemake did not write.
    """
    return [{**_place(path), "seconds": _seconds(path)} for path in sorted(map(Path, paths))]


def by_stage(timings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """[{"stage", "title", "jobs", "seconds"}] in the order of the road."""
    found: dict[str, dict] = {}
    for timing in timings:
        entry = found.setdefault(timing["stage"], {"jobs": 0, "seconds": 0.0})
        entry["jobs"] += 1
        entry["seconds"] += timing["seconds"]
    order = [*STAGES, *sorted(set(found) - set(STAGES))]
    return [
        {"stage": stage, "title": STAGES.get(stage, stage), **found[stage]}
        for stage in order
        if stage in found
    ]


def of_run(timings: Iterable[dict[str, Any]], *trainings: str) -> dict[str, float]:
    """Seconds that training, drawing and scoring a run took: {"runs", "samples", "scores"}.

    `trainings` are the names of its trainings.
    """
    found = {"runs": 0.0, "samples": 0.0, "scores": 0.0}
    for timing in timings:
        place = 1 if timing["stage"] == "scores" else 0  # scores lie in folders of environments
        if timing["stage"] in found and timing["parts"][place] in trainings:
            found[timing["stage"]] += timing["seconds"]
    return found


def of_prompt(timings: Iterable[dict[str, Any]], samples: Path) -> float | None:
    """Seconds that one model's pictures of a prompt took to draw and to score by all measures.

    `samples` is the folder of the files that were drawn, which tell how many prompts there were.
    None where no timing of them is there.
    """
    from emaki.common import parquet_groups

    seconds, prompts = 0.0, 0
    for timing in timings:
        if timing["stage"] in ("samples", "scores"):
            seconds += timing["seconds"]
        path = samples.joinpath(*timing["parts"]).with_suffix(".parquet")
        if timing["stage"] == "samples" and path.exists():
            parts = [Part(str(path), key) for key in parquet_groups.keys(path)]
            read = (parquet_groups.read(part, ["prompt"])["prompt"] for part in parts)
            prompts += sum(len(column.unique()) for column in read)
    return seconds / prompts if prompts else None


def _place(path):
    parts = path.with_suffix("").parts
    if "benchmarks" not in parts[:-2]:
        raise UserError(f"{path} is not .../benchmarks/STAGE/NAME.tsv")
    start = len(parts) - parts[::-1].index("benchmarks")
    return {"stage": parts[start], "parts": parts[start + 1 :]}


def _seconds(path):
    """The first column of the rows, averaged where a job was repeated."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    try:
        return sum(float(row["s"]) for row in rows) / len(rows)
    except (KeyError, ValueError, ZeroDivisionError):
        raise UserError(
            f"{path} is not a benchmark file of Snakemake: run that job again"
        ) from None
