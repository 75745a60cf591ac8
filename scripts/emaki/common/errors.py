"""Errors that are written for the person who reads them."""

import functools
import sys


class UserError(Exception):
    """Something that the user can put right: the message says what, where and how."""


def friendly(main):
    """Let a script's `main` end a UserError with one line on stderr and exit status 1."""

    @functools.wraps(main)
    def wrapper(*args, **kwargs):
        try:
            return main(*args, **kwargs)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            sys.exit(1)

    return wrapper
