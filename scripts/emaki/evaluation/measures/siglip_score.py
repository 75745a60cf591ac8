"""How well a picture fits its prompt by SigLIP (Zhai et al. 2023, arXiv:2303.15343) or SigLIP 2
(Tschannen et al. 2025, arXiv:2502.14786), which no Stable Diffusion reads its prompts with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from emaki.common.model_folders import transformers_files
from emaki.common.settings import ModelFolder
from emaki.evaluation.measures import Measure, Texts, Yardstick

if TYPE_CHECKING:
    from PIL.Image import Image


class SiglipScore(Measure):
    """How well a picture fits its prompt, by a model that generators do not read prompts with."""

    model: ModelFolder
    """A `SiglipModel`, as SigLIP and SigLIP 2 of a fixed resolution are, with its tokenizer and
    processor."""

    texts: ClassVar[dict[str, Texts]] = {
        "domain": Texts(
            title="Shows its prompts",
            short="Shows",
            unit="SigLIP, 100 × cosine",
            phrases={
                "better": "show what the prompts say better",
                "worse": "show what the prompts say worse",
                "the same": "show what the prompts say just as well",
                "not decided yet": (
                    "do not tell yet whether they show what the prompts say better or worse"
                ),
            },
            subject="what the prompts say is shown",
            explanation=(
                "100 times the cosine between the embeddings of a picture and of its prompt by"
                " {model}. Unlike the CLIP of a CLIPScore it is not the model by which Stable"
                " Diffusion reads prompts. Compare it within this page only."
            ),
        ),
        "unrelated": Texts(
            title="Still shows unrelated prompts",
            short="Unrelated",
            unit="SigLIP, 100 × cosine",
            phrases={
                "better": "unrelated prompts are shown better",
                "worse": "unrelated prompts are shown worse, which is forgetting",
                "the same": "unrelated prompts are shown just as well, so nothing is forgotten",
                "not decided yet": (
                    "what unrelated prompts show does not tell yet whether anything is forgotten"
                ),
            },
            subject="unrelated prompts are shown",
            explanation=(
                "The same on prompts that the config calls unrelated to the training pictures."
                " Worse here means forgotten."
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
        """100 x cos, which may be below zero."""
        from emaki.evaluation import siglip

        return (100 * siglip.cosines(images, prompts, self.model, label)).tolist()
