"""An exponential moving average of the trained weights."""

from collections.abc import Mapping

import torch

from emaki.training.settings import Ema


class MovingAverage:
    """Averages of the weights that `start` (name: tensor) names, from there on, in float32.

    `updates` counts the updates, those included that the settings say went before.
    """

    def __init__(self, start: Mapping[str, torch.Tensor], settings: Ema):
        self.averages = {name: tensor.detach().float().clone() for name, tensor in start.items()}
        self.settings = settings
        self.updates = settings.start_updates

    def decay(self) -> float:
        """The share of the old average that the update number `updates` keeps.

        diffusers (EMAModel.get_decay): n - 1 updates count, so the first keeps nothing.
        compvis (LitEma): min(decay, (1 + n) / (10 + n)), n = 1 in the first update.
        """
        n = self.updates
        if self.settings.warmup == "none":
            return self.settings.decay
        if self.settings.warmup == "diffusers":
            n -= 1
        return min(self.settings.decay, (1 + n) / (10 + n)) if n > 0 else 0.0

    @torch.no_grad()
    def update(self, parameters: Mapping[str, torch.Tensor]) -> None:
        """Move the averages towards `parameters` (name: tensor)."""
        self.updates += 1
        theirs = [parameters[name] for name in self.averages]
        torch._foreach_lerp_(list(self.averages.values()), theirs, 1 - self.decay())
