"""Optimizers and learning rates."""

import math

import torch

from emaki.common.errors import UserError


def make(run, parameters):
    """The run's optimizer over `parameters` or groups of them, as torch takes them.

    Its learning rate is set in every step.
    """
    adam = {
        "betas": (run["adam_beta1"], run["adam_beta2"]),
        "eps": run["adam_epsilon"],
        "weight_decay": run["weight_decay"],
    }
    if run["optimizer"] == "adamw":
        return torch.optim.AdamW(parameters, fused=True, **adam)
    if run["optimizer"] == "adamw8bit":
        return _adamw8bit(parameters, adam)
    return torch.optim.Adafactor(parameters, weight_decay=run["weight_decay"])


def _adamw8bit(parameters, adam):
    try:
        import bitsandbytes
    except ImportError as error:
        raise UserError("optimizer adamw8bit needs the package bitsandbytes") from error
    return bitsandbytes.optim.AdamW8bit(parameters, **adam)


def set_learning_rate(optimizer, rate):
    """Give every parameter group the learning rate `rate` or, where it has one, its `share`."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("share", 1.0)


def clip(parameters, limit):
    """Scale the gradients down to the total norm `limit` where theirs is larger."""
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    # A look at the norm saves the scaling on a CPU; on a GPU the loop would have to wait for it.
    if norm.device.type != "cpu" or norm > limit:
        torch.nn.utils.clip_grads_with_norm_(parameters, limit, norm)


def base_learning_rate(run):
    """The run's peak learning rate; `scale_lr` multiplies it by the size of the global batch."""
    return run["learning_rate"] * (global_batch(run) if run["scale_lr"] else 1)


def global_batch(run):
    """Pictures per optimizer step."""
    return run["batch_size"] * run["gradient_accumulation_steps"] * run["processes"]


def learning_rate(run, step):
    """The learning rate of step `step` (from 0), a function of the step alone.

    The formulas are those of diffusers' `get_scheduler`. `constant` has no warm-up, there as
    here; `linear` and `cosine` reach 0 at `lr_horizon`, which is not the run's last step unless
    it says so: a run that is made longer keeps the rates that it was trained with.
    """
    kind, warmup, horizon = run["lr_scheduler"], run["lr_warmup_steps"], run["lr_horizon"]
    peak = base_learning_rate(run)
    if kind == "constant":
        return peak
    if step < warmup:
        return peak * step / warmup
    if kind == "constant_with_warmup":
        return peak
    left = max(0.0, (horizon - step) / max(1, horizon - warmup))
    if kind == "linear":
        return peak * left
    return peak * max(0.0, 0.5 * (1 + math.cos(math.pi * (1 - left))))
