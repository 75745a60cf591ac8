"""The runs of factorial experiments, which `matrix` makes of one run."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from emaki.common.errors import nearest
from emaki.common.messages import KeyPath
from emaki.config.reading import Document, unknown
from emaki.training.settings import Run

Runs = dict[str, dict[str, Any]]


def expand(document: Document) -> list[str]:
    """Give each experiment of a Document that has a `matrix` its runs, and the `cells` of it.

    Runs have what they inherit already. A combination that is a run of the config is that run.
    Returns the mistakes (sentences).
    """
    experiments, runs = document.data.get("experiments"), document.data.get("runs")
    if not isinstance(experiments, dict) or not isinstance(runs, dict):
        return []  # their types are told later, as are those within
    mistakes = []
    for name, entry in experiments.items():
        matrix = _of(entry)
        if matrix is None or not isinstance(runs.get(matrix.get("run", ""), {}), dict):
            continue
        if "cells" not in matrix:  # a study that is written out has them
            where = ("experiments", name)
            found = [
                document.error((*where, *path), text) for path, text in _wrong(entry, matrix, runs)
            ]
            mistakes += found
            if found:
                continue
            matrix = {**matrix, "cells": _cells(document, name, matrix, runs)}
            if len(matrix["cells"]) < len(_combinations(matrix)):
                problem = "has levels that make the same run"
                mistakes.append(document.error((*where, "matrix", "axes"), problem))
        experiments[name] = {**entry, "matrix": matrix, "runs": list(matrix["cells"])}
    return mistakes


def _of(entry: Any) -> dict[str, Any] | None:
    """The matrix of an experiment, if it has the form of one."""
    matrix = entry.get("matrix") if isinstance(entry, dict) else None
    if not isinstance(matrix, dict) or not isinstance(matrix.get("run", ""), str):
        return None
    axes = matrix.get("axes")
    formed = isinstance(axes, dict) and all(
        isinstance(levels, dict) and all(isinstance(keys, dict) for keys in levels.values())
        for levels in axes.values()
    )
    return matrix if formed else None


def _wrong(
    entry: Mapping[str, Any], matrix: Mapping[str, Any], runs: Runs
) -> Iterator[tuple[KeyPath, str]]:
    """What is wrong with a matrix that its form does not tell."""
    if "runs" in entry:
        yield ("runs",), "is there beside matrix, which makes the runs: leave one out"
    if matrix.get("run") not in runs:
        yield ("matrix", "run"), unknown("run", matrix.get("run"), runs)
    for axis, levels in matrix["axes"].items():
        for level, keys in levels.items():
            for key in keys.keys() - Run.model_fields.keys():
                problem = f"is not a key of a run{nearest(key, Run.model_fields)}"
                yield ("matrix", "axes", axis, level, key), problem
    for (one, ours), (other, theirs) in itertools.combinations(matrix["axes"].items(), 2):
        for key in _plain_keys(ours) & _plain_keys(theirs):
            yield ("matrix", "axes", other), f"changes {key}, which {one} changes too"


def _plain_keys(levels: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The keys that levels change and that are no mappings, which are put together."""
    return {k for keys in levels.values() for k, v in keys.items() if not isinstance(v, dict)}


def _combinations(matrix: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return list(itertools.product(*matrix["axes"].values()))


def _cells(
    document: Document, name: str, matrix: Mapping[str, Any], runs: Runs
) -> dict[str, list[str]]:
    """{run: its level of each axis}; runs that there are not are put among the others."""
    cells: dict[str, list[str]] = {}
    told: set[KeyPath] = set()
    for levels in _combinations(matrix):
        changes: dict[str, Any] = {}
        places: dict[str, KeyPath] = {}
        for axis, level in zip(matrix["axes"], levels):
            for key, value in matrix["axes"][axis][level].items():
                before = changes.get(key)
                if isinstance(value, dict) and isinstance(before, dict):
                    value = {**before, **value}
                changes[key] = value
                places[key] = ("experiments", name, "matrix", "axes", axis, level, key)
        values = {**runs[matrix["run"]], **changes, "extends": matrix["run"]}
        run = next((other for other in runs if _same(runs[other], values)), None)
        if run is None:
            run = f"{name}-{'-'.join(map(str, levels))}"
            runs[run] = values
            # what is wrong with a level is told once, where it stands
            own = {key: value for key, value in changes.items() if places[key] not in told}
            document.own[run] = {"extends": matrix["run"], **own}
            document.places |= {
                ("runs", run, key): document.places[place] for key, place in places.items()
            }
            told.update(places.values())
        cells[run] = list(levels)
    return cells


def _same(run: Any, other: dict[str, Any]) -> bool:
    """Whether two runs say the same, wherever they have it from."""
    return isinstance(run, dict) and {**run, "extends": None} == {**other, "extends": None}
