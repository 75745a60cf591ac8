"""CMMD (Jayasumana et al., Rethinking FID, CVPR 2024): a distance by CLIP's embeddings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from emaki.common.model_folders import transformers_files
from emaki.common.settings import ModelFolder
from emaki.evaluation.distance import Distance
from emaki.evaluation.measures import Texts

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image


class Cmmd(Distance):
    """How near pictures are to the real ones, by CLIP's embeddings."""

    model: ModelFolder
    """A `CLIPModel` with its processor."""

    texts: ClassVar[dict[str, Texts]] = {
        "domain": Texts(
            title="Looks real to CLIP",
            short="To CLIP",
            unit="CMMD × 1000",
            phrases={
                "better": "come nearer to the real pictures by CLIP's measure",
                "worse": "stay farther from the real pictures by CLIP's measure",
                "the same": "are just as near to the real pictures by CLIP's measure",
                "not decided yet": (
                    "do not tell yet whether they are nearer to or farther from the real pictures"
                    " by CLIP's measure"
                ),
            },
            subject="nearness to the real pictures by CLIP's measure is",
            explanation=(
                "CMMD × 1000 (Jayasumana et al., 2024): the unbiased squared maximum mean"
                " discrepancy with a Gaussian kernel (σ = 10) between the embeddings of the drawn"
                " pictures and of the dataset's training pictures by {model}. Lower is nearer."
            ),
        ),
    }

    def files(self) -> list[str]:
        return transformers_files(self.model)

    def encode(self, images: "Sequence[Image]", label: str) -> list[list[float]]:
        """The model's embeddings of pictures, of length one."""
        from emaki.evaluation import clip

        return clip.embeddings(images, self.model, label)

    def kernel(self, X: "np.ndarray", Y: "np.ndarray") -> "np.ndarray":
        from emaki.evaluation.mmd import gaussian

        return gaussian(X, Y)
