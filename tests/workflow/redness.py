"""How red pictures are."""

from typing import ClassVar

from emaki.evaluation.measures import Measure, Texts


class Redness(Measure):
    """How red a picture is, from -255 to 255."""

    texts: ClassVar[dict[str, Texts]] = {
        "domain": Texts(
            title="Is red",
            short="Red",
            unit="red less green",
            phrases={
                "better": "are redder",
                "worse": "are greener",
                "the same": "are as red",
                "not decided yet": "may be redder or greener",
            },
            subject="redness is",
            explanation="The mean of red less that of green.",
        ),
    }

    def score(self, images, prompts, label):
        pixels = [image.resize((1, 1), 4).getpixel((0, 0)) for image in images]
        return [float(red - green) for red, green, _ in pixels]
