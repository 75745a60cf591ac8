"""Measures brought to one value per prompt.

The prompts are what is drawn at random: pictures of one prompt resemble each other.
"""

from collections.abc import Callable

import numpy as np

# With fewer, many resamples have next to no spread, and the intervals are as wide as the world.
MINIMUM_PROMPTS = 6


def prompt_means(values: np.ndarray, prompts: np.ndarray) -> np.ndarray:
    """The mean of the values (n,) of each distinct prompt, sorted: float64 (prompts,)."""
    _, group = np.unique(prompts, return_inverse=True)
    return np.bincount(group, weights=values) / np.bincount(group)


def pseudo_values(statistic: Callable[[np.ndarray], float], count: int) -> np.ndarray:
    """Tukey's jackknife pseudo-values of a statistic of `count` prompts: float64 (count,).

    `statistic` takes a boolean mask of shape (count,), the prompts that are kept, and returns a
    number. The pseudo-values n T - (n - 1) T_without_g let a statistic that is no mean, such as
    KID, be treated as a mean over prompts (Arvesen, Jackknifing U-statistics, 1969), so that one
    interval serves both. With fewer than MINIMUM_PROMPTS each is the statistic itself.
    """
    everything = np.ones(count, dtype=bool)
    whole = statistic(everything)
    if count < MINIMUM_PROMPTS:
        return np.full(count, whole)
    without = np.empty(count)
    for prompt in range(count):
        kept = everything.copy()
        kept[prompt] = False
        without[prompt] = statistic(kept)
    return count * whole - (count - 1) * without
