"""Measures of the features that an encoder makes of pictures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from emaki.common.model_folders import transformers_files
from emaki.evaluation.distance import Distance
from emaki.evaluation.encoders import Dinov2, Encoder
from emaki.evaluation.measures import Measure

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image


class Encoded(Measure):
    """A measure of features, which describes: no verdict, unless the config or a claim asks."""

    decides: bool = False
    """Whether it gives verdicts. If not, its numbers are shown, of the first block of prompts, and
    it takes no share of the error; only claims that name it are decided."""

    encoder: Encoder = "efficientnet-lite0"
    """What makes the features of pictures; a mapping names another encoder."""

    judges_pictures: ClassVar[bool] = False

    def files(self) -> list[str]:
        return transformers_files(self.encoder.model) if isinstance(self.encoder, Dinov2) else []

    def score(
        self, images: "Sequence[Image]", prompts: Sequence[str], label: str
    ) -> list[list[float]]:
        """EfficientNet-Lite0's globally pooled features (1280,) or DINOv2's class token."""
        from emaki.evaluation import features

        return features.encode(images, features.encoder(self.encoder), label)


class EncodedDistance(Distance):
    """A distance of features from those of real pictures."""

    encoder: Encoder = "efficientnet-lite0"
    """What makes the features of pictures that are compared; a mapping names another encoder."""

    def files(self) -> list[str]:
        return transformers_files(self.encoder.model) if isinstance(self.encoder, Dinov2) else []

    def encode(self, images: "Sequence[Image]", label: str) -> list[list[float]]:
        """EfficientNet-Lite0's globally pooled features (1280,) or DINOv2's class token."""
        from emaki.evaluation import features

        return features.encode(images, features.encoder(self.encoder), label)


def unit(rows: "np.ndarray") -> "np.ndarray":
    """Rows (n, d) of length one."""
    import numpy as np

    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
