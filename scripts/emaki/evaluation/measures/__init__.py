"""Measures of pictures: a number for each picture, or a distance from the real ones.

A measure is one module of this folder, or a .py file of the user's own, with one class derived
from `Measure` (a number a picture) or from emaki.evaluation.distance.Distance. It holds all that
there is to say about it: how pictures are scored, how scores are compared, and its texts.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import Field

from emaki.common.plugins import Kind
from emaki.common.settings import Maybe, Settings
from emaki.evaluation.words import VERDICTS

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image


ROLES = ("domain", "unrelated")


class Texts(NamedTuple):
    """What the report says of a measure on prompts of one role."""

    title: str
    """At the head of a column: "Follows its prompts"."""
    short: str
    """The same in one word, where the page is narrow."""
    unit: str
    phrases: dict[str, str]
    """{verdict: words} for each of VERDICTS, which for the role "domain" go on after
    "its pictures" and for "unrelated" are a clause: "unrelated prompts come out better"."""
    subject: str
    """What goes before "better at 0.25 and 0.5", where several scales are told at once."""
    explanation: str
    """Plain text for "How to read this"; {name} stands for a setting of that name."""


class Yardstick(NamedTuple):
    """Known damage to a base model's own pictures, whose cost says which differences matter."""

    damage: str
    """A key of emaki.evaluation.calibration.DAMAGES."""
    strength: float
    """One of that damage's strengths."""
    share: float
    """The margin is this share of what the damage costs."""
    words: str
    """What the margin is, after "as much as": "a blur of 0.5 px costs"."""


class RealPictures(NamedTuple):
    """What a measure made of the real pictures of each split: (n, d), or (n,) of numbers."""

    train: "np.ndarray"
    validation: "np.ndarray"
    """Those that no run trains on; none unless the measure's `reference_splits` ask for them."""


class Measure(Settings):
    """A measure that gives each picture a number."""

    type: str
    """The measure: a name, or the path of a .py file with a measure of your own."""

    margin: Maybe[float] = Field(None, gt=0, json_schema_extra={"default_words": "calibrated"})
    """Differences up to this, in the measure's unit, matter to nobody: what lies within is *the
    same*. Left out, it is what a known damage costs the base model's own pictures."""

    decides: bool = True
    """Whether it gives verdicts. If not, its numbers are shown, of the first block of prompts, and
    it takes no share of the error; only claims that name it are decided."""

    texts: ClassVar[dict[str, Texts]] = {}
    """By the role of the prompts, "domain" or "unrelated", whose pictures the measure judges."""
    higher_is_better: ClassVar[bool] = True
    environment: ClassVar[str] = "evaluation"
    """The file in envs/ in which pictures are scored."""
    yardstick: ClassVar[Yardstick | None] = None
    """What the margin is calibrated by; a measure without one, and without a margin in the config,
    tells better from worse but never says that models are the same."""
    damages: ClassVar[tuple[str, ...]] = ()
    """The damages that it must see: it gives no verdict on prompts on whose pictures the cost does
    not grow with the strength of each of these."""
    lost: ClassVar[float | None] = None
    """A prompt whose number falls by more than this has failed; by default two margins."""
    judges_pictures: ClassVar[bool] = True
    """Whether a prompt's difference says which of two pictures is better, so that wins and failures
    are told."""
    compares_with_real: ClassVar[bool] = False
    """Whether `score_reference` is asked for a dataset's real pictures."""
    reference_splits: ClassVar[tuple[str, ...]] = ("train",)
    """Which of them: those to train on, "train", and those that are held out, "validation"."""
    shows_nearest: ClassVar[bool] = False
    """Whether `nearest` finds a training picture for each drawn one, which the report shows."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """What the texts lack (see Settings.problems)."""
        if not self.texts or set(self.texts) - set(ROLES):
            yield "type", f"is {self.type}, which must have texts for {' or '.join(ROLES)}"
        for role, texts in self.texts.items():
            for verdict in set(VERDICTS) - set(texts.phrases):
                problem = f"is {self.type}, whose texts for {role} have no phrase for {verdict!r}"
                yield "type", problem

    def files(self) -> list[str]:
        """The files of models that decide the scores; none by default."""
        return []

    def about(self) -> list[str]:
        """Sentences that the report adds to the explanation; none by default."""
        return []

    def about_files(self) -> list[str]:
        """The files that `about` reads."""
        return []

    def scoring(self) -> dict[str, Any]:
        """The settings that decide scores: all but what is made of them."""
        return self.model_dump(exclude={"margin", "decides"})

    def score(
        self, images: "Sequence[Image]", prompts: Sequence[str], label: str
    ) -> "list[float] | list[list[float]]":
        """One value for each RGB picture and its prompt: a number, or a vector to compare by.

        `label` is what a progress bar says.
        """
        raise NotImplementedError

    def score_reference(self, images: "Sequence[Image]", label: str) -> list[list[float]]:
        """One vector for each real picture, for a measure that `compares_with_real`."""
        raise NotImplementedError

    def compares_with(self, reference: RealPictures) -> str:
        """The split that drawn pictures are compared with, for a measure that compares so."""
        return "train"

    def summarise(
        self, values: "np.ndarray", prompts: "np.ndarray", reference: RealPictures | None
    ) -> float:
        """One number for all pictures of a model: the mean.

        `values` (n,) or (n, d) are what `score` gave, `prompts` (n,) the prompt of each, and
        `reference` what `score_reference` gave, None where it is not asked.
        """
        return float(values.mean())

    def nearest(
        self, values: "np.ndarray", reference: RealPictures
    ) -> "tuple[np.ndarray, np.ndarray]":
        """The training picture nearest to each drawn one: its row (n,), and how much nearer it is
        (n,) than fresh real pictures are. For a measure that `shows_nearest`."""
        raise NotImplementedError

    def compare(
        self,
        ours: "np.ndarray",
        theirs: "np.ndarray",
        prompts: "np.ndarray",
        reference: RealPictures | None,
    ) -> "np.ndarray":
        """One model's measure less another's: a value for each distinct prompt, sorted.

        `ours` and `theirs` are paired row by row; the rest is as in `summarise`.
        """
        from emaki.evaluation.by_prompt import prompt_means

        return prompt_means(ours - theirs, prompts)


KIND = Kind("measure", "emaki.evaluation.measures", Measure)
