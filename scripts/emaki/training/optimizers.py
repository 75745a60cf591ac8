"""Optimizers and learning rates."""

import math
from collections.abc import Iterable
from typing import Any

import torch

from emaki.common.errors import UserError
from emaki.training.settings import HyperParameters


def make_optimizer(run: HyperParameters, parameters: Iterable) -> torch.optim.Optimizer:
    """The run's optimizer over `parameters` or groups of them, as torch takes them.

    Its learning rate is set in every step. Raises UserError where its package is missing.
    """
    adam: dict[str, Any] = {
        "betas": (run.adam_beta1, run.adam_beta2),
        "eps": run.adam_epsilon,
        "weight_decay": run.weight_decay,
    }
    if run.optimizer == "adamw":
        return torch.optim.AdamW(parameters, fused=True, **adam)
    if run.optimizer == "adamw8bit":
        return _make_adamw8bit(parameters, adam)
    return torch.optim.Adafactor(parameters, weight_decay=run.weight_decay)


def _make_adamw8bit(parameters: Iterable, adam: dict[str, Any]) -> torch.optim.Optimizer:
    try:
        import bitsandbytes
    except ImportError as error:
        raise UserError("optimizer adamw8bit needs the package bitsandbytes") from error
    return bitsandbytes.optim.AdamW8bit(parameters, **adam)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group the learning rate `rate`, times its `share` where it has one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("share", 1.0)


def clip_gradients(parameters: list[torch.nn.Parameter], limit: float) -> None:
    """Scale the gradients down to the total norm `limit` where theirs is larger."""
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    # A look at the norm saves the scaling on a CPU; on a GPU the loop would have to wait for it.
    if norm.device.type != "cpu" or norm > limit:
        torch.nn.utils.clip_grads_with_norm_(parameters, limit, norm)


def base_learning_rate(run: HyperParameters) -> float:
    """The run's peak learning rate; `scale_lr` multiplies it by the size of the global batch."""
    return run.learning_rate * (global_batch(run) if run.scale_lr else 1)


def global_batch(run: HyperParameters) -> int:
    """Pictures per optimizer step."""
    return run.batch_size * run.gradient_accumulation_steps * run.num_processes


def learning_rate(run: HyperParameters, step: int) -> float:
    """The learning rate of step `step` (from 0), a function of the step alone.

    The formulas are those of diffusers' `get_scheduler`. `constant` has no warm-up, there as
    here; `linear` and `cosine` reach 0 at `lr_total_steps`, which is not the run's last step
    unless it says so: a run that is made longer keeps the rates that it was trained with.
    """
    peak, warmup, total = base_learning_rate(run), run.lr_warmup_steps, run.lr_total_steps
    if run.lr_scheduler == "constant":
        return peak
    if step < warmup:
        return peak * step / warmup
    if run.lr_scheduler == "constant_with_warmup":
        return peak
    assert total is not None, "settings.read and the check of a config see to it"
    left = max(0.0, (total - step) / max(1, total - warmup))
    if run.lr_scheduler == "linear":
        return peak * left
    return peak * max(0.0, 0.5 * (1 + math.cos(math.pi * (1 - left))))
