"""Learning rates are those of diffusers' schedulers."""

import pytest
import torch

from emaki.training import optimizers
from emaki.training.settings import HyperParameters


def a_run(**keys):
    return HyperParameters(method="full", learning_rate=1e-3, **keys)


@pytest.mark.parametrize("name", ["constant", "constant_with_warmup", "linear", "cosine"])
def test_learning_rates_equal_diffusers(name):
    from diffusers.optimization import get_scheduler

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    theirs = get_scheduler(name, optimizer, num_warmup_steps=4, num_training_steps=20)
    run = a_run(lr_scheduler=name, lr_warmup_steps=4, lr_total_steps=20)
    for step in range(25):
        if step <= 20:
            expected = theirs.get_last_lr()[0]
            assert optimizers.learning_rate(run, step) == pytest.approx(expected, abs=1e-12)
        elif name in ("linear", "cosine"):
            assert optimizers.learning_rate(run, step) == pytest.approx(0, abs=1e-12)
        optimizer.step()
        theirs.step()


def test_scale_lr_multiplies_by_the_global_batch():
    run = a_run(scale_lr=True, batch_size=4, gradient_accumulation_steps=3, num_processes=2)
    assert optimizers.learning_rate(run, 0) == pytest.approx(24e-3)


def test_adamw8bit_keeps_its_moments_in_8_bits():
    parameter = torch.nn.Parameter(torch.randn(128, 128))
    optimizer = optimizers.make_optimizer(a_run(optimizer="adamw8bit"), [parameter])
    parameter.grad = torch.ones_like(parameter)
    optimizers.set_learning_rate(optimizer, 1e-3)
    optimizer.step()
    assert optimizer.state[parameter]["state1"].dtype == torch.uint8


@pytest.mark.parametrize("size", [0.01, 10.0])
def test_clipping_equals_that_of_torch(size):
    ours, theirs = (torch.nn.Parameter(torch.zeros(3, 4)) for _ in range(2))
    for parameter in (ours, theirs):
        parameter.grad = size * torch.arange(12.0).view(3, 4)
    optimizers.clip_gradients([ours], 1.0)
    torch.nn.utils.clip_grad_norm_([theirs], 1.0)
    assert torch.equal(ours.grad, theirs.grad)
