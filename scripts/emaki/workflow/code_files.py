"""Which of the project's own files a script runs: the inputs that invalidate what it makes."""

import ast
from pathlib import Path

SCRIPTS = Path(__file__).parents[2]


def modules_of(*scripts):
    """The files of the package `emaki` that scripts (paths) or modules import, sorted.

    Followed through every import statement, inside functions too, but not through names that are
    computed at run time: pass such a module ("emaki.data.sources.rooms") beside the script.
    """
    found = set()
    waiting = [path for name in scripts for path in _files(name)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [file for name in _imported(path) for file in _files(name)]
    package = SCRIPTS / "emaki"
    root = SCRIPTS.parent
    return sorted(str(path.relative_to(root)) for path in found if path.is_relative_to(package))


def _imported(path):
    """Every dotted name that an import statement in the file may mean."""
    for node in ast.walk(ast.parse(path.read_bytes(), path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(name):
    """The files that a script's path or a dotted module name stands for, packages included."""
    if name.endswith(".py"):
        return [SCRIPTS.parent / name]
    if name.split(".")[0] != "emaki":
        return []
    path = SCRIPTS.joinpath(*name.split("."))
    parents = [path, *path.parents][: len(name.split("."))]
    files = [parent / "__init__.py" for parent in parents] + [path.with_suffix(".py")]
    return [file for file in files if file.is_file()]
