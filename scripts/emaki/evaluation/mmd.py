"""How far two sets of pictures are apart: the unbiased squared maximum mean discrepancy (MMD).

With the kernel (x.y / d + 1)^3 on the features of an image encoder it is the kernel inception
distance, KID (Binkowski, Sutherland, Arbel and Gretton, Demystifying MMD GANs, ICLR 2018, section
4); with a Gaussian kernel on CLIP's embeddings it is CMMD (Jayasumana et al., Rethinking FID,
CVPR 2024, section 4).
"""

from collections.abc import Callable

import numpy as np

from emaki.evaluation.by_prompt import MINIMUM_PROMPTS, pseudo_values

SIGMA = 10  # CMMD's bandwidth, of embeddings of length one

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


def polynomial(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """k(x, y) = (x.y / d + 1)^3 for the rows of X (n, d) and Y (m, d): float64 (n, m)."""
    X, Y = np.asarray(X, dtype=np.float64), np.asarray(Y, dtype=np.float64)
    return (X @ Y.T / X.shape[1] + 1) ** 3


def gaussian(X: np.ndarray, Y: np.ndarray, sigma: float = SIGMA) -> np.ndarray:
    """k(x, y) = exp(-|x - y|^2 / (2 sigma^2)) for the rows of X and Y: float64 (n, m)."""
    X, Y = np.asarray(X, dtype=np.float64), np.asarray(Y, dtype=np.float64)
    squares = (X**2).sum(axis=1)[:, None] + (Y**2).sum(axis=1)[None, :]
    return np.exp(-(squares - 2 * X @ Y.T) / (2 * sigma**2))


def mmd(
    X: np.ndarray,
    R: np.ndarray,
    prompts: np.ndarray | None = None,
    kernel: Kernel = polynomial,
) -> float:
    """Unbiased squared MMD of features X (n, d) and R (m, d); it may be below zero.

    `prompts` (n,) says which pictures belong together: pictures of one prompt are no independent
    draws, so only pairs from different prompts enter the term of X alone, which keeps the
    estimate unbiased for prompts drawn at random. Raises ValueError where either side has
    fewer than two rows.
    """
    group = np.arange(len(X)) if prompts is None else _groups(prompts)
    if min(len(X), len(R)) < 2:
        raise ValueError("MMD needs at least two pictures on each side")
    real = _within(kernel(R, R), np.arange(len(R)))
    return float(_within(kernel(X, X), group) + real - 2 * kernel(X, R).mean())


def difference_by_prompt(
    A: np.ndarray, B: np.ndarray, R: np.ndarray, prompts: np.ndarray, kernel: Kernel = polynomial
) -> np.ndarray:
    """MMD(A, R) - MMD(B, R) as one jackknife pseudo-value per distinct prompt.

    A and B are features (n, d) of two models' pictures, paired row by row; `prompts` names the
    prompt of each; R (m, d) are the real pictures' features, taken as given. The term of R
    alone cancels. The mean of the values is the difference itself, and with fewer than
    MINIMUM_PROMPTS each is. Two models against one
    reference: Bounliphone et al., A test of relative similarity for model selection in
    generative models (ICLR 2016).
    """
    group = _groups(prompts)
    count = group.max() + 1
    K = kernel(A, A) - kernel(B, B)
    to_real = kernel(A, R).mean(axis=1) - kernel(B, R).mean(axis=1)
    whole = _within(K, group) - 2 * to_real.mean()
    if count < MINIMUM_PROMPTS:
        return np.full(count, whole)
    return pseudo_values(whole, _within_others(K, group) - 2 * _mean_of_others(to_real, group))


def _within_others(K, group):
    """`_within` of all groups but each: what is left of its sums, not sums made anew."""
    members = np.eye(group.max() + 1)[group]  # (pictures, groups)
    sums, sizes = members.T @ K @ members, members.sum(axis=0)
    total, pairs = sums.sum() - np.trace(sums), len(group) ** 2 - (sizes**2).sum()
    own = sums.sum(axis=0) - np.diag(sums)
    return (total - 2 * own) / (pairs - 2 * sizes * (len(group) - sizes))


def _mean_of_others(values, group):
    """The mean of the values of all groups but each."""
    sums, sizes = np.bincount(group, weights=values), np.bincount(group)
    return (values.sum() - sums) / (len(values) - sizes)


def _groups(prompts):
    return np.unique(np.asarray(prompts), return_inverse=True)[1]


def _within(K, group):
    """Mean over pairs of pictures of different groups; of one group, over its own pairs."""
    pairs = group[:, None] != group[None, :]
    if not pairs.any():
        pairs = ~np.eye(len(K), dtype=bool)
    return K[pairs].mean()
