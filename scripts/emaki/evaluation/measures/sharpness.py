"""Sharpness: how much fine detail a picture has, the variance of its Laplacian (Pech-Pacheco et
al., Diatom autofocusing in brightfield microscopy, ICPR 2000)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from emaki.evaluation.measures import Measure, Texts, Yardstick

if TYPE_CHECKING:
    from PIL.Image import Image


class Sharpness(Measure):
    """How sharp a picture is: the variance of its Laplacian, in doublings; noise counts too."""

    decides: bool = False
    """Whether it gives verdicts. If not, its numbers are shown, of the first block of prompts, and
    it takes no share of the error; only claims that name it are decided."""

    texts: ClassVar[dict[str, Texts]] = {
        "domain": Texts(
            title="Is sharp",
            short="Sharp",
            unit="log₂ of the Laplacian's variance",
            phrases={
                "better": "are sharper",
                "worse": "are blurrier",
                "the same": "are just as sharp",
                "not decided yet": "do not tell yet whether they are sharper or blurrier",
            },
            subject="sharpness is",
            explanation=(
                "The logarithm to base 2 of the variance of a picture's Laplacian (Pech-Pacheco et"
                " al., 2000): one less is half as much fine detail. Blur takes detail away, and"
                " noise adds some, so sharper is not better by itself."
            ),
        ),
    }

    yardstick: ClassVar[Yardstick | None] = Yardstick(
        "blur", 0.5, 0.5, "half of what a blur of 0.5 px costs"
    )
    damages: ClassVar[tuple[str, ...]] = ("blur",)

    def score(self, images: "Sequence[Image]", prompts: Sequence[str], label: str) -> list[float]:
        """log2(1 + variance) of the Laplacian of the luminance in 0..255."""
        import numpy as np

        scores = []
        for image in images:
            grey = np.asarray(image.convert("L"), dtype=np.float64)
            around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
            scores.append(float(np.log2(1 + (around - 4 * grey[1:-1, 1:-1]).var())))
        return scores
