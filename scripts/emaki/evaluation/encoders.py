"""The settings of encoders whose features are compared; emaki.evaluation.features has them."""

from typing import Literal

from emaki.common.settings import ModelFolder, Settings


class Dinov2(Settings):
    """DINOv2 in the place of EfficientNet-Lite0."""

    type: Literal["dinov2"]
    """The kind of encoder."""
    model: ModelFolder
    """A `Dinov2Model` with its processor."""

    def __str__(self) -> str:
        return f"DINOv2 ({self.model})"


Encoder = Literal["efficientnet-lite0"] | Dinov2
