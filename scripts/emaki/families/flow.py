"""Flow matching along straight lines (Esser et al. 2024), and its loss."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import mse_loss

from emaki.common.errors import UserError


class FlowMatching:
    """x_s = (1 - s) x_0 + s noise, of which the denoiser says the way: noise - x_0.

    `sigmas` (T,) are s in the model's schedule, most noise first, shifted by the constant in its
    scheduler's configuration. Where that shifts by the picture's size instead
    (use_dynamic_shifting) they are shifted for pictures of `tokens` tokens as the pipeline does;
    without `tokens` they are not, as in diffusers' scripts.
    """

    def __init__(
        self,
        model: str | Path,
        device: torch.device,
        uniform: bool = False,
        tokens: int | None = None,
    ):
        from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
            FlowMatchEulerDiscreteScheduler,
        )

        config = json.loads((Path(model) / "scheduler/scheduler_config.json").read_text())
        scheduler = FlowMatchEulerDiscreteScheduler.from_config(config)
        sigmas = scheduler.sigmas
        if tokens is not None:
            if not config.get("use_dynamic_shifting"):
                raise UserError(f"resolution_shift: the scheduler of {model} has a constant shift")
            sigmas = scheduler.time_shift(_shift(scheduler.config, tokens), 1.0, sigmas)
        self.uniform = uniform
        self.sigmas = sigmas.to(device)
        self.schedule = (sigmas * scheduler.config.num_train_timesteps).to(device)

    def __len__(self) -> int:
        return len(self.sigmas)

    def draw_timesteps(self, generator: np.random.Generator, count: int) -> torch.Tensor:
        """Timesteps (count,) of logit-normal places in the schedule, mostly in its middle, or of
        uniform ones."""
        if self.uniform:
            places = torch.from_numpy(generator.random(count, dtype=np.float32))
        else:
            places = torch.from_numpy(generator.standard_normal(count, dtype=np.float32)).sigmoid()
        return (places * len(self)).long().clamp(max=len(self) - 1)

    def times(self, timesteps: torch.Tensor) -> torch.Tensor:
        """1,000 s, as the denoiser is told."""
        return self.schedule[timesteps]

    def add_noise(
        self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """x_s from x_0 and standard normal noise, all (B, C, H, W)."""
        sigmas = self.sigmas[timesteps].view(-1, 1, 1, 1)
        return (1.0 - sigmas) * latents + sigmas * noise

    def loss(
        self,
        prediction: torch.Tensor,
        latents: torch.Tensor,
        noise: torch.Tensor,
        timesteps: torch.Tensor,
        snr_gamma: float | None = None,
    ) -> torch.Tensor:
        """The mean squared error of `prediction` (B, C, H, W), a float32 scalar; there is no
        min-SNR weighting."""
        assert snr_gamma is None, "the families of this process lack it"
        return mse_loss(prediction.float(), (noise - latents).float())


def _shift(config: Mapping[str, Any], tokens: int) -> float:
    """The logarithm of the shift for pictures of so many tokens, linear in them: as the pipelines'
    calculate_shift."""
    fewest, most = config["base_image_seq_len"], config["max_image_seq_len"]
    slope = (config["max_shift"] - config["base_shift"]) / (most - fewest)
    return config["base_shift"] + slope * (tokens - fewest)
