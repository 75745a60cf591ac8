"""The diffusion process of Ho et al. (2020) and its loss."""

import json
from pathlib import Path

import numpy as np
import torch

from emaki.common.errors import UserError


class Diffusion:
    """The forward process of a model's scheduler: q(x_t | x_0) = N(sqrt(a_t) x_0, 1 - a_t).

    Ho et al. 2020, eq. 4. `alphas` (T,) float32 is the cumulative product of 1 - beta.
    """

    def __init__(self, model: str | Path, device: torch.device):
        from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

        config = json.loads((Path(model) / "scheduler/scheduler_config.json").read_text())
        scheduler = DDPMScheduler.from_config(config)
        self.prediction_type = scheduler.config.prediction_type
        if self.prediction_type not in ("epsilon", "v_prediction"):
            raise UserError(
                f"{model}/scheduler: prediction_type {self.prediction_type!r} cannot be trained; "
                "it has to be epsilon or v_prediction"
            )
        self.alphas = scheduler.alphas_cumprod.to(device)

    def __len__(self) -> int:
        return len(self.alphas)

    def draw_timesteps(self, generator: np.random.Generator, count: int) -> torch.Tensor:
        """Timesteps (count,), each as likely as any other."""
        return torch.from_numpy(generator.integers(0, len(self), count))

    def times(self, timesteps: torch.Tensor) -> torch.Tensor:
        """The timesteps themselves."""
        return timesteps

    def add_noise(
        self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """x_t from x_0 and standard normal noise, all (B, C, H, W)."""
        a = self.alphas[timesteps].view(-1, 1, 1, 1)
        return a.sqrt() * latents + (1 - a).sqrt() * noise

    def target(
        self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """What the U-Net has to predict: the noise, or v (Salimans and Ho 2022, appendix D)."""
        if self.prediction_type == "epsilon":
            return noise
        a = self.alphas[timesteps].view(-1, 1, 1, 1)
        return a.sqrt() * noise - (1 - a).sqrt() * latents

    def weights(self, timesteps: torch.Tensor, gamma: float) -> torch.Tensor:
        """Min-SNR-gamma weights (B,), Hang et al. 2023, for the loss on the prediction."""
        a = self.alphas[timesteps]
        snr = a / (1 - a)
        scale = snr if self.prediction_type == "epsilon" else snr + 1
        return snr.clamp(max=gamma) / scale

    def loss(
        self,
        prediction: torch.Tensor,
        latents: torch.Tensor,
        noise: torch.Tensor,
        timesteps: torch.Tensor,
        snr_gamma: float | None = None,
    ) -> torch.Tensor:
        """The mean squared error of `prediction` (B, C, H, W), a float32 scalar."""
        target = self.target(latents, noise, timesteps)
        if snr_gamma is None:
            return torch.nn.functional.mse_loss(prediction.float(), target.float())
        squares = (prediction.float() - target.float()).square().mean(dim=(1, 2, 3))
        return (squares * self.weights(timesteps, snr_gamma)).mean()
