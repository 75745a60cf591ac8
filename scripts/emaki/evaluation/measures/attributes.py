"""Attributes: how much of what a prompt names a classifier reads in its picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from emaki.common.model_folders import HUB_FOLDER, transformers_files
from emaki.common.settings import ModelFolder
from emaki.evaluation import attributes
from emaki.evaluation.measures import Measure, Texts, Yardstick

if TYPE_CHECKING:
    from PIL.Image import Image


class AttributesShown(Measure):
    """How much of what its prompt names a picture shows, where a classifier knows the truth."""

    classifier: ModelFolder
    """An `AutoModelForImageClassification` with its processor, and `attributes.json`, which says
    what its labels mean and by which words prompts name them ([format](#a-classifier))."""

    texts: ClassVar[dict[str, Texts]] = {
        "domain": Texts(
            title="Shows what prompts name",
            short="Shows",
            unit="% of attributes",
            phrases={
                "better": "show more of what the prompts name",
                "worse": "show less of what the prompts name",
                "the same": "show just as much of what the prompts name",
                "not decided yet": (
                    "do not tell yet whether they show more or less of what the prompts name"
                ),
            },
            subject="what the prompts name is shown",
            explanation=(
                "Of the attributes that a prompt names (a red couch, a window), the mean chance, in"
                " %, that the picture has the named value, by the classifier {classifier}. What a"
                " prompt does not name is not counted."
            ),
        ),
        "unrelated": Texts(
            title="Shows unrelated prompts",
            short="Unrelated",
            unit="% of attributes",
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
    lost: ClassVar[float | None] = 50.0  # half of what a prompt names

    def files(self) -> list[str]:
        own = transformers_files(self.classifier)
        if Path(self.classifier).is_relative_to(HUB_FOLDER):  # the others come with these
            return own
        names = (attributes.FILE, "preprocessor_config.json")
        return own + [f"{self.classifier}/{name}" for name in names]

    def about(self) -> list[str]:
        """How often the classifier is right."""
        known = attributes.read(self.classifier).attributes
        told = [f"{one.name} {one.accuracy:.1%}" for one in known if one.accuracy is not None]
        return [f"Of held-out pictures it reads right: {', '.join(told)}."] if told else []

    def about_files(self) -> list[str]:
        return self.files()

    def score(self, images: "Sequence[Image]", prompts: Sequence[str], label: str) -> list[float]:
        """0..100; of a prompt that names nothing 100, whatever the picture shows."""
        from emaki.evaluation import classifier

        known = attributes.read(self.classifier)
        found = classifier.chances(images, known, self.classifier, label)
        return [100 * share for share in known.shown(found, prompts)]
