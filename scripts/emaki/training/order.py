"""The data order and every random number of a training, from counters.

Nothing is drawn from a hidden stream: what step s does depends on the seed and s alone, so a
training that is stopped and resumed anywhere goes on with the same numbers. Philox is a
counter-based generator (Salmon et al. 2011): its key is (seed, purpose), its counter the step.
All numbers of a step are drawn for the whole global batch, of which each process and each
micro-batch takes its part: how a batch is split does not change it.
"""

import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np


def generator(seed: int, purpose: str, step: int) -> np.random.Generator:
    """A numpy Generator for one purpose ("noise", "order", ...) of one step or epoch."""
    key = np.array([seed, zlib.crc32(purpose.encode())], dtype=np.uint64)
    counter = np.array([0, 0, 0, step], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def normal(seed: int, purpose: str, step: int, shape: Sequence[int]) -> np.ndarray:
    """Standard normal numbers, float32, of `shape` (global batch first)."""
    return generator(seed, purpose, step).standard_normal(shape, dtype=np.float32)


def rows(seed: int, step: int, batch: int, count: int) -> np.ndarray:
    """The rows (batch,) of the dataset that step `step` (from 0) trains on.

    Each epoch is a permutation of all `count` rows; a batch may span two epochs, so no row is
    left out and every batch is full.
    """
    positions = step * batch + np.arange(batch)
    return np.array([_epoch(seed, int(p) // count, count)[int(p) % count] for p in positions])


@lru_cache(maxsize=2)
def _epoch(seed: int, epoch: int, count: int) -> np.ndarray:
    return generator(seed, "order", epoch).permutation(count)
