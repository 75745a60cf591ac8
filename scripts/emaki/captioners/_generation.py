"""Sampling of a text, token by token, that depends on a picture's own key alone."""

import hashlib

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

SEED = 42  # kohya's


class SeededNoise(LogitsProcessor):
    """Noise that makes the greedy choice a draw from the softmax, each row with its own seed.

    The largest of logits plus independent Gumbel noise is distributed as the softmax says (Gumbel
    1954; Maddison et al., A* sampling, 2014). `generate` itself draws for all rows of a batch from
    one stream, so that what a picture is called would depend on its company. `keys` are the
    pictures' own texts.
    """

    def __init__(self, keys: list[str]):
        self.generators = [torch.Generator().manual_seed(make_seed(key)) for key in keys]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (rows, words of the vocabulary) of the next token with noise added."""
        waits = [torch.empty(scores.shape[1]).exponential_(generator=g) for g in self.generators]
        # minus the logarithm of an exponential variate is a Gumbel one
        return scores.float() - torch.stack(waits).clamp(min=1e-30).log().to(scores.device)


def sample_nucleus(keys: list[str], top_p: float, top_k: int | None = None) -> LogitsProcessorList:
    """The processors that, with `do_sample=False`, sample from a nucleus: Holtzman et al. 2020."""
    cuts = [TopKLogitsWarper(top_k)] if top_k else []
    return LogitsProcessorList([*cuts, TopPLogitsWarper(top_p), SeededNoise(keys)])


def make_seed(key: str) -> int:
    """A seed of 63 bits for a text."""
    return int.from_bytes(hashlib.sha256(f"{SEED} {key}".encode()).digest()[:8]) >> 1
