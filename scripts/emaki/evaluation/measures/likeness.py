"""Likeness to held-out real pictures: a distance that sees blur and noise, where KID hardly does.

KID's kernel is cubic in raw features, so that the few directions with the largest numbers decide.
Here features are whitened by the principal components of the real pictures first, and each
direction counts by how far real pictures differ in it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from emaki.evaluation.encoded import EncodedDistance
from emaki.evaluation.measures import RealPictures, Texts, Yardstick

if TYPE_CHECKING:
    import numpy as np

# Principal components of each of the two kernels. The first sixteen tell what is shown, such as a
# style, the others how well: of the embedded study a learned style is seen by 16 and hardly by 64,
# half a pixel of blur by 64 and not by 16.
COMPONENTS = (16, 64)
# Real pictures for each component: with fewer, its spread is not known.
PICTURES = 4
# Held-out pictures that are enough to compare with: which of them are drawn then moves a difference
# by less than half of its standard error over 128 prompts. With 25 it was two thirds, and with a
# blur of half a pixel more than all of it.
ENOUGH = 64


class Likeness(EncodedDistance):
    """How near pictures are to held-out real ones, by whitened features of an encoder of other
    people."""

    texts: ClassVar[dict[str, Texts]] = {
        "domain": Texts(
            title="Looks like the real pictures",
            short="Likeness",
            unit="whitened MMD × 1000",
            phrases={
                "better": "look more like the real pictures",
                "worse": "look less like the real pictures",
                "the same": "look just as much like the real pictures",
                "not decided yet": (
                    "do not tell yet whether they look more or less like the real pictures"
                ),
            },
            subject="likeness to the real pictures is",
            explanation=(
                "The unbiased squared maximum mean discrepancy × 1000 between the drawn pictures"
                " and held-out pictures of the dataset (training pictures where fewer than"
                f" {ENOUGH} are held out). Compared are the features by {{encoder}}, which nobody"
                " trained here, whitened by the principal components of the training pictures,"
                " with the mean of two Gaussian kernels: on 16 components, and on 64. Lower is"
                " nearer."
            ),
        ),
    }

    reference_splits: ClassVar[tuple[str, ...]] = ("train", "validation")
    yardstick: ClassVar[Yardstick | None] = Yardstick(
        "blur", 1.0, 0.25, "a quarter of what a blur of 1 px costs"
    )
    damages: ClassVar[tuple[str, ...]] = ("blur", "noise")

    def compares_with(self, reference: RealPictures) -> str:
        return "validation" if len(reference.validation) >= ENOUGH else "train"

    def view(self, reference: RealPictures) -> "Callable[[np.ndarray], np.ndarray]":
        """Whitened principal components of the training pictures: of these each has variance 1."""
        from emaki.evaluation.whitening import whiten

        count = max(1, len(reference.train) // PICTURES)
        return whiten(reference.train, min(COMPONENTS[-1], count))

    def kernel(self, X: "np.ndarray", Y: "np.ndarray") -> "np.ndarray":
        """The mean of Gaussian kernels on the first components, some and all.

        Two real pictures differ by 2 in each component, squared, on average; that is the squared
        bandwidth, so that no picture is far from all others.
        """
        import numpy as np

        from emaki.evaluation.mmd import gaussian

        counts = [min(count, X.shape[1]) for count in COMPONENTS]
        found = [gaussian(X[:, :n], Y[:, :n], sigma=(2 * max(n, 1)) ** 0.5) for n in counts]
        return np.mean(found, axis=0)
