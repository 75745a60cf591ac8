"""What Python code does, apart from how it is written: a comment is no change of it."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # what the parser raises


class Code(NamedTuple):
    """A file of Python, as far as others depend on it."""

    meaning: str
    """A digest without comments, docstrings, line breaks and quotation marks."""
    imports: list[str]
    """Every dotted name that an import statement in it may mean, sorted."""


def read(path: str | Path) -> Code:
    """Read a file of Python. One that is none means its bytes, and imports nothing."""
    content = Path(path).read_bytes()
    try:
        tree = ast.parse(content, path)
        parts: list[str] = []
        _describe(tree, parts)
    except UNREADABLE:
        return Code(hashlib.sha256(content).hexdigest(), [])
    return Code(hashlib.sha256("\n".join(parts).encode()).hexdigest(), sorted(set(_imports(tree))))


def meaning(path: str | Path) -> str:
    """The digest of what a file of Python does."""
    return read(path).meaning


def _describe(node: ast.AST, parts: list[str]) -> None:
    """Append a text of a syntax tree, the same in every version of Python (`ast.dump` is not)."""
    parts.append(type(node).__name__)
    if isinstance(node, ast.Constant):
        parts.append(repr(node.value))
        return
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, ast.AST):
            parts.append(field)
            _describe(value, parts)
        elif isinstance(value, list) and value:  # newer versions have more that are empty
            parts.append(field)
            for item in value:
                if isinstance(item, ast.AST):
                    if not _does_nothing(item):
                        _describe(item, parts)
                else:  # a name, or None for ** in a dictionary
                    parts.append(repr(item))
            parts.append("]")
        elif value is not None and value != []:
            parts.append(f"{field} {value!r}")
    parts.append(")")


def _does_nothing(statement: ast.AST) -> bool:
    """Whether it is a docstring, of whatever it stands below, or `pass`."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return isinstance(statement.value.value, str)
    return isinstance(statement, ast.Pass)


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
