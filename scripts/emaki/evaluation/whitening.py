"""Features seen as their whitened principal components."""

from collections.abc import Callable

import numpy as np

View = Callable[[np.ndarray], np.ndarray]

# The last rows that were asked for and what was made of them: a comparison asks for the same again
# and again, and finding the components of thousands of pictures takes seconds.
_last: list[tuple[np.ndarray, int, View]] = []


def whiten(rows: np.ndarray, count: int) -> View:
    """The map of features (m, d) to the first components (m, count) of `rows` (n, d).

    Of the rows themselves each component has mean 0 and variance 1. There are as many as the rows
    have, where that is fewer.
    """
    for kept, size, view in _last:
        if kept is rows and size == count:
            return view
    view = _view(rows, count)
    _last[:] = [*_last[-7:], (rows, count, view)]
    return view


def _view(rows, count):
    rows = np.asarray(rows, dtype=np.float64)
    mean = rows.mean(axis=0)
    _, spread, directions = np.linalg.svd(rows - mean, full_matrices=False)
    # of equal rows nothing is left but rounding
    kept = min(count, int((spread > 1e-9 * max(spread[0], 1e-300)).sum()), len(rows) - 1)
    scale = np.sqrt(len(rows) - 1) / spread[:kept]
    matrix = directions[:kept].T * scale
    return lambda features: (np.asarray(features, dtype=np.float64) - mean) @ matrix
