"""CLIPScore (Hessel et al. 2021, arXiv:2104.08718): how well a picture fits its prompt."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from emaki.common.model_folders import transformers_files
from emaki.common.settings import ModelFolder
from emaki.evaluation.measures import Measure, Texts, Yardstick

if TYPE_CHECKING:
    from PIL.Image import Image


class ClipScore(Measure):
    """How well a picture fits its prompt: 100 times the cosine of their embeddings."""

    model: ModelFolder
    """A `CLIPModel` with its tokenizer and processor."""

    texts: ClassVar[dict[str, Texts]] = {
        "domain": Texts(
            title="Follows its prompts",
            short="Prompts",
            unit="CLIPScore",
            phrases={
                "better": "follow the prompts better",
                "worse": "follow the prompts worse",
                "the same": "follow the prompts just as well",
                "not decided yet": (
                    "do not tell yet whether they follow the prompts better or worse"
                ),
            },
            subject="the prompts are followed",
            explanation=(
                "CLIPScore: 100 times the cosine between the embeddings of a picture and of its"
                " prompt, not below zero (Hessel et al., 2021), by {model}. Compare it within this"
                " page only."
            ),
        ),
        "unrelated": Texts(
            title="Keeps unrelated prompts",
            short="Unrelated",
            unit="CLIPScore",
            phrases={
                "better": "unrelated prompts come out better",
                "worse": "unrelated prompts come out worse, which is forgetting",
                "the same": "unrelated prompts come out just as well, so nothing is forgotten",
                "not decided yet": (
                    "unrelated prompts do not tell yet whether anything is forgotten"
                ),
            },
            subject="unrelated prompts come out",
            explanation=(
                "CLIPScore again, on prompts that the config calls unrelated to the training"
                " pictures. Worse here means forgotten."
            ),
        ),
    }

    yardstick: ClassVar[Yardstick | None] = Yardstick(
        "prompts", 1.0, 0.05, "5 % of prompts that are not followed at all cost"
    )
    damages: ClassVar[tuple[str, ...]] = ("prompts",)
    lost: ClassVar[float | None] = 10.0

    def files(self) -> list[str]:
        return transformers_files(self.model)

    def score(self, images: "Sequence[Image]", prompts: Sequence[str], label: str) -> list[float]:
        """100 x max(cos, 0), in 0..100: equation 1 with the weight 100 of torchmetrics, not 2.5."""
        from emaki.evaluation import clip

        cosines, _ = clip.cosines(images, prompts, self.model, label)
        return (100 * cosines.clamp(min=0)).tolist()
