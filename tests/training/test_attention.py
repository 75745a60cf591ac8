"""On a CPU attention runs in float32, and without mixed precision as diffusers' own does."""

import pytest
import torch
from small import SIZE
from torch.utils._python_dispatch import TorchDispatchMode

from emaki.training import loop
from emaki.training.settings import HyperParameters


class Attentions(TorchDispatchMode):
    """Keeps the precisions of the queries that attention gets, forward and backward."""

    def __init__(self):
        super().__init__()
        self.precisions = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if "scaled_dot_product" in str(function):
            self.precisions.append(args[0].dtype)
        return function(*args, **(kwargs or {}))


def trainer(model, latents, **keys):
    run = HyperParameters(**{"method": "full", "resolution": SIZE, "batch_size": 2} | keys)
    return loop.make_trainer(run, model, latents, torch.device("cpu"))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_attention_is_in_float32_under_mixed_precision(model, latents, method):
    ours = trainer(model, latents, method=method, mixed_precision="bf16")
    with Attentions() as seen:
        loop.train(ours, 0, 1, "one step")
    assert len(seen.precisions) == 2 * 2 * 4  # two a block, forward and backward, four blocks
    assert set(seen.precisions) == {torch.float32}


def test_without_mixed_precision_it_is_diffusers_own(model, latents):
    from diffusers.models.attention_processor import AttnProcessor2_0

    ours, theirs = trainer(model, latents), trainer(model, latents)
    theirs.modules["unet"].set_attn_processor(AttnProcessor2_0())
    for one in (ours, theirs):
        loop.train(one, 0, 2, "two steps")
    for name, parameter in ours.parameters.items():
        assert torch.equal(parameter, theirs.parameters[name]), name
