"""VQAScore (Lin et al., Evaluating text-to-visual generation with image-to-text generation, ECCV
2024): how probable it is that a model which sees a picture says yes, it shows its prompt."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from emaki.common.model_folders import image_text_files
from emaki.common.settings import ModelFolder
from emaki.evaluation.measures import Measure, Texts, Yardstick

if TYPE_CHECKING:
    from PIL.Image import Image

QUESTION = 'Does this figure show "{}"? Please answer yes or no.'  # the paper's


class VqaScore(Measure):
    """How well a picture fits its prompt, by the answer of a model that is asked about it."""

    model: ModelFolder
    """An `AutoModelForImageTextToText` such as Llava, with its processor."""

    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    """Of the model's weights and sums; halves save memory and time on a GPU."""

    texts: ClassVar[dict[str, Texts]] = {
        "domain": Texts(
            title="Is seen to follow its prompts",
            short="Seen",
            unit="VQAScore",
            phrases={
                "better": "are seen to follow the prompts better",
                "worse": "are seen to follow the prompts worse",
                "the same": "are seen to follow the prompts just as well",
                "not decided yet": (
                    "do not tell yet whether they are seen to follow the prompts better or worse"
                ),
            },
            subject="the prompts are seen to be followed",
            explanation=(
                "VQAScore: 100 times the probability that {model} says yes when it sees a picture"
                ' and is asked: Does this figure show "the prompt"? (Lin et al., 2024.) It'
                " understands who does what in a prompt better than cosines do."
            ),
        ),
        "unrelated": Texts(
            title="Is seen to follow unrelated prompts",
            short="Unrelated",
            unit="VQAScore",
            phrases={
                "better": "unrelated prompts are seen to come out better",
                "worse": "unrelated prompts are seen to come out worse, which is forgetting",
                "the same": (
                    "unrelated prompts are seen to come out just as well, so nothing is forgotten"
                ),
                "not decided yet": (
                    "it is not seen yet in unrelated prompts whether anything is forgotten"
                ),
            },
            subject="unrelated prompts are seen to come out",
            explanation=(
                "VQAScore again, on prompts that the config calls unrelated to the training"
                " pictures. Worse here means forgotten."
            ),
        ),
    }

    yardstick: ClassVar[Yardstick | None] = Yardstick(
        "prompts", 1.0, 0.05, "5 % of prompts that are not followed at all cost"
    )
    damages: ClassVar[tuple[str, ...]] = ("prompts",)

    def files(self) -> list[str]:
        return image_text_files(self.model)

    def score(self, images: "Sequence[Image]", prompts: Sequence[str], label: str) -> list[float]:
        """100 x P(yes), in 0..100."""
        from emaki.evaluation import vqa

        questions = [QUESTION.format(prompt) for prompt in prompts]
        chances = vqa.chances_of_yes(images, questions, self.model, self.precision, label)
        return [100 * chance for chance in chances]
