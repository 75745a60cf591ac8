"""What a model that learned from the choices of people would prefer, as PickScore
(Kirstain et al. 2023, arXiv:2305.01569) does."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from emaki.common.model_folders import transformers_files
from emaki.common.settings import ModelFolder
from emaki.evaluation.measures import Measure, Texts, Yardstick

if TYPE_CHECKING:
    from PIL.Image import Image


class Preference(Measure):
    """Which of two pictures of a prompt people would prefer: a model's logit for each."""

    model: ModelFolder
    """A `CLIPModel` that was trained on which pictures people prefer, such as PickScore, with its
    tokenizer and processor."""

    texts: ClassVar[dict[str, Texts]] = {
        "domain": Texts(
            title="Would be preferred",
            short="Preferred",
            unit="preference model's logit",
            phrases={
                "better": "would be preferred",
                "worse": "would be liked less",
                "the same": "would be liked just as much",
                "not decided yet": "do not tell yet whether they would be liked more or less",
            },
            subject="preference is",
            explanation=(
                "What {model}, which was trained on the choices of people, gives a picture and its"
                " prompt: of two pictures of a prompt, the one with the higher number is the one"
                " that it takes people to prefer."
            ),
        ),
    }

    yardstick: ClassVar[Yardstick | None] = Yardstick(
        "prompts", 1.0, 0.05, "5 % of prompts that are not followed at all cost"
    )
    damages: ClassVar[tuple[str, ...]] = ("prompts",)

    def files(self) -> list[str]:
        return transformers_files(self.model)

    def score(self, images: "Sequence[Image]", prompts: Sequence[str], label: str) -> list[float]:
        """The model's logits, which of PickScore are the scores."""
        from emaki.evaluation import clip

        cosines, scale = clip.cosines(images, prompts, self.model, label)
        return (scale * cosines).tolist()
