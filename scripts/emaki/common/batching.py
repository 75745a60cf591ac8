"""Batches that are always full, for sums that are rounded alike whatever the number of pictures."""

from typing import TypeVar

T = TypeVar("T")


def filled(batch: list[T], size: int) -> list[T]:
    """The list `batch` with the last of it repeated up to `size`."""
    return [*batch, *batch[-1:] * (size - len(batch))]
