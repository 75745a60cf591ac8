"""Which of the project's own files a script runs: the inputs that invalidate what it makes."""

import ast
import functools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from emaki.common.plugins import Kind, is_file

SCRIPTS = Path(__file__).parents[2]


def code_of(script: str, kind: Kind, types: Iterable[str]) -> list[str]:
    """The files of the code that a script runs with plug-ins of these types."""
    names = sorted({kind.module_name(type_) for type_ in types})
    own = [name for name in names if is_file(name)]
    modules = [name for name in names if name not in own]
    # the config's paths count from where Snakemake runs
    return [*modules_of(script, *modules, *map(os.path.abspath, own)), *own]


def modules_of(*scripts: str) -> list[str]:
    """The files of the package `emaki` that scripts (paths) or modules import, sorted.

    Followed through every import statement, inside functions too, but not through names that are
    computed at run time: pass such a module ("emaki.data.sources.rooms") beside the script.
    """
    return list(_modules_of(*scripts))


@functools.cache  # asked for every job
def _modules_of(*scripts: str) -> tuple[str, ...]:
    found: set[Path] = set()
    waiting = [path for name in scripts for path in _files(name)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported_files(path)
    package = SCRIPTS / "emaki"
    root = SCRIPTS.parent
    ours = (str(path.relative_to(root)) for path in found if path.is_relative_to(package))
    return tuple(sorted(ours))


@functools.cache
def _imported_files(path: Path) -> tuple[Path, ...]:
    """The files that import statements in the file may mean."""
    return tuple(file for name in set(_imported(path)) for file in _files(name))


def _imported(path: Path) -> Iterator[str]:
    """Every dotted name that an import statement in the file may mean."""
    for node in ast.walk(ast.parse(path.read_bytes(), path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(name: str) -> list[Path]:
    """The files that a script's path or a dotted module name stands for, packages included."""
    if name.endswith(".py"):
        return [SCRIPTS.parent / name]
    if name.split(".")[0] != "emaki":
        return []
    path = SCRIPTS.joinpath(*name.split("."))
    parents = [path, *path.parents][: len(name.split("."))]
    files = [parent / "__init__.py" for parent in parents] + [path.with_suffix(".py")]
    return [file for file in files if file.is_file()]
