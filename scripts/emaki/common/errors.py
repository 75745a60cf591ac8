"""Errors that are written for the person who reads them."""

import difflib
import functools
import sys
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class UserError(Exception):
    """Something that the user can put right: the message says what, where and how."""


def friendly(main: Callable[P, R]) -> Callable[P, R]:
    """Let a script's `main` end a UserError with one line on stderr and exit status 1."""

    @functools.wraps(main)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return main(*args, **kwargs)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            sys.exit(1)

    return wrapper


def nearest(name: object, names: Iterable[object]) -> str:
    """The question whether another name was meant, if one is alike; else nothing."""
    near = difflib.get_close_matches(str(name), [str(n) for n in names], n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
