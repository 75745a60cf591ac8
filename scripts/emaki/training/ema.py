"""An exponential moving average of the trained weights."""

import torch


class Ema:
    """Averages of `parameters`, started from `start` (name: tensor) in float32.

    `settings` (see recipes.EMA_PRESETS): `decay`, its `warmup`, the count of updates to start
    from, and `per` "step" or "micro_batch", which says what an update belongs to.
    """

    def __init__(self, start, settings):
        self.averages = {name: tensor.detach().float().clone() for name, tensor in start.items()}
        self.settings = settings
        self.updates = settings["start_updates"]

    def decay(self):
        """The share of the old average that the update number `updates` keeps.

        diffusers (EMAModel.get_decay): n - 1 updates count, so the first keeps nothing.
        compvis (LitEma): min(decay, (1 + n) / (10 + n)), n = 1 in the first update.
        """
        warmup, n = self.settings["warmup"], self.updates
        if warmup == "none":
            return self.settings["decay"]
        if warmup == "diffusers":
            n -= 1
        return min(self.settings["decay"], (1 + n) / (10 + n)) if n > 0 else 0.0

    @torch.no_grad()
    def update(self, parameters):
        """Move the averages towards `parameters` (name: tensor)."""
        self.updates += 1
        theirs = [parameters[name] for name in self.averages]
        torch._foreach_lerp_(list(self.averages.values()), theirs, 1 - self.decay())
