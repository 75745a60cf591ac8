"""The kernel inception distance, KID (Bińkowski et al., Demystifying MMD GANs, ICLR 2018)."""

from typing import TYPE_CHECKING, ClassVar

from emaki.evaluation.encoded import EncodedDistance
from emaki.evaluation.measures import Texts

if TYPE_CHECKING:
    import numpy as np


class Kid(EncodedDistance):
    """How near pictures are to the real ones, by the features of an encoder of other people."""

    texts: ClassVar[dict[str, Texts]] = {
        "domain": Texts(
            title="Looks like the real pictures",
            short="Likeness",
            unit="KID × 1000",
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
                "Kernel inception distance × 1000 (Bińkowski et al., 2018): the unbiased squared"
                " maximum mean discrepancy, with the kernel (x·y/d + 1)³, between the features of"
                " the drawn pictures and of the dataset's training pictures, by {encoder}, which"
                " nobody trained here. Lower is nearer."
            ),
        ),
    }

    def kernel(self, X: "np.ndarray", Y: "np.ndarray") -> "np.ndarray":
        from emaki.evaluation.mmd import polynomial

        return polynomial(X, Y)
