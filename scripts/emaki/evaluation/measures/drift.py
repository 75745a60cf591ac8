"""Drift: how far a model has moved from another, picture by picture."""

from typing import TYPE_CHECKING, ClassVar

from emaki.evaluation.encoded import Encoded, unit
from emaki.evaluation.measures import RealPictures, Texts

if TYPE_CHECKING:
    import numpy as np

UNIT = "100 × (1 − cosine) of features"


class Drift(Encoded):
    """How far pictures are from the baseline's of the same prompt and noise, by their features."""

    higher_is_better: ClassVar[bool] = False

    texts: ClassVar[dict[str, Texts]] = {
        "domain": Texts(
            title="Moved from the baseline",
            short="Moved",
            unit=UNIT,
            phrases={
                "better": "have not moved",  # a distance is not below zero
                "worse": "have moved",
                "the same": "have hardly moved",
                "not decided yet": "do not tell yet whether they have moved",
            },
            subject="the distance to the baseline is",
            explanation=(
                "100 × (1 − cosine) between the features of a picture and of the baseline's picture"
                " of the same prompt and noise, by {encoder}: 0 where nothing has changed. It says"
                " how much a training did, not whether that is good."
            ),
        ),
        "unrelated": Texts(
            title="Moved unrelated prompts",
            short="Moved",
            unit=UNIT,
            phrases={
                "better": "unrelated prompts have not moved",
                "worse": "unrelated prompts have moved",
                "the same": "unrelated prompts have hardly moved",
                "not decided yet": "unrelated prompts do not tell yet whether they have moved",
            },
            subject="unrelated prompts are",
            explanation=(
                "The same on unrelated prompts, which a training was not to change: by {encoder}."
            ),
        ),
    }

    def summarise(
        self, values: "np.ndarray", prompts: "np.ndarray", reference: RealPictures | None
    ) -> float:
        """None: one model by itself has not moved."""
        return float("nan")

    def compare(
        self,
        ours: "np.ndarray",
        theirs: "np.ndarray",
        prompts: "np.ndarray",
        reference: RealPictures | None,
    ) -> "np.ndarray":
        """The distance of each prompt's pairs of pictures, 0..200."""
        from emaki.evaluation.by_prompt import prompt_means

        cosines = (unit(ours) * unit(theirs)).sum(axis=1)
        return prompt_means(100 * (1 - cosines), prompts)
