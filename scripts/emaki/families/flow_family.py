"""What families share whose transformer is trained by flow matching."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from emaki.families import Family, Process

if TYPE_CHECKING:
    import torch


class FlowFamily(Family):
    """A transformer that takes 2 x 2 latent pixels for a token."""

    denoiser = "transformer"
    edge_multiple = 16
    half = "bf16"
    in_parts = True
    schedulers: ClassVar = {"euler": "FlowMatchEulerDiscreteScheduler"}
    lacking: ClassVar[dict[str, str]] = {
        "snr_gamma": "weights by a signal-to-noise ratio, which flow matching does not",
    }

    def process(
        self, device: torch.device, uniform: bool = False, resolution: int | None = None
    ) -> Process:
        from emaki.families.flow import FlowMatching

        tokens = None if resolution is None else (resolution // (2 * self.reduction())) ** 2
        return FlowMatching(self.folder, device, uniform, tokens)
