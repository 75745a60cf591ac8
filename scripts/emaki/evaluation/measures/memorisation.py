"""Memorisation: how near pictures are to single training pictures, beside fresh real ones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from emaki.evaluation.encoded import Encoded, unit
from emaki.evaluation.measures import RealPictures, Texts

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image


class Memorisation(Encoded):
    """How near pictures are to the nearest training picture, less how near held-out ones are."""

    higher_is_better: ClassVar[bool] = False
    compares_with_real: ClassVar[bool] = True
    reference_splits: ClassVar[tuple[str, ...]] = ("train", "validation")
    shows_nearest: ClassVar[bool] = True

    texts: ClassVar[dict[str, Texts]] = {
        "domain": Texts(
            title="Copies training pictures",
            short="Copies",
            unit="100 × cosine of features, above held-out pictures",
            phrases={
                "better": "are less like single training pictures",
                "worse": "are more like single training pictures",
                "the same": "are just as like single training pictures",
                "not decided yet": (
                    "do not tell yet whether they are more or less like single training pictures"
                ),
            },
            subject="distance from single training pictures is",
            explanation=(
                "100 times the cosine between the features of a picture and of the training picture"
                " nearest to it, by {encoder}, less the mean of the same for real pictures that"
                " are held out (or of each training picture to the others, if none is). Above 0 a"
                " picture is nearer to a single training picture than fresh real ones are: look at"
                " it for copies. Each entry shows the nearest pairs."
            ),
        ),
    }

    def score_reference(self, images: "Sequence[Image]", label: str) -> list[list[float]]:
        return self.score(images, [], label)

    def nearest(
        self, values: "np.ndarray", reference: RealPictures
    ) -> "tuple[np.ndarray, np.ndarray]":
        cosines = 100 * unit(values) @ unit(reference.train).T
        return cosines.argmax(axis=1), cosines.max(axis=1) - _usual(reference)

    def summarise(
        self, values: "np.ndarray", prompts: "np.ndarray", reference: RealPictures | None
    ) -> float:
        assert reference is not None
        if len(reference.train) < 2:
            return float("nan")
        return float(_nearest(values, reference.train).mean() - _usual(reference))

    def compare(
        self,
        ours: "np.ndarray",
        theirs: "np.ndarray",
        prompts: "np.ndarray",
        reference: RealPictures | None,
    ) -> "np.ndarray":
        from emaki.evaluation.by_prompt import prompt_means

        assert reference is not None
        train = reference.train
        return prompt_means(_nearest(ours, train) - _nearest(theirs, train), prompts)


def _nearest(values, train):
    """100 times the cosine of each row with the nearest training picture."""
    return 100 * (unit(values) @ unit(train).T).max(axis=1)


def _usual(reference):
    """How near fresh real pictures are."""
    import numpy as np

    if len(reference.validation):
        return _nearest(reference.validation, reference.train).mean()
    cosines = unit(reference.train) @ unit(reference.train).T
    np.fill_diagonal(cosines, -1)
    return 100 * cosines.max(axis=1).mean()
