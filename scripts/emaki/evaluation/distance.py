"""Measures that compare the pictures of a model with real ones: a distance of two distributions."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from emaki.evaluation.measures import Measure, RealPictures, Yardstick

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

SCALE = 1000  # such distances are small by nature; x 1000 is how KID and CMMD are reported


class Distance(Measure):
    """1000 times the unbiased squared maximum mean discrepancy between drawn and real pictures.

    A measure of this kind says with `encode` what is compared and with `kernel` how.
    """

    higher_is_better: ClassVar[bool] = False
    judges_pictures: ClassVar[bool] = False
    compares_with_real: ClassVar[bool] = True
    yardstick: ClassVar[Yardstick | None] = Yardstick("blur", 0.5, 1.0, "a blur of 0.5 px costs")
    damages: ClassVar[tuple[str, ...]] = ("blur",)

    def encode(self, images: "Sequence[Image]", label: str) -> list[list[float]]:
        """One vector (d,) for each RGB picture."""
        raise NotImplementedError

    def view(self, reference: RealPictures) -> "Callable[[np.ndarray], np.ndarray]":
        """What makes of the rows that `encode` gave those that `kernel` compares; here nothing."""
        return lambda rows: rows

    def kernel(self, X: "np.ndarray", Y: "np.ndarray") -> "np.ndarray":
        """k(x, y) for the rows of X (n, d) and Y (m, d): float64 (n, m)."""
        raise NotImplementedError

    def score(
        self, images: "Sequence[Image]", prompts: Sequence[str], label: str
    ) -> list[list[float]]:
        return self.encode(images, label)

    def score_reference(self, images: "Sequence[Image]", label: str) -> list[list[float]]:
        return self.encode(images, label)

    def summarise(
        self, values: "np.ndarray", prompts: "np.ndarray", reference: RealPictures | None
    ) -> float:
        from emaki.evaluation.mmd import mmd

        assert reference is not None  # it compares_with_real
        see, real = self.view(reference), self._real(reference)
        if len(real) < 2:
            return float("nan")
        return SCALE * mmd(see(values), see(real), prompts, self.kernel)

    def compare(
        self,
        ours: "np.ndarray",
        theirs: "np.ndarray",
        prompts: "np.ndarray",
        reference: RealPictures | None,
    ) -> "np.ndarray":
        """MMD's difference as one jackknife pseudo-value per prompt."""
        from emaki.evaluation.mmd import difference_by_prompt

        assert reference is not None
        see = self.view(reference)
        sides = see(ours), see(theirs), see(self._real(reference))
        return SCALE * difference_by_prompt(*sides, prompts, self.kernel)

    def _real(self, reference: RealPictures) -> "np.ndarray":
        return getattr(reference, self.compares_with(reference))
