"""Measures brought to one value per prompt.

The prompts are what is drawn at random: pictures of one prompt resemble each other.
"""

import numpy as np

# With fewer, nothing is known of how prompts differ, and an interval has no bounds.
MINIMUM_PROMPTS = 6


def prompt_means(values: np.ndarray, prompts: np.ndarray) -> np.ndarray:
    """The mean of the values (n,) of each distinct prompt, sorted: float64 (prompts,)."""
    _, group = np.unique(prompts, return_inverse=True)
    return np.bincount(group, weights=values) / np.bincount(group)


def pseudo_values(whole: float, without: np.ndarray) -> np.ndarray:
    """Tukey's jackknife pseudo-values of a statistic: float64 (prompts,).

    `whole` is the statistic of all prompts, `without` (prompts,) that of all but each. The
    pseudo-values n T - (n - 1) T_without_g let a statistic that is no mean, such as KID, be treated
    as a mean over prompts (Arvesen, Jackknifing U-statistics, 1969), so that one interval serves
    both.
    """
    count = len(without)
    return count * whole - (count - 1) * without
