"""Diversity: how much the pictures of a model differ from each other."""

from typing import TYPE_CHECKING, ClassVar

from emaki.evaluation.encoded import Encoded, unit
from emaki.evaluation.measures import RealPictures, Texts

if TYPE_CHECKING:
    import numpy as np


class Diversity(Encoded):
    """How much pictures differ: those of a prompt by several seeds, else those of all prompts."""

    texts: ClassVar[dict[str, Texts]] = {
        "domain": Texts(
            title="Is diverse",
            short="Diverse",
            unit="100 × (1 − cosine) of features",
            phrases={
                "better": "differ more from each other",
                "worse": "differ less from each other",
                "the same": "differ just as much from each other",
                "not decided yet": (
                    "do not tell yet whether they differ more or less from each other"
                ),
            },
            subject="diversity is",
            explanation=(
                "The mean of 100 × (1 − cosine) between the features of two pictures, by"
                " {encoder}: of one prompt by two seeds where there are several seeds, else of two"
                " prompts. A model that draws the same whatever it is asked has 0."
            ),
        ),
    }

    def summarise(
        self, values: "np.ndarray", prompts: "np.ndarray", reference: RealPictures | None
    ) -> float:
        return float(self._by_prompt(values, prompts).mean())

    def compare(
        self,
        ours: "np.ndarray",
        theirs: "np.ndarray",
        prompts: "np.ndarray",
        reference: RealPictures | None,
    ) -> "np.ndarray":
        return self._by_prompt(ours, prompts) - self._by_prompt(theirs, prompts)

    @staticmethod
    def _by_prompt(values, prompts):
        """The mean distance of each prompt's own pictures; or, where prompts have one picture each,
        a jackknife pseudo-value of the mean distance of two prompts (a U-statistic)."""
        import numpy as np

        _, group = np.unique(np.asarray(prompts), return_inverse=True)
        distances = 100 * (1 - unit(values) @ unit(values).T)
        sizes = np.bincount(group)
        members = np.eye(len(sizes))[group]
        sums = members.T @ distances @ members  # (prompts, prompts); a picture to itself is 0
        if sizes.min() > 1:
            return np.diag(sums) / (sizes * (sizes - 1))
        means = sums / np.outer(sizes, sizes)
        np.fill_diagonal(means, 0)
        own = means.sum(axis=1) / max(1, len(sizes) - 1)
        return 2 * own - own.mean()
